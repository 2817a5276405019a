/** Reservations on a Cluster of its own that loses its masters one after the other. */
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ContactStore } from "../../src/members/contact-store.js";
import { decodeContacts } from "../../src/members/contacts.js";
import { closeRedis, connectRedis, type RedisClient, whenReady } from "../../src/redis/clients.js";
import { memberKey, phoneContactsKey } from "../../src/redis/keys.js";
import { slotOf } from "../../src/redis/slot.js";
import { startTestCluster, type TestCluster } from "../support/cluster.js";
import { claim, openContacts } from "../support/contacts.js";

const CLAIMS = 200;
const DAY_MS = 86_400_000;
const MASTERS = 3;
let cluster: TestCluster;
let client: RedisClient;
let contacts: ContactStore;

beforeAll(async () => {
  cluster = await startTestCluster(1_000);
  client = connectRedis(cluster.target, "serve");
  await whenReady(client, 10_000);
  contacts = openContacts(client);
});
afterAll(async () => {
  closeRedis(client);
  await cluster.stop();
});

/** The node that serves the key at the start: slots are dealt in three equal parts. */
const masterOf = (key: string): number =>
  Math.min(MASTERS - 1, Math.floor(slotOf(key) / Math.ceil(16_384 / MASTERS)));

interface Round {
  readonly phone: string | null;
  readonly now: number;
}

/** Claims until it is decided, as a caller would who is told to repeat. */
async function insist(token: string, round: Round): Promise<boolean> {
  for (let attempt = 0; attempt < 200; attempt++) {
    try {
      return (await claim(contacts, "m0", token, round)).status === "ok";
    } catch {
      await sleep(50);
    }
  }
  throw new Error("the Cluster did not come back");
}

/** 200 claims, the master of `key` killed among them, then more after the failover. */
async function race(name: string, round: Round, key: string): Promise<void> {
  const granted = new Set<string>();
  let failed = 0;
  const claims = Array.from({ length: CLAIMS }, async (_, i) => {
    await sleep(i % 20);
    const token = `d_${name}_${i}`;
    const result = await claim(contacts, "m0", token, round).catch(() => null);
    if (result === null) failed++;
    else if (result.status === "ok") granted.add(token);
  });
  await sleep(4);
  process.kill(cluster.pids[masterOf(key)]!, "SIGKILL");
  await Promise.all(claims);
  expect(failed).toBeGreaterThan(0);
  for (let i = 0; i < 10; i++) {
    const token = `d_${name}_again_${i}`;
    if (await insist(token, { ...round, now: round.now + 1 })) granted.add(token);
  }
  expect(granted.size).toBeLessThanOrEqual(1);
  // Whoever was granted it holds it still, after the replica took over.
  const [packed] = await client.hmgetBuffer(memberKey("m0"), "c");
  const held = decodeContacts(packed!).map(({ token }) => token);
  expect(held).toEqual(expect.arrayContaining([...granted]));
  // Nobody confirms: the place comes back.
  expect(await insist(`d_${name}_after`, { ...round, now: round.now + 900_001 })).toBe(true);
}

describe("200 claims on the last place while a master dies", () => {
  it("let one pass: first the member's master, then that of the number", async () => {
    await client.hset(memberKey("m0"), "v", 1);
    const phones = Array.from({ length: 100 }, (_, i) => `+861380013${8000 + i}`);
    const first = masterOf(memberKey("m0"));
    const phone = phones.find((one) => masterOf(phoneContactsKey(one)) !== first)!;
    // The replicas have what was written before; what is granted from here on is the question.
    await sleep(500);
    const now = Date.now();
    await race("member", { phone: null, now }, memberKey("m0"));
    await race("phone", { phone, now: now + 2 * DAY_MS }, phoneContactsKey(phone));
  });
});

describe("a reservation that no replica has", () => {
  it("is not granted", async () => {
    const alive = await startTestCluster(5_000);
    const other = connectRedis(alive.target, "serve");
    try {
      await whenReady(other, 10_000);
      await other.hset(memberKey("m1"), "v", 1);
      // Replicas stand still, so that nothing written now outlives its master.
      for (const pid of alive.pids.slice(MASTERS)) process.kill(pid, "SIGSTOP");
      await expect(claim(openContacts(other), "m1", "d_1")).rejects.toMatchObject({
        code: "store_unavailable",
      });
      for (const pid of alive.pids.slice(MASTERS)) process.kill(pid, "SIGCONT");
      expect((await claim(openContacts(other), "m1", "d_1")).status).toBe("ok");
    } finally {
      closeRedis(other);
      await alive.stop();
    }
  });
});
