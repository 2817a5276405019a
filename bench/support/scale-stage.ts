/** A Redis of its own, filled to a size, with artifacts and the reference models in force. */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import type { JobName } from "../../src/jobs/job.js";
import { createLogger } from "../../src/logger.js";
import { closeRedis, connectRedis, whenReady } from "../../src/redis/clients.js";
import { startPrivateRedis } from "../../src/redis/private-redis.js";
import { Child } from "./child.js";
import { projectRoot } from "./compile.js";
import type { JobFigures, ScaleCalls, StoreOf } from "./scale-child.js";
import type { Filled, Scale } from "./scale-world.js";

export const BENCH_KEY = "bench-admin-key";
const REDIS_MAXMEMORY_MB = 16_384;

export interface ScaleStage {
  readonly scale: Scale;
  readonly store: StoreOf;
  readonly redisVersion: string;
  readonly filled: Filled;
  /** `used_memory` once the log lies in the archive; absent where no archive was asked for. */
  readonly archivedBytes: number | undefined;
  /** Members with orders and a full number of candidates. */
  readonly members: readonly string[];
  /** Of each job run, in the order they ran. */
  readonly jobs: ReadonlyMap<string, JobFigures>;
  close(): Promise<void>;
}

export interface ScaleStageOptions {
  readonly scale: Scale;
  /** Trees a model of a training; 0: none is run. */
  readonly rounds: number;
  /** Beside those that serving needs. */
  readonly jobs: readonly JobName[];
}

/** Fills, fits, and runs the jobs asked for, archive first as a shop of this age would have it. */
export async function openScaleStage(options: ScaleStageOptions): Promise<ScaleStage> {
  const { scale } = options;
  const base = `${projectRoot}.data/bench`;
  mkdirSync(base, { recursive: true });
  const dataDir = mkdtempSync(`${base}/scale-`);
  const logger = createLogger("error");
  const redis = await startPrivateRedis({ dataDir, maxmemoryMb: REDIS_MAXMEMORY_MB, logger });
  const store = { target: redis.socketPath, dataDir };
  const close = async (): Promise<void> => {
    await redis.stop();
    rmSync(dataDir, { recursive: true, force: true });
  };
  try {
    const redisVersion = await withoutDisk(store.target);
    const now = Date.now();
    process.stderr.write(`${scale.members} members, ${scale.products} products: filling\n`);
    const filled = await inChild((child) => child.call("fill", { ...store, scale, now }));
    const jobs = new Jobs(store);
    let archivedBytes: number | undefined;
    if (options.jobs.includes("archive")) {
      await jobs.run("archive");
      archivedBytes = await inChild((child) => child.call("memory", store));
    }
    await jobs.run("candidates");
    await jobs.run("artifacts");
    if (options.rounds > 0) await jobs.run("train", { rounds: options.rounds });
    process.stderr.write("  reference models\n");
    const members = await inChild((child) => child.call("reference", { ...store, scale, now }));
    for (const name of options.jobs) if (name !== "archive") await jobs.run(name);
    const { figures } = jobs;
    return { scale, store, redisVersion, filled, archivedBytes, members, jobs: figures, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** In a process of its own, which ends with the work. */
export async function inChild<T>(work: (child: Child<ScaleCalls>) => Promise<T>): Promise<T> {
  const child = new Child<ScaleCalls>("scale-child");
  try {
    return await work(child);
  } finally {
    child.stop();
  }
}

/** Gigabytes of test data need not survive anything: nothing here measures writes. */
async function withoutDisk(target: string): Promise<string> {
  const client = connectRedis(target, "work", { name: "bench" });
  try {
    await whenReady(client, 10_000);
    await client.call("config", "set", "appendonly", "no");
    return /redis_version:(\S+)/.exec(await client.info("server"))?.[1] ?? "?";
  } finally {
    closeRedis(client);
  }
}

/** Jobs of one store, each in a process of its own. */
class Jobs {
  readonly figures = new Map<string, JobFigures>();
  readonly #store: StoreOf;

  constructor(store: StoreOf) {
    this.#store = store;
  }

  async run(name: JobName, options: { rounds?: number } = {}): Promise<void> {
    process.stderr.write(`  ${name}`);
    const one = await inChild((child) => child.call("job", { ...this.#store, name, ...options }));
    const mib = (one.peakBytes / 2 ** 20).toFixed(0);
    process.stderr.write(`: ${one.seconds.toFixed(1)} s, ${mib} MiB\n`);
    this.figures.set(name, one);
  }
}
