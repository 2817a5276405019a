/** Jobs as the HTTP tier sees them: ask for one, list them, cancel one. Fails fast. */
import { CuecardError, isCuecardError } from "../errors.js";
import {
  closeRedis,
  connectRedis,
  type RedisClient,
  toStoreError,
  whenReady,
  withDeadline,
} from "../redis/clients.js";
import type { Logger } from "../telemetry.js";
import { isJobName, type JobInput, type JobResult } from "./job.js";
import {
  addJob,
  JOB_ID,
  type JobProgress,
  openQueues,
  QUEUE_NAMES,
  type QueuedJob,
  type Queues,
  queueNameOf,
  TICK,
} from "./queues.js";
import type { Schedule } from "./schedule.js";

export interface JobEntry {
  readonly id: string;
  readonly name: string;
  readonly state: "waiting" | "delayed" | "active" | "completed" | "failed";
  readonly progress: JobProgress;
  /** Begun so far, also those ended by a crash. */
  readonly attempts: number;
  /** Epoch milliseconds, as all times here. */
  readonly createdAt: number;
  /** Of the last attempt. */
  readonly startedAt: number | null;
  readonly finishedAt: number | null;
  readonly result: JobResult | null;
  /** Of the last attempt that failed. */
  readonly failedReason: string | null;
}

export interface JobPage {
  readonly items: JobEntry[];
  /** null on the last page. */
  readonly nextCursor: string | null;
}

export interface JobQueueOptions {
  /** What `connectRedis` takes: QUEUE_REDIS_URL, or the store's own. */
  readonly target: string;
  readonly schedules: readonly Schedule[];
  readonly logger: Logger;
  /** Bound on every call here. */
  readonly deadlineMs?: number;
}

const DEADLINE_MS = 2_000;
const LISTED = ["waiting", "delayed", "active", "completed", "failed"] as const;

const unknownJob = (): CuecardError => new CuecardError("job_unknown", "there is no such job");

/** Every call throws `store_unavailable` while the queue's Redis does not answer. */
export class JobQueue {
  private readonly client: RedisClient;
  private readonly queues: Queues;

  constructor(private readonly options: JobQueueOptions) {
    const { target, logger } = options;
    this.client = connectRedis(target, "serve", { logger, name: "cuecard-jobs" });
    this.queues = openQueues(this.client, true);
  }

  /**
   * Asks for a job and returns its id. Asked again while it waits or runs, with the same input, the
   * answer is the same id. Throws `job_unknown`.
   */
  enqueue(name: string, input: JobInput = {}): Promise<string> {
    return this.answer(async () => {
      const schedule = this.options.schedules.find((candidate) => candidate.name === name);
      if (schedule === undefined || !isJobName(name)) throw unknownJob();
      return await addJob(this.queues, schedule, input);
    });
  }

  /** Latest first. `cursor` is the `nextCursor` of the page before. */
  list({ limit, cursor }: { limit: number; cursor?: string }): Promise<JobPage> {
    return this.answer(async () => {
      // A few hundred at most are kept, so a page is cut from all of them.
      const jobs = (await this.all()).sort(latestFirst);
      const after = cursor === undefined ? jobs : jobs.filter((job) => cursorOf(job) < cursor);
      const page = after.slice(0, limit);
      const entries = await Promise.all(page.map(entryOf));
      return {
        items: entries.filter((entry) => entry !== undefined),
        nextCursor: after.length > limit ? cursorOf(page[page.length - 1]!) : null,
      };
    });
  }

  /** Throws `job_unknown`. */
  get(id: string): Promise<JobEntry> {
    return this.answer(async () => {
      const job = await this.find(id);
      const entry = await entryOf(job);
      if (entry === undefined) throw unknownJob();
      return entry;
    });
  }

  /**
   * Removes a job that waits; one that runs is asked to stop and ends as failed, "cancelled".
   * Throws `job_unknown`, and `conflict` for one that has ended.
   */
  cancel(id: string): Promise<void> {
    return this.answer(async () => {
      const job = await this.find(id);
      if ((await job.isCompleted()) || (await job.isFailed())) {
        throw new CuecardError("conflict", "the job has ended already");
      }
      // First the mark: should a worker take the job meanwhile, it sees it.
      await job.updateData({ ...job.data, cancelled: true });
      if (!(await job.isActive())) await job.remove().catch(unlessLocked);
    });
  }

  /** Resolves when the queue's Redis answers; rejects after `timeoutMs`. */
  ready(timeoutMs: number): Promise<void> {
    return whenReady(this.client, timeoutMs);
  }

  async close(): Promise<void> {
    await Promise.allSettled(QUEUE_NAMES.map((name) => this.queues[name].close()));
    closeRedis(this.client);
  }

  private async all(): Promise<QueuedJob[]> {
    const lists = await Promise.all(
      QUEUE_NAMES.map((name) => this.queues[name].getJobs([...LISTED])),
    );
    const byId = new Map<string, QueuedJob>();
    // A job that moved from one set to another between the reads comes twice, a removed one empty.
    for (const job of lists.flat()) if (job?.id && job.name !== TICK) byId.set(job.id, job);
    return [...byId.values()];
  }

  private async find(id: string): Promise<QueuedJob> {
    const schedule = this.options.schedules.find(({ name }) => id.startsWith(`${name}-`));
    // Nothing but our own ids: the queue keeps other keys beside those of its jobs.
    if (schedule === undefined || !JOB_ID.test(id)) throw unknownJob();
    const job = await this.queues[queueNameOf(schedule)].getJob(id);
    if (job === undefined) throw unknownJob();
    return job;
  }

  private async answer<T>(call: () => Promise<T>): Promise<T> {
    try {
      return await withDeadline(call(), this.options.deadlineMs ?? DEADLINE_MS);
    } catch (error) {
      throw isCuecardError(error) ? error : toStoreError(error);
    }
  }
}

function unlessLocked(error: Error): void {
  if (!/locked/.test(error.message)) throw error;
}

const cursorOf = (job: QueuedJob): string => `${String(job.timestamp).padStart(16, "0")} ${job.id}`;

const latestFirst = (a: QueuedJob, b: QueuedJob): number => (cursorOf(a) < cursorOf(b) ? 1 : -1);

/** undefined when the job was removed meanwhile. */
async function entryOf(job: QueuedJob): Promise<JobEntry | undefined> {
  const found = await job.getState();
  const state = LISTED.find((known) => known === found);
  if (state === undefined) return undefined;
  const ended = state === "completed" || state === "failed";
  return {
    id: job.id!,
    name: job.name,
    state,
    progress: state === "completed" ? { percent: 100, text: "done" } : progressOf(job),
    attempts: job.attemptsStarted,
    createdAt: job.timestamp,
    startedAt: job.processedOn ?? null,
    finishedAt: ended ? (job.finishedOn ?? null) : null,
    result: state === "completed" ? job.returnvalue : null,
    failedReason: job.failedReason || null,
  };
}

function progressOf({ progress }: QueuedJob): JobProgress {
  return typeof progress === "object" && "percent" in progress && "text" in progress
    ? { percent: Number(progress.percent), text: String(progress.text) }
    : { percent: 0, text: "" };
}
