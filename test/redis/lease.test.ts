import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { closeRedis, connectRedis, type RedisClient, whenReady } from "../../src/redis/clients.js";
import { lockKey } from "../../src/redis/keys.js";
import { withLease } from "../../src/redis/lease.js";
import { type TestStore, testTarget } from "../support/redis.js";

const TTL_MS = 600;

let store: TestStore;
let client: RedisClient;
let holder: ChildProcess | undefined;

beforeAll(async () => {
  store = await testTarget();
  client = connectRedis(store.target, "work");
  await whenReady(client, 10_000);
});

afterEach(() => {
  holder?.kill("SIGKILL");
  holder = undefined;
});

afterAll(async () => {
  closeRedis(client);
  await store.stop();
});

describe("withLease", () => {
  it("gives every holder a token larger than the one before", async () => {
    const tokens: number[] = [];
    for (let i = 0; i < 3; i++) {
      await withLease(client, "tokens", TTL_MS, async (lease) => tokens.push(lease.token));
    }
    expect(tokens[1]).toBeGreaterThan(tokens[0]);
    expect(tokens[2]).toBeGreaterThan(tokens[1]);
  });

  it("lets one in at a time, the next one when the first is done", async () => {
    let inside = 0;
    let most = 0;
    const visit = () =>
      withLease(
        client,
        "one at a time",
        TTL_MS,
        async () => {
          most = Math.max(most, ++inside);
          await sleep(20);
          inside--;
        },
        { waitMs: 20_000 },
      );
    await Promise.all([visit(), visit(), visit()]);
    expect(most).toBe(1);
  });

  it("refuses with `lease_held` who does not want to wait", async () => {
    await withLease(client, "held", TTL_MS, async () => {
      await expect(withLease(client, "held", TTL_MS, async () => 1)).rejects.toMatchObject({
        code: "lease_held",
      });
    });
  });

  it("is given back when the work fails, and the error passes through", async () => {
    const fail = withLease(client, "failing", TTL_MS, async () => {
      throw new Error("broken");
    });
    await expect(fail).rejects.toThrow("broken");
    expect(await withLease(client, "failing", TTL_MS, async () => "in")).toBe("in");
  });

  it("is kept for longer than its time by renewing", async () => {
    await withLease(client, "long", TTL_MS, async () => {
      await sleep(TTL_MS * 2);
      await expect(withLease(client, "long", TTL_MS, async () => 1)).rejects.toMatchObject({
        code: "lease_held",
      });
    });
  });

  it("ends the wait and the work by the caller's signal", async () => {
    const stop = new AbortController();
    const reason = new Error("enough");
    const work = withLease(
      client,
      "signalled",
      TTL_MS,
      async (lease) => {
        const waiting = withLease(client, "signalled", TTL_MS, async () => 1, {
          waitMs: 20_000,
          signal: stop.signal,
        });
        stop.abort(reason);
        await expect(waiting).rejects.toBe(reason);
        await lease.assertHeld();
      },
      { signal: stop.signal },
    );
    await expect(work).rejects.toBe(reason);
  });

  it("survives its lock's expiry when nobody came in between", async () => {
    await withLease(client, "expired", 60_000, async (lease) => {
      await client.del(lockKey("expired"));
      await lease.assertHeld();
      expect(await client.get(lockKey("expired"))).toBe(String(lease.token));
    });
  });

  it("fires its signal, and refuses to publish, once another took over", async () => {
    await withLease(client, "taken", TTL_MS, async (lease) => {
      await takeOver("taken");
      await expect(lease.assertHeld()).rejects.toMatchObject({ code: "lease_lost" });
      if (!lease.signal.aborted) await once(lease.signal, "abort");
      expect(lease.signal.reason).toMatchObject({ code: "lease_lost" });
    });
  });

  it("does not take the lease from its new holder when the old one ends", async () => {
    const oldEnds = new AbortController();
    let newHolder: Promise<void> | undefined;
    await withLease(client, "late end", 60_000, async () => {
      await client.del(lockKey("late end"));
      await new Promise<void>((entered) => {
        newHolder = withLease(client, "late end", 60_000, async (lease) => {
          entered();
          await once(oldEnds.signal, "abort");
          expect(await client.get(lockKey("late end"))).toBe(String(lease.token));
          await lease.assertHeld();
        });
      });
    });
    oldEnds.abort();
    await newHolder;
  });
});

describe("a holder that was stopped", () => {
  it("cannot publish when it comes back after another held the lease", async () => {
    const published = "published:stopped";
    const process = await startHolder("stopped", published);
    process.kill("SIGSTOP");
    const token = await withLease(
      client,
      "stopped",
      TTL_MS,
      async (lease) => {
        await lease.assertHeld();
        await client.set(published, lease.token);
        return lease.token;
      },
      { waitMs: 20_000 },
    );
    const answer = once(process, "message");
    process.kill("SIGCONT");
    process.send("publish");
    expect((await answer)[0]).toEqual({ outcome: "lease_lost" });
    expect(await client.get(published)).toBe(String(token));
  });

  it("publishes when it comes back and nobody took its place", async () => {
    const process = await startHolder("resumed", "published:resumed");
    process.kill("SIGSTOP");
    await client.del(lockKey("resumed"));
    const answer = once(process, "message");
    process.kill("SIGCONT");
    process.send("publish");
    expect((await answer)[0]).toEqual({ outcome: "published" });
  });
});

/** What happens when the lock expires and someone else comes. */
async function takeOver(name: string): Promise<void> {
  await client.del(lockKey(name));
  await withLease(client, name, TTL_MS, async () => undefined);
}

async function startHolder(name: string, publishedKey: string): Promise<ChildProcess> {
  const script = fileURLToPath(new URL("./lease-holder.ts", import.meta.url));
  holder = fork(script, [store.target, name, String(TTL_MS), publishedKey], {
    execArgv: ["--import", "tsx"],
  });
  await once(holder, "message");
  return holder;
}
