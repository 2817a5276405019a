/**
 * Compaction: many small files of the archive become few, and rows of erased members go. A new file
 * takes the place of those it was made from in one replacement of the manifest; readers that were
 * in the old ones go on in the new.
 */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { DuckDBConnection } from "@duckdb/node-api";
import { CuecardError } from "../errors.js";
import { toDataDirError } from "../redis/data-dir.js";
import { copySorted, filesLiteral, withDatabase } from "./archive-files.js";
import {
  type ArchiveFile,
  archiveDir,
  keepFile,
  loadManifest,
  type Manifest,
  newFileName,
  prepareArchive,
  publishManifest,
  removeUnnamed,
  sha256Of,
} from "./archive-manifest.js";

/** Rows of a full file: what DuckDB sorts within its memory limit, spilling little. */
const TARGET_ROWS = 2_000_000;

export interface CompactOptions {
  readonly dataDir: string;
  /** Erased members beside those whose erasure record is archived: all are on the list by now. */
  readonly erased?: Iterable<string>;
  /** Whether an id is on the suppression list as erased: asked of every id in the archive. */
  readonly isErased?: (id: string) => boolean;
  readonly targetRows?: number;
  readonly onProgress?: (share: number) => void;
  readonly signal?: AbortSignal;
  /** Called before each replacement of the manifest; throws when this run lost its lock. */
  readonly fence?: () => Promise<void>;
  readonly onStep?: (step: "written" | "published") => void | Promise<void>;
}

export interface CompactResult {
  readonly filesBefore: number;
  readonly filesAfter: number;
  /** Rows of erased members that are gone now. */
  readonly erasedRows: number;
  /** Partitions they were in: the streams there may hold their bytes still. */
  readonly partitions: readonly number[];
}

const OF_ERASED = `(coalesce(member, '') IN (SELECT id FROM erased)
  OR coalesce(subject, '') IN (SELECT id FROM erased))`;

/** Throws `store_incompatible` when a file does not match its checksum, `conflict`, `disk_full`. */
export async function compactArchive(options: CompactOptions): Promise<CompactResult> {
  const { dataDir } = options;
  await prepareArchive(dataDir);
  let manifest = await loadManifest(dataDir);
  removeUnnamed(dataDir, manifest);
  const filesBefore = manifest.files.length;
  let erasedRows = 0;
  let partitions: readonly number[] = [];
  if (filesBefore > 0) {
    await withDatabase(dataDir, async (connection) => {
      const found = await findErased(connection, options, manifest);
      partitions = found.partitions;
      const groups = groupsOf(manifest, found.files, options.targetRows ?? TARGET_ROWS);
      for (const [i, group] of groups.entries()) {
        options.signal?.throwIfAborted();
        options.onProgress?.(i / groups.length);
        const before = sumRows(group);
        const replaced = await replaceGroup(connection, options, manifest, group);
        erasedRows += before - replaced.rows;
        manifest = replaced.manifest;
      }
    });
  }
  options.onProgress?.(1);
  return { filesBefore, filesAfter: manifest.files.length, erasedRows, partitions };
}

const sumRows = (files: readonly ArchiveFile[]): number =>
  files.reduce((rows, file) => rows + file.rows, 0);

/** Fills the table `erased` and returns where rows of theirs are. */
async function findErased(
  connection: DuckDBConnection,
  { dataDir, erased, isErased }: CompactOptions,
  manifest: Manifest,
): Promise<{ files: Set<string>; partitions: number[] }> {
  const files = filesLiteral(dataDir, manifest.files);
  await connection.run(
    `CREATE TABLE erased AS SELECT DISTINCT member AS id FROM read_parquet(${files})
     WHERE kind = 'erasure'`,
  );
  const listed = isErased === undefined ? [] : await listedIn(connection, files, isErased);
  const appender = await connection.createAppender("erased");
  for (const id of [...(erased ?? []), ...listed]) {
    appender.appendVarchar(id);
    appender.endRow();
  }
  appender.closeSync();
  const result = await connection.runAndReadAll(
    `SELECT DISTINCT parse_filename(filename), partition
     FROM read_parquet(${files}, filename = true) WHERE ${OF_ERASED}`,
  );
  const rows = result.getRows() as [name: string, partition: number][];
  return {
    files: new Set(rows.map(([name]) => name)),
    partitions: [...new Set(rows.map(([, partition]) => partition))],
  };
}

/** A backup restored or a late writer may have brought back whom only the list still knows. */
async function listedIn(
  connection: DuckDBConnection,
  files: string,
  isErased: (id: string) => boolean,
): Promise<string[]> {
  const listed: string[] = [];
  const ids = await connection.stream(
    `SELECT DISTINCT id FROM (SELECT member AS id FROM read_parquet(${files})
     UNION ALL SELECT subject FROM read_parquet(${files}) WHERE subject <> member)
     WHERE id IS NOT NULL`,
  );
  for await (const chunk of ids) {
    for (const id of chunk.getColumnValues(0))
      if (isErased(id as string)) listed.push(id as string);
  }
  return listed;
}

/** Files to be written anew together: small neighbours up to a full file, and any with erased rows. */
function groupsOf(
  manifest: Manifest,
  dirty: ReadonlySet<string>,
  targetRows: number,
): ArchiveFile[][] {
  const groups: ArchiveFile[][] = [];
  let open: ArchiveFile[] = [];
  for (const file of manifest.files) {
    if (file.rows > targetRows / 2) {
      if (dirty.has(file.name)) groups.push([file]);
      continue;
    }
    if (open.length > 0 && sumRows(open) + file.rows > targetRows) {
      groups.push(open);
      open = [];
    }
    open.push(file);
  }
  groups.push(open);
  return groups.filter((group) => group.length > 1 || group.some(({ name }) => dirty.has(name)));
}

async function replaceGroup(
  connection: DuckDBConnection,
  options: CompactOptions,
  manifest: Manifest,
  group: readonly ArchiveFile[],
): Promise<{ manifest: Manifest; rows: number }> {
  const { dataDir } = options;
  for (const file of group) await verify(dataDir, file);
  const name = newFileName(manifest.generation + 1);
  const temporary = join(archiveDir(dataDir), `${name}.tmp`);
  try {
    const source = `(SELECT * FROM read_parquet(${filesLiteral(dataDir, group)})
      WHERE NOT (${OF_ERASED}))`;
    await connection.run(copySorted(source, temporary));
    const contents = await contentsOf(connection, temporary);
    const written = contents.rows > 0 ? [await keepFile(dataDir, temporary, name, contents)] : [];
    await rm(temporary, { force: true });
    await options.onStep?.("written");
    await options.fence?.();
    const names = new Set(group.map((file) => file.name));
    const at = manifest.files.findIndex((file) => names.has(file.name));
    const files = manifest.files.filter((file) => !names.has(file.name));
    files.splice(at, 0, ...written);
    const published = await publishManifest(dataDir, manifest, { files, marks: manifest.marks });
    await options.onStep?.("published");
    removeUnnamed(dataDir, published);
    return { manifest: published, rows: contents.rows };
  } catch (error) {
    await rm(temporary, { force: true });
    throw toDataDirError(error, dataDir);
  }
}

async function verify(dataDir: string, file: ArchiveFile): Promise<void> {
  if ((await sha256Of(join(archiveDir(dataDir), file.name))) === file.sha256) return;
  throw new CuecardError("store_incompatible", `${file.name} of the archive is damaged`);
}

async function contentsOf(
  connection: DuckDBConnection,
  path: string,
): Promise<Pick<ArchiveFile, "rows" | "firstPartition" | "lastPartition">> {
  const result = await connection.runAndReadAll(
    "SELECT count(*)::INTEGER, coalesce(min(partition), 0), coalesce(max(partition), 0) FROM read_parquet($1)",
    [path],
  );
  const [rows, firstPartition, lastPartition] = result.getRows()[0] as number[];
  return { rows: rows!, firstPartition: firstPartition!, lastPartition: lastPartition! };
}
