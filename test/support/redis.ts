/** A real Redis for a test file: a private one, or the Cluster when the project runs against it. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { inject } from "vitest";
import { closeRedis, connectRedis, mastersOf, whenReady } from "../../src/redis/clients.js";
import { startPrivateRedis } from "../../src/redis/private-redis.js";

export const silentLogger = pino({ level: "silent" });

export interface TestStore {
  /** What `connectRedis` takes. */
  readonly target: string;
  readonly isCluster: boolean;
  stop(): Promise<void>;
}

export interface TestRedis extends TestStore {
  readonly socketPath: string;
  readonly dataDir: string;
  /** Of the Redis that serves now. */
  readonly pid: number;
}

/** A fresh directory; the caller removes it. Short, since a socket's path has to fit. */
export const temporaryDir = (): string => mkdtempSync(join(tmpdir(), "cuecard-test-"));

/** A private Redis in a directory of its own: `stop` it in afterAll. */
export async function startTestRedis(options: { maxmemoryMb?: number } = {}): Promise<TestRedis> {
  const dataDir = temporaryDir();
  const redis = await startPrivateRedis({
    dataDir,
    maxmemoryMb: options.maxmemoryMb ?? 256,
    logger: silentLogger,
  });
  return {
    target: redis.socketPath,
    isCluster: false,
    socketPath: redis.socketPath,
    dataDir,
    get pid() {
      return redis.pid;
    },
    async stop() {
      await redis.stop();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

/**
 * The store of this file: in the project "cluster" this worker's Cluster, emptied; else a private
 * Redis. Suites that should hold on both use this one.
 */
export async function testTarget(): Promise<TestStore> {
  const clusters = inject("clusterTargets");
  if (clusters.length === 0) return startTestRedis();
  const nodes = clusters[Number(process.env.VITEST_POOL_ID) - 1];
  await flushCluster(nodes);
  return { target: nodes, isCluster: true, stop: async () => undefined };
}

async function flushCluster(target: string): Promise<void> {
  const client = connectRedis(target, "work");
  try {
    await whenReady(client, 10_000);
    await Promise.all(mastersOf(client).map((node) => node.flushall()));
  } finally {
    closeRedis(client);
  }
}
