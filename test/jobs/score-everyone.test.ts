import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { factsOf, scoreMembers } from "../../src/decision/member-scores.js";
import { encodeRecord } from "../../src/events/log-record.js";
import { Pace } from "../../src/jobs/pace.js";
import { type RankedSet, RankedSets } from "../../src/leads/ranked-sets.js";
import { walkRanked } from "../../src/leads/ranked-walk.js";
import { listIds } from "../../src/members/member-batches.js";
import { MemberStore } from "../../src/members/member-store.js";
import {
  closeRedis,
  connectRedis,
  mastersOf,
  type RedisClient,
  whenReady,
} from "../../src/redis/clients.js";
import { memberKey, PARTITIONS, partitionOf, servedKey } from "../../src/redis/keys.js";
import { ServedMark } from "../../src/redis/served.js";
import { DAY_MS, NOW } from "../support/builders.js";
import { type TestStore, testTarget } from "../support/redis.js";
import {
  ALIVE,
  aRankingModel,
  config,
  idOf,
  type Scoring,
  schema,
  scoreAll,
  writeMembers,
} from "./support/a-ranking.js";

// A process is started and killed: a busy machine takes its time.
vi.setConfig({ testTimeout: 120_000 });

const MEMBERS = 300;

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

const run = (over: Partial<Scoring> = {}) => scoreAll({ client, ...over });

async function ranking(set: RankedSet): Promise<{ id: string; score: number }[]> {
  const found = [];
  for await (const page of walkRanked(client, (await sets.current())!, set, 40))
    found.push(...page);
  return found;
}

/** What POST /v1/scores would answer at NOW. */
async function served(): Promise<Map<string, { purchase?: number; churn?: number }>> {
  const members = new MemberStore(client, 7, encodeRecord);
  const records = await members.readMany(Array.from({ length: MEMBERS }, (_, i) => idOf(i)));
  const { scorer } = await aRankingModel();
  const { scored } = await scoreMembers(
    records.map((record) => factsOf(record, NOW, config)),
    NOW,
    {
      config,
      schema,
      heads: {
        lease: () => ({
          scorer,
          manifest: { version: "v1" } as never,
          explainer: () => null,
          release() {},
        }),
      },
      alive: () => ALIVE,
      onModelError(error) {
        throw error;
      },
    },
  );
  return new Map(records.map(({ id }, i) => [id, scored[i]!.scores]));
}

describe("scoring everyone", () => {
  it("ranks every member by the very score that serving answers", async () => {
    await writeMembers(client, MEMBERS);
    const result = await run();
    expect(result).toMatchObject({ scored: MEMBERS, model: "v1", asOf: NOW, resumed: false });
    const scores = await served();
    for (const set of ["purchase", "churn"] as const) {
      const ranked = await ranking(set);
      const asked = [...scores].filter(([, one]) => one[set] !== undefined);
      expect(ranked).toEqual(
        asked
          .map(([id, one]) => ({ id, score: one[set] }))
          .sort((a, b) => b.score! - a.score! || (a.id < b.id ? -1 : 1)),
      );
      expect(new Set(ranked.map(({ score }) => score)).size).toBeGreaterThan(30);
    }
    const prospects = MEMBERS / 5;
    expect(result.members).toEqual({ purchase: MEMBERS, churn: MEMBERS - prospects });
    expect(await sets.open()).toBeNull();
  });

  it("makes a set for each head that can be ranked by, and no other", async () => {
    await writeMembers(client, 20);
    const openModel = () => aRankingModel("v1", ["renewal", "purchase7", "purchase"]);
    const result = await run({ openModel });
    expect(result.members).toEqual({ purchase: 20, renewal: 16 });
    expect(await ranking("renewal")).toHaveLength(16);
    expect(await ranking("churn")).toEqual([]);
  });

  it("leaves out who was erased or merged into another", async () => {
    await writeMembers(client, 20);
    await client.hset(memberKey(idOf(1)), "x", "2026-01-01");
    await client.hset(memberKey(idOf(2)), "r", idOf(3));
    await client.hdel(memberKey(idOf(4)), "s", "p");
    await run();
    const ids = (await ranking("purchase")).map(({ id }) => id);
    expect(ids).toHaveLength(17);
    for (const gone of [1, 2, 4]) expect(ids).not.toContain(idOf(gone));
  });

  it("does nothing without a model, and keeps the ranking there was", async () => {
    await writeMembers(client, 20);
    await run();
    const before = await sets.current();
    expect(await run({ openModel: async () => null })).toEqual({ skipped: "untrained" });
    expect(await sets.current()).toEqual(before);
  });

  it("ranks nobody in an empty store", async () => {
    expect(await run()).toMatchObject({ scored: 0, members: { purchase: 0, churn: 0 } });
    expect(await ranking("purchase")).toEqual([]);
  });
});

describe("a run that is stopped", () => {
  /** Stops before the nth write. */
  const stopAt = (n: number) => {
    let writes = 0;
    return async (): Promise<void> => {
      if (++writes === n) throw new Error("stopped");
    };
  };

  it("goes on where it ended, at the same instant, and shows nothing until it is whole", async () => {
    await writeMembers(client, MEMBERS);
    const small = { idsMax: 40 };
    await expect(run({ ...small, fence: stopAt(4) })).rejects.toThrow("stopped");
    expect(await sets.current()).toBeNull();
    const left = (await sets.open())!;
    expect(left.partition).toBeGreaterThan(0);
    expect(left.scored).toBeLessThan(MEMBERS);
    const later = NOW + 3_600_000;
    const result = await run({ ...small, token: 2, now: () => later });
    expect(result).toMatchObject({ scored: MEMBERS, asOf: NOW, resumed: true });
    const resumed = await ranking("purchase");
    await run({ token: 3 });
    expect(await ranking("purchase")).toEqual(resumed);
  });

  it("begins again under another model, and a day later", async () => {
    await writeMembers(client, 40);
    const small = { idsMax: 10 };
    await expect(run({ ...small, fence: stopAt(3) })).rejects.toThrow("stopped");
    const openModel = () => aRankingModel("v2");
    await expect(run({ ...small, token: 2, openModel, fence: stopAt(4) })).rejects.toThrow();
    const second = (await sets.open())!;
    expect(second).toMatchObject({ heads: "v2" });
    const now = () => NOW + DAY_MS;
    expect(await run({ token: 3, openModel, now })).toMatchObject({ resumed: false, asOf: now() });
    // Of the runs left behind nothing remains.
    const runs = new Set<string>();
    for (const node of mastersOf(client)) {
      for (const key of await node.keys("ranked:{p*")) runs.add(key.split(":")[2]!);
    }
    expect([...runs]).toEqual([(await sets.current())!.run]);
  });

  it("by kill -9 is finished by the next process: everyone once, no half of a run in force", async () => {
    await writeMembers(client, MEMBERS);
    const main = fileURLToPath(new URL("./support/scoring-main.ts", import.meta.url));
    const child = fork(main, [store.target], { execArgv: ["--import", "tsx"] });
    for (;;) {
      const [percent] = await once(child, "message");
      if (percent > 30) break;
    }
    child.kill("SIGKILL");
    await once(child, "exit");
    expect(await sets.current()).toBeNull();
    const { partition, scored } = (await sets.open())!;
    expect(partition).toBeGreaterThan(PARTITIONS * 0.2);
    expect(scored).toBeLessThan(MEMBERS);
    expect(await run({ token: 2 })).toMatchObject({ scored: MEMBERS, resumed: true });
    const ids = (await ranking("purchase")).map(({ id }) => id);
    expect(ids.sort()).toEqual(Array.from({ length: MEMBERS }, (_, i) => idOf(i)).sort());
  });

  it("cannot publish once a later one began", async () => {
    await writeMembers(client, 20);
    await run({ token: 7 });
    const before = await sets.current();
    await expect(run({ token: 6, now: () => NOW + DAY_MS })).rejects.toThrow("later run");
    expect(await sets.current()).toEqual(before);
  });
});

describe("listing members", () => {
  it("in passes that fit in memory names everyone once", async () => {
    await writeMembers(client, MEMBERS);
    await client.set("m:{p1}x", 1);
    const found: string[] = [];
    let passes = 0;
    for (let first = 0; first < PARTITIONS; passes++) {
      const listed = await listIds(client, first, { idsMax: 50 });
      expect(listed.count).toBeLessThanOrEqual(50);
      listed.ids.forEach((ids, i) => {
        for (const id of ids) expect(partitionOf(id)).toBe(first + i);
        found.push(...ids);
      });
      first = listed.end;
    }
    expect(passes).toBeGreaterThanOrEqual(MEMBERS / 50);
    expect(found.sort()).toEqual(Array.from({ length: MEMBERS }, (_, i) => idOf(i)).sort());
  });
});

describe("the pace", () => {
  it("is slow from the first request that is served, and full when nobody was served for a while", async () => {
    const pace = new Pace(client, new AbortController().signal);
    await pace.step();
    expect(pace.busy).toBe(false);
    new ServedMark(client).touch();
    while (!pace.busy) await pace.step();
    await client.pexpire(servedKey, 1);
    while (pace.busy) await pace.step();
  });
});
