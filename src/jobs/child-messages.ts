/** What a process and the child it gives heavy work to say to each other over IPC, as JSON. */
import { CuecardError, ERRORS, type ErrorCode, isCuecardError } from "../errors.js";
import type { JobInput, JobName, JobResult } from "./job.js";

/** Any piece of work. */
export interface WorkMessage {
  readonly kind: "run";
  readonly name: string;
  readonly input: JobInput;
}

/** A job of the queue. */
export interface RunMessage extends WorkMessage {
  readonly name: JobName;
  readonly jobId: string;
  /** Of the lease the parent holds and renews. */
  readonly token: number;
  readonly leaseTtlMs: number;
}

export interface AbortMessage {
  readonly kind: "abort";
  readonly error: ErrorMessage;
}

export type FromChild =
  | { readonly kind: "ready" }
  | { readonly kind: "progress"; readonly percent: number; readonly text: string }
  | { readonly kind: "done"; readonly result: JobResult }
  | { readonly kind: "failed"; readonly error: ErrorMessage };

export interface ErrorMessage {
  readonly code?: ErrorCode;
  readonly text: string;
}

export function packError(error: unknown): ErrorMessage {
  if (isCuecardError(error)) return { code: error.code, text: error.detail };
  return { text: error instanceof Error ? error.message : String(error) };
}

export function unpackError({ code, text }: ErrorMessage): Error {
  return code !== undefined && code in ERRORS ? new CuecardError(code, text) : new Error(text);
}
