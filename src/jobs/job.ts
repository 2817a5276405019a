/** What a background job is: its name, its function, and what the function is given. */
import type { Logger } from "../telemetry.js";

export const JOB_NAMES = [
  "archive",
  "compact",
  "candidates",
  "artifacts",
  "train",
  "stages",
  "score",
] as const;
export type JobName = (typeof JOB_NAMES)[number];

export const isJobName = (name: string): name is JobName =>
  (JOB_NAMES as readonly string[]).includes(name);

/** What was asked for beside the name, e.g. `{model: "heads"}`; a schedule asks for nothing. */
export type JobInput = Record<string, unknown>;

/** A few figures about what was done, shown by `GET /v1/jobs`; nothing personal, at most 4 KB. */
export type JobResult = Record<string, unknown>;

export interface JobContext {
  readonly jobId: string;
  readonly input: JobInput;
  /**
   * Fires on cancellation, timeout, shutdown and when another process took over. A function that
   * does not end soon after is left behind: its `fence` refuses from then on.
   */
  readonly signal: AbortSignal;
  /** Larger than that of every run of this job before. */
  readonly token: number;
  readonly logger: Logger;
  /** `percent` 0 … 100. Cheap: written at most a few times a second. */
  progress(percent: number, text: string): void;
  /**
   * To be awaited right before anything is published. Throws `lease_lost` when a later run began,
   * or the reason of `signal` when that fired.
   */
  fence(): Promise<void>;
}

/**
 * Does one job from start to end. A run may be repeated after a crash, with the same `jobId`, so
 * its effect must be the same when it is applied again.
 */
export type JobFunction = (context: JobContext) => Promise<JobResult>;

/** Given by the composition root. Heavy ones are called in a child process, the others here. */
export type JobFunctions = Readonly<Record<JobName, JobFunction>>;

/** The lease every run of a job holds; who does the same work from the command line takes it too. */
export const jobLeaseName = (name: JobName): string => `job:${name}`;
