/** The parent's side of heavy work: starts its child process, listens, and ends it when told. */
import { type ChildProcess, fork } from "node:child_process";
import { CuecardError } from "../errors.js";
import {
  type FromChild,
  packError,
  type RunMessage,
  unpackError,
  type WorkMessage,
} from "./child-messages.js";
import type { JobResult } from "./job.js";

/** How the child is started: a module that ends up in `runChild`. */
export interface ChildCommand {
  readonly modulePath: string;
  readonly args: readonly string[];
  /** Options of Node; default: those of this process. */
  readonly execArgv?: readonly string[];
}

export interface ChildRun {
  readonly command: ChildCommand;
  readonly request: WorkMessage | RunMessage;
  readonly signal: AbortSignal;
  /** Between asking the child to stop and killing it, in ms. */
  readonly graceMs: number;
  onProgress(percent: number, text: string): void;
}

/**
 * Settles only once the child is gone: with what the job returned, with its error, with the reason
 * of `signal`, or with `job_failed` when the process ended without a word.
 */
export async function runInChild(run: ChildRun): Promise<JobResult> {
  run.signal.throwIfAborted();
  const { modulePath, args, execArgv } = run.command;
  const child = fork(modulePath, [...args, run.request.name], {
    stdio: ["ignore", "inherit", "inherit", "ipc"],
    ...(execArgv === undefined ? {} : { execArgv: [...execArgv] }),
  });
  const stopAborting = forwardAbort(child, run);
  try {
    return await outcomeOf(child, run);
  } catch (error) {
    run.signal.throwIfAborted();
    throw error;
  } finally {
    stopAborting();
  }
}

function outcomeOf(child: ChildProcess, run: ChildRun): Promise<JobResult> {
  return new Promise((resolve, reject) => {
    let outcome: (() => void) | undefined;
    child.on("message", (message: FromChild) => {
      if (message.kind === "ready") send(child, run.request);
      else if (message.kind === "progress") run.onProgress(message.percent, message.text);
      else if (message.kind === "done") outcome = () => resolve(message.result);
      else outcome = () => reject(unpackError(message.error));
    });
    const endedSilently = (how: string) => () =>
      reject(new CuecardError("job_failed", `the process of the job ${how}`));
    child.once("error", (error) => endedSilently(`could not start: ${error.message}`)());
    // "close" comes after the last message was read, "exit" may come before.
    child.once("close", (code, signal) =>
      (outcome ?? endedSilently(`ended early (${signal ?? code})`))(),
    );
  });
}

function forwardAbort(child: ChildProcess, { signal, graceMs }: ChildRun): () => void {
  let timer: NodeJS.Timeout | undefined;
  const abort = (): void => {
    send(child, { kind: "abort", error: packError(signal.reason) });
    timer = setTimeout(() => child.kill("SIGKILL"), graceMs);
  };
  signal.addEventListener("abort", abort, { once: true });
  return () => {
    signal.removeEventListener("abort", abort);
    clearTimeout(timer);
  };
}

/** A child that is gone already says so by its end. */
function send(child: ChildProcess, message: WorkMessage | { kind: "abort"; error: object }): void {
  if (child.connected) child.send(message, () => undefined);
}
