/**
 * The two queues in Redis, as producers and workers both know them: "light" for what runs inside
 * the worker (and the ticks of schedules), "heavy" for what runs in a child, one at a time.
 */
import { randomBytes } from "node:crypto";
import { type Job, type JobsOptions, Queue } from "bullmq";
import type { RedisClient } from "../redis/clients.js";
import { BULL_PREFIX } from "../redis/keys.js";
import type { JobInput, JobName, JobResult } from "./job.js";
import type { Schedule } from "./schedule.js";

export const QUEUE_NAMES = ["light", "heavy"] as const;
export type QueueName = (typeof QUEUE_NAMES)[number];

/** A schedule adds ticks; a tick asks for the job as anyone would, so that one is never twice in. */
export const TICK = "tick";

export interface JobPayload {
  readonly input: JobInput;
  /** Seen by the worker that runs it, and by the one that would run it again. */
  readonly cancelled?: true;
}

export interface JobProgress {
  /** 0 … 100. */
  readonly percent: number;
  readonly text: string;
}

export type QueuedJob = Job<JobPayload, JobResult>;
export type JobsQueue = Queue<JobPayload, JobResult>;
export type Queues = Readonly<Record<QueueName, JobsQueue>>;

const KEPT: Pick<JobsOptions, "removeOnComplete" | "removeOnFail"> = {
  removeOnComplete: { count: 200, age: 7 * 86_400 },
  removeOnFail: { count: 200, age: 30 * 86_400 },
};

/** Options that every queue and worker of ours shares. */
export const queueOptions = (client: RedisClient) => ({ connection: client, prefix: BULL_PREFIX });

/** `failFast`: for a "serve" client, whose calls reject while Redis is away. */
export function openQueues(client: RedisClient, failFast: boolean): Queues {
  const open = (name: QueueName): JobsQueue => {
    const queue: JobsQueue = new Queue(name, {
      ...queueOptions(client),
      // A producer waits for nothing, not even for an answer to INFO.
      skipWaitingForReady: failFast,
      skipVersionCheck: failFast,
      skipMetasUpdate: failFast,
    });
    // The client says once that the store went away; an "error" nobody hears would end the process.
    queue.on("error", () => undefined);
    return queue;
  };
  return { light: open("light"), heavy: open("heavy") };
}

export const queueNameOf = (schedule: Schedule): QueueName => (schedule.heavy ? "heavy" : "light");

/** Name, time, and what makes it never seen before: an id that stands is not added again. */
const newJobId = (name: JobName): string =>
  `${name}-${Date.now()}-${randomBytes(4).toString("hex")}`;

export const JOB_ID = /^[a-z_]+-\d+-[0-9a-f]{8}$/;

/**
 * Adds a job and returns its id; that of the one already waiting or running when there is one with
 * the same name and input.
 */
export async function addJob(queues: Queues, schedule: Schedule, input: JobInput): Promise<string> {
  const { name, attempts, backoffMs } = schedule;
  const job = await queues[queueNameOf(schedule)].add(
    name,
    { input },
    {
      ...KEPT,
      jobId: newJobId(name),
      deduplication: { id: deduplicationId(name, input) },
      attempts,
      backoff: { type: "exponential", delay: backoffMs },
      stackTraceLimit: 1,
    },
  );
  return job.id!;
}

/** The name, and the input in one order of its keys. */
function deduplicationId(name: JobName, input: JobInput): string {
  const entries = Object.entries(input).sort(([a], [b]) => (a < b ? -1 : 1));
  return entries.length === 0 ? name : `${name} ${JSON.stringify(entries)}`;
}
