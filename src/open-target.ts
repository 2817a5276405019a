/** Which Redis a command works on. */
import type { Config } from "./config.js";
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
  const { lockHolder, redisFiles, startPrivateRedis } = await privateRedis();
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

/** Not loaded where Redis is given. */
async function privateRedis() {
  const [lock, files, redis] = await Promise.all([
    import("./redis/data-dir.js"),
    import("./redis/private-redis-files.js"),
    import("./redis/private-redis.js"),
  ]);
  return { ...lock, ...files, ...redis };
}
