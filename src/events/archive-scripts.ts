/**
 * The two scripts between stream and archive. Beside each stream stands how far it was trimmed, so
 * that a reader learns in the same instant what is left in the stream and what to look for in files.
 */
import type { RedisClient } from "../redis/clients.js";
import { toStoreError } from "../redis/clients.js";
import { archiveKey, logKey } from "../redis/keys.js";
import { defineScript, pipelineScripts } from "../redis/scripts.js";
import { LOG_START } from "./log-id.js";

/**
 * KEYS: log, archive mark. ARGV: log id after which to read, number of entries.
 * Returns {log id up to which the stream was trimmed, entries as XRANGE gives them}.
 */
const readLogScript = defineScript<[Buffer, [Buffer, Buffer[]][]]>({
  name: "read_log",
  numberOfKeys: 2,
  lua: `
return {
  redis.call('GET', KEYS[2]) or '0-0',
  redis.call('XRANGE', KEYS[1], '(' .. ARGV[1], '+', 'COUNT', ARGV[2])
}`,
});

/**
 * KEYS: log, archive mark. ARGV: log id of the last archived entry, the id right after it.
 * Trims what is archived and moves the mark, forward only. Returns the entries removed.
 */
const trimLogScript = defineScript<number>({
  name: "trim_log",
  numberOfKeys: 2,
  lua: `
local removed = redis.call('XTRIM', KEYS[1], 'MINID', ARGV[2])
local function parts(id)
  local ms, seq = string.match(id, '^(%d+)-(%d+)$')
  return tonumber(ms), tonumber(seq)
end
local ms, seq = parts(redis.call('GET', KEYS[2]) or '0-0')
local newMs, newSeq = parts(ARGV[1])
if newMs > ms or (newMs == ms and newSeq > seq) then redis.call('SET', KEYS[2], ARGV[1]) end
return removed`,
});

export interface StreamEntry {
  readonly logId: string;
  /** The record as JSON text. */
  readonly text: string;
}

export interface StreamPage {
  /** Entries up to here are in the archive only. */
  readonly trimmedTo: string;
  readonly entries: readonly StreamEntry[];
  /** There may be more behind the last entry. */
  readonly full: boolean;
}

export interface PageRequest {
  readonly partition: number;
  readonly after: string;
}

/** One page a partition, in the order asked, one pipeline a node. Throws `store_unavailable`. */
export async function readPages(
  client: RedisClient,
  requests: readonly PageRequest[],
  count: number,
): Promise<StreamPage[]> {
  const outcomes = await pipelineScripts(
    client,
    requests.map(({ partition, after }) => ({
      script: readLogScript,
      keys: [logKey(partition), archiveKey(partition)],
      args: [after, count],
    })),
  );
  return outcomes.map((outcome) => {
    if (outcome.error !== undefined) throw toStoreError(outcome.error);
    const [trimmedTo, entries] = outcome.value;
    return {
      trimmedTo: trimmedTo.toString(),
      entries: entries.map(([id, fields]) => ({
        logId: id.toString("latin1"),
        text: fields[1]!.toString(),
      })),
      full: entries.length === count,
    };
  });
}

const next = (logId: string): string => {
  const dash = logId.indexOf("-");
  return `${logId.slice(0, dash)}-${BigInt(logId.slice(dash + 1)) + 1n}`;
};

/** Removes from the streams what the manifest names as archived. Safe to repeat. */
export async function trimStreams(
  client: RedisClient,
  marks: Iterable<readonly [partition: number, logId: string]>,
): Promise<number> {
  const calls = [...marks]
    .filter(([, logId]) => logId !== LOG_START)
    .map(([partition, logId]) => ({
      script: trimLogScript,
      keys: [logKey(partition), archiveKey(partition)],
      args: [logId, next(logId)],
    }));
  let removed = 0;
  for (const outcome of await pipelineScripts(client, calls)) {
    if (outcome.error !== undefined) throw toStoreError(outcome.error);
    removed += outcome.value;
  }
  return removed;
}
