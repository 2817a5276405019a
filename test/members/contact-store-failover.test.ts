/** Reservations on a Cluster of its own that loses its masters one after the other. */
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ContactStore } from "../../src/members/contact-store.js";
import { decodeContacts } from "../../src/members/contacts.js";
import { closeRedis, connectRedis, type RedisClient, whenReady } from "../../src/redis/clients.js";
import { memberKey } from "../../src/redis/keys.js";
import { slotOf } from "../../src/redis/slot.js";
import { startTestCluster, type TestCluster } from "../support/cluster.js";
import { claim, openContacts } from "../support/contacts.js";

const CLAIMS = 200;
const PHONE = "+8613800138000";
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

/** Claims until it is decided, as a caller would who is told to repeat. */
async function insist(member: string, token: string, now: number): Promise<boolean> {
  for (let attempt = 0; attempt < 200; attempt++) {
    try {
      return (await claim(contacts, member, token, { phone: PHONE, now })).status === "ok";
    } catch {
      await sleep(50);
    }
  }
  throw new Error("the Cluster did not come back");
}

describe("200 claims on the last place while a master dies", () => {
  it("let one pass, now and after the failover, twice over", async () => {
    const now = Date.now();
    const ids = Array.from({ length: 500 }, (_, i) => `m${i}`);
    const first = masterOf(memberKey("m0"));
    const elsewhere = ids.find((id) => masterOf(memberKey(id)) !== first)!;
    for (const id of ["m0", elsewhere]) await client.hset(memberKey(id), "v", 1);
    // Replicas have what was written before; what is acknowledged from here on is the question.
    await sleep(500);
    for (const [round, member] of ["m0", elsewhere].entries()) {
      const at = now + round * 2 * 86_400_000;
      const granted = new Set<string>();
      const claims = Array.from({ length: CLAIMS }, async (_, i) => {
        await sleep(i % 20);
        const token = `d_${round}_${i}`;
        const result = await claim(contacts, member, token, { phone: PHONE, now: at }).catch(
          () => null,
        );
        if (result?.status === "ok") granted.add(token);
      });
      await sleep(4);
      process.kill(cluster.pids[masterOf(memberKey(member))]!, "SIGKILL");
      await Promise.all(claims);
      expect(granted.size).toBeLessThanOrEqual(1);
      for (let i = 0; i < 10; i++) {
        const token = `d_${round}_again_${i}`;
        if (await insist(member, token, at + 1)) granted.add(token);
      }
      expect(granted.size).toBeLessThanOrEqual(1);
      // Whoever was granted it holds it still, after the replica took over.
      const [made] = await client.hmgetBuffer(memberKey(member), "c");
      const held = decodeContacts(made).map(({ token }) => token);
      expect(held).toEqual(expect.arrayContaining([...granted]));
      // Nobody confirms: the place comes back.
      expect(await insist(member, `d_${round}_after`, at + 900_001)).toBe(true);
    }
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
