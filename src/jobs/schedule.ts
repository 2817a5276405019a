/** Every background job of the product in one list: when it runs, how long, how often again. */
import type { Config } from "../config.js";
import type { JobName } from "./job.js";

export interface Schedule {
  readonly name: JobName;
  /** Cron pattern in the configured time zone; null: only when asked for. */
  readonly pattern: string | null;
  /** IANA zone of the pattern. */
  readonly timezone: string;
  readonly description: string;
  /** Runs in a child process of its own, one at a time, at the lowest priority. */
  readonly heavy: boolean;
  /** Of one attempt. */
  readonly timeoutMs: number;
  /** Including the first. */
  readonly attempts: number;
  /** Before the second attempt; doubles with each further one. */
  readonly backoffMs: number;
}

const MINUTE_MS = 60_000;

const JOBS: readonly Omit<Schedule, "pattern" | "timezone">[] = [
  {
    name: "archive",
    description: "Copies the event log to Parquet files, then trims what was copied",
    heavy: false,
    timeoutMs: 15 * MINUTE_MS,
    attempts: 3,
    backoffMs: 10_000,
  },
  {
    name: "compact",
    description: "Joins small archive files and removes the bytes of erased members",
    heavy: true,
    timeoutMs: 120 * MINUTE_MS,
    attempts: 3,
    backoffMs: MINUTE_MS,
  },
  {
    name: "candidates",
    description: "Rebuilds what candidate sources read: pairs, neighbours, popularity",
    heavy: true,
    timeoutMs: 30 * MINUTE_MS,
    attempts: 3,
    backoffMs: MINUTE_MS,
  },
  {
    name: "artifacts",
    description: "Fits P(alive) and the encodings that features are derived with",
    heavy: true,
    timeoutMs: 30 * MINUTE_MS,
    attempts: 3,
    backoffMs: MINUTE_MS,
  },
  {
    name: "train",
    description: "Trains the models from the event log and puts the better ones to work",
    heavy: true,
    timeoutMs: 180 * MINUTE_MS,
    attempts: 2,
    backoffMs: 5 * MINUTE_MS,
  },
  {
    name: "stages",
    description: "Derives every member's stage again and keeps the index by stage",
    heavy: false,
    timeoutMs: 120 * MINUTE_MS,
    attempts: 3,
    backoffMs: 10_000,
  },
  {
    name: "score",
    description: "Scores everyone into the ranked sets that lead lists are drawn from",
    heavy: true,
    timeoutMs: 180 * MINUTE_MS,
    attempts: 3,
    backoffMs: MINUTE_MS,
  },
];

/** All jobs, in the order of the list, with the patterns of the configuration. */
export function schedulesOf(config: Pick<Config, "jobs" | "timezone">): readonly Schedule[] {
  return JOBS.map((job) => ({
    ...job,
    pattern: config.jobs[job.name],
    timezone: config.timezone,
  }));
}
