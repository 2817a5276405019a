/** Runs the jobs: takes them from the queues, one heavy one at a time, and ends cleanly. */
import { setTimeout as sleep } from "node:timers/promises";
import { UnrecoverableError, WaitingError, Worker } from "bullmq";
import { CuecardError, type ErrorCode, isCuecardError } from "../errors.js";
import {
  closeRedis,
  connectRedis,
  isStoreUnavailable,
  type RedisClient,
} from "../redis/clients.js";
import { type Logger, metrics } from "../telemetry.js";
import { runAttempt } from "./attempt.js";
import type { JobFunctions, JobResult } from "./job.js";
import { ProgressWriter } from "./progress-writer.js";
import {
  addJob,
  type JobPayload,
  openQueues,
  QUEUE_NAMES,
  type QueuedJob,
  type QueueName,
  type Queues,
  queueOptions,
  TICK,
} from "./queues.js";
import { repeat } from "./repeat.js";
import type { ChildCommand } from "./run-in-child.js";
import type { Schedule } from "./schedule.js";
import { registerSchedulers } from "./schedulers.js";
import { JobStop } from "./stop.js";

export interface WorkerDeps {
  /** What `connectRedis` takes: QUEUE_REDIS_URL, or the store's own. */
  readonly queueTarget: string;
  /** A "work" client of the member store, where leases live. The caller closes it. */
  readonly store: RedisClient;
  readonly schedules: readonly Schedule[];
  /** Light ones are called here; heavy ones by `runJobChild` in the process `child` starts. */
  readonly functions: JobFunctions;
  readonly child: ChildCommand;
  readonly logger: Logger;
  /** Silence after which a worker counts as dead and its jobs are given to another. */
  readonly takeoverMs: number;
  /** Between telling a run to stop and leaving it behind (a child: killing it). Default 3 s. */
  readonly graceMs?: number;
  /** How long light jobs may take to end when the worker stops. Default 20 s. */
  readonly closeWaitMs?: number;
}

export interface JobWorker {
  /**
   * Takes no more jobs, waits for light ones, stops heavy ones so that the next start runs them
   * again, and closes. Safe to call twice.
   */
  close(): Promise<void>;
}

/** Each name is in the queue at most once, so light jobs seldom wait; ticks never do for long. */
const CONCURRENCY: Record<QueueName, number> = { light: 4, heavy: 1 };
const MAX_STALLED_COUNT = 5;
const RUN_RETRY_DELAY_MS = 1_000;
const CANCEL_POLL_MS = 1_000;
const OBSERVE_INTERVAL_MS = 10_000;
const DEFAULT_GRACE_MS = 3_000;
const DEFAULT_CLOSE_WAIT_MS = 20_000;
const CLOSE_MARGIN_MS = 2_000;

/** What another attempt would not mend. */
const FINAL: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "config_invalid",
  "job_unknown",
  "not_enough_data",
  "store_incompatible",
  "xgboost_missing",
]);

/**
 * Registers the schedules and starts to work. Waits for the queue's Redis when it is away. Throws
 * `config_invalid` for a pattern that is none.
 */
export async function startWorker(deps: WorkerDeps): Promise<JobWorker> {
  const client = connectRedis(deps.queueTarget, "work", {
    logger: deps.logger,
    name: "cuecard-work",
  });
  const queues = openQueues(client, false);
  try {
    await registerSchedulers(queues, deps.schedules);
  } catch (error) {
    closeRedis(client);
    throw error;
  }
  const worker = new RunningWorker(deps, client, queues);
  deps.logger.info({ jobs: deps.schedules.length }, "job worker is up");
  return worker;
}

interface Run {
  readonly stop: AbortController;
  readonly heavy: boolean;
}

class RunningWorker implements JobWorker {
  private readonly workers: Worker<JobPayload, JobResult>[];
  private readonly runs = new Map<string, Run>();
  private readonly stopObserving: () => void;
  private closing: Promise<void> | undefined;

  constructor(
    private readonly deps: WorkerDeps,
    private readonly client: RedisClient,
    private readonly queues: Queues,
  ) {
    this.workers = QUEUE_NAMES.map((name) => this.open(name));
    this.stopObserving = repeat(OBSERVE_INTERVAL_MS, () => this.observe());
  }

  close(): Promise<void> {
    this.closing ??= this.end();
    return this.closing;
  }

  private async end(): Promise<void> {
    this.stopObserving();
    const closed = this.workers.map((worker) => worker.close());
    this.stopRuns((run) => run.heavy);
    const { closeWaitMs = DEFAULT_CLOSE_WAIT_MS, graceMs = DEFAULT_GRACE_MS } = this.deps;
    const timer = setTimeout(() => this.stopRuns(() => true), closeWaitMs);
    // With Redis away nothing would ever be told: then the next worker finds the jobs stalled.
    const limit = sleep(closeWaitMs + graceMs + CLOSE_MARGIN_MS, undefined, { ref: false });
    await Promise.race([Promise.allSettled(closed), limit]);
    clearTimeout(timer);
    closeRedis(this.client);
    await Promise.allSettled(QUEUE_NAMES.map((name) => this.queues[name].close()));
    this.deps.logger.info("job worker is down");
  }

  private stopRuns(which: (run: Run) => boolean): void {
    for (const run of this.runs.values()) {
      if (which(run)) run.stop.abort(new JobStop("shutdown"));
    }
  }

  private open(name: QueueName): Worker<JobPayload, JobResult> {
    const { takeoverMs, logger } = this.deps;
    const worker = new Worker<JobPayload, JobResult>(
      name,
      (job, token) => (job.name === TICK ? this.tick(job) : this.process(job, token!)),
      {
        ...queueOptions(this.client),
        concurrency: CONCURRENCY[name],
        lockDuration: takeoverMs,
        stalledInterval: Math.ceil(takeoverMs / 3),
        maxStalledCount: MAX_STALLED_COUNT,
        runRetryDelay: RUN_RETRY_DELAY_MS,
      },
    );
    worker.on("error", (error) => {
      // The client says once that the store went away; BullMQ would with every try.
      if (!isStoreUnavailable(error)) logger.warn({ reason: error.message }, "job queue");
    });
    worker.on("stalled", (jobId) => logger.warn({ jobId }, "job taken over from a dead worker"));
    worker.on("lockRenewalFailed", (jobIds) => {
      for (const id of jobIds) this.runs.get(id)?.stop.abort(new JobStop("taken_over"));
    });
    return worker;
  }

  /** A schedule came due: ask for its job as anyone would. */
  private async tick(job: QueuedJob): Promise<JobResult> {
    const schedule = this.scheduleOf(String(job.data.input.job));
    return schedule === undefined ? {} : { job: await addJob(this.queues, schedule, {}) };
  }

  private async process(job: QueuedJob, token: string): Promise<JobResult> {
    const schedule = this.scheduleOf(job.name);
    if (schedule === undefined) throw new UnrecoverableError("job_unknown");
    const run: Run = { stop: new AbortController(), heavy: schedule.heavy };
    this.runs.set(job.id!, run);
    if (job.data.cancelled) run.stop.abort(new JobStop("cancelled"));
    // Fetched while closing: the next start runs it.
    else if (this.closing) run.stop.abort(new JobStop("shutdown"));
    const stopWatching = this.watchCancellation(job, run);
    try {
      return await this.measured(job, schedule, run);
    } catch (error) {
      throw await this.failureOf(job, token, error);
    } finally {
      stopWatching();
      this.runs.delete(job.id!);
    }
  }

  private async measured(job: QueuedJob, schedule: Schedule, run: Run): Promise<JobResult> {
    const { logger, functions, graceMs = DEFAULT_GRACE_MS, takeoverMs } = this.deps;
    const stopTimer = metrics.jobSeconds.startTimer({ job: job.name });
    const progress = new ProgressWriter((value) => job.updateProgress({ ...value }));
    try {
      const result = await runAttempt(
        {
          ...this.deps,
          functionOf: (name) => functions[name],
          leaseTtlMs: takeoverMs,
          graceMs,
        },
        {
          schedule,
          jobId: job.id!,
          input: job.data.input,
          stop: run.stop,
          onProgress: (percent, text) => progress.set(percent, text),
        },
      );
      const seconds = stopTimer();
      metrics.jobs.inc({ job: job.name, result: "completed" });
      logger.info({ job: job.name, jobId: job.id, seconds, result }, "job done");
      return result;
    } finally {
      await progress.end();
    }
  }

  /** What to tell BullMQ: a plain error is tried again while attempts are left. */
  private async failureOf(job: QueuedJob, token: string, error: unknown): Promise<Error> {
    const cause = error instanceof JobStop ? error.stopCause : undefined;
    const reason = reasonOf(error);
    metrics.jobs.inc({ job: job.name, result: cause ?? "failed" });
    const line = { job: job.name, jobId: job.id, attempt: job.attemptsMade + 1, reason };
    if (cause === "shutdown") {
      this.deps.logger.info(line, "job stopped; the next start runs it again");
      await job.moveToWait(token);
      return new WaitingError(reason);
    }
    if (cause === "cancelled") {
      this.deps.logger.info(line, "job cancelled");
      return new UnrecoverableError(reason);
    }
    this.deps.logger.warn(line, "job failed");
    if (isCuecardError(error) && FINAL.has(error.code)) return new UnrecoverableError(reason);
    return new Error(reason);
  }

  /** Cancellation is a mark on the job, so that it also reaches a worker that was not connected. */
  private watchCancellation(job: QueuedJob, run: Run): () => void {
    const queue = this.queues[run.heavy ? "heavy" : "light"];
    const look = async (): Promise<void> => {
      const now = await queue.getJob(job.id!).catch(() => job);
      if (now === undefined || now.data.cancelled) run.stop.abort(new JobStop("cancelled"));
    };
    return repeat(CANCEL_POLL_MS, look);
  }

  private scheduleOf(name: string): Schedule | undefined {
    return this.deps.schedules.find((schedule) => schedule.name === name);
  }

  private async observe(): Promise<void> {
    for (const name of QUEUE_NAMES) {
      const counts = await this.queues[name]
        .getJobCounts("waiting", "delayed", "active", "failed")
        .catch(() => ({}));
      for (const [state, count] of Object.entries(counts)) {
        metrics.jobsQueued.set({ queue: name, state }, count);
      }
    }
  }
}

const MAX_REASON_LENGTH = 300;

/** One line. Ours hold nothing personal; of others' only the first line is kept. */
function reasonOf(error: unknown): string {
  const text = error instanceof CuecardError ? error.message : String(error);
  return text.split("\n", 1)[0]!.slice(0, MAX_REASON_LENGTH);
}
