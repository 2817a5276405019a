/**
 * What the archive holds: `archive/manifest.json`, replaced as a whole. A Parquet file counts only
 * from the moment the manifest names it; what it does not name was left by a crash.
 */
import { createHash, randomBytes } from "node:crypto";
import { createReadStream, readdirSync, rmSync } from "node:fs";
import { mkdir, open, readFile, rename, stat } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { CuecardError } from "../errors.js";
import { toDataDirError } from "../redis/data-dir.js";
import { LOG_START } from "./log-id.js";

export interface ArchiveFile {
  readonly name: string;
  readonly rows: number;
  readonly bytes: number;
  readonly sha256: string;
  readonly firstPartition: number;
  readonly lastPartition: number;
}

export interface Manifest {
  readonly format: 1;
  /** Grows with every publication. */
  readonly generation: number;
  /** Oldest first. */
  readonly files: readonly ArchiveFile[];
  /** Partition → log id of its last archived entry. */
  readonly marks: Readonly<Record<string, string>>;
}

const EMPTY: Manifest = { format: 1, generation: 0, files: [], marks: {} };

export const archiveDir = (dataDir: string): string => join(dataDir, "archive");
const manifestPath = (dataDir: string): string => join(archiveDir(dataDir), "manifest.json");

export const markOf = (manifest: Manifest, partition: number): string =>
  manifest.marks[partition] ?? LOG_START;

export const rowsOf = (manifest: Manifest): number =>
  manifest.files.reduce((rows, file) => rows + file.rows, 0);

/** An archive never written is empty. Throws `store_incompatible` for one this server cannot read. */
export async function loadManifest(dataDir: string): Promise<Manifest> {
  let text: string;
  try {
    text = await readFile(manifestPath(dataDir), "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return EMPTY;
    throw error;
  }
  const manifest = JSON.parse(text) as Manifest;
  if (manifest.format !== 1) {
    throw new CuecardError("store_incompatible", `archive format ${manifest.format} is not known`);
  }
  return manifest;
}

/**
 * Replaces the manifest. Refuses when another publication came between: two archivers at once are
 * kept apart by the job's fence, and this catches what slips through.
 */
export async function publishManifest(
  dataDir: string,
  before: Manifest,
  change: Pick<Manifest, "files" | "marks">,
): Promise<Manifest> {
  const current = await loadManifest(dataDir);
  if (current.generation !== before.generation) {
    throw new CuecardError("conflict", "the archive was changed by another process meanwhile");
  }
  const { files, marks } = change;
  const manifest: Manifest = { format: 1, generation: before.generation + 1, files, marks };
  const temporary = `${manifestPath(dataDir)}.${process.pid}.tmp`;
  const file = await open(temporary, "w", 0o600);
  try {
    await file.writeFile(JSON.stringify(manifest));
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, manifestPath(dataDir));
  await syncDirectory(archiveDir(dataDir));
  return manifest;
}

/** Makes a rename survive a power cut. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/** Makes the directory; maps a full or read-only disk to its error. */
export async function prepareArchive(dataDir: string): Promise<void> {
  try {
    await mkdir(archiveDir(dataDir), { recursive: true, mode: 0o700 });
  } catch (error) {
    throw toDataDirError(error, dataDir);
  }
}

/** A name no other run uses: a stale writer overwrites nothing. */
export const newFileName = (generation: number): string =>
  `log-${String(generation).padStart(8, "0")}-${randomBytes(4).toString("hex")}.parquet`;

/** Syncs a finished Parquet file and gives it its final name. */
export async function keepFile(
  dataDir: string,
  temporary: string,
  name: string,
  contents: Pick<ArchiveFile, "rows" | "firstPartition" | "lastPartition">,
): Promise<ArchiveFile> {
  const file = await open(temporary, "r+");
  try {
    await file.sync();
  } finally {
    await file.close();
  }
  const sha256 = await sha256Of(temporary);
  const { size } = await stat(temporary);
  await rename(temporary, join(archiveDir(dataDir), name));
  await syncDirectory(archiveDir(dataDir));
  return { name, bytes: size, sha256, ...contents };
}

export async function sha256Of(path: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(path), hash);
  return hash.digest("hex");
}

/** Removes what a crash or a compaction left: files of the archive that the manifest does not name. */
export function removeUnnamed(dataDir: string, manifest: Manifest): void {
  const named = new Set(manifest.files.map(({ name }) => name));
  for (const name of readdirSync(archiveDir(dataDir))) {
    const ours = /^log-.*\.parquet(\.tmp)?$/.test(name) || /^manifest\.json\..*\.tmp$/.test(name);
    if (ours && !named.has(name)) rmSync(join(archiveDir(dataDir), name), { force: true });
  }
}
