/**
 * Removes the bytes of erased members. Their tombstone hides them from every read at once; this takes
 * them out of streams, archive and append-only file. What stays is the id: in the tombstone and in
 * the erasure record, without which a rebuild would not know whom to leave out.
 */
import { mastersOf, type RedisClient, toStoreError } from "../redis/clients.js";
import { groupedPipeline, type KeyedCommand } from "../redis/grouped.js";
import { logKey, PARTITIONS } from "../redis/keys.js";
import { compactArchive } from "./archive-compact.js";
import { readArchive } from "./archive-files.js";
import { loadManifest } from "./archive-manifest.js";
import { type PageRequest, readPages, type StreamEntry } from "./archive-scripts.js";
import { LOG_START } from "./log-id.js";

export interface EraseOptions {
  readonly client: RedisClient;
  readonly dataDir: string;
  readonly signal?: AbortSignal;
  /** Called before each replacement of the archive's manifest. */
  readonly fence?: () => Promise<void>;
  readonly onProgress?: (share: number) => void;
}

export interface EraseResult {
  readonly filesBefore: number;
  readonly filesAfter: number;
  readonly erasedRows: number;
  /** Entries taken out of the streams. */
  readonly erasedEntries: number;
  /** Entries of erased members found in the streams after the run; 0 unless a write was under way. */
  readonly left: number;
  /** Nodes whose append-only file is being rewritten now; bytes are gone when that ends. */
  readonly rewriting: number;
}

const PAGE_ENTRIES = 500;
const PARTITIONS_AT_ONCE = 32;

/** Compacts as well: a run without erasures only makes many files few. Safe to repeat. */
export async function eraseBytes(options: EraseOptions): Promise<EraseResult> {
  const { client, dataDir, signal, fence, onProgress } = options;
  const found = await scanStreams(options, undefined);
  onProgress?.(0.2);
  const erased = await withErasedBefore(options, found.erased);
  const { entries } = await scanStreams(options, erased);
  const erasedEntries = await removeEntries(client, entries);
  const { filesBefore, filesAfter, erasedRows } = await compactArchive({
    dataDir,
    erased,
    signal,
    fence,
    onProgress: (share) => onProgress?.(0.3 + 0.6 * share),
  });
  const left = (await scanStreams(options, erased)).entries.length;
  const rewriting = erasedEntries > 0 ? await rewriteAppendOnlyFiles(client) : 0;
  onProgress?.(1);
  return { filesBefore, filesAfter, erasedRows, erasedEntries, left, rewriting };
}

interface Found {
  /** Members with an erasure record in the streams. */
  readonly erased: Set<string>;
  /** Entries of the members asked for. */
  readonly entries: { partition: number; logId: string }[];
}

/** Goes through all streams; `members` absent: looks for erasure records only. */
async function scanStreams(
  { client, signal }: EraseOptions,
  members: ReadonlySet<string> | undefined,
): Promise<Found> {
  const found: Found = { erased: new Set(), entries: [] };
  if (members?.size === 0) return found;
  const take = (partition: number, { logId, text }: StreamEntry): void => {
    const raw = JSON.parse(text) as { k: string; m?: string; s?: string; from?: string };
    if (raw.k === "erasure") found.erased.add(raw.m!);
    else if ([raw.m, raw.s, raw.from].some((id) => id !== undefined && members?.has(id))) {
      found.entries.push({ partition, logId });
    }
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
      pages.forEach(({ entries, full }, i) => {
        const { partition } = open[i]!;
        for (const entry of entries) take(partition, entry);
        if (full) more.push({ partition, after: entries[entries.length - 1]!.logId });
      });
      open = more;
    }
  }
  return found;
}

/**
 * Those erased now and before. An erasure that was archived long ago counts still: a backup restored
 * or a late writer may have brought entries back.
 */
async function withErasedBefore(
  { dataDir }: EraseOptions,
  erased: ReadonlySet<string>,
): Promise<Set<string>> {
  const all = new Set(erased);
  const partitions = Array.from({ length: PARTITIONS }, (_, i) => i);
  const query = { partitions, kinds: ["erasure"] };
  for await (const entries of readArchive(dataDir, await loadManifest(dataDir), query)) {
    for (const { text } of entries) all.add((JSON.parse(text) as { m: string }).m);
  }
  return all;
}

async function removeEntries(
  client: RedisClient,
  entries: readonly { partition: number; logId: string }[],
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

/** Starts the rewrite where a node keeps an append-only file; the bytes go with the old one. */
async function rewriteAppendOnlyFiles(client: RedisClient): Promise<number> {
  let rewriting = 0;
  for (const node of mastersOf(client)) {
    if (!/^aof_enabled:1/m.test(await node.info("persistence"))) continue;
    const started = await node.bgrewriteaof().then(
      () => true,
      // One under way already may have begun before the entries went: Redis is asked by the next run.
      () => false,
    );
    if (started) rewriting += 1;
  }
  return rewriting;
}
