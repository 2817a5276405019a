/** Errors as callers see them (application/problem+json) and as the log sees them. */

import { z } from "zod";
import { CuecardError, ERRORS, type FieldError, isCuecardError } from "../errors.js";

/** RFC 9457. Clients match `code`. */
export interface Problem {
  type: string;
  title: string;
  status: number;
  code: string;
  detail: string;
  errors?: FieldError[];
  requestId: string;
}

export const problemSchema = z.object({
  type: z.string().describe("Where the error is explained."),
  title: z.string(),
  status: z.number().int(),
  code: z.string().describe("Stable: match this one."),
  detail: z.string(),
  errors: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
  requestId: z.string(),
});

/** What was thrown, in the words of the registry; what is none of ours becomes an opaque 500. */
export function asCuecardError(error: unknown): CuecardError {
  if (isCuecardError(error)) return error;
  return new CuecardError("internal", "the log entry with this requestId says more", {
    cause: error,
  });
}

export function problemOf(error: CuecardError, requestId: string): Problem {
  const { status, title } = ERRORS[error.code];
  return {
    type: `/docs#error-${error.code}`,
    title,
    status,
    code: error.code,
    // An internal error's own words may hold anything.
    detail:
      error.code === "internal" ? "the log entry with this requestId says more" : error.detail,
    errors: error.errors,
    requestId,
  };
}

/** Messages of the engine's own errors name code, not data; others (a parser's, say) may quote data. */
const isSafeMessage = (error: Error): boolean =>
  isCuecardError(error) ||
  error.name === "ReplyError" ||
  (error instanceof TypeError && !error.message.includes("JSON")) ||
  error instanceof ReferenceError;

/** What may be logged of an error: names, places in the code, and messages that hold no data. */
export function describeForLog(error: unknown): Record<string, unknown> {
  if (!(error instanceof Error)) return { name: typeof error };
  const frames = (error.stack ?? "").split("\n").filter((line) => line.startsWith("    at "));
  return {
    name: error.name,
    message: isSafeMessage(error) ? error.message.slice(0, 300) : undefined,
    at: frames.slice(0, 8).map((line) => line.trim()),
    cause: error.cause === undefined ? undefined : describeForLog(error.cause),
  };
}
