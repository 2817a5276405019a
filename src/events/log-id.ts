/** Ids of log entries: `ms-seq`, ordered within a partition. */

/** Before every entry. */
export const LOG_START = "0-0";

/** Milliseconds (of the Redis clock) and sequence; both below 2^53. */
export function parseLogId(logId: string): { ms: number; seq: number } {
  const dash = logId.indexOf("-");
  return { ms: Number(logId.slice(0, dash)), seq: Number(logId.slice(dash + 1)) };
}

/** Negative when `a` was written before `b`. */
export function compareLogIds(a: string, b: string): number {
  const left = parseLogId(a);
  const right = parseLogId(b);
  return left.ms - right.ms || left.seq - right.seq;
}

export const laterLogId = (a: string, b: string): string => (compareLogIds(a, b) >= 0 ? a : b);
