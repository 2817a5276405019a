/** Scores everyone, in a process of its own: the product's job, or the bare parts of it. */
import { readFileSync } from "node:fs";
import type { Redis } from "ioredis";
import { loadConfig } from "../../src/config.js";
import { type Core, openCore } from "../../src/core.js";
import { jobFunctions } from "../../src/job-functions.js";
import { jobLeaseName } from "../../src/jobs/job.js";
import { RankedSets } from "../../src/leads/ranked-sets.js";
import { walkRanked } from "../../src/leads/ranked-walk.js";
import { createLogger } from "../../src/logger.js";
import { memberKeyPattern, rankedListKey } from "../../src/redis/keys.js";
import { withLease } from "../../src/redis/lease.js";
import { loadOnnxScorer } from "../../src/scoring/onnx-scorer.js";
import { answerCalls } from "./child.js";
import { cpuMicroseconds } from "./cpu.js";
import type { Pool } from "./reference-models.js";

export interface ScoringRun {
  readonly members: number;
  readonly seconds: number;
  /** Processor time of this process and of Redis. */
  readonly cpuMicroseconds: number;
  readonly redisMicroseconds: number;
}

const LEASE_TTL_MS = 15_000;
/** As in the job. */
const BATCH = 512;

let core: Core;

async function start({ target, dataDir }: { target: string; dataDir: string }): Promise<void> {
  const config = loadConfig({ REDIS_URL: target, DATA_DIR: dataDir });
  core = await openCore(config, target, "work", createLogger("error"));
}

async function redisCpuMicroseconds(): Promise<number> {
  const info = await core.client.info("cpu");
  const of = (name: string): number => Number(new RegExp(`${name}:([\\d.]+)`).exec(info)?.[1] ?? 0);
  return 1e6 * (of("used_cpu_user") + of("used_cpu_sys"));
}

async function measured(work: () => Promise<number>): Promise<ScoringRun> {
  const started = performance.now();
  const [cpu, redis] = [cpuMicroseconds(), await redisCpuMicroseconds()];
  const members = await work();
  return {
    members,
    seconds: (performance.now() - started) / 1000,
    cpuMicroseconds: cpuMicroseconds() - cpu,
    redisMicroseconds: (await redisCpuMicroseconds()) - redis,
  };
}

/** The job as a worker runs it, from listing the members to the run in force. */
const ours = (_: null): Promise<ScoringRun> =>
  measured(() =>
    withLease(core.client, jobLeaseName("score"), LEASE_TTL_MS, async (lease) => {
      const { scored } = await jobFunctions(core, core.config, false).score({
        jobId: "bench",
        input: {},
        signal: lease.signal,
        token: lease.token,
        logger: core.logger,
        progress: () => undefined,
        fence: lease.assertHeld,
      });
      return Number(scored);
    }),
  );

let keys: string[] | undefined;

/** Everybody's key; not part of the limit. */
async function everyKey(client: Redis): Promise<string[]> {
  const found: string[] = [];
  let cursor = "0";
  do {
    const [next, some] = await client.scan(cursor, "MATCH", memberKeyPattern, "COUNT", 1_000);
    found.push(...some);
    cursor = next;
  } while (cursor !== "0");
  return found;
}

/** The same bytes read in pipelines, the same graph on rows of the same members: nothing else. */
async function limit({ pool, members }: { pool: Pool; members: number }): Promise<ScoringRun> {
  const client = core.client as Redis;
  keys ??= await everyKey(client);
  const asked = keys.slice(0, members);
  const scorer = await loadOnnxScorer(readFileSync(pool.headsGraph));
  const bytes = readFileSync(pool.headRows);
  const floats = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  const rows = new Float32Array(BATCH * scorer.featureCount);
  for (let i = 0; i < rows.length; i++) rows[i] = floats[i % floats.length];
  const run = await measured(async () => {
    for (let from = 0; from < asked.length; from += BATCH) {
      const batch = asked.slice(from, from + BATCH);
      const pipeline = client.pipeline();
      for (const key of batch) pipeline.hmgetBuffer(key, "s", "p");
      await pipeline.exec();
      await scorer.run(rows, batch.length);
    }
    return asked.length;
  });
  await scorer.release();
  return run;
}

/** Milliseconds until the best `count` of the purchase set are at hand. */
async function top(count: number): Promise<number> {
  const started = performance.now();
  const run = await new RankedSets(core.client).current();
  let left = count;
  for await (const page of walkRanked(core.client, run!, "purchase", Math.min(count, 10_000))) {
    left -= page.length;
    if (left <= 0) break;
  }
  return performance.now() - started;
}

/** Bytes a member of the purchase set takes: our list, and a sorted set of the same for comparison. */
async function bytesAMember(partition: number): Promise<{ list: number; sortedSet: number }> {
  const client = core.client as Redis;
  const run = await new RankedSets(client).current();
  const key = rankedListKey(partition, run!.run, "purchase");
  const list = Number(await client.memory("USAGE", key, "SAMPLES", 0));
  const members: (string | number)[] = [];
  for (const memberKey of keys!) {
    if (memberKey.startsWith(`m:{p${partition}}:`)) {
      members.push(Math.random(), memberKey.slice(memberKey.indexOf("}:") + 2));
    }
  }
  const sorted = "bench:sorted";
  await client.zadd(sorted, ...members);
  const sortedSet = Number(await client.memory("USAGE", sorted, "SAMPLES", 0));
  await client.unlink(sorted);
  const count = members.length / 2;
  return { list: list / count, sortedSet: sortedSet / count };
}

const stop = (_: null): Promise<void> => core.close();

const calls = { start, ours, limit, top, bytesAMember, stop };
export type ScoringCalls = typeof calls;
answerCalls(calls);
