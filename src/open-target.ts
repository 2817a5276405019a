/** Which Redis a command works on. */
import type { Config } from "./config.js";
import { lockHolder } from "./redis/data-dir.js";
import { startPrivateRedis } from "./redis/private-redis.js";
import { redisFiles } from "./redis/private-redis-files.js";
import type { Logger } from "./telemetry.js";

export interface Store {
  /** What `connectRedis` takes. */
  readonly target: string;
  stop(): Promise<void>;
}

/**
 * The Redis configured, or a private one that lives as long as we do. `shared`: that of a Cuecard
 * already running on this DATA_DIR will do.
 */
export async function openTarget(
  config: Config,
  logger: Logger,
  { shared = false } = {},
): Promise<Store> {
  const stop = async (): Promise<void> => {};
  if (config.redisUrl !== undefined) return { target: config.redisUrl, stop };
  if (shared && lockHolder(config.dataDir) !== undefined) {
    return { target: redisFiles(config.dataDir).socket, stop };
  }
  const redis = await startPrivateRedis({
    dataDir: config.dataDir,
    maxmemoryMb: config.redisMaxmemoryMb,
    logger,
  });
  return { target: redis.socketPath, stop: () => redis.stop() };
}
