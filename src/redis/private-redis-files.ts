/** What the private Redis keeps under `DATA_DIR/redis`: its configuration, its log, its mark. */
import { createHash } from "node:crypto";
import {
  closeSync,
  existsSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CuecardError } from "../errors.js";
import { toDataDirError } from "./data-dir.js";
import { processMark } from "./process-mark.js";
import { atLeast, type RedisBinary } from "./redis-binary.js";

/** sun_path holds 108 bytes on Linux and 104 on macOS, the closing zero included. */
const MAX_SOCKET_PATH_BYTES = 100;
const MAX_LOG_BYTES = 8 * 1024 * 1024;
const LOG_TAIL_BYTES = 4_096;

export interface RedisFiles {
  readonly dataDir: string;
  /** Absolute, links resolved: what CONFIG GET dir answers. */
  readonly dir: string;
  readonly socket: string;
  readonly config: string;
  readonly log: string;
  readonly pid: string;
}

/** Makes the directories and names the files in them. */
export function redisFiles(dataDir: string): RedisFiles {
  try {
    mkdirSync(join(dataDir, "redis"), { recursive: true, mode: 0o700 });
    const dir = realpathSync(join(dataDir, "redis"));
    return {
      dataDir,
      dir,
      socket: socketPathFor(dir),
      config: join(dir, "redis.conf"),
      log: join(dir, "redis.log"),
      pid: join(dir, "redis.pid.json"),
    };
  } catch (error) {
    throw toDataDirError(error, dataDir);
  }
}

/** In `dir` when the path fits; else in a directory of our own under the system's temporary one. */
export function socketPathFor(dir: string): string {
  const inside = join(dir, "redis.sock");
  if (Buffer.byteLength(inside) <= MAX_SOCKET_PATH_BYTES) return inside;
  const hash = createHash("sha256").update(dir).digest("hex").slice(0, 16);
  const short = join(tmpdir(), `cuecard-${hash}`);
  mkdirSync(short, { recursive: true, mode: 0o700 });
  const stat = lstatSync(short);
  // Anyone may have made it before us: a socket in a stranger's directory is the stranger's.
  if (!stat.isDirectory() || stat.uid !== process.getuid?.() || (stat.mode & 0o077) !== 0) {
    throw new CuecardError("data_dir_unwritable", `${short} is not a private directory of ours`);
  }
  return join(short, "redis.sock");
}

const quoted = (text: string): string => `"${text.replace(/["\\]/g, "\\$&")}"`;

/** Settings that can also be given to a running Redis, so that an adopted one obeys them too. */
export function runtimeSettings(maxmemoryBytes: number, binary: RedisBinary): [string, string][] {
  const listpack = binary.flavour === "valkey" || atLeast(binary.version, [7, 0]);
  const packed = listpack ? "listpack" : "ziplist";
  return [
    ["appendonly", "yes"],
    // An acknowledged event survives kill -9 and a power cut.
    ["appendfsync", "always"],
    ["aof-use-rdb-preamble", "yes"],
    ["auto-aof-rewrite-percentage", "100"],
    ["auto-aof-rewrite-min-size", "67108864"],
    ["maxmemory", String(maxmemoryBytes)],
    ["maxmemory-policy", "noeviction"],
    // A member's packed fields are longer than the default of 64 bytes, which doubles memory.
    [`hash-max-${packed}-value`, "4096"],
    [`hash-max-${packed}-entries`, "128"],
    // A partition's members of one stage, up to a store of a million, in a fifth of the memory.
    [`zset-max-${packed}-entries`, "1024"],
    ["save", ""],
  ];
}

/** Writes the configuration file; throws `data_dir_unwritable` or `disk_full`. */
export function writeConfig(files: RedisFiles, maxmemoryBytes: number, binary: RedisBinary): void {
  const lines = [
    "# Written by Cuecard at every start: changes here are lost.",
    "port 0",
    `unixsocket ${quoted(files.socket)}`,
    "unixsocketperm 700",
    "daemonize no",
    `dir ${quoted(files.dir)}`,
    `logfile ${quoted(files.log)}`,
    "aof-load-truncated yes",
    ...runtimeSettings(maxmemoryBytes, binary).map(([name, value]) => `${name} ${quoted(value)}`),
  ];
  try {
    writeFileSync(files.config, `${lines.join("\n")}\n`, { mode: 0o600 });
    rotateLog(files.log);
  } catch (error) {
    throw toDataDirError(error, files.dataDir);
  }
}

function rotateLog(log: string): void {
  if (existsSync(log) && statSync(log).size > MAX_LOG_BYTES) renameSync(log, `${log}.1`);
}

export const logSize = (files: RedisFiles): number =>
  existsSync(files.log) ? statSync(files.log).size : 0;

/** The last few lines Redis wrote since the log had `from` bytes, as one line for a person. */
export function logTail(files: RedisFiles, from: number): string {
  const size = logSize(files);
  const start = Math.max(from <= size ? from : 0, size - LOG_TAIL_BYTES);
  if (size === start) return "it wrote nothing to its log";
  const bytes = Buffer.alloc(size - start);
  const descriptor = openSync(files.log, "r");
  try {
    readSync(descriptor, bytes, 0, bytes.length, start);
  } finally {
    closeSync(descriptor);
  }
  const lines = bytes
    .toString("utf8")
    .split("\n")
    .filter((line) => line.trim() !== "");
  // "1234:M 22 Nov 2026 04:00:00.000 # text": the text is what a person wants.
  return lines
    .slice(-3)
    .map((line) => line.replace(/^\d+:\w .{24} [.\-*#] /, ""))
    .join(" | ");
}

/** Remembers which process is ours, so that a recycled pid is not taken for it. */
export function rememberProcess(files: RedisFiles, pid: number): void {
  writeFileSync(files.pid, JSON.stringify({ pid, mark: processMark(pid) ?? "" }));
}

/** The pid of the Redis we started here earlier, when that very process still lives. */
export function rememberedPid(files: RedisFiles): number | undefined {
  try {
    const { pid, mark } = JSON.parse(readFileSync(files.pid, "utf8")) as Record<string, unknown>;
    return typeof pid === "number" && processMark(pid) === mark ? pid : undefined;
  } catch {
    return undefined;
  }
}

export function forgetProcess(files: RedisFiles): void {
  rmSync(files.pid, { force: true });
  rmSync(files.socket, { force: true });
}
