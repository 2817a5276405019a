import { type ChildProcess, spawn } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Redis } from "ioredis";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { checkRedis } from "../../src/redis/check-redis.js";
import { closeRedis, connectRedis, toStoreError, whenReady } from "../../src/redis/clients.js";
import { type PrivateRedis, startPrivateRedis } from "../../src/redis/private-redis.js";
import { socketPathFor } from "../../src/redis/private-redis-files.js";
import { processMark } from "../../src/redis/process-mark.js";
import { waitForExit } from "../../src/redis/redis-process.js";
import { silentLogger, temporaryDir } from "../support/redis.js";

let dataDir: string;
const running: PrivateRedis[] = [];
const children: ChildProcess[] = [];

beforeEach(() => {
  dataDir = temporaryDir();
});

afterEach(async () => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  for (const redis of running.splice(0)) await redis.stop();
  rmSync(dataDir, { recursive: true, force: true });
});

async function start(
  options: Partial<Parameters<typeof startPrivateRedis>[0]> = {},
): Promise<PrivateRedis> {
  const redis = await startPrivateRedis({
    dataDir,
    maxmemoryMb: 64,
    logger: silentLogger,
    ...options,
  });
  running.push(redis);
  return redis;
}

async function withClient<T>(path: string, use: (client: Redis) => Promise<T>): Promise<T> {
  const client = new Redis({ path, protocol: 2 });
  client.on("error", () => undefined);
  try {
    return await use(client);
  } finally {
    client.disconnect();
  }
}

const parentProgram = fileURLToPath(new URL("../support/private-redis-parent.ts", import.meta.url));

/** A Cuecard of its own process and the line it printed. */
async function startParent(): Promise<{ child: ChildProcess; said: Record<string, unknown> }> {
  const child = spawn(process.execPath, ["--import", "tsx", parentProgram, dataDir], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  children.push(child);
  for await (const line of createInterface({ input: child.stdout as NodeJS.ReadableStream })) {
    return { child, said: JSON.parse(line) };
  }
  throw new Error("the parent said nothing");
}

async function kill(child: ChildProcess): Promise<void> {
  child.kill("SIGKILL");
  await waitForExit(child.pid as number, 5_000);
}

describe("the private Redis", () => {
  it("starts with every write on disk before it is acknowledged, and no eviction", async () => {
    const redis = await start();
    expect(redis.adopted).toBe(false);
    await withClient(redis.socketPath, async (client) => {
      const settings = await client.config("GET", "*");
      const pairs = new Map<string, string>();
      for (let i = 0; i < settings.length; i += 2) pairs.set(settings[i], settings[i + 1]);
      expect(pairs.get("appendonly")).toBe("yes");
      expect(pairs.get("appendfsync")).toBe("always");
      expect(pairs.get("maxmemory-policy")).toBe("noeviction");
      expect(pairs.get("maxmemory")).toBe(String(64 * 1024 * 1024));
      expect(pairs.get("hash-max-ziplist-value")).toBe("4096");
      expect(pairs.get("zset-max-ziplist-entries")).toBe("1024");
      expect(pairs.get("save")).toBe("");
      expect(pairs.get("port")).toBe("0");
      expect((await checkRedis(client)).warnings).toEqual([]);
    });
  });

  it("stops cleanly: data kept, process gone, socket and lock removed", async () => {
    const redis = await start();
    await withClient(redis.socketPath, (client) => client.set("kept", "yes"));
    await Promise.all([redis.stop(), redis.stop()]);
    expect(processMark(redis.pid)).toBeUndefined();
    expect(existsSync(redis.socketPath)).toBe(false);
    expect(existsSync(join(dataDir, "cuecard.lock"))).toBe(false);
    const again = await start();
    expect(await withClient(again.socketPath, (client) => client.get("kept"))).toBe("yes");
  });

  it("is started again when it is killed, with every acknowledged write", async () => {
    const redis = await start();
    const firstPid = redis.pid;
    const client = connectRedis(redis.socketPath, "serve");
    await whenReady(client, 5_000);
    const acknowledged: number[] = [];
    let next = 0;
    let killed = false;
    const write = async (): Promise<void> => {
      const n = next++;
      await client.set(`n:${n}`, n).then(
        () => acknowledged.push(n),
        () => sleep(5),
      );
    };
    const writers = Array.from({ length: 64 }, async () => {
      while (!killed || acknowledged.length < 4_000 || redis.pid === firstPid) await write();
    });
    while (acknowledged.length < 2_000) await sleep(5);
    process.kill(firstPid, "SIGKILL");
    killed = true;
    await Promise.all(writers);
    expect(redis.pid).not.toBe(firstPid);
    const values = await withClient(redis.socketPath, (reader) =>
      reader.mget(acknowledged.map((n) => `n:${n}`)),
    );
    expect(values).toEqual(acknowledged.map(String));
    closeRedis(client);
  });

  it("is started again as often as it dies", async () => {
    const redis = await start();
    for (let i = 0; i < 3; i++) {
      const before = redis.pid;
      process.kill(before, "SIGKILL");
      while (redis.pid === before) await sleep(10);
      expect(await withClient(redis.socketPath, (client) => client.incr("lives"))).toBe(i + 1);
    }
  });

  it("keeps what was acknowledged when the last record of its log is torn", async () => {
    const redis = await start();
    await withClient(redis.socketPath, (client) => client.set("whole", "yes"));
    await redis.stop();
    const aofDir = join(dataDir, "redis", "appendonlydir");
    const log = existsSync(aofDir)
      ? join(aofDir, "appendonly.aof.1.incr.aof")
      : join(dataDir, "redis", "appendonly.aof");
    writeFileSync(log, `${readFileSync(log, "latin1")}*3\r\n$3\r\nSET\r\n$4\r\nto`, "latin1");
    const again = await start();
    expect(await withClient(again.socketPath, (client) => client.get("whole"))).toBe("yes");
  });
});

describe("an orphan of a killed parent", () => {
  it("is adopted with its data, obeys the new limit, and is still started again when killed", async () => {
    const parent = await startParent();
    const socket = join(dataDir, "redis", "redis.sock");
    await withClient(socket, (client) => client.set("from", "parent"));
    await kill(parent.child);
    const redis = await start({ maxmemoryMb: 128 });
    expect(redis.adopted).toBe(true);
    expect(redis.pid).toBe(parent.said.pid);
    await withClient(redis.socketPath, async (client) => {
      expect(await client.get("from")).toBe("parent");
      expect(await client.config("GET", "maxmemory")).toEqual(["maxmemory", "134217728"]);
    });
    process.kill(redis.pid, "SIGKILL");
    while (redis.pid === parent.said.pid) await sleep(10);
    expect(await withClient(redis.socketPath, (client) => client.get("from"))).toBe("parent");
  });

  it("is left alone while its parent lives", async () => {
    const parent = await startParent();
    await expect(start()).rejects.toMatchObject({
      code: "data_dir_locked",
      detail: expect.stringContaining(String(parent.child.pid)),
    });
    expect(processMark(parent.said.pid as number)).toBeDefined();
    await kill(parent.child);
    await start();
  });

  it("that cannot be reached any more is ended, not joined by a second one", async () => {
    const parent = await startParent();
    await kill(parent.child);
    rmSync(join(dataDir, "redis", "redis.sock"));
    const redis = await start();
    expect(redis.adopted).toBe(false);
    expect(processMark(parent.said.pid as number)).toBeUndefined();
  });
});

describe("a disk that runs full", () => {
  const RETRY = { timeout: 5_000, interval: 20 };

  it("refuses writes as store_full before it is too late, serves reads, and takes writes again", async () => {
    let free = 10 ** 12;
    const redis = await start({ free: async () => free });
    const { pid } = redis;
    await withClient(redis.socketPath, async (client) => {
      await client.set("kept", "yes");
      free = 1_000_000;
      const refusal = await vi.waitUntil(
        () =>
          client.set("k", "v").then(
            () => undefined,
            (error: unknown) => error,
          ),
        RETRY,
      );
      expect(toStoreError(refusal).code).toBe("store_full");
      expect(await client.get("kept")).toBe("yes");
      // Killed in this state it comes back in it: one more failed log write would end it again.
      process.kill(pid, "SIGKILL");
      await vi.waitUntil(() => redis.pid !== pid, RETRY);
      await expect(client.set("k", "v")).rejects.toThrow(/^OOM/);
      free = 10 ** 12;
      await vi.waitUntil(
        () =>
          client.set("k", "v").then(
            () => true,
            () => false,
          ),
        RETRY,
      );
      expect(await client.config("GET", "maxmemory")).toEqual(["maxmemory", "67108864"]);
    });
  });
});

describe("trouble at start", () => {
  it("a stale socket is removed", async () => {
    const socket = join(dataDir, "redis", "redis.sock");
    mkdirSync(join(dataDir, "redis"));
    // Killed, a server leaves its socket behind.
    const program = `require("net").createServer().listen(${JSON.stringify(socket)}, () => process.kill(process.pid, "SIGKILL"))`;
    await new Promise((resolve) => spawn(process.execPath, ["-e", program]).once("exit", resolve));
    expect(existsSync(socket)).toBe(true);
    expect((await start()).adopted).toBe(false);
  });

  it("another Redis on the socket is not adopted", async () => {
    const other = await start();
    rmSync(join(dataDir, "redis", "redis.pid.json"));
    rmSync(join(dataDir, "cuecard.lock"));
    await expect(start()).rejects.toMatchObject({
      code: "redis_start_failed",
      detail: expect.stringContaining("another Redis"),
    });
    expect(processMark(other.pid)).toBeDefined();
  });

  it("no server on the machine: redis_missing, and the lock is given back", async () => {
    const refused = start({ binaries: ["no-such-redis-server", "no-such-valkey-server"] });
    await expect(refused).rejects.toMatchObject({ code: "redis_missing" });
    expect(existsSync(join(dataDir, "cuecard.lock"))).toBe(false);
    await start();
  });

  it("a server that is too old: redis_version", async () => {
    const old = join(dataDir, "old-redis");
    writeFileSync(old, '#!/bin/sh\necho "Redis server v=6.0.16 sha=00000000:0"\n');
    chmodSync(old, 0o755);
    await expect(start({ binaries: [old] })).rejects.toMatchObject({
      code: "redis_version",
      detail: expect.stringContaining("6.0.16"),
    });
  });

  it("data that cannot be read back: redis_start_failed with the reason from its log", async () => {
    mkdirSync(join(dataDir, "redis", "appendonlydir"), { recursive: true });
    writeFileSync(join(dataDir, "redis", "appendonly.aof"), "this is not a log\r\n");
    writeFileSync(join(dataDir, "redis", "appendonlydir", "appendonly.aof.manifest"), "nonsense\n");
    await expect(start()).rejects.toMatchObject({
      code: "redis_start_failed",
      detail: expect.stringMatching(/AOF|append only/i),
    });
  });

  it("a directory too deep for a socket gets a short private path instead", async () => {
    const deep = join(dataDir, "d".repeat(120));
    const redis = await start({ dataDir: deep });
    expect(Buffer.byteLength(redis.socketPath)).toBeLessThanOrEqual(100);
    expect(redis.socketPath).toBe(socketPathFor(join(deep, "redis")));
    expect(await withClient(redis.socketPath, (client) => client.ping())).toBe("PONG");
    await redis.stop();
    rmSync(join(redis.socketPath, ".."), { recursive: true });
  });

  it("a socket someone else listens on without answering: redis_start_failed", async () => {
    mkdirSync(join(dataDir, "redis"));
    const server = createServer((socket) => socket.destroy());
    await new Promise<void>((resolve) =>
      server.listen(join(dataDir, "redis", "redis.sock"), resolve),
    );
    await expect(start()).rejects.toMatchObject({ code: "redis_start_failed" });
    await new Promise((resolve) => server.close(resolve));
  });
});
