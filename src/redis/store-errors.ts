/** What went wrong in Redis or on the way to it, in the words of the error registry. */
import { CuecardError, isCuecardError } from "../errors.js";

const UNAVAILABLE_CODES = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "EPIPE",
  "ENOENT",
  "ENOTFOUND",
  "EAI_AGAIN",
  "ETIMEDOUT",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ERR_STREAM_DESTROYED",
  "ERR_STREAM_WRITE_AFTER_END",
]);

const UNAVAILABLE_NAMES = new Set([
  "AbortError",
  "ClusterAllFailedError",
  "MaxRetriesPerRequestError",
]);

/** Replies of a Redis that cannot answer now, and ioredis's own words for no connection. */
const UNAVAILABLE_MESSAGE = new RegExp(
  "^(CLUSTERDOWN|LOADING|MASTERDOWN|TRYAGAIN|READONLY|NOREPLICAS|BUSY |MOVED|ASK |UNBLOCKED)" +
    "|Command timed out|Connection is closed|Connection is not ready|Socket timeout" +
    "|Stream isn't writeable|Cluster isn't ready|Cluster is ended|Socket closed unexpectedly" +
    "|Too many Cluster redirections|None of startup nodes is available|connect ETIMEDOUT" +
    "|Failed to refresh slots cache|-(CLUSTERDOWN|LOADING|MASTERDOWN|READONLY) ",
);

/** Redis 6 wraps a refusal inside a script ("… -OOM command not allowed"), 7 hands it on as is. */
const FULL_MESSAGE = /(^|-)OOM |(^|-)MISCONF |No space left on device/;

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : "");

/** The store is out of room: memory limit reached, or its disk full. */
export function isStoreFull(error: unknown): boolean {
  if (isCuecardError(error)) return error.code === "store_full";
  return FULL_MESSAGE.test(messageOf(error));
}

/** The store cannot answer now: no connection, a timeout, loading, failing over. */
export function isStoreUnavailable(error: unknown): boolean {
  if (isCuecardError(error)) return error.code === "store_unavailable";
  if (!(error instanceof Error) || isStoreFull(error)) return false;
  const code = (error as NodeJS.ErrnoException).code;
  return (
    UNAVAILABLE_NAMES.has(error.name) ||
    (code !== undefined && UNAVAILABLE_CODES.has(code)) ||
    UNAVAILABLE_MESSAGE.test(error.message)
  );
}

/**
 * Maps a failure of a store call: `store_full` (Retry-After 5 s), `store_unavailable` (1 s), and
 * `internal` for what is neither, a programmer's error that must be loud. CuecardErrors pass through.
 */
export function toStoreError(error: unknown): CuecardError {
  if (isCuecardError(error)) return error;
  if (isStoreFull(error)) {
    return new CuecardError("store_full", "the store refused the write: it has no room left", {
      retryAfterSeconds: 5,
      cause: error,
    });
  }
  if (isStoreUnavailable(error)) {
    return new CuecardError("store_unavailable", "the store did not answer in time", {
      retryAfterSeconds: 1,
      cause: error,
    });
  }
  return new CuecardError("internal", "an unexpected answer of the store", { cause: error });
}
