/** Ours: serve processes through the real composition root, with a profiler at hand. */
import { Session } from "node:inspector/promises";
import { loadConfig } from "../../src/config.js";
import { createLogger } from "../../src/logger.js";
import { startServer } from "../../src/server.js";
import { metrics } from "../../src/telemetry.js";
import { answerCalls, type Child, forkWorkers } from "./child.js";
import { cpuMicroseconds } from "./cpu.js";

export interface ServerStart {
  readonly target: string;
  readonly dataDir: string;
  readonly adminApiKey: string;
  /** 1 unless given; more share a port under node:cluster. */
  readonly processes?: number;
}

type WorkerCalls = {
  start(input: ServerStart): Promise<number>;
  degraded(_: null): Promise<number>;
  cpu(_: null): Promise<number>;
};
let workers: Child<WorkerCalls>[] = [];
const sum = (values: readonly number[]): number => values.reduce((all, one) => all + one, 0);

async function start(input: ServerStart): Promise<number> {
  const { target, dataDir, adminApiKey, processes = 1 } = input;
  if (processes > 1) {
    workers = forkWorkers(processes);
    const each = { ...input, processes: 1 };
    return (await Promise.all(workers.map((worker) => worker.call("start", each))))[0]!;
  }
  const config = loadConfig({
    REDIS_URL: target,
    DATA_DIR: dataDir,
    ADMIN_API_KEY: adminApiKey,
    HOST: "127.0.0.1",
    PORT: "0",
    LOG_LEVEL: "error",
  });
  const server = await startServer(config, target, createLogger(config.logLevel));
  return server.port;
}

/** Answers that were not whole, since the start. */
async function degraded(_: null): Promise<number> {
  const { values } = await metrics.degraded.get();
  const others = await Promise.all(workers.map((worker) => worker.call("degraded", null)));
  return sum(values.map(({ value }) => value)) + sum(others);
}

async function cpu(_: null): Promise<number> {
  const others = await Promise.all(workers.map((worker) => worker.call("cpu", null)));
  return cpuMicroseconds() + sum(others);
}

const session = new Session();

async function startProfile(intervalMicroseconds: number): Promise<void> {
  session.connect();
  await session.post("Profiler.enable");
  await session.post("Profiler.setSamplingInterval", { interval: intervalMicroseconds });
  await session.post("Profiler.start");
}

async function stopProfile(_: null) {
  const { profile } = await session.post("Profiler.stop");
  session.disconnect();
  return profile;
}

const versionOf = (_: null): string => process.versions.node;

const calls = { start, degraded, startProfile, stopProfile, cpu, versionOf };
export type ServerCalls = typeof calls;
answerCalls(calls);
