/** The data directory: that it can be written, and that one Cuecard at a time does so. */
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { join } from "node:path";
import { CuecardError } from "../errors.js";
import { processMark } from "./process-mark.js";

/** Less free space than this counts as a full disk, in bytes: a second of writes still fits. */
export const MIN_FREE_BYTES = 64 * 1024 * 1024;

/** Maps a failure to write under the data directory; what is neither right nor room passes. */
export function toDataDirError(error: unknown, dataDir: string): unknown {
  const code = (error as NodeJS.ErrnoException).code;
  if (code === "ENOSPC" || code === "EDQUOT") {
    return new CuecardError("disk_full", `no space left for ${dataDir}`, { cause: error });
  }
  if (["EACCES", "EPERM", "EROFS", "ENOTDIR", "EEXIST", "ENOENT"].includes(code ?? "")) {
    return new CuecardError("data_dir_unwritable", `${dataDir}: ${(error as Error).message}`, {
      cause: error,
    });
  }
  return error;
}

/** Free bytes for this user on the file system of `path`. */
export async function freeBytes(path: string): Promise<number> {
  const { bavail, bsize } = await statfs(path);
  return bavail * bsize;
}

/** Makes the directory and proves that a file can be written in it, or throws one clear line. */
export async function prepareDataDir(dataDir: string): Promise<void> {
  try {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 });
    const probe = join(dataDir, `.probe-${process.pid}`);
    writeFileSync(probe, "probe");
    rmSync(probe);
  } catch (error) {
    throw toDataDirError(error, dataDir);
  }
  const free = await freeBytes(dataDir);
  if (free < MIN_FREE_BYTES) {
    const detail = `${Math.floor(free / 1024 / 1024)} MiB left for ${dataDir}`;
    throw new CuecardError("disk_full", detail);
  }
}

interface Holder {
  pid: number;
  mark: string;
}

const readHolder = (path: string): Holder | undefined => {
  try {
    const holder: unknown = JSON.parse(readFileSync(path, "utf8"));
    const { pid, mark } = holder as Partial<Holder>;
    return typeof pid === "number" && typeof mark === "string" ? { pid, mark } : undefined;
  } catch {
    return undefined;
  }
};

const lives = (holder: Holder | undefined): holder is Holder =>
  holder !== undefined && processMark(holder.pid) === holder.mark;

const lockPath = (dataDir: string): string => join(dataDir, "cuecard.lock");

/** The pid of the living Cuecard that holds this directory, if one does. */
export function lockHolder(dataDir: string): number | undefined {
  const holder = readHolder(lockPath(dataDir));
  return lives(holder) ? holder.pid : undefined;
}

/**
 * Takes `DATA_DIR/cuecard.lock` and returns what gives it back. Throws `data_dir_locked` naming the
 * pid when a living process holds it; the lock of a dead one is taken over.
 */
export function lockDataDir(dataDir: string): () => void {
  const path = lockPath(dataDir);
  const own = `${path}.${process.pid}`;
  const mark = processMark(process.pid) ?? "";
  try {
    writeFileSync(own, JSON.stringify({ pid: process.pid, mark } satisfies Holder));
    for (let attempt = 0; attempt < 5; attempt++) {
      if (tryLink(own, path)) return () => release(path, mark);
      const holder = readHolder(path);
      if (lives(holder)) {
        throw new CuecardError("data_dir_locked", `process ${holder.pid} uses ${dataDir}`);
      }
      removeStale(path, `${own}.stale`);
    }
    throw new CuecardError("data_dir_locked", `another process is taking ${dataDir}`);
  } catch (error) {
    throw toDataDirError(error, dataDir);
  } finally {
    rmSync(own, { force: true });
  }
}

/** A link appears with its content, and fails when the name is taken: a file made in place is empty first. */
function tryLink(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

/** Moves a dead lock away; one that a rival put there in between is put back. */
function removeStale(path: string, aside: string): void {
  try {
    renameSync(path, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
    throw error;
  }
  if (lives(readHolder(aside))) tryLink(aside, path);
  rmSync(aside, { force: true });
}

function release(path: string, mark: string): void {
  const holder = readHolder(path);
  if (holder?.pid === process.pid && holder.mark === mark) rmSync(path, { force: true });
}
