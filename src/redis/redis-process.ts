/** One redis-server process: start it, talk to it, wait for it. */
import { spawn } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";
import { CuecardError } from "../errors.js";
import type { Logger } from "../telemetry.js";
import { logSize, logTail, type RedisFiles, rememberProcess } from "./private-redis-files.js";
import { processMark } from "./process-mark.js";
import type { RedisBinary } from "./redis-binary.js";

/** From spawn to an open socket; loading the data comes after it and has no limit. */
const SOCKET_WAIT_MS = 30_000;
const CONTROL_TIMEOUT_MS = 5_000;
const KILL_WAIT_MS = 5_000;
const PROGRESS_EVERY_MS = 2_000;

/** A connection for orders to the server; ends, and never reconnects, when the server does. */
export async function control(socketPath: string): Promise<Redis> {
  const connection = new Redis({
    path: socketPath,
    protocol: 2,
    disableClientInfo: true,
    lazyConnect: true,
    enableReadyCheck: false,
    retryStrategy: null,
    connectTimeout: CONTROL_TIMEOUT_MS,
    commandTimeout: CONTROL_TIMEOUT_MS,
  });
  // "end" says all there is to know; without a listener an error event would end the process.
  connection.on("error", () => undefined);
  await connection.connect();
  return connection;
}

export async function processIdOf(connection: Redis): Promise<number> {
  return Number(/process_id:(\d+)/.exec(await connection.info("server"))?.[1]);
}

/** True when `pid` ended within `timeoutMs`. */
export async function waitForExit(pid: number, timeoutMs: number): Promise<boolean> {
  const deadline = Date.now() + timeoutMs;
  while (processMark(pid) !== undefined) {
    if (Date.now() >= deadline) return false;
    await sleep(20);
  }
  return true;
}

/** Waits `patienceMs` for `pid` to end by itself, then kills it. With every write on disk that is safe. */
export async function endProcess(pid: number, patienceMs: number): Promise<void> {
  if (await waitForExit(pid, patienceMs)) return;
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    return;
  }
  await waitForExit(pid, KILL_WAIT_MS);
}

/** Waits while Redis reads its data back, however long, saying every two seconds how far it is. */
export async function waitUntilLoaded(
  connection: Redis,
  logger: Pick<Logger, "info">,
): Promise<void> {
  let nextWordAt = Date.now() + PROGRESS_EVERY_MS;
  for (;;) {
    const info = await connection.info("persistence");
    if (!/^loading:1/m.test(info)) return;
    if (Date.now() >= nextWordAt) {
      const percent = Number(/loading_loaded_perc:([\d.]+)/.exec(info)?.[1] ?? 0);
      logger.info({ percent }, "private Redis is loading its data");
      nextWordAt += PROGRESS_EVERY_MS;
    }
    await sleep(50);
  }
}

/**
 * Starts a server on the configuration already written and waits until it answers. Throws
 * `redis_start_failed`, `disk_full` or `data_dir_unwritable` with what its log says.
 */
export async function launch(
  files: RedisFiles,
  binary: RedisBinary,
  logger: Pick<Logger, "info">,
): Promise<{ pid: number; connection: Redis }> {
  const logFrom = logSize(files);
  // Detached: a Ctrl-C in the terminal or the death of this process must not reach it.
  const child = spawn(binary.path, [files.config], {
    cwd: files.dir,
    detached: true,
    stdio: "ignore",
  });
  let ended = false;
  child.once("error", () => {
    ended = true;
  });
  child.once("exit", () => {
    ended = true;
  });
  child.unref();
  const { pid } = child;
  if (pid === undefined) throw new CuecardError("redis_missing", `${binary.path} did not run`);
  rememberProcess(files, pid);
  const connection = await connectToNew(files, pid, logFrom, () => ended);
  try {
    await waitUntilLoaded(connection, logger);
  } catch (error) {
    connection.disconnect();
    // Whether it died or fell silent: the caller may try again only when it is gone.
    await endProcess(pid, 0);
    throw startError(`${(error as Error).message} | ${logTail(files, logFrom)}`);
  }
  return { pid, connection };
}

async function connectToNew(
  files: RedisFiles,
  pid: number,
  logFrom: number,
  hasEnded: () => boolean,
): Promise<Redis> {
  const deadline = Date.now() + SOCKET_WAIT_MS;
  for (;;) {
    const connection = await control(files.socket).catch(() => undefined);
    if (connection !== undefined) return connection;
    if (hasEnded()) throw startError(logTail(files, logFrom));
    if (Date.now() >= deadline) {
      await endProcess(pid, 0);
      throw startError(`no socket after ${SOCKET_WAIT_MS} ms | ${logTail(files, logFrom)}`);
    }
    await sleep(20);
  }
}

function startError(tail: string): CuecardError {
  if (/No space left on device/i.test(tail)) return new CuecardError("disk_full", tail);
  if (/Permission denied|Read-only file system/i.test(tail)) {
    return new CuecardError("data_dir_unwritable", tail);
  }
  return new CuecardError("redis_start_failed", tail);
}
