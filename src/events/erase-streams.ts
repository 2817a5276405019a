/** Erased members in the streams of the log: found, taken out, and their bytes with them. */
import { type RedisClient, toStoreError } from "../redis/clients.js";
import { groupedPipeline, type KeyedCommand } from "../redis/grouped.js";
import { logKey, PARTITIONS } from "../redis/keys.js";
import { defineScript, pipelineScripts } from "../redis/scripts.js";
import { type PageRequest, readPages, type StreamEntry } from "./archive-scripts.js";
import { LOG_START } from "./log-id.js";

export interface FoundEntry {
  readonly partition: number;
  readonly logId: string;
}

export interface FoundInStreams {
  /** Members with an erasure record. */
  readonly erased: ReadonlySet<string>;
  /** Entries that name one who is gone, erasure records included. */
  readonly entries: readonly FoundEntry[];
}

const PAGE_ENTRIES = 500;
const PARTITIONS_AT_ONCE = 32;
/** Streams written anew in one pipeline. */
const REWRITES_AT_ONCE = 32;

/** Goes through all streams. */
export async function scanStreams(
  client: RedisClient,
  isGone: (id: string) => boolean,
  signal?: AbortSignal,
): Promise<FoundInStreams> {
  const erased = new Set<string>();
  const entries: FoundEntry[] = [];
  const take = (partition: number, { logId, text }: StreamEntry): void => {
    const raw = JSON.parse(text) as { k: string; m?: string | null; s?: string; from?: string };
    if (raw.k === "erasure") erased.add(raw.m!);
    const names = [raw.m, raw.s, raw.from];
    if (names.some((id) => typeof id === "string" && isGone(id)))
      entries.push({ partition, logId });
  };
  for (let first = 0; first < PARTITIONS; first += PARTITIONS_AT_ONCE) {
    signal?.throwIfAborted();
    let open: PageRequest[] = Array.from({ length: PARTITIONS_AT_ONCE }, (_, i) => ({
      partition: first + i,
      after: LOG_START,
    }));
    while (open.length > 0) {
      const pages = await readPages(client, open, PAGE_ENTRIES);
      const more: PageRequest[] = [];
      pages.forEach(({ entries: page, full }, i) => {
        const { partition } = open[i]!;
        for (const entry of page) take(partition, entry);
        if (full) more.push({ partition, after: page[page.length - 1]!.logId });
      });
      open = more;
    }
  }
  return { erased, entries };
}

export async function removeEntries(
  client: RedisClient,
  entries: readonly FoundEntry[],
): Promise<number> {
  const commands = entries.map(
    ({ partition, logId }): KeyedCommand => ["xdel", logKey(partition), logId],
  );
  let removed = 0;
  for (const outcome of await groupedPipeline<number>(client, commands)) {
    if (outcome.error !== undefined) throw toStoreError(outcome.error);
    removed += outcome.value;
  }
  return removed;
}

/**
 * KEYS: a stream, a free key in its slot. Writes the stream anew, entry by entry with their ids: Redis
 * only marks what was deleted or trimmed beside others, and the bytes would stay in memory, in
 * snapshots and in the append-only file. The last id is kept, so that ids go on growing. About 3 ms
 * for 1,000 entries, while which the node serves nobody else.
 */
const rewriteScript = defineScript<number>({
  name: "rewrite_stream",
  numberOfKeys: 2,
  lua: `
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call('DEL', KEYS[2])
local info = redis.call('XINFO', 'STREAM', KEYS[1])
local last = '0-0'
for i = 1, #info, 2 do if info[i] == 'last-generated-id' then last = info[i + 1] end end
if last == '0-0' then return 0 end
local from, copied = '-', 0
while true do
  local page = redis.call('XRANGE', KEYS[1], from, '+', 'COUNT', 500)
  for _, entry in ipairs(page) do
    redis.call('XADD', KEYS[2], entry[1], unpack(entry[2]))
    copied = copied + 1
  end
  if #page < 500 then break end
  from = '(' .. page[#page][1]
end
if copied == 0 then
  redis.call('XADD', KEYS[2], last, 'r', '')
  redis.call('XDEL', KEYS[2], last)
else
  redis.call('XSETID', KEYS[2], last)
end
redis.call('RENAME', KEYS[2], KEYS[1])
return copied
`,
});

export async function rewriteStreams(
  client: RedisClient,
  partitions: readonly number[],
): Promise<void> {
  for (let from = 0; from < partitions.length; from += REWRITES_AT_ONCE) {
    const calls = partitions.slice(from, from + REWRITES_AT_ONCE).map((partition) => ({
      script: rewriteScript,
      keys: [logKey(partition), `${logKey(partition)}:anew`],
      args: [],
    }));
    for (const { error } of await pipelineScripts(client, calls)) {
      if (error !== undefined) throw toStoreError(error);
    }
  }
}
