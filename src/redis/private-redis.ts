/**
 * The Redis of a machine that was given none: a child on a unix socket under DATA_DIR, every write
 * on disk before it is acknowledged. It outlives a killed parent and is adopted by the next one; if
 * it dies while we run it is started again.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Redis } from "ioredis";
import { CuecardError, isCuecardError } from "../errors.js";
import type { Logger } from "../telemetry.js";
import { lockDataDir, prepareDataDir } from "./data-dir.js";
import { DiskGuard } from "./disk-guard.js";
import {
  forgetProcess,
  type RedisFiles,
  redisFiles,
  rememberedPid,
  runtimeSettings,
  writeConfig,
} from "./private-redis-files.js";
import { findRedisBinary, type RedisBinary } from "./redis-binary.js";
import { control, endProcess, launch, processIdOf, waitUntilLoaded } from "./redis-process.js";

export interface PrivateRedisOptions {
  /** Absolute. */
  readonly dataDir: string;
  /** Memory limit, from which writes are refused, in MiB. */
  readonly maxmemoryMb: number;
  readonly logger: Pick<Logger, "info" | "warn" | "error">;
  /** Names or paths tried in order; default redis-server, valkey-server. */
  readonly binaries?: readonly string[];
  /** Free bytes at a path; tests give their own. */
  readonly free?: (path: string) => Promise<number>;
}

export interface PrivateRedis {
  readonly socketPath: string;
  /** Of the Redis that serves now: changes when it had to be started again. */
  readonly pid: number;
  /** It ran already when we came. */
  readonly adopted: boolean;
  /** Stops Redis, waits for its end, removes the socket, gives the lock back. Safe to call twice. */
  stop(): Promise<void>;
}

/** How long an orphan that just started may take to open its socket, in ms. */
const ORPHAN_SOCKET_WAIT_MS = 3_000;
const STOP_WAIT_MS = 10_000;
/** A dying Redis closes its connections before its process is gone. */
const DEATH_WAIT_MS = 2_000;
const MAX_RESTART_DELAY_MS = 5_000;

/**
 * Starts or adopts the private Redis of `dataDir`. Throws, each with one clear line:
 * `data_dir_locked`, `data_dir_unwritable`, `disk_full`, `redis_missing`, `redis_version`,
 * `redis_start_failed`.
 */
export async function startPrivateRedis(options: PrivateRedisOptions): Promise<PrivateRedis> {
  await prepareDataDir(options.dataDir);
  const unlock = lockDataDir(options.dataDir);
  try {
    const binary = await findRedisBinary(options.binaries);
    const files = redisFiles(options.dataDir);
    const supervised = new SupervisedRedis(files, binary, options, unlock);
    await supervised.start();
    return supervised;
  } catch (error) {
    unlock();
    throw error;
  }
}

class SupervisedRedis implements PrivateRedis {
  pid = 0;
  adopted = false;
  /** Never used for work: its end tells that Redis died. */
  private watcher: Redis | undefined;
  private readonly guard: DiskGuard;
  private readonly stopping = new AbortController();
  private restarting: Promise<void> | undefined;
  private stopped: Promise<void> | undefined;

  constructor(
    private readonly files: RedisFiles,
    private readonly binary: RedisBinary,
    private readonly options: PrivateRedisOptions,
    private readonly unlock: () => void,
  ) {
    this.guard = new DiskGuard({
      dir: files.dir,
      logger: options.logger,
      free: options.free,
      onChange: async () => this.watcher?.config("SET", "maxmemory", this.maxmemoryBytes),
    });
  }

  private get maxmemoryBytes(): number {
    return this.guard.isLow ? 1 : this.options.maxmemoryMb * 1024 * 1024;
  }

  get socketPath(): string {
    return this.files.socket;
  }

  async start(): Promise<void> {
    await this.guard.start();
    try {
      const orphan = await this.findOrphan();
      this.adopted = orphan !== undefined;
      if (orphan === undefined) await this.launchAndWatch();
      else await this.adopt(orphan);
    } catch (error) {
      this.guard.stop();
      throw error;
    }
    const { pid, adopted } = this;
    this.options.logger.info({ pid, adopted, version: this.binary.version }, "private Redis is up");
  }

  private async launchAndWatch(): Promise<void> {
    forgetProcess(this.files);
    writeConfig(this.files, this.maxmemoryBytes, this.binary);
    const { pid, connection } = await launch(this.files, this.binary, this.options.logger);
    this.watch(pid, connection);
  }

  /** A connection to the Redis a killed parent left behind, or undefined when there is none. */
  private async findOrphan(): Promise<Redis | undefined> {
    const pid = rememberedPid(this.files);
    const deadline = Date.now() + ORPHAN_SOCKET_WAIT_MS;
    for (;;) {
      const connection = await control(this.files.socket).catch(() => undefined);
      if (connection !== undefined) return connection;
      if (pid === undefined || rememberedPid(this.files) !== pid) return undefined;
      if (Date.now() >= deadline) break;
      await sleep(100);
    }
    // Alive but deaf (its socket was removed): two on one directory would spoil the log.
    this.options.logger.warn({ pid }, "private Redis of an earlier run does not listen: ending it");
    await endProcess(pid, 0);
    return undefined;
  }

  private async adopt(connection: Redis): Promise<void> {
    try {
      const pid = await this.verifyOurs(connection);
      await waitUntilLoaded(connection, this.options.logger);
      for (const [name, value] of runtimeSettings(this.maxmemoryBytes, this.binary)) {
        await connection.config("SET", name, value);
      }
      this.watch(pid, connection);
    } catch (error) {
      connection.disconnect();
      if (isCuecardError(error)) throw error;
      const detail = `a Redis listens on ${this.files.socket} but cannot be used: ${(error as Error).message}`;
      throw new CuecardError("redis_start_failed", detail, { cause: error });
    }
  }

  private async verifyOurs(connection: Redis): Promise<number> {
    const [, dir] = (await connection.config("GET", "dir")) as string[];
    const pid = await processIdOf(connection);
    if (dir !== this.files.dir || rememberedPid(this.files) !== pid) {
      const detail = `another Redis (process ${pid}) listens on ${this.files.socket}`;
      throw new CuecardError("redis_start_failed", detail);
    }
    return pid;
  }

  private watch(pid: number, connection: Redis): void {
    this.pid = pid;
    this.watcher = connection;
    connection.once("end", () => {
      if (this.stopping.signal.aborted) return;
      this.restarting = this.revive().finally(() => {
        this.restarting = undefined;
      });
    });
    // It may have died between its last answer and the line above.
    if (connection.status === "end") connection.emit("end");
  }

  /** Starts Redis again, however often it takes; only `stop` ends the attempts. */
  private async revive(): Promise<void> {
    const { logger } = this.options;
    const { signal } = this.stopping;
    const still = await control(this.files.socket).catch(() => undefined);
    if (still !== undefined && rememberedPid(this.files) === this.pid) {
      this.watch(this.pid, still);
      return;
    }
    still?.disconnect();
    await endProcess(this.pid, DEATH_WAIT_MS);
    logger.error({ pid: this.pid }, "private Redis died: starting it again");
    for (let attempt = 0; !signal.aborted; attempt++) {
      try {
        await this.guard.look();
        await this.launchAndWatch();
        logger.info({ pid: this.pid }, "private Redis is back");
        return;
      } catch (error) {
        const reason = isCuecardError(error) ? error.detail : (error as Error).message;
        logger.warn({ attempt, reason }, "private Redis did not start");
      }
      const delayMs = Math.min(100 * 2 ** attempt, MAX_RESTART_DELAY_MS);
      await sleep(delayMs, undefined, { signal }).catch(() => undefined);
    }
  }

  stop(): Promise<void> {
    this.stopped ??= this.end();
    return this.stopped;
  }

  private async end(): Promise<void> {
    this.stopping.abort();
    this.guard.stop();
    await this.restarting;
    // With every write on disk already there is nothing to save.
    this.watcher?.shutdown("NOSAVE").catch(() => undefined);
    await endProcess(this.pid, STOP_WAIT_MS);
    // One that ended with Redis is closed: to close it again would hold this process for seconds.
    if (this.watcher?.status !== "end") this.watcher?.disconnect();
    forgetProcess(this.files);
    this.unlock();
  }
}
