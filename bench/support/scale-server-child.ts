/** One serve process over a store of any size: what its start and its requests take. */
import { monitorEventLoopDelay } from "node:perf_hooks";
import { loadConfig } from "../../src/config.js";
import { createLogger } from "../../src/logger.js";
import { startServer } from "../../src/server.js";
import { metrics } from "../../src/telemetry.js";
import { answerCalls } from "./child.js";
import { cpuMicroseconds } from "./cpu.js";
import type { ServerStart } from "./server-child.js";

async function start({ target, dataDir, adminApiKey }: ServerStart) {
  const config = loadConfig({
    REDIS_URL: target,
    DATA_DIR: dataDir,
    ADMIN_API_KEY: adminApiKey,
    HOST: "127.0.0.1",
    PORT: "0",
    LOG_LEVEL: "fatal",
  });
  const begun = performance.now();
  const { port } = await startServer(config, target, createLogger(config.logLevel));
  return { port, ms: performance.now() - begun };
}

const sumOf = async (metric: { get(): Promise<{ values: { value: number }[] }> }) =>
  (await metric.get()).values.reduce((sum, { value }) => sum + value, 0);

const loop = monitorEventLoopDelay({ resolution: 1 });
loop.enable();

/**
 * `degraded`: answers that were not whole; `swaps`: models taken over or refused. Since the start.
 * `stallMs`: the longest turn of the event loop, to a millisecond, since this was asked before.
 */
async function usage(_: null) {
  const stallMs = loop.max / 1e6;
  loop.reset();
  return {
    stallMs,
    cpuMicroseconds: cpuMicroseconds(),
    rssBytes: process.memoryUsage.rss(),
    degraded: await sumOf(metrics.degraded),
    swaps: await sumOf(metrics.modelSwaps),
  };
}

const calls = { start, usage };
export type ScaleServerCalls = typeof calls;
answerCalls(calls);
