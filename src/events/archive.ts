/**
 * Moves the log from the streams to Parquet files and keeps the files few.
 *
 * Order of steps, so that a kill at any point loses and repeats nothing: file written and synced →
 * renamed → manifest replaced → stream trimmed. Readers take files by the manifest alone, and what
 * is both in a file and in the stream by the file.
 */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { CuecardError } from "../errors.js";
import type { RedisClient } from "../redis/clients.js";
import { toDataDirError } from "../redis/data-dir.js";
import { PARTITIONS } from "../redis/keys.js";
import { type ArchiveEntry, writeEntries } from "./archive-files.js";
import {
  archiveDir,
  keepFile,
  loadManifest,
  type Manifest,
  markOf,
  newFileName,
  prepareArchive,
  publishManifest,
  removeUnnamed,
} from "./archive-manifest.js";
import { readPages, trimStreams } from "./archive-scripts.js";
import { compareLogIds } from "./log-id.js";

/** Entries and characters of one file at most, which bounds the memory of a run. */
const BATCH_ENTRIES = 200_000;
const BATCH_CHARACTERS = 64 * 1024 * 1024;
const PAGE_ENTRIES = 500;
const PARTITIONS_AT_ONCE = 32;

export type ArchiveStep = "written" | "published" | "trimmed";

export interface ArchiveOptions {
  readonly client: RedisClient;
  readonly dataDir: string;
  /** Share of the partitions done, 0 … 1. */
  readonly onProgress?: (share: number) => void;
  readonly signal?: AbortSignal;
  /** Called before the manifest is replaced; throws when this run no longer holds its lock. */
  readonly fence?: () => Promise<void>;
  /** Called after each step. */
  readonly onStep?: (step: ArchiveStep) => void | Promise<void>;
  /** Entries of one file at most; default 200,000. */
  readonly batchEntries?: number;
}

export interface ArchiveResult {
  readonly archived: number;
  readonly trimmed: number;
  readonly files: number;
}

/**
 * Archives what the streams hold now, in files of bounded size, each trimmed before the next.
 * Throws `disk_full`, `store_unavailable`, `conflict` (another run came between).
 */
export async function archiveLog(options: ArchiveOptions): Promise<ArchiveResult> {
  const { client, dataDir, signal } = options;
  await prepareArchive(dataDir);
  let manifest = await loadManifest(dataDir);
  removeUnnamed(dataDir, manifest);
  // A run that was cut off may have left archived entries in the streams.
  const total = { archived: 0, trimmed: await trimStreams(client, marksOf(manifest)), files: 0 };
  for await (const batch of batches(options, manifest)) {
    signal?.throwIfAborted();
    manifest = await archiveBatch(options, manifest, batch);
    total.archived += batch.length;
    total.files += 1;
    total.trimmed += await trimStreams(client, marksIn(batch));
    await options.onStep?.("trimmed");
  }
  return total;
}

const marksOf = (manifest: Manifest): [number, string][] =>
  Object.entries(manifest.marks).map(([partition, logId]) => [Number(partition), logId]);

/** Last entry of each partition; entries come in order. */
const marksIn = (batch: readonly ArchiveEntry[]): Map<number, string> =>
  new Map(batch.map(({ partition, logId }) => [partition, logId]));

async function archiveBatch(
  options: ArchiveOptions,
  manifest: Manifest,
  batch: readonly ArchiveEntry[],
): Promise<Manifest> {
  const { dataDir } = options;
  const name = newFileName(manifest.generation + 1);
  const temporary = join(archiveDir(dataDir), `${name}.tmp`);
  try {
    await writeEntries(dataDir, batch, temporary);
    const file = await keepFile(dataDir, temporary, name, {
      rows: batch.length,
      firstPartition: batch[0]!.partition,
      lastPartition: batch[batch.length - 1]!.partition,
    });
    await options.onStep?.("written");
    await options.fence?.();
    const marks = { ...manifest.marks, ...Object.fromEntries(marksIn(batch)) };
    const published = await publishManifest(dataDir, manifest, {
      files: [...manifest.files, file],
      marks,
    });
    await options.onStep?.("published");
    return published;
  } catch (error) {
    await rm(temporary, { force: true });
    throw toDataDirError(error, dataDir);
  }
}

/** New entries, partition after partition, cut where a file is full. */
async function* batches(
  options: ArchiveOptions,
  manifest: Manifest,
): AsyncGenerator<ArchiveEntry[]> {
  const limit = options.batchEntries ?? BATCH_ENTRIES;
  let batch: ArchiveEntry[] = [];
  let characters = 0;
  for (let first = 0; first < PARTITIONS; first += PARTITIONS_AT_ONCE) {
    options.onProgress?.(first / PARTITIONS);
    for await (const entries of newEntries(options, manifest, first)) {
      for (const entry of entries) {
        batch.push(entry);
        characters += entry.text.length;
        if (batch.length < limit && characters < BATCH_CHARACTERS) continue;
        yield batch;
        batch = [];
        characters = 0;
      }
    }
  }
  if (batch.length > 0) yield batch;
  options.onProgress?.(1);
}

async function* newEntries(
  { client, signal }: ArchiveOptions,
  manifest: Manifest,
  first: number,
): AsyncGenerator<ArchiveEntry[]> {
  const requests = Array.from({ length: PARTITIONS_AT_ONCE }, (_, i) => ({
    partition: first + i,
    after: markOf(manifest, first + i),
  }));
  const pages = await readPages(client, requests, PAGE_ENTRIES);
  for (const [i, { partition, after }] of requests.entries()) {
    let page = pages[i]!;
    if (compareLogIds(page.trimmedTo, after) > 0) {
      throw new CuecardError(
        "store_incompatible",
        "the streams were trimmed further than this archive reaches: is DATA_DIR the right one?",
      );
    }
    for (;;) {
      signal?.throwIfAborted();
      const entries = page.entries.map((entry) => ({ partition, ...entry }));
      if (entries.length > 0) yield entries;
      if (!page.full) break;
      const cursor = entries[entries.length - 1]!.logId;
      [page] = (await readPages(client, [{ partition, after: cursor }], PAGE_ENTRIES)) as [
        typeof page,
      ];
    }
  }
}
