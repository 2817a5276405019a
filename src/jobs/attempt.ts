/** One run of a job: under its lease, bounded in time, here or in a child, recorded when done. */
import type { RedisClient } from "../redis/clients.js";
import { jobDoneKey } from "../redis/keys.js";
import { type Lease, withLease } from "../redis/lease.js";
import type { Logger } from "../telemetry.js";
import { type JobFunction, type JobInput, type JobResult, jobLeaseName } from "./job.js";
import { type ChildCommand, runInChild } from "./run-in-child.js";
import type { Schedule } from "./schedule.js";
import { JobStop } from "./stop.js";

export interface Attempt {
  readonly schedule: Schedule;
  readonly jobId: string;
  readonly input: JobInput;
  /** Told to stop by aborting it with a `JobStop`. */
  readonly stop: AbortController;
  onProgress(percent: number, text: string): void;
}

export interface AttemptDeps {
  /** A "work" client of the member store: leases and records of what is done live there. */
  readonly store: RedisClient;
  /** Called here, for light jobs. */
  readonly functionOf: (name: Schedule["name"]) => JobFunction;
  /** For heavy jobs. */
  readonly child: ChildCommand;
  readonly logger: Logger;
  readonly leaseTtlMs: number;
  /** Between telling a run to stop and leaving it behind, in ms. */
  readonly graceMs: number;
}

const DONE_TTL_SECONDS = 7 * 86_400;

/**
 * Runs the job's function and returns its result; a run of the same id that finished before gives
 * its result again without running. Throws the function's error, the `JobStop` it was stopped with,
 * or `lease_held` when another process does this work for longer than a dead one's lease would last.
 */
export async function runAttempt(deps: AttemptDeps, attempt: Attempt): Promise<JobResult> {
  const { schedule, stop } = attempt;
  const timer = setTimeout(() => stop.abort(new JobStop("timeout")), schedule.timeoutMs);
  try {
    return await withLease(
      deps.store,
      jobLeaseName(schedule.name),
      deps.leaseTtlMs,
      (lease) => runOnce(deps, attempt, lease),
      { signal: stop.signal, waitMs: 2 * deps.leaseTtlMs },
    );
  } finally {
    clearTimeout(timer);
  }
}

async function runOnce(deps: AttemptDeps, attempt: Attempt, lease: Lease): Promise<JobResult> {
  const key = jobDoneKey(attempt.jobId);
  const done = await deps.store.get(key);
  if (done !== null) return JSON.parse(done) as JobResult;
  const result = attempt.schedule.heavy
    ? await runHeavy(deps, attempt, lease)
    : await runLight(deps, attempt, lease);
  await lease.assertHeld();
  await deps.store.set(key, JSON.stringify(result), "EX", DONE_TTL_SECONDS);
  return result;
}

const runHeavy = (deps: AttemptDeps, attempt: Attempt, lease: Lease): Promise<JobResult> =>
  runInChild({
    command: deps.child,
    request: {
      kind: "run",
      name: attempt.schedule.name,
      jobId: attempt.jobId,
      input: attempt.input,
      token: lease.token,
      leaseTtlMs: deps.leaseTtlMs,
    },
    signal: lease.signal,
    graceMs: deps.graceMs,
    onProgress: attempt.onProgress,
  });

function runLight(deps: AttemptDeps, attempt: Attempt, lease: Lease): Promise<JobResult> {
  const { jobId, input, onProgress, schedule } = attempt;
  const work = deps.functionOf(schedule.name)({
    jobId,
    input,
    signal: lease.signal,
    token: lease.token,
    logger: deps.logger.child({ job: schedule.name, jobId }),
    progress: onProgress,
    fence: lease.assertHeld,
  });
  return orLeaveBehind(work, lease.signal, deps.graceMs);
}

/** The outcome of `work`; once `signal` fired, its reason, at the latest after `graceMs`. */
function orLeaveBehind<T>(work: Promise<T>, signal: AbortSignal, graceMs: number): Promise<T> {
  return new Promise((resolve, reject) => {
    let timer: NodeJS.Timeout | undefined;
    const onAbort = (): void => {
      timer = setTimeout(() => reject(signal.reason), graceMs);
    };
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort, { once: true });
    work
      .then(resolve, (error) => reject(signal.aborted ? signal.reason : error))
      .finally(() => {
        clearTimeout(timer);
        signal.removeEventListener("abort", onAbort);
      });
  });
}
