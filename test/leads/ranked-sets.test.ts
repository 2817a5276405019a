import fc from "fast-check";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { encodeRecord } from "../../src/events/log-record.js";
import {
  byRank,
  packRanked,
  type RankedMember,
  unpackRanked,
} from "../../src/leads/ranked-list.js";
import { type OpenRun, RankedSets } from "../../src/leads/ranked-sets.js";
import { walkRanked, walkRecords } from "../../src/leads/ranked-walk.js";
import { MemberStore } from "../../src/members/member-store.js";
import {
  closeRedis,
  connectRedis,
  mastersOf,
  type RedisClient,
  whenReady,
} from "../../src/redis/clients.js";
import { memberKey, partitionOf, rankedListKey } from "../../src/redis/keys.js";
import { metrics } from "../../src/telemetry.js";
import { type TestStore, testTarget } from "../support/redis.js";

let store: TestStore;
let client: RedisClient;
let sets: RankedSets;

beforeAll(async () => {
  store = await testTarget();
  client = connectRedis(store.target, "work");
  await whenReady(client, 10_000);
  sets = new RankedSets(client);
});

beforeEach(() => Promise.all(mastersOf(client).map((node) => node.flushall())));

afterAll(async () => {
  closeRedis(client);
  await store.stop();
});

const memberArbitrary = fc.record({
  id: fc.oneof(
    fc.string({ minLength: 1, maxLength: 200 }),
    fc.string({ unit: "binary", minLength: 1 }),
  ),
  // Few values, so that many are equal.
  score: fc.integer({ min: 0, max: 6 }).map((n) => Math.fround(n / 7)),
});

const membersArbitrary = fc.uniqueArray(memberArbitrary, {
  selector: ({ id }) => id,
  maxLength: 60,
});

const openRun = (run: string, members: OpenRun["members"]): OpenRun => ({
  run,
  asOf: 1_000,
  heads: "v1",
  alive: null,
  members,
  partition: 1024,
  scored: 0,
});

/** Writes and publishes one set of a run. */
async function rank(run: string, members: readonly RankedMember[], token = 1): Promise<void> {
  const byPartition = new Map<number, RankedMember[]>();
  for (const member of members) {
    const partition = partitionOf(member.id);
    byPartition.set(partition, [...(byPartition.get(partition) ?? []), member]);
  }
  await sets.writeLists(
    run,
    [...byPartition].map(([partition, purchase]) => ({ partition, lists: { purchase } })),
  );
  await sets.publish(token, openRun(run, { purchase: members.length }));
}

async function walk(batch?: number): Promise<RankedMember[][]> {
  const pages: RankedMember[][] = [];
  for await (const page of walkRanked(client, (await sets.current())!, "purchase", batch)) {
    pages.push(page);
  }
  return pages;
}

const several = (count: number): RankedMember[] =>
  Array.from({ length: count }, (_, i) => ({
    id: `m_${i}`,
    score: Math.fround(((i * 7_919) % 1_000) / 1_000),
  }));

describe("a packed list", () => {
  it("gives back its members best first, and any piece its whole entries", () => {
    fc.assert(
      fc.property(membersArbitrary, fc.nat(), (members, cut) => {
        // Lone surrogates cannot be stored, and ids have none.
        const sound = members.filter(({ id }) => Buffer.from(id).toString() === id);
        const expected = [...sound].sort(byRank);
        const packed = packRanked(sound);
        expect(unpackRanked(packed)).toEqual({ members: expected, bytes: packed.length });
        const first = unpackRanked(packed.subarray(0, cut % (packed.length + 1)));
        const rest = unpackRanked(packed.subarray(first.bytes));
        expect([...first.members, ...rest.members]).toEqual(expected);
      }),
    );
  });

  it("spends five bytes a member beyond the id", () => {
    expect(packRanked(several(10))).toHaveLength(10 * (5 + 3));
  });
});

describe("a ranked set", () => {
  it("is walked in exact order over all partitions, in full pages, wherever the best lie", async () => {
    const members = several(3_000);
    // One partition far ahead of the others: it is read again and again.
    const rich = partitionOf("m_0");
    for (let i = 3_000, found = 0; found < 300; i++) {
      if (partitionOf(`m_${i}`) !== rich) continue;
      members.push({ id: `m_${i}`, score: Math.fround(2 + found++ / 1_000) });
    }
    const long = "长".repeat(150);
    members.push({ id: long, score: 3 }, { id: `${long}2`, score: Math.fround(0.5) });
    await rank("r1", members);
    const pages = await walk(700);
    expect(pages.flat()).toEqual([...members].sort(byRank));
    expect(pages.map(({ length }) => length)).toEqual([700, 700, 700, 700, 502]);
    expect((await walk(50)).flat()).toEqual([...members].sort(byRank));
  });

  it("shows nothing of a run before it is published, and all of it after", async () => {
    await rank("r1", several(30));
    await sets.writeLists("r2", [{ partition: 1, lists: { purchase: several(5) } }]);
    await sets.save(1, openRun("r2", { purchase: 5 }));
    expect((await sets.current())?.run).toBe("r1");
    expect((await walk()).flat()).toHaveLength(30);
    await rank("r3", several(40));
    expect((await sets.current())?.run).toBe("r3");
    expect((await walk()).flat()).toHaveLength(40);
  });

  it("can be read to its end by who began before it was replaced", async () => {
    await rank("r1", several(100));
    const pages = walkRanked(client, (await sets.current())!, "purchase", 10);
    const seen = [...((await pages.next()).value ?? [])];
    await rank("r2", several(5), 2);
    for await (const page of pages) seen.push(...page);
    expect(seen).toEqual(several(100).sort(byRank));
    const ttl = await client.ttl(rankedListKey(partitionOf("m_0"), "r1", "purchase"));
    expect(ttl).toBeGreaterThan(0);
    expect(ttl).toBeLessThanOrEqual(600);
  });

  it("says so when it left while it was read, rather than ending early", async () => {
    await rank("r1", several(100));
    const run = (await sets.current())!;
    await sets.discard(run);
    await expect(walk()).rejects.toThrow("left while it was read");
  });

  it("leaves by itself within a week, its pointer first", async () => {
    await rank("r1", several(3));
    const list = await client.ttl(rankedListKey(partitionOf("m_0"), "r1", "purchase"));
    const pointer = await client.ttl("ranked:{ranked}");
    expect(list).toBeLessThanOrEqual(7 * 86_400);
    expect(pointer).toBeLessThan(list);
  });

  it("is written by the latest token only", async () => {
    await rank("r1", several(3), 5);
    await expect(sets.save(4, openRun("r2", {}))).rejects.toMatchObject({ code: "lease_lost" });
    await expect(sets.publish(4, openRun("r2", {}))).rejects.toMatchObject({ code: "lease_lost" });
    expect((await sets.current())?.run).toBe("r1");
    expect(await sets.open()).toBeNull();
  });

  it("gives records without those erased or merged since, places unchanged", async () => {
    const members = several(6).map((member, i) => ({ ...member, score: 1 - i / 8 }));
    await rank("r1", members);
    for (const { id } of members) {
      await client.hset(memberKey(id), "v", 1, "p", JSON.stringify({ id }));
    }
    await client.hset(memberKey("m_1"), "x", "2026-01-01");
    await client.hset(memberKey("m_3"), "r", "m_0");
    await client.del(memberKey("m_4"));
    const records = new MemberStore(client, 7, encodeRecord);
    const found = [];
    for await (const page of walkRecords(client, records, (await sets.current())!, "purchase", 4)) {
      found.push(...page.map(({ place, record }) => [place, record.id]));
    }
    expect(found).toEqual([
      [1, "m_0"],
      [3, "m_2"],
      [6, "m_5"],
    ]);
  });

  it("is shown in the metrics by its size and age", async () => {
    await rank("r1", several(9));
    await sets.current();
    const { values } = await metrics.rankedMembers.get();
    expect(values.find(({ labels }) => labels.set === "purchase")?.value).toBe(9);
    expect((await metrics.rankedAt.get()).values[0]?.value).toBe(1);
  });
});
