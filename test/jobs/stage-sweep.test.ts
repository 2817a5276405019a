import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { loadConfig } from "../../src/config.js";
import { encodeRecord } from "../../src/events/log-record.js";
import { STAGES, type Stage } from "../../src/features/stage.js";
import { EMPTY_STATE, encodeState, fold } from "../../src/features/state.js";
import type { JobContext } from "../../src/jobs/job.js";
import { listStage, placeMembers } from "../../src/jobs/stage-index.js";
import { stageSweep } from "../../src/jobs/stage-sweep.js";
import { MemberStore } from "../../src/members/member-store.js";
import {
  closeRedis,
  connectRedis,
  mastersOf,
  type RedisClient,
  whenReady,
} from "../../src/redis/clients.js";
import { memberKey, stageSweepKey } from "../../src/redis/keys.js";
import { metrics } from "../../src/telemetry.js";
import { aPurchase, DAY_MS, NOW } from "../support/builders.js";
import { silentLogger, type TestStore, testTarget } from "../support/redis.js";

let store: TestStore;
let client: RedisClient;
let members: MemberStore;

beforeAll(async () => {
  store = await testTarget();
  client = connectRedis(store.target, "work");
  await whenReady(client, 10_000);
  members = new MemberStore(client, 7, encodeRecord);
});

beforeEach(() => Promise.all(mastersOf(client).map((node) => node.flushall())));

afterAll(async () => {
  closeRedis(client);
  await store.stop();
});

/** Orders so many days ago, and the stage they make at NOW. */
const HISTORIES: Record<Stage, number[]> = {
  prospect: [],
  new: [10],
  growth: [40, 10],
  mature: [100, 70, 40, 10],
  dormant: [250, 220, 190, 160, 110],
  churned: [900, 870, 840, 810],
};

async function write(id: string, ordersDaysAgo: readonly number[]): Promise<void> {
  const events = ordersDaysAgo.map((days) => aPurchase(days));
  const state = events.reduce(fold, EMPTY_STATE);
  await client.hset(memberKey(id), { v: 1, s: encodeState(state) });
}

async function writeEveryStage(each: number): Promise<void> {
  const writes = STAGES.flatMap((stage) =>
    idsOf(stage, each).map((id) => write(id, HISTORIES[stage])),
  );
  await Promise.all(writes);
}

const idsOf = (stage: Stage, each: number): string[] =>
  Array.from({ length: each }, (_, i) => `会员 {${stage}} ${i}`);

interface Overrides {
  now?: number;
  fence?: () => Promise<void>;
  signal?: AbortSignal;
  readMany?: MemberStore["readMany"];
}

function sweep(over: Overrides = {}) {
  const context: JobContext = {
    jobId: "stages-1",
    input: {},
    signal: over.signal ?? new AbortController().signal,
    token: 1,
    logger: silentLogger,
    progress: (percent) => expect(percent).toBeLessThanOrEqual(100),
    fence: over.fence ?? (async () => undefined),
  };
  const readMany = over.readMany ?? ((ids) => members.readMany(ids));
  const { stages } = loadConfig({});
  const job = stageSweep({ client, members: { readMany }, stages, now: () => over.now ?? NOW });
  return job(context);
}

async function index(): Promise<Record<string, string[]>> {
  const lists = await Promise.all(
    STAGES.map(async (stage) => [stage, (await listStage(client, stage, { limit: 1_000 })).ids]),
  );
  return Object.fromEntries(lists.map(([stage, ids]) => [stage, (ids as string[]).sort()]));
}

const everyStage = (each: number): Record<string, string[]> =>
  Object.fromEntries(STAGES.map((stage) => [stage, idsOf(stage, each).sort()]));

describe("the stage sweep", () => {
  it("puts every member in the index of its stage, and counts them", async () => {
    await writeEveryStage(7);
    const result = await sweep();
    expect(await index()).toEqual(everyStage(7));
    const byStage = Object.fromEntries(STAGES.map((stage) => [stage, 7]));
    expect(result).toEqual({ members: 42, byStage, moves: {} });
    const gauge = await metrics.membersByStage.get();
    expect(gauge.values.map(({ value }) => value)).toEqual(STAGES.map(() => 7));
    expect(await client.exists(stageSweepKey)).toBe(0);
  });

  it("moves those whose stage changed by time alone, and counts the moves", async () => {
    await writeEveryStage(3);
    await sweep();
    const later = NOW + 700 * DAY_MS;
    const result = await sweep({ now: later });
    expect(result).toMatchObject({
      members: 18,
      byStage: { prospect: 3, churned: 15 },
      moves: { "new>churned": 3, "growth>churned": 3, "mature>churned": 3, "dormant>churned": 3 },
    });
    expect(await sweep({ now: later })).toMatchObject({ moves: {} });
  });

  it("takes out members that were erased, merged into another, or are gone", async () => {
    await writeEveryStage(3);
    await sweep();
    const [erased, merged, gone] = idsOf("growth", 3);
    await client.hset(memberKey(erased!), "x", "2026-01-01");
    await client.hset(memberKey(merged!), "r", "another");
    await client.del(memberKey(gone!));
    expect(await sweep()).toMatchObject({ members: 15, byStage: { growth: 0 }, moves: {} });
    expect((await index()).growth).toEqual([]);
  });

  it("finds nobody in an empty store", async () => {
    expect(await sweep()).toMatchObject({ members: 0 });
  });

  it("goes on where a stopped run ended, and counts each move once", async () => {
    await writeEveryStage(200);
    await sweep();
    const later = NOW + 700 * DAY_MS;
    let batches = 0;
    let read = 0;
    const stopped = sweep({
      now: later,
      fence: async () => {
        if (++batches === 2) throw new Error("stopped");
      },
    });
    await expect(stopped).rejects.toThrow("stopped");
    const result = await sweep({
      now: later,
      readMany: (ids) => {
        read += ids.length;
        return members.readMany(ids);
      },
    });
    expect(read).toBeLessThan(1_200);
    const moved = 200;
    expect(result).toMatchObject({
      members: 1_200,
      byStage: { prospect: 200, churned: 1_000 },
      moves: {
        "new>churned": moved,
        "growth>churned": moved,
        "mature>churned": moved,
        "dormant>churned": moved,
      },
    });
  });

  it("begins again when the stopped run is of long ago", async () => {
    await writeEveryStage(2);
    await client.hset(stageSweepKey, { startedAt: NOW - DAY_MS, seen: 99, pruned: 1024 });
    expect(await sweep()).toMatchObject({ members: 12 });
    expect(await index()).toEqual(everyStage(2));
  });

  it("changes nothing when another process took over", async () => {
    await writeEveryStage(2);
    const lost = async (): Promise<void> => {
      throw new Error("lost");
    };
    await expect(sweep({ fence: lost })).rejects.toThrow("lost");
    expect(Object.values(await index()).flat()).toEqual([]);
  });
});

describe("listStage", () => {
  it("gives every member once, page by page, full pages first", async () => {
    const ids = Array.from({ length: 2_500 }, (_, i) => `m ${i}`);
    await placeMembers(
      client,
      ids.map((id) => ({ id, stage: "growth" })),
    );
    const seen: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await listStage(client, "growth", { limit: 200, cursor });
      seen.push(...page.ids);
      if (page.nextCursor !== null) expect(page.ids).toHaveLength(200);
      cursor = page.nextCursor ?? undefined;
    } while (cursor !== undefined);
    expect(seen.sort()).toEqual(ids.sort());
  });

  it("takes a cursor nobody gave out", async () => {
    await expect(listStage(client, "new", { limit: 5, cursor: "\u0000?" })).resolves.toBeDefined();
  });
});
