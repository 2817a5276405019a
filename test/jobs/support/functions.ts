/** Small jobs that really publish to Redis under their fence, for every name of the product. */
import { setTimeout as sleep } from "node:timers/promises";
import { CuecardError } from "../../../src/errors.js";
import { JOB_NAMES, type JobContext, type JobFunctions } from "../../../src/jobs/job.js";
import type { RedisClient } from "../../../src/redis/clients.js";

/**
 * Input of a test job.
 * - `until`: works until this key exists, or until told to stop
 * - `deaf`: … and does not listen when told to stop, but publishes in the end
 * - `block`: blocks its thread for so many ms, as a native call does
 * - `failures`: fails in so many attempts before it succeeds
 * - `code`: fails with this error of ours
 */
export interface TestInput extends Record<string, unknown> {
  until?: string;
  deaf?: boolean;
  block?: number;
  failures?: number;
  code?: "not_enough_data";
}

export const testJobKeys = {
  /** Hash: times begun, process. */
  seen: (jobId: string) => `seen:${jobId}`,
  /** List: one entry for each time the job published. */
  effects: (jobId: string) => `effects:${jobId}`,
};

async function testJob(store: RedisClient, context: JobContext): Promise<Record<string, unknown>> {
  const { jobId, signal } = context;
  const input: TestInput = context.input;
  // First the process: who sees a run begun reads it.
  await store.hset(testJobKeys.seen(jobId), "pid", process.pid);
  const begun = await store.hincrby(testJobKeys.seen(jobId), "begun", 1);
  context.progress(10, "begun");
  if (input.code !== undefined) throw new CuecardError(input.code, "as asked");
  if (begun <= (input.failures ?? 0)) throw new Error(`failure ${begun}\nsecond line`);
  if (input.block !== undefined) blockThread(input.block);
  while (input.until !== undefined && (await store.exists(input.until)) === 0) {
    if (!input.deaf) signal.throwIfAborted();
    await sleep(20);
  }
  context.progress(90, "publishing");
  await context.fence();
  await store.rpush(testJobKeys.effects(jobId), context.token);
  return { begun, pid: process.pid };
}

function blockThread(forMs: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, forMs);
}

export function testFunctions(store: RedisClient): JobFunctions {
  const run = (context: JobContext) => testJob(store, context);
  return Object.fromEntries(JOB_NAMES.map((name) => [name, run])) as JobFunctions;
}
