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
  /** Erased members beside those whose erasure record is archived already. */
  readonly erased?: Iterable<string>;
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
}

const OF_ERASED = `kind <> 'erasure' AND (coalesce(member, '') IN (SELECT id FROM erased)
  OR coalesce(subject, '') IN (SELECT id FROM erased))`;

/** Throws `store_incompatible` when a file does not match its checksum, `conflict`, `disk_full`. */
export async function compactArchive(options: CompactOptions): Promise<CompactResult> {
  const { dataDir } = options;
  await prepareArchive(dataDir);
  let manifest = await loadManifest(dataDir);
  removeUnnamed(dataDir, manifest);
  const filesBefore = manifest.files.length;
  let erasedRows = 0;
  if (filesBefore > 0) {
    await withDatabase(dataDir, async (connection) => {
      const dirty = await findErased(connection, options, manifest);
      const groups = groupsOf(manifest, dirty, options.targetRows ?? TARGET_ROWS);
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
  return { filesBefore, filesAfter: manifest.files.length, erasedRows };
}

const sumRows = (files: readonly ArchiveFile[]): number =>
  files.reduce((rows, file) => rows + file.rows, 0);

/** Fills the table `erased` and returns the names of files that hold rows of theirs. */
async function findErased(
  connection: DuckDBConnection,
  { dataDir, erased }: CompactOptions,
  manifest: Manifest,
): Promise<Set<string>> {
  const files = filesLiteral(dataDir, manifest.files);
  await connection.run(
    `CREATE TABLE erased AS SELECT DISTINCT member AS id FROM read_parquet(${files})
     WHERE kind = 'erasure'`,
  );
  const appender = await connection.createAppender("erased");
  for (const id of erased ?? []) {
    appender.appendVarchar(id);
    appender.endRow();
  }
  appender.closeSync();
  const result = await connection.runAndReadAll(
    `SELECT DISTINCT parse_filename(filename) FROM read_parquet(${files}, filename = true)
     WHERE ${OF_ERASED}`,
  );
  return new Set(result.getRows().map(([name]) => name as string));
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
