/** A Redis Cluster of six nodes (three masters, a replica each) on loopback, for tests. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";

const MASTERS = 3;
const NODES = 6;
const SLOTS = 16_384;
const START_LIMIT_MS = 20_000;
/** The cluster bus listens this much above the port. */
const BUS_OFFSET = 10_000;

export interface TestCluster {
  /** Comma-separated URLs of all nodes: what `connectRedis` takes. */
  readonly target: string;
  readonly pids: readonly number[];
  readonly ports: readonly number[];
  stop(): Promise<void>;
}

/**
 * Starts the Cluster and waits until every node sees all slots served and each master replicated.
 * `nodeTimeoutMs`: silence after which a master counts as gone; short where a failover is the test,
 * long otherwise, since a machine under load is silent at times.
 */
export async function startTestCluster(nodeTimeoutMs = 5_000): Promise<TestCluster> {
  const dir = mkdtempSync(join(tmpdir(), "cuecard-cluster-"));
  const ports = await freePorts(NODES);
  const children = ports.map((port) => startNode(dir, port, nodeTimeoutMs));
  const stop = async (): Promise<void> => {
    await Promise.all(children.map(endChild));
    rmSync(dir, { recursive: true, force: true });
  };
  const nodes = ports.map(
    (port) =>
      new Redis({
        ...{ host: "127.0.0.1", port, protocol: 2 },
        // A node may take seconds to listen on a busy machine: START_LIMIT_MS says when to give up.
        maxRetriesPerRequest: null,
        retryStrategy: () => 50,
      }),
  );
  for (const node of nodes) node.on("error", () => undefined);
  try {
    await withinLimit(formCluster(nodes, ports));
  } catch (error) {
    await stop();
    throw error;
  } finally {
    for (const node of nodes) node.disconnect();
  }
  return {
    target: ports.map((port) => `redis://127.0.0.1:${port}`).join(","),
    pids: children.map((child) => child.pid as number),
    ports,
    stop,
  };
}

function startNode(dir: string, port: number, nodeTimeoutMs: number): ChildProcess {
  const nodeDir = join(dir, String(port));
  mkdirSync(nodeDir);
  const settings: Record<string, string> = {
    port: String(port),
    bind: "127.0.0.1",
    dir: nodeDir,
    logfile: join(nodeDir, "redis.log"),
    save: "",
    appendonly: "no",
    "cluster-enabled": "yes",
    "cluster-config-file": "nodes.conf",
    "cluster-node-timeout": String(nodeTimeoutMs),
    "repl-diskless-sync-delay": "0",
    // A replica counts from its first byte on, and on an empty master only a ping sends one.
    "repl-ping-replica-period": "1",
    "hash-max-ziplist-value": "4096",
  };
  const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
  return spawn("redis-server", args, { stdio: "ignore" });
}

function endChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) {
    return Promise.resolve();
  }
  return new Promise((resolve) => {
    child.once("exit", () => resolve());
    child.kill("SIGKILL");
  });
}

async function formCluster(nodes: Redis[], ports: number[]): Promise<void> {
  for (let i = 0; i < MASTERS; i++) {
    const from = Math.ceil((i * SLOTS) / MASTERS);
    const to = Math.ceil(((i + 1) * SLOTS) / MASTERS);
    const slots = Array.from({ length: to - from }, (_, offset) => from + offset);
    await nodes[i].cluster("ADDSLOTS", slots);
    await nodes[i].cluster("SET-CONFIG-EPOCH", i + 1);
  }
  // Everyone meets everyone: left to gossip, they would need many seconds.
  for (let i = 0; i < NODES; i++) {
    for (const port of ports.slice(i + 1)) await nodes[i].cluster("MEET", "127.0.0.1", port);
  }
  await until(async () => {
    const infos = await Promise.all(nodes.map((node) => node.cluster("INFO")));
    return infos.every((info) => String(info).includes(`cluster_known_nodes:${NODES}`));
  });
  for (let i = MASTERS; i < NODES; i++) {
    const masterId = (await nodes[i - MASTERS].cluster("MYID")) as string;
    await until(() =>
      nodes[i].cluster("REPLICATE", masterId).then(
        () => true,
        () => false,
      ),
    );
  }
  await until(async () => (await Promise.all(nodes.map(isComplete))).every(Boolean));
}

/** This node knows all slots as served, each by a master and a replica. */
async function isComplete(node: Redis): Promise<boolean> {
  if (!String(await node.cluster("INFO")).includes("cluster_state:ok")) return false;
  const ranges = (await node.cluster("SLOTS")) as unknown[][];
  return ranges.length === MASTERS && ranges.every((range) => range.length >= 4);
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await sleep(50);
}

function withinLimit(work: Promise<void>): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Error(`the Cluster did not form within ${START_LIMIT_MS} ms`)),
      START_LIMIT_MS,
    );
    work.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

/** Ports free now, with a free port for the bus above each. */
async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  while (ports.size < count) {
    const port = 20_000 + Math.floor(Math.random() * 12_000);
    if ((await isFree(port)) && (await isFree(port + BUS_OFFSET))) ports.add(port);
  }
  return [...ports];
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}
