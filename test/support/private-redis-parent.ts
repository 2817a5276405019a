/** A process of its own that holds a private Redis until it is killed: `tsx … DATA_DIR`. */
import { isCuecardError } from "../../src/errors.js";
import { createLogger } from "../../src/logger.js";
import { startPrivateRedis } from "../../src/redis/private-redis.js";

try {
  const redis = await startPrivateRedis({
    dataDir: process.argv[2],
    maxmemoryMb: 64,
    logger: createLogger("silent"),
  });
  process.stdout.write(`${JSON.stringify({ pid: redis.pid, adopted: redis.adopted })}\n`);
  setInterval(() => undefined, 60_000);
} catch (error) {
  process.stdout.write(`${JSON.stringify({ code: isCuecardError(error) ? error.code : "?" })}\n`);
}
