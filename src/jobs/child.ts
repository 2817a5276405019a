/**
 * The child process of heavy work: lowest priority, one job or report, then it ends. It never outlives
 * its parent: a thread of its own watches, so that a long native call cannot keep it alive.
 */
import { readdirSync } from "node:fs";
import { constants, setPriority } from "node:os";
import { Worker } from "node:worker_threads";
import { CuecardError } from "../errors.js";
import type { RedisClient } from "../redis/clients.js";
import { leaseWithToken } from "../redis/lease.js";
import type { Logger } from "../telemetry.js";
import {
  type AbortMessage,
  type FromChild,
  packError,
  type RunMessage,
  unpackError,
  type WorkMessage,
} from "./child-messages.js";
import { type JobFunction, type JobName, type JobResult, jobLeaseName } from "./job.js";

/** What the composition root builds inside the child, for one job. */
export interface ChildParts {
  readonly run: JobFunction;
  /** A "work" client of the member store: leases live there. */
  readonly store: RedisClient;
  readonly logger: Logger;
  close(): Promise<void>;
}

const WATCH_INTERVAL_MS = 500;

/** `runChild` for a job of the queue; `build` is called once the job's name is known. */
export const runJobChild = (build: (name: JobName) => Promise<ChildParts>): Promise<void> =>
  runChild<RunMessage>((request, signal) => runWith(build, request, signal));

/**
 * Does the one piece of work its parent sends, and ends the process. To be called first thing in a
 * process started by `runInChild`. Throws `usage` when the process was started by hand.
 */
export async function runChild<Message extends WorkMessage>(
  work: (request: Message, signal: AbortSignal) => Promise<JobResult>,
): Promise<void> {
  if (process.send === undefined) {
    throw new CuecardError("usage", "a worker starts this; `cuecard work` runs jobs");
  }
  watchParent();
  lowerPriority();
  const stop = new AbortController();
  const request = await firstRequest<Message>(stop);
  let outcome: FromChild;
  try {
    outcome = { kind: "done", result: await work(request, stop.signal) };
  } catch (error) {
    outcome = { kind: "failed", error: packError(error) };
  }
  process.send(outcome, () => process.exit(0));
}

/** Ends this process within a second after the parent ended, whatever the main thread is doing. */
function watchParent(): void {
  process.on("disconnect", () => process.exit(1));
  if (!process.connected) process.exit(1);
  // A terminal sends these to the whole group; the parent decides how its children end.
  process.on("SIGINT", () => undefined);
  process.on("SIGTERM", () => undefined);
  const watch = `
    const { workerData } = require("node:worker_threads");
    setInterval(() => {
      if (process.ppid !== workerData.parent) process.kill(process.pid, "SIGKILL");
    }, workerData.intervalMs);
  `;
  const workerData = { parent: process.ppid, intervalMs: WATCH_INTERVAL_MS };
  new Worker(watch, { eval: true, workerData, execArgv: [] }).unref();
}

/** Every thread that runs already, since on Linux priority belongs to the thread; later ones inherit. */
function lowerPriority(): void {
  setPriority(constants.priority.PRIORITY_LOW);
  if (process.platform !== "linux") return;
  for (const thread of readdirSync("/proc/self/task")) {
    try {
      setPriority(Number(thread), constants.priority.PRIORITY_LOW);
    } catch {
      // It ended meanwhile.
    }
  }
}

/** Listens for what the parent says; `stop` fires when it says so. */
function firstRequest<Message extends WorkMessage>(stop: AbortController): Promise<Message> {
  return new Promise((resolve) => {
    process.on("message", (message: Message | AbortMessage) => {
      if (message.kind === "run") resolve(message);
      else stop.abort(unpackError(message.error));
    });
    tell({ kind: "ready" });
  });
}

async function runWith(
  build: (name: JobName) => Promise<ChildParts>,
  { name, jobId, input, token, leaseTtlMs }: RunMessage,
  signal: AbortSignal,
): Promise<JobResult> {
  const parts = await build(name);
  try {
    const lease = leaseWithToken(parts.store, jobLeaseName(name), token, leaseTtlMs, signal);
    return await parts.run({
      jobId,
      input,
      signal,
      token,
      logger: parts.logger.child({ job: name, jobId }),
      progress: (percent, text) => tell({ kind: "progress", percent, text }),
      fence: lease.assertHeld,
    });
  } finally {
    await parts.close();
  }
}

/** A parent that went away is the watcher's business, not an error of the job. */
function tell(message: FromChild): void {
  if (process.connected) process.send?.(message, () => undefined);
}
