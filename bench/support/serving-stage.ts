/** Everything a serving bench needs: a filled private Redis, the reference models, both servers, the load. */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { loadConfig } from "../../src/config.js";
import { openCore } from "../../src/core.js";
import { createLogger } from "../../src/logger.js";
import { startProgress } from "../../src/progress.js";
import { startPrivateRedis } from "../../src/redis/private-redis.js";
import { Child } from "./child.js";
import { projectRoot } from "./compile.js";
import type { LimitCalls } from "./limit-child.js";
import type { Load, LoadCalls } from "./load-child.js";
import type { BenchOptions } from "./options.js";
import { publishReference, REFERENCE, type Reference } from "./reference-models.js";
import { type FilledWorld, fillReferenceWorld } from "./reference-world.js";
import type { ServerCalls } from "./server-child.js";

const KEY = "bench-admin-key";

/** What is measured; each on the limit and on ours. */
export interface Route {
  readonly name: "scores" | "recommendations";
  readonly path: string;
  body(member: string): string;
}

export const ROUTES: readonly Route[] = [
  {
    name: "scores",
    path: "/v1/scores",
    body: (member) => JSON.stringify({ members: [member] }),
  },
  {
    name: "recommendations",
    path: "/v1/recommendations",
    // Beyond saturation the budget would leave the ranker out, and the figure would be of less work.
    body: (member) =>
      JSON.stringify({ member, placement: "screen_pop", limit: 5, budgetMs: 10_000 }),
  },
];

/** `bare`: the limit with the product's own trees in place of onnxruntime. */
export type Side = "limit" | "bare" | "ours";

/** What the servers run on. */
export interface Setup {
  /** Path of a Node. */
  readonly node: string;
  readonly processes: number;
}

const THIS_NODE: Setup = { node: process.execPath, processes: 1 };

export interface ServingStage {
  readonly world: FilledWorld;
  readonly reference: Reference;
  readonly redisVersion: string;
  /** Of the servers. */
  readonly nodeVersion: string;
  readonly load: Child<LoadCalls>;
  readonly ours: Child<ServerCalls>;
  /** Bytes of ours' answers, which the limit returns too. */
  readonly answerBytes: Record<Route["name"], number>;
  /** What to send to a side, without the time it is sent for. */
  requests(side: Side, route: Route): Omit<Load, "seconds">;
  /** Processor microseconds a side's process has used. */
  cpu(side: Side): Promise<number>;
  close(): Promise<void>;
}

export async function openServingStage(
  options: BenchOptions,
  { node, processes } = THIS_NODE,
): Promise<ServingStage> {
  const base = `${projectRoot}.data/bench`;
  mkdirSync(base, { recursive: true });
  const dataDir = mkdtempSync(`${base}/run-`);
  const logger = createLogger("error");
  const redis = await startPrivateRedis({ dataDir, maxmemoryMb: 2048, logger });
  const target = redis.socketPath;
  const load = new Child<LoadCalls>("load-child");
  const ours = new Child<ServerCalls>("server-child", node);
  const limit = new Child<LimitCalls>("limit-child", node);
  const bare = new Child<LimitCalls>("limit-child", node);
  const close = async (): Promise<void> => {
    for (const child of [load, ours, limit, bare]) child.stop();
    await redis.stop();
    rmSync(dataDir, { recursive: true, force: true });
  };
  try {
    const prepared = await prepare(target, dataDir, options);
    const { pool } = prepared.reference;
    const oursPort = await ours.call("start", { target, dataDir, adminApiKey: KEY, processes });
    await whenTrained(oursPort, pool.ids[0]);
    await checkCandidates(oursPort, pool.ids.slice(0, 20));
    const answerBytes = {
      scores: await bytesOf(oursPort, ROUTES[0], pool.ids),
      recommendations: await bytesOf(oursPort, ROUTES[1], pool.ids),
    };
    const { scores: scoresBytes, recommendations: recommendationsBytes } = answerBytes;
    const bytes = { scoresBytes, recommendationsBytes };
    const plain = { target, pool, ...bytes, ownTrees: false, processes };
    const ports: Record<Side, number> = {
      ours: oursPort,
      limit: await limit.call("start", plain),
      bare: await bare.call("start", { ...plain, ownTrees: true }),
    };
    const limits = { limit, bare };
    return {
      ...prepared,
      load,
      ours,
      answerBytes,
      requests: (side, { path, body }) => ({
        port: ports[side],
        path,
        key: KEY,
        bodies: pool.ids.map(body),
      }),
      cpu: (side) => (side === "ours" ? ours.call("cpu", null) : limits[side].call("cpu", null)),
      nodeVersion: await ours.call("versionOf", null),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

async function prepare(target: string, dataDir: string, options: BenchOptions) {
  const config = loadConfig({ REDIS_URL: target, DATA_DIR: dataDir });
  const core = await openCore(config, target, "work", createLogger("error"));
  const progress = startProgress("Preparing");
  try {
    const world = await fillReferenceWorld(core, options, progress);
    const reference = await publishReference(core, world, dataDir, options.seed, progress);
    const redisVersion = /redis_version:(\S+)/.exec(await core.client.info("server"))?.[1] ?? "?";
    return { world, reference, redisVersion };
  } finally {
    progress.stop();
    await core.close();
  }
}

async function answerTo(port: number, path: string, body: string): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-api-key": KEY },
    body,
  });
  const text = await response.text();
  if (response.status !== 200) throw new Error(`${path} answered ${response.status}: ${text}`);
  return text;
}

interface Explained {
  readonly degraded: readonly string[];
  readonly suggestions: readonly unknown[];
  readonly explanation: { readonly candidates: readonly { readonly margin: number | null }[] };
}

const TRAINED_WAIT_MS = 30_000;

/** On a busy machine a server may be up before it could fetch its models; it goes on trying. */
async function whenTrained(port: number, member: string): Promise<void> {
  const { path, body } = ROUTES[1];
  const until = performance.now() + TRAINED_WAIT_MS;
  while (performance.now() < until) {
    const { degraded } = JSON.parse(await answerTo(port, path, body(member))) as Explained;
    if (!degraded.includes("untrained")) return;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

/** The figure is worth nothing unless every candidate was there and went through the trees. */
async function checkCandidates(port: number, members: readonly string[]): Promise<void> {
  for (const member of members) {
    const request = { member, placement: "screen_pop", budgetMs: 10_000, explain: true };
    const text = await answerTo(port, "/v1/recommendations", JSON.stringify(request));
    const { degraded, explanation, suggestions } = JSON.parse(text) as Explained;
    const { candidates } = explanation;
    const ranked = candidates.filter(({ margin }) => margin !== null).length;
    if (ranked !== REFERENCE.candidates || degraded.length > 0 || suggestions.length < 5) {
      throw new Error(
        `${member}: ${ranked} candidates ranked of ${candidates.length}, ${suggestions.length} ` +
          `suggestions, degraded: ${degraded.join(", ") || "no"}`,
      );
    }
  }
}

/** Median length of an answer. */
async function bytesOf(port: number, route: Route, members: readonly string[]): Promise<number> {
  const lengths: number[] = [];
  for (const member of members.slice(0, 51)) {
    lengths.push(Buffer.byteLength(await answerTo(port, route.path, route.body(member))));
  }
  return lengths.sort((a, b) => a - b)[Math.floor(lengths.length / 2)];
}
