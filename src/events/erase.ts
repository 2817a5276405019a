/**
 * Removes the bytes of erased members. Their tombstone hides them from every read at once; this takes
 * them out of streams, archive, every other key and the append-only file, and the tombstone last.
 * What stays is keyed hashes on the suppression list: see docs/erasure.md.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Redis } from "ioredis";
import type { Suppressions } from "../members/suppressions.js";
import { mastersOf, type RedisClient } from "../redis/clients.js";
import { PARTITIONS, partitionOf } from "../redis/keys.js";
import { compactArchive } from "./archive-compact.js";
import { readArchive } from "./archive-files.js";
import { loadManifest } from "./archive-manifest.js";
import { dropTombstones, eraseKeys, notePending, pendingErasures } from "./erase-keys.js";
import { removeEntries, rewriteStreams, scanStreams } from "./erase-streams.js";

export interface EraseOptions {
  readonly client: RedisClient;
  readonly dataDir: string;
  readonly suppressions: Pick<Suppressions, "refresh" | "isErased" | "putAll">;
  /** Takes these members out of indexes and lists that other tiers keep. */
  readonly forget?: (ids: readonly string[]) => Promise<void>;
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
  /** Members of whom nothing is left now but keyed hashes. */
  readonly membersGone: number;
  /** Nodes whose append-only file is being rewritten now; bytes are gone when that ends. */
  readonly rewriting: number;
}

/** A rewrite that began before the entries went is waited for, within reason. */
const REWRITE_WAIT_MS = 60_000;
const REWRITE_POLL_MS = 100;

/** Compacts as well: a run without erasures only makes many files few. Safe to repeat. */
export async function eraseBytes(options: EraseOptions): Promise<EraseResult> {
  const { client, suppressions, signal, onProgress } = options;
  await suppressions.refresh();
  const gone = new GoneIds(suppressions);
  const found = await scanStreams(client, (id) => gone.has(id), signal);
  const pending = await pendingErasures(client);
  gone.add([...found.erased, ...(await archivedErasures(options)), ...pending]);
  await keepOut(options, gone.plain);
  onProgress?.(0.2);
  const { entries } = await scanStreams(client, (id) => gone.has(id), signal);
  const erasedEntries = await removeEntries(client, entries);
  const compacted = await compact(options, gone);
  const { filesBefore, filesAfter, erasedRows } = compacted;
  const ids = [...gone.plain];
  const touched = [...ids.map(partitionOf), ...entries.map(({ partition }) => partition)];
  const partitions = [...new Set([...touched, ...compacted.partitions])];
  await rewriteStreams(client, partitions);
  if (ids.length > 0) {
    await options.forget?.(ids);
    await eraseKeys(client, {
      isGone: (id) => gone.has(id),
      isErased: (kind, value) => isKind(kind) && suppressions.isErased(kind, value),
    });
  }
  const left = (await scanStreams(client, (id) => gone.has(id), signal)).entries.length;
  // Somebody wrote late: the tombstone stays until a run finds nothing.
  const membersGone = left === 0 ? ids.length : 0;
  if (left === 0) await dropTombstones(client, ids);
  const changed = erasedEntries > 0 || partitions.length > 0;
  const rewriting = changed ? await rewriteAppendOnlyFiles(client) : 0;
  onProgress?.(1);
  return { filesBefore, filesAfter, erasedRows, erasedEntries, left, membersGone, rewriting };
}

const isKind = (kind: string): kind is "phone" | "email" | "account" =>
  kind === "phone" || kind === "email" || kind === "account";

/** Erased members: those still named in plain, and any id whose hash is on the list. */
class GoneIds {
  readonly plain = new Set<string>();
  private readonly known = new Map<string, boolean>();

  constructor(private readonly suppressions: Pick<Suppressions, "isErased">) {}

  add(ids: readonly string[]): void {
    for (const id of ids) this.plain.add(id);
  }

  has(id: string): boolean {
    if (this.plain.has(id)) return true;
    let listed = this.known.get(id);
    if (listed === undefined) {
      listed = this.suppressions.isErased("member", id);
      this.known.set(id, listed);
    }
    return listed;
  }
}

/** Their erasure records go with the rest: from here on the list and the pending set stand for them. */
async function keepOut(
  { client, suppressions }: EraseOptions,
  ids: ReadonlySet<string>,
): Promise<void> {
  const listed = [...ids].map((value) => ({ kind: "member" as const, value }));
  const why = { source: "erasure", reason: "erasure", at: Date.now() } as const;
  await suppressions.putAll(listed, why);
  await notePending(client, ids);
}

/** Members with an erasure record in the archive: erased since the last run, or before it was hashed. */
async function archivedErasures({ dataDir }: EraseOptions): Promise<string[]> {
  const erased: string[] = [];
  const partitions = Array.from({ length: PARTITIONS }, (_, i) => i);
  const query = { partitions, kinds: ["erasure"] };
  for await (const entries of readArchive(dataDir, await loadManifest(dataDir), query)) {
    for (const { text } of entries) erased.push((JSON.parse(text) as { m: string }).m);
  }
  return erased;
}

function compact(
  { dataDir, suppressions, signal, fence, onProgress }: EraseOptions,
  gone: GoneIds,
): ReturnType<typeof compactArchive> {
  return compactArchive({
    dataDir,
    erased: gone.plain,
    isErased: (id) => suppressions.isErased("member", id),
    signal,
    fence,
    onProgress: (share) => onProgress?.(0.3 + 0.6 * share),
  });
}

/** Starts the rewrite where a node keeps an append-only file; the bytes go with the old one. */
async function rewriteAppendOnlyFiles(client: RedisClient): Promise<number> {
  const started = await Promise.all(mastersOf(client).map(rewriteOn));
  return started.filter(Boolean).length;
}

async function rewriteOn(node: Redis): Promise<boolean> {
  const deadline = Date.now() + REWRITE_WAIT_MS;
  for (;;) {
    const persistence = await node.info("persistence");
    if (!/^aof_enabled:1/m.test(persistence)) return false;
    // One under way may have begun before the entries went.
    const busy = /^(?:aof_rewrite_in_progress|aof_rewrite_scheduled|rdb_bgsave_in_progress):1/m;
    if (!busy.test(persistence)) {
      const started = await node.bgrewriteaof().then(
        () => true,
        () => false,
      );
      if (started) return true;
    }
    if (Date.now() > deadline) return false;
    await sleep(REWRITE_POLL_MS);
  }
}
