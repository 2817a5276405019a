/** Looks at a Redis we did not start and says what its settings mean for the data. */
import type { Redis } from "ioredis";
import { CuecardError } from "../errors.js";
import { mastersOf, type RedisClient } from "./clients.js";
import { isSupported } from "./redis-binary.js";

export interface RedisCheck {
  readonly flavour: "redis" | "valkey";
  readonly version: string;
  /** Memory limit of one node in bytes; 0: none, undefined: unknown. */
  readonly maxmemoryBytes: number | undefined;
  /** Sentences for the log at start; empty when all is as on the private Redis. */
  readonly warnings: readonly string[];
}

/**
 * Checks every master. Throws `redis_version` when one is too old; everything else is a warning,
 * since it is the operator's to decide. A managed Redis may refuse CONFIG: then settings are unknown.
 */
export async function checkRedis(client: RedisClient): Promise<RedisCheck> {
  const warnings = new Set<string>();
  let first: Omit<RedisCheck, "warnings"> | undefined;
  for (const node of mastersOf(client)) {
    const { flavour, version } = await versionOf(node);
    if (!isSupported(flavour, version)) {
      throw new CuecardError("redis_version", `the store is ${flavour} ${version}`);
    }
    const settings = await settingsOf(node);
    for (const warning of warningsFor(settings)) warnings.add(warning);
    const limit = settings?.get("maxmemory");
    first ??= {
      flavour,
      version,
      maxmemoryBytes: limit === undefined ? undefined : Number(limit),
    };
  }
  if (first === undefined) throw new CuecardError("store_unavailable", "no master can be reached");
  return { ...first, warnings: [...warnings] };
}

async function versionOf(
  node: Redis,
): Promise<{ flavour: RedisCheck["flavour"]; version: string }> {
  const info = await node.info("server");
  const valkey = /^valkey_version:([\d.]+)/m.exec(info)?.[1];
  if (valkey !== undefined) return { flavour: "valkey", version: valkey };
  return { flavour: "redis", version: /^redis_version:([\d.]+)/m.exec(info)?.[1] ?? "0" };
}

const LOOKED_AT = [
  "appendonly",
  "appendfsync",
  "maxmemory",
  "maxmemory-policy",
  "hash-max-listpack-value",
  "hash-max-ziplist-value",
  "zset-max-listpack-entries",
  "zset-max-ziplist-entries",
];

/** undefined: CONFIG is refused here. */
async function settingsOf(node: Redis): Promise<Map<string, string> | undefined> {
  const settings = new Map<string, string>();
  try {
    for (const name of LOOKED_AT) {
      const pair = (await node.config("GET", name)) as string[];
      if (pair.length === 2) settings.set(pair[0], pair[1]);
    }
    return settings;
  } catch (error) {
    if (/^(ERR|NOPERM)/.test((error as Error).message)) return undefined;
    throw error;
  }
}

function warningsFor(settings: Map<string, string> | undefined): string[] {
  if (settings === undefined || settings.size === 0) {
    return ["this Redis does not tell its settings: how durable a write is here is unknown"];
  }
  const warnings: string[] = [];
  if (settings.get("appendonly") !== "yes") {
    warnings.push("appendonly is off: acknowledged events are lost when this Redis restarts");
  } else if (settings.get("appendfsync") !== "always") {
    const interval = settings.get("appendfsync") === "everysec" ? "up to a second of" : "the last";
    warnings.push(`appendfsync is not always: a crash can lose ${interval} acknowledged events`);
  }
  if (settings.get("maxmemory-policy") !== "noeviction") {
    warnings.push(
      "maxmemory-policy is not noeviction: members may be evicted when memory is short",
    );
  }
  const listpack =
    settings.get("hash-max-listpack-value") ?? settings.get("hash-max-ziplist-value");
  if (listpack !== undefined && Number(listpack) < 1_024) {
    warnings.push("hash-max-listpack-value is below 1024: members take about twice the memory");
  }
  const sorted =
    settings.get("zset-max-listpack-entries") ?? settings.get("zset-max-ziplist-entries");
  if (sorted !== undefined && Number(sorted) < 1_024) {
    warnings.push(
      "zset-max-listpack-entries is below 1024: the index by stage takes up to five times the memory",
    );
  }
  return warnings;
}
