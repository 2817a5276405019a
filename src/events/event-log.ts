/**
 * The event log as one sequence: Parquet files up to each partition's mark, its stream after it.
 * Every record comes once, also while the archiver moves the mark (a page says how far it did).
 */
import { CuecardError } from "../errors.js";
import type { RedisClient } from "../redis/clients.js";
import { toStoreError } from "../redis/clients.js";
import { groupedPipeline } from "../redis/grouped.js";
import { memberKey, PARTITIONS } from "../redis/keys.js";
import { type ArchiveEntry, readArchive } from "./archive-files.js";
import { loadManifest, type Manifest, markOf, rowsOf } from "./archive-manifest.js";
import { readPages, type StreamPage } from "./archive-scripts.js";
import { compareLogIds, LOG_START, laterLogId } from "./log-id.js";
import type { LoggedRecord, LogReader, ReadOptions } from "./log-reader.js";
import { decodeRecord, type LogRecord } from "./log-record.js";

/** Entries of one stream read at once. */
const PAGE_ENTRIES = 500;
/** Rows that one query of the archive should sort at most, on average. */
const QUERY_ROWS = 250_000;
/** Partitions whose first pages are fetched together. */
const MAX_PARTITIONS_AT_ONCE = 32;
/** Loads of the manifest before a gap between archive and stream counts as a loss. */
const MAX_MANIFEST_LOADS = 8;

interface Scope {
  readonly options: ReadOptions;
  /** Absent: everybody's records. */
  readonly members: ReadonlySet<string> | undefined;
  /** Members erased according to the archive: they have no hash when a store is built anew. */
  readonly erased: ReadonlySet<string>;
  /** Member → erased, as far as it was asked for this group of partitions. */
  readonly known: Map<string, boolean>;
}

export class EventLog implements LogReader {
  /** Erasures of the archive's latest generation met: a look at one partition asks for them too. */
  private erasures: { generation: number; members: ReadonlySet<string> } | undefined;

  constructor(
    private readonly client: RedisClient,
    private readonly dataDir: string,
    /** On the suppression list as erased: known when no tombstone and no record tells any more. */
    private readonly isErased: (id: string) => boolean = () => false,
  ) {}

  /**
   * Throws `store_unavailable`, and `store_incompatible` when the archive lacks what the streams
   * were trimmed of (another DATA_DIR, a lost file).
   */
  async *read(options: ReadOptions = {}): AsyncGenerator<LoggedRecord> {
    const partitions = [...(options.partitions ?? everyPartition())].sort((a, b) => a - b);
    const manifest = await loadManifest(this.dataDir);
    const size = groupSize(rowsOf(manifest));
    const erased = await this.archivedErasures(manifest);
    const members = options.members === undefined ? undefined : new Set(options.members);
    for (let i = 0; i < partitions.length; i += size) {
      const scope = { options, members, erased, known: new Map<string, boolean>() };
      yield* this.readGroup(partitions.slice(i, i + size), scope);
    }
  }

  /** Members with an erasure record in the archive. */
  private async archivedErasures(manifest: Manifest): Promise<ReadonlySet<string>> {
    const { generation } = manifest;
    if (this.erasures?.generation === generation) return this.erasures.members;
    const erased = new Set<string>();
    const query = { partitions: everyPartition(), kinds: ["erasure"] };
    for await (const entries of readArchive(this.dataDir, manifest, query)) {
      for (const { text } of entries) erased.add((JSON.parse(text) as { m: string }).m);
    }
    this.erasures = { generation, members: erased };
    return erased;
  }

  private async *readGroup(partitions: number[], scope: Scope): AsyncGenerator<LoggedRecord> {
    const { options } = scope;
    const { manifest, pages } = await this.openGroup(partitions, options);
    const archived = new Lookahead(
      readArchive(this.dataDir, manifest, {
        partitions: partitions.filter((partition) => isArchived(manifest, partition, options)),
        kinds: options.kinds,
        members: options.members,
        after: options.after,
        untilMs: options.archivedUntilMs,
      }),
    );
    try {
      for (const [i, partition] of partitions.entries()) {
        for (;;) {
          const entries = await archived.next(partition);
          if (entries.length === 0) break;
          yield* await this.present(entries, scope);
        }
        yield* this.readStream(partition, startOf(manifest, partition, options), pages[i]!, scope);
      }
    } finally {
      await archived.close();
    }
  }

  /** A manifest and first pages that fit: no entry lies between a mark and the stream's start. */
  private async openGroup(
    partitions: readonly number[],
    options: ReadOptions,
  ): Promise<{ manifest: Manifest; pages: StreamPage[] }> {
    for (let load = 0; load < MAX_MANIFEST_LOADS; load++) {
      const manifest = await loadManifest(this.dataDir);
      const starts = partitions.map((partition) => startOf(manifest, partition, options));
      const requests = partitions.map((partition, i) => ({ partition, after: starts[i]! }));
      const pages = await readPages(this.client, requests, PAGE_ENTRIES);
      const fits = pages.every((page, i) => compareLogIds(page.trimmedTo, starts[i]!) <= 0);
      if (fits) return { manifest, pages };
    }
    throw gap();
  }

  /** Page after page; what the archiver took meanwhile is read from the files it wrote. */
  private async *readStream(
    partition: number,
    start: string,
    firstPage: StreamPage,
    scope: Scope,
  ): AsyncGenerator<LoggedRecord> {
    let cursor = start;
    let page = firstPage;
    for (;;) {
      if (compareLogIds(page.trimmedTo, cursor) > 0) {
        const manifest = await this.manifestReaching(partition, page.trimmedTo);
        const after = new Map([[partition, cursor]]);
        const { kinds, members } = scope.options;
        const query = { partitions: [partition], kinds, members, after };
        for await (const entries of readArchive(this.dataDir, manifest, query)) {
          yield* await this.present(entries, scope);
        }
        cursor = markOf(manifest, partition);
      } else {
        const { entries } = page;
        yield* await this.present(
          entries.map((entry) => ({ partition, ...entry })),
          scope,
        );
        if (!page.full) return;
        cursor = entries[entries.length - 1]!.logId;
      }
      [page] = (await readPages(this.client, [{ partition, after: cursor }], PAGE_ENTRIES)) as [
        StreamPage,
      ];
    }
  }

  private async manifestReaching(partition: number, logId: string): Promise<Manifest> {
    const manifest = await loadManifest(this.dataDir);
    // The manifest is published before the stream is trimmed, so this one names the entries.
    if (compareLogIds(markOf(manifest, partition), logId) < 0) throw gap();
    return manifest;
  }

  /** Decodes, and leaves out what was not asked for and erased members. */
  private async present(entries: readonly ArchiveEntry[], scope: Scope): Promise<LoggedRecord[]> {
    const { kinds } = scope.options;
    const { members } = scope;
    const records: LoggedRecord[] = [];
    for (const { partition, logId, text } of entries) {
      if (kinds !== undefined && !kinds.some((kind) => text.startsWith(`{"k":"${kind}"`))) continue;
      const record = decodeRecord(text);
      if (members !== undefined && !membersOf(record).some((id) => members.has(id))) continue;
      records.push({ partition, logId, record });
    }
    await this.lookUpErased(records, scope);
    return records.filter(({ record }) =>
      record.kind === "erasure"
        ? kinds?.includes("erasure")
        : !membersOf(record).some((id) => scope.known.get(id)),
    );
  }

  private async lookUpErased(records: readonly LoggedRecord[], scope: Scope): Promise<void> {
    const ids = new Set<string>();
    for (const { record } of records) {
      for (const id of membersOf(record)) if (!scope.known.has(id)) ids.add(id);
    }
    const asked = [...ids];
    const outcomes = await groupedPipeline<number>(
      this.client,
      asked.map((id) => ["hexists", memberKey(id), "x"]),
    );
    outcomes.forEach((outcome, i) => {
      if (outcome.error !== undefined) throw toStoreError(outcome.error);
      const id = asked[i]!;
      scope.known.set(id, outcome.value === 1 || scope.erased.has(id) || this.isErased(id));
    });
  }
}

const everyPartition = (): number[] => Array.from({ length: PARTITIONS }, (_, i) => i);

const groupSize = (archivedRows: number): number =>
  Math.max(
    1,
    Math.min(
      MAX_PARTITIONS_AT_ONCE,
      Math.floor(QUERY_ROWS / Math.max(1, archivedRows / PARTITIONS)),
    ),
  );

/** Where the stream goes on: behind the archive, or behind what the caller has read. */
const startOf = (manifest: Manifest, partition: number, options: ReadOptions): string =>
  laterLogId(markOf(manifest, partition), options.after?.get(partition) ?? LOG_START);

/** The archive holds entries of the partition that the caller has not read. */
const isArchived = (manifest: Manifest, partition: number, { after }: ReadOptions): boolean =>
  compareLogIds(markOf(manifest, partition), after?.get(partition) ?? LOG_START) > 0;

function membersOf(record: LogRecord): string[] {
  switch (record.kind) {
    case "anonymous":
    case "suppression":
    case "response":
      return [];
    case "merge":
      return [record.member, record.from];
    case "erasure":
      return [record.member];
    case "decision":
      return record.member === null ? [] : [record.member];
    default:
      return record.subject === record.member ? [record.member] : [record.member, record.subject];
  }
}

const gap = (): CuecardError =>
  new CuecardError(
    "store_incompatible",
    "the archive lacks entries the store was trimmed of: is DATA_DIR the one it was archived to?",
  );

/** Batches over several partitions, handed out partition by partition. */
class Lookahead {
  private buffer: ArchiveEntry[] = [];

  constructor(private readonly batches: AsyncGenerator<ArchiveEntry[]>) {}

  /** The next entries of this partition, or none when the sequence has passed it. */
  async next(partition: number): Promise<ArchiveEntry[]> {
    if (this.buffer.length === 0) {
      const { value, done } = await this.batches.next();
      if (done !== true) this.buffer = value;
    }
    const end = this.buffer.findIndex((entry) => entry.partition !== partition);
    const entries = end < 0 ? this.buffer : this.buffer.slice(0, end);
    this.buffer = end < 0 ? [] : this.buffer.slice(end);
    return entries;
  }

  async close(): Promise<void> {
    await this.batches.return(undefined);
  }
}
