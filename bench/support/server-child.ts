/** Ours: one serve process through the real composition root, with a profiler at hand. */
import { Session } from "node:inspector/promises";
import { loadConfig } from "../../src/config.js";
import { startServer } from "../../src/server.js";
import { createLogger, metrics } from "../../src/telemetry.js";
import { answerCalls } from "./child.js";
import { cpuMicroseconds } from "./cpu.js";

export interface ServerStart {
  readonly target: string;
  readonly dataDir: string;
  readonly adminApiKey: string;
}

async function start({ target, dataDir, adminApiKey }: ServerStart): Promise<number> {
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
  return values.reduce((sum, { value }) => sum + value, 0);
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

const calls = { start, degraded, startProfile, stopProfile, cpu: (_: null) => cpuMicroseconds() };
export type ServerCalls = typeof calls;
answerCalls(calls);
