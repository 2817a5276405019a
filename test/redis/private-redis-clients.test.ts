import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import type { Redis } from "ioredis";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import {
  closeRedis,
  connectRedis,
  isStoreFull,
  isStoreUnavailable,
  type RedisClient,
  toStoreError,
  whenReady,
  withDeadline,
} from "../../src/redis/clients.js";
import { groupedPipeline } from "../../src/redis/grouped.js";
import { defineScript, runScript } from "../../src/redis/scripts.js";
import { startTestRedis, type TestRedis } from "../support/redis.js";

let redis: TestRedis;
const clients: RedisClient[] = [];

beforeAll(async () => {
  redis = await startTestRedis({ maxmemoryMb: 16 });
});

afterAll(() => redis.stop());

afterEach(() => {
  for (const client of clients.splice(0)) closeRedis(client);
});

interface Line {
  level: string;
  text: string;
}

async function connected(role: "serve" | "work", lines: Line[] = []): Promise<Redis> {
  const note = (level: string) => (first: unknown, text?: string) => {
    lines.push({ level, text: text ?? String(first) });
  };
  const logger = { info: note("info"), warn: note("warn"), error: note("error") };
  const client = connectRedis(redis.target, role, { commandTimeoutMs: 200, logger }) as Redis;
  clients.push(client);
  await whenReady(client, 5_000);
  return client;
}

const failureOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  );

describe("a serving client", () => {
  it("fails at once while Redis is gone, says so once, and recovers by itself", async () => {
    const lines: Line[] = [];
    const client = await connected("serve", lines);
    const before = redis.pid;
    process.kill(before, "SIGKILL");
    const failures: unknown[] = [];
    while (redis.pid === before) {
      const failure = await failureOf(client.ping());
      if (failure !== undefined) failures.push(failure);
      await sleep(1);
    }
    expect(failures.length).toBeGreaterThan(0);
    expect(failures.filter((failure) => !isStoreUnavailable(failure))).toEqual([]);
    await whenReady(client, 5_000);
    expect(await client.ping()).toBe("PONG");
    closeRedis(client);
    await once(client, "end");
    expect(lines.map(({ level }) => level)).toEqual(["error", "info"]);
  });

  it("times out on a stalled Redis, also in pipelines and scripts, and recovers when it runs on", async () => {
    const client = await connected("serve");
    const script = defineScript({ name: "test_one", lua: "return 1" });
    await runScript(client, script, ["k"]);
    process.kill(redis.pid, "SIGSTOP");
    try {
      const failures = await Promise.all([
        failureOf(withDeadline(client.get("k"), 20)),
        failureOf(client.get("k")),
        failureOf(runScript(client, script, ["k"])),
        groupedPipeline(client, [["get", "k"]]).then(([outcome]) => outcome.error),
      ]);
      expect(failures.map(isStoreUnavailable)).toEqual([true, true, true, true]);
      // Long enough for the stalled connection to be dropped and others to be tried.
      await sleep(2_500);
      expect(isStoreUnavailable(await failureOf(client.get("k")))).toBe(true);
    } finally {
      process.kill(redis.pid, "SIGCONT");
    }
    let recovered = false;
    for (let i = 0; i < 100 && !recovered; i++) {
      recovered = (await failureOf(client.get("k"))) === undefined;
      if (!recovered) await sleep(50);
    }
    expect(recovered).toBe(true);
  });

  it("does not end the process when nothing ever listened", async () => {
    const client = connectRedis(`${redis.dataDir}/none.sock`, "serve");
    clients.push(client);
    const failure = await failureOf(whenReady(client, 300));
    expect(isStoreUnavailable(failure)).toBe(true);
    expect(isStoreUnavailable(await failureOf(client.get("k")))).toBe(true);
  });
});

describe("a working client", () => {
  it("waits until Redis is back", async () => {
    const client = connectRedis(redis.target, "work") as Redis;
    clients.push(client);
    await client.set("before", "1");
    process.kill(redis.pid, "SIGKILL");
    const waiting = Array.from({ length: 50 }, (_, i) => client.set(`w:${i}`, i));
    expect(await Promise.all(waiting)).toEqual(waiting.map(() => "OK"));
    expect(await client.get("before")).toBe("1");
  });
});

describe("withDeadline", () => {
  it("counts a reply that came while this process was busy", async () => {
    const client = await connected("serve");
    await client.set("k", "v");
    const reply = withDeadline(client.get("k"), 10);
    await new Promise(setImmediate);
    const until = performance.now() + 60;
    while (performance.now() < until);
    expect(await reply).toBe("v");
  });

  it("hands on replies and errors as they are", async () => {
    expect(await withDeadline(Promise.resolve(7), 10)).toBe(7);
    await expect(withDeadline(Promise.reject(new Error("x")), 10)).rejects.toThrow("x");
  });
});

describe("a store out of memory", () => {
  it("answers store_full to commands and scripts, keeps answering reads, and takes writes again", async () => {
    const client = await connected("serve");
    const write = defineScript({
      name: "test_write",
      lua: "return redis.call('SET', KEYS[1], ARGV[1])",
    });
    const megabyte = "x".repeat(1024 * 1024);
    let failure: unknown;
    for (let i = 0; i < 32 && failure === undefined; i++) {
      failure = await failureOf(client.set(`big:${i}`, megabyte));
    }
    expect(isStoreFull(failure)).toBe(true);
    expect(toStoreError(failure)).toMatchObject({ code: "store_full", retryAfterSeconds: 5 });
    expect(isStoreFull(await failureOf(runScript(client, write, ["k"], [megabyte])))).toBe(true);
    expect(await client.strlen("big:0")).toBe(megabyte.length);
    await client.flushall();
    expect(await runScript(client, write, ["k"], ["v"])).toEqual(Buffer.from("OK"));
  });
});

describe("toStoreError", () => {
  it("maps what Redis says, in scripts of old versions too", () => {
    const full = [
      "OOM command not allowed when used memory > 'maxmemory'. script: ab, on @user_script:1.",
      "ERR Error running script: @user_script: 1: -OOM command not allowed",
      "MISCONF Errors writing to the AOF file: No space left on device",
    ];
    const unavailable = [
      "LOADING Redis is loading the dataset in memory",
      "CLUSTERDOWN The cluster is down",
      "READONLY You can't write against a read only replica.",
      "MASTERDOWN Link with MASTER is down",
      "TRYAGAIN Multiple keys request during rehashing of slot",
      "Command timed out",
      "Connection is closed.",
      "Stream isn't writeable and enableOfflineQueue options is false",
    ];
    for (const text of full) expect(toStoreError(new Error(text)).code).toBe("store_full");
    for (const text of unavailable) {
      const error = toStoreError(new Error(text));
      expect(error).toMatchObject({ code: "store_unavailable", retryAfterSeconds: 1 });
    }
    expect(toStoreError(new Error("WRONGTYPE Operation against a key")).code).toBe("internal");
    expect(toStoreError(new TypeError("x is not a function")).code).toBe("internal");
  });
});
