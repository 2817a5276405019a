/**
 * Parquet files of the archive, through DuckDB. Columns: partition, ms, seq (the log id), kind,
 * member, subject, at (epoch milliseconds), record (JSON text); sorted by partition, ms, seq.
 */
import { join } from "node:path";
import type { DuckDBConnection } from "@duckdb/node-api";
import { CuecardError } from "../errors.js";
import {
  type ArchiveFile,
  archiveDir,
  loadManifest,
  type Manifest,
  markOf,
} from "./archive-manifest.js";
import { compareLogIds, parseLogId } from "./log-id.js";

/** Loaded when the archive is first touched: it takes long, and serving may never ask. */
const duckdb = () => import("@duckdb/node-api");

const MEMORY_LIMIT = "512MB";
/** About eight partitions' rows of a full file: what a look at one partition has to unpack. */
const ROW_GROUP_ROWS = 16_384;
const CHUNK_ROWS = 2_048;

/** Runs `work` on a database of its own, in memory, that spills beside the archive. */
export async function withDatabase<T>(
  dataDir: string,
  work: (connection: DuckDBConnection) => Promise<T>,
): Promise<T> {
  const { connection, close } = await openDatabase(dataDir);
  try {
    return await work(connection);
  } finally {
    close();
  }
}

interface Database {
  readonly connection: DuckDBConnection;
  close(): void;
}

async function openDatabase(dataDir: string): Promise<Database> {
  const { DuckDBInstance } = await duckdb();
  const instance = await DuckDBInstance.create(":memory:", {
    threads: "2",
    memory_limit: MEMORY_LIMIT,
    temp_directory: join(archiveDir(dataDir), "spill"),
  });
  const connection = await instance.connect();
  return {
    connection,
    close() {
      connection.closeSync();
      instance.closeSync();
    },
  };
}

const literal = (text: string): string => `'${text.replaceAll("'", "''")}'`;

export const filesLiteral = (dataDir: string, files: readonly ArchiveFile[]): string =>
  `[${files.map(({ name }) => literal(join(archiveDir(dataDir), name))).join(",")}]`;

/** `COPY (query) TO temporary`, sorted and compressed. */
export const copySorted = (source: string, temporary: string): string =>
  `COPY (SELECT partition, ms, seq, kind, member, subject, "at", record FROM ${source}
    ORDER BY partition, ms, seq)
  TO ${literal(temporary)} (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE ${ROW_GROUP_ROWS})`;

/** What the columns beside the text are taken from. */
interface RecordText {
  k: string;
  m?: string;
  s?: string;
  from?: string;
  at?: number;
  e?: { at: number };
}

export interface ArchiveEntry {
  readonly partition: number;
  readonly logId: string;
  readonly text: string;
}

/** Writes `entries` (sorted, at least one) to a new Parquet file at `temporary`. */
export async function writeEntries(
  dataDir: string,
  entries: readonly ArchiveEntry[],
  temporary: string,
): Promise<void> {
  const { BIGINT, DuckDBDataChunk, INTEGER, VARCHAR } = await duckdb();
  const types = [INTEGER, BIGINT, BIGINT, VARCHAR, VARCHAR, VARCHAR, BIGINT, VARCHAR];
  await withDatabase(dataDir, async (connection) => {
    await connection.run(
      `CREATE TABLE batch (partition INTEGER, ms BIGINT, seq BIGINT, kind VARCHAR, member VARCHAR,
        subject VARCHAR, "at" BIGINT, record VARCHAR)`,
    );
    const appender = await connection.createAppender("batch");
    for (let from = 0; from < entries.length; from += CHUNK_ROWS) {
      const part = entries.slice(from, from + CHUNK_ROWS);
      const chunk = DuckDBDataChunk.create(types, part.length);
      chunk.setRows(part.map(rowOf));
      appender.appendDataChunk(chunk);
    }
    appender.closeSync();
    await connection.run(copySorted("batch", temporary));
  });
}

function rowOf({ partition, logId, text }: ArchiveEntry): (number | bigint | string | null)[] {
  const raw = JSON.parse(text) as RecordText;
  const { ms, seq } = parseLogId(logId);
  const member = raw.m ?? null;
  const subject = raw.s ?? raw.from ?? member;
  const at = raw.e?.at ?? raw.at ?? ms;
  return [partition, BigInt(ms), BigInt(seq), raw.k, member, subject, BigInt(at), text];
}

export interface ArchiveQuery {
  /** Ascending. */
  readonly partitions: readonly number[];
  readonly kinds?: readonly string[];
  readonly members?: readonly string[];
  readonly after?: ReadonlyMap<number, string>;
  /** Only entries written in this millisecond or before. */
  readonly untilMs?: number;
}

interface Position {
  readonly partition: number;
  readonly logId: string;
}

function sqlOf(dataDir: string, manifest: Manifest, query: ArchiveQuery, from?: Position): string {
  const { partitions, kinds, members, after, untilMs } = query;
  if (partitions.length === 0) return "";
  const first = from?.partition ?? partitions[0]!;
  const last = partitions[partitions.length - 1]!;
  const files = manifest.files.filter(
    (file) => file.firstPartition <= last && file.lastPartition >= first,
  );
  if (files.length === 0) return "";
  const conditions = [`partition BETWEEN ${first} AND ${last}`];
  if (last - partitions[0]! + 1 > partitions.length) {
    conditions.push(`partition IN (${partitions.join(",")})`);
  }
  if (kinds !== undefined) conditions.push(`kind IN (${kinds.map(literal).join(",")})`);
  if (members !== undefined) {
    const list = members.length === 0 ? "NULL" : members.map(literal).join(",");
    conditions.push(`(member IN (${list}) OR subject IN (${list}))`);
  }
  if (untilMs !== undefined) conditions.push(`ms <= ${untilMs}`);
  const seen = partitions.length === 1 ? after?.get(partitions[0]!) : undefined;
  if (seen !== undefined) conditions.push(`ms >= ${parseLogId(seen).ms}`);
  return `SELECT partition, ms::DOUBLE, seq::DOUBLE, record
    FROM read_parquet(${filesLiteral(dataDir, files)})
    WHERE ${conditions.join(" AND ")} ORDER BY partition, ms, seq`;
}

/**
 * Archived entries of the partitions up to the marks of `manifest`, in order, in batches. When a
 * compaction takes the files away meanwhile, goes on in those that replaced them.
 */
export async function* readArchive(
  dataDir: string,
  manifest: Manifest,
  query: ArchiveQuery,
): AsyncGenerator<ArchiveEntry[]> {
  let current = manifest;
  let last: Position | undefined;
  for (;;) {
    try {
      for await (const entries of scan(dataDir, current, query, last)) {
        const wanted = entries.filter((entry) => isWanted(entry, manifest, query, last));
        if (wanted.length === 0) continue;
        last = wanted[wanted.length - 1];
        yield wanted;
      }
      return;
    } catch (error) {
      const now = await loadManifest(dataDir);
      if (now.generation === current.generation) throw unreadable(error);
      current = now;
    }
  }
}

const unreadable = (error: unknown): CuecardError =>
  new CuecardError("store_incompatible", "a file of the archive is missing or damaged", {
    cause: error,
  });

function isWanted(
  { partition, logId }: ArchiveEntry,
  manifest: Manifest,
  { after }: ArchiveQuery,
  last: Position | undefined,
): boolean {
  if (compareLogIds(logId, markOf(manifest, partition)) > 0) return false;
  const seen = after?.get(partition);
  if (seen !== undefined && compareLogIds(logId, seen) <= 0) return false;
  if (last === undefined || partition > last.partition) return true;
  return partition === last.partition && compareLogIds(logId, last.logId) > 0;
}

async function* scan(
  dataDir: string,
  manifest: Manifest,
  query: ArchiveQuery,
  from: Position | undefined,
): AsyncGenerator<ArchiveEntry[]> {
  const sql = sqlOf(dataDir, manifest, query, from);
  if (sql === "") return;
  const { connection, close } = await openDatabase(dataDir);
  try {
    const result = await connection.stream(sql);
    for await (const chunk of result) {
      const [partitions, ms, seq, texts] = [0, 1, 2, 3].map((i) => chunk.getColumnValues(i));
      yield texts!.map((text, i) => ({
        partition: partitions![i] as number,
        logId: `${ms![i]}-${seq![i]}`,
        text: text as string,
      }));
    }
  } finally {
    close();
  }
}
