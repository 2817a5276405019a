/** A private Redis of a bench's own, as the product runs it, and what the bench asks of it. */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import type { Redis } from "ioredis";
import { createLogger } from "../../src/logger.js";
import { closeRedis, connectRedis, mastersOf, whenReady } from "../../src/redis/clients.js";
import { logKey, PARTITIONS } from "../../src/redis/keys.js";
import { startPrivateRedis } from "../../src/redis/private-redis.js";
import { projectRoot } from "./compile.js";

export interface PrivateStore {
  readonly dataDir: string;
  readonly target: string;
  readonly client: Redis;
  readonly redisVersion: string;
  /** Processor microseconds of Redis. */
  cpu(): Promise<number>;
  close(): Promise<void>;
}

export async function openPrivateStore(maxmemoryMb: number): Promise<PrivateStore> {
  const base = `${projectRoot}.data/bench`;
  mkdirSync(base, { recursive: true });
  const dataDir = mkdtempSync(`${base}/run-`);
  const redis = await startPrivateRedis({ dataDir, maxmemoryMb, logger: createLogger("error") });
  const connection = connectRedis(redis.socketPath, "work");
  await whenReady(connection, 10_000);
  const client = mastersOf(connection)[0];
  const info = await client.info("server");
  return {
    dataDir,
    target: redis.socketPath,
    client,
    redisVersion: /redis_version:(\S+)/.exec(info)?.[1] ?? "?",
    async cpu() {
      const text = await client.info("cpu");
      const seconds = [/used_cpu_sys:(\S+)/, /used_cpu_user:(\S+)/].map((one) =>
        Number(one.exec(text)?.[1] ?? 0),
      );
      return (seconds[0] + seconds[1]) * 1e6;
    },
    async close() {
      closeRedis(connection);
      await redis.stop();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

export interface StoredSizes {
  /** Entries of the log. */
  readonly records: number;
  /** Mean bytes of one. */
  readonly recordBytes: number;
  readonly stateBytes: number;
  /** Times a member was written, all members together; told from those looked at. */
  readonly writesPerMember: number;
}

const MEMBERS_LOOKED_AT = 2_000;

/** What lies in the store, by a look at every stream and at some of the members. */
export async function storedSizes(
  client: Redis,
  memberKeys: readonly string[],
): Promise<StoredSizes> {
  const lengths = client.pipeline();
  for (let partition = 0; partition < PARTITIONS; partition++) lengths.xlen(logKey(partition));
  const counts = ((await lengths.exec()) ?? []).map(([, count]) => Number(count));
  const looks = client.pipeline();
  for (let partition = 0; partition < PARTITIONS; partition++) {
    looks.xrevrange(logKey(partition), "+", "-", "COUNT", 5);
  }
  const texts = ((await looks.exec()) ?? []).flatMap(([, entries]) =>
    (entries as [string, string[]][]).map(([, [, text]]) => Buffer.byteLength(text)),
  );
  const members = client.pipeline();
  for (const key of memberKeys.slice(0, MEMBERS_LOOKED_AT)) members.hmgetBuffer(key, "v", "s");
  const stored = ((await members.exec()) ?? [])
    .map(([, fields]) => fields as (Buffer | null)[])
    .filter(([version]) => version !== null);
  const mean = (values: readonly number[]): number =>
    values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
  return {
    records: counts.reduce((sum, count) => sum + count, 0),
    recordBytes: Math.round(mean(texts)),
    stateBytes: Math.round(mean(stored.map(([, state]) => state?.length ?? 0))),
    writesPerMember: mean(stored.map(([version]) => Number(version?.toString()))),
  };
}
