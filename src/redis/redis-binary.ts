/** Finds a redis-server or valkey-server on this machine and refuses one that is too old. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { CuecardError } from "../errors.js";

const run = promisify(execFile);

export const REDIS_BINARIES = ["redis-server", "valkey-server"] as const;

export interface RedisBinary {
  readonly path: string;
  readonly flavour: "redis" | "valkey";
  readonly version: string;
}

export type Version = readonly [major: number, minor: number];

export function parseVersion(text: string): Version {
  const [, major = "0", minor = "0"] = /(\d+)\.(\d+)/.exec(text) ?? [];
  return [Number(major), Number(minor)];
}

export const atLeast = (version: string, [major, minor]: Version): boolean => {
  const [ownMajor, ownMinor] = parseVersion(version);
  return ownMajor > major || (ownMajor === major && ownMinor >= minor);
};

/** Oldest versions supported: Redis 6.2, Valkey 7.2. */
export const isSupported = (flavour: RedisBinary["flavour"], version: string): boolean =>
  atLeast(version, flavour === "valkey" ? [7, 2] : [6, 2]);

/**
 * The first of `candidates` (names on PATH, or paths) that runs. Throws `redis_missing` when none
 * does and `redis_version` when the one found is too old.
 */
export async function findRedisBinary(
  candidates: readonly string[] = REDIS_BINARIES,
): Promise<RedisBinary> {
  for (const path of candidates) {
    const output = await run(path, ["--version"], { timeout: 10_000 }).then(
      ({ stdout }) => stdout,
      () => undefined,
    );
    const version = output === undefined ? undefined : /v=(\d+\.\d+\.\d+)/.exec(output)?.[1];
    if (output === undefined || version === undefined) continue;
    const flavour = /valkey/i.test(output) ? "valkey" : "redis";
    if (!isSupported(flavour, version)) {
      throw new CuecardError("redis_version", `${path} is ${flavour} ${version}`);
    }
    return { path, flavour, version };
  }
  throw new CuecardError("redis_missing", `looked for ${candidates.join(", ")}`);
}
