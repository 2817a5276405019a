import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { RankResponse } from "../../src/leads/rank-answer.js";
import {
  closeRedis,
  connectRedis,
  mastersOf,
  type RedisClient,
  whenReady,
} from "../../src/redis/clients.js";
import { anEvent, aPurchase, DAY_MS } from "../support/builders.js";
import { type TestStore, testTarget } from "../support/redis.js";
import { aContact, agreed, callable, config, LeadWorld } from "./a-lead-world.js";

/** Wednesday 2026-06-10, 10:00 in Shanghai; 22:00 of the day before in New York. */
const TEN = Date.parse("2026-06-10T02:00:00Z");
const HOUR = 3_600_000;
const MINUTE = 60_000;

let store: TestStore;
let client: RedisClient;
let world: LeadWorld;

beforeAll(async () => {
  store = await testTarget();
  client = connectRedis(store.target, "work");
  await whenReady(client, 10_000);
});
beforeEach(async () => {
  await Promise.all(mastersOf(client).map((node) => node.flushall()));
  world?.core.suppressions.close();
  world = new LeadWorld(client);
  await world.core.suppressions.start();
});
afterAll(async () => {
  world.core.suppressions.close();
  closeRedis(client);
  await store.stop();
});

const phoneOf = (i: number): string => `+86138${String(10_000_000 + i)}`;
const idsOf = ({ leads }: RankResponse): string[] => leads.map(({ memberId }) => memberId);

describe("leads of members named", () => {
  it("are those every guard lets through, and each of the others is counted under its guard", async () => {
    const members = [
      callable("open", phoneOf(1)),
      callable("listed phone", phoneOf(2)),
      callable("listed second phone", phoneOf(3), { phones: [phoneOf(30)] }),
      callable("listed member", phoneOf(4)),
      callable("listed account", phoneOf(5), { accounts: ["a5"] }),
      callable("asked us not to", phoneOf(6), { doNotContact: true }),
      callable("took it back", phoneOf(7), { consents: [agreed("revoked")] }),
      callable("said nothing", phoneOf(8), { consents: [agreed("granted", "sms")] }),
      callable("no zone", "+80012345678", { timezone: undefined, jurisdiction: "US-NY" }),
      callable("asleep", phoneOf(10), { timezone: "America/New_York", jurisdiction: "US-NY" }),
      callable("far apart", phoneOf(11), { timezone: undefined, phones: ["+12125550123"] }),
      { ...callable("called today", phoneOf(12)), contacts: [aContact(TEN - HOUR)] },
      callable("number called twice", phoneOf(13)),
      {
        ...callable("refused lately", phoneOf(14)),
        contacts: [aContact(TEN - 9 * DAY_MS, { outcome: "refused", outcomeAt: TEN - 9 * DAY_MS })],
      },
      {
        ...callable("asked for later", phoneOf(15)),
        contacts: [aContact(TEN - 9 * DAY_MS, { outcome: "later", outcomeAt: 1, again: TEN + 1 })],
      },
      {
        ...callable("complains", phoneOf(16)),
        events: [anEvent({ type: "complaint_opened", at: TEN - DAY_MS })],
      },
      {
        ...callable("waits for money", phoneOf(17)),
        events: [anEvent({ type: "refund_opened", at: TEN - DAY_MS })],
      },
      callable("to be spared", phoneOf(18), { vulnerable: true }),
      callable("not to be profiled", phoneOf(19), { personalization: "off" }),
      { id: "no phone", profile: { ...callable("", "").profile, phone: undefined } },
    ];
    await world.write(members);
    // The one asked for by a number as well: so it must lead to them.
    await world.core.members.put("open", callable("open", phoneOf(1)).profile!);
    await world.writePhone(phoneOf(13), [aContact(TEN - 2 * HOUR), aContact(TEN - HOUR)]);
    const why = { source: "test", reason: "do_not_contact", at: TEN } as const;
    await world.core.suppressions.putAll(
      [
        { kind: "phone", value: phoneOf(2) },
        { kind: "phone", value: phoneOf(30) },
        { kind: "member", value: "listed member" },
        { kind: "account", value: "a5" },
      ],
      why,
    );
    const ids = [...members.map(({ id }) => id), "open", "nobody", { phone: phoneOf(1) }];
    const answer = await world.ask({ members: ids }, TEN);
    expect(idsOf(answer)).toEqual(["open"]);
    expect(answer.blocked).toEqual({
      "1 do_not_contact": 5,
      "2 consent_refused": 1,
      "3 outside_window": 2,
      "4 timezone_unknown": 1,
      "5 cap_channel": 1,
      "5 cap_phone": 1,
      "5 cool_down": 1,
      "5 later": 1,
      "6 consent_missing": 1,
      "7 personalization_off": 1,
      "8 open_complaint": 1,
      "8 refund_under_way": 1,
      "8 vulnerable": 1,
    });
    expect(answer.skipped).toEqual({ duplicate: 2, member_unknown: 1, no_phone: 1 });
    expect(answer).toMatchObject({
      of: 23,
      passed: 1,
      walked: null,
      rankedAt: null,
      preview: true,
    });
    expect(answer.blockedExamples.find(({ memberId }) => memberId === "asleep")).toMatchObject({
      guard: 3,
      code: "outside_window",
      until: "2026-06-10T12:00:00.000Z",
    });
  });

  it("carry what a dialer needs", async () => {
    const events = [
      aPurchase(40, ["tea"], { at: TEN - 62 * DAY_MS }),
      aPurchase(10, ["tea"], { at: TEN - 31 * DAY_MS }),
    ];
    const contacts = [
      aContact(TEN - 20 * DAY_MS),
      aContact(TEN - 3 * DAY_MS),
      aContact(TEN - DAY_MS, { channel: "sms" }),
    ];
    await world.write([
      { ...callable("m", "+8613800000000", { locale: "zh-CN" }), events, contacts },
    ]);
    const { leads } = await world.ask({ members: ["m"], campaign: "tea" }, TEN);
    expect(leads).toHaveLength(1);
    const [lead] = leads;
    expect(lead).toMatchObject({
      memberId: "m",
      phone_code: "86",
      phone: "13800000000",
      e164: "+8613800000000",
      timezone: "Asia/Shanghai",
      scoredAt: "2026-06-10T02:00:00.000Z",
      callableFrom: "2026-06-10T02:00:00.000Z",
      callableUntil: "2026-06-10T10:00:00.000Z",
      expiresAt: "2026-06-10T10:00:00.000Z",
      owner: null,
      decisionId: null,
      attempts: 1,
    });
    expect(lead!.leadId).toMatch(/^l_[\w-]{16}$/);
    expect(lead!.score).toBe(lead!.scores.purchase);
    expect(lead!.rank).toBe(Math.round(lead!.score! * 99_999));
    expect(lead!.reasons.map(({ code }) => code)).toEqual(["replenishment_due", "order_history"]);
    expect(lead!.reasons[0]!.text).toBe("大约每31天下单一次，上一单是31天前");
    const again = await world.ask({ members: ["m"], campaign: "tea" }, TEN + 1);
    const other = await world.ask({ members: ["m"], campaign: "coffee" }, TEN);
    expect(again.leads[0]!.leadId).toBe(lead!.leadId);
    expect(other.leads[0]!.leadId).not.toBe(lead!.leadId);
    const text = await world.ask({ members: ["m"], channel: "app" }, TEN);
    expect(text.blocked).toEqual({ "6 consent_missing": 1 });
  });

  it("begin and end with the called party's hours, to the second", async () => {
    await world.write([callable("m", phoneOf(1))]);
    const at = async (time: string) => idsOf(await world.ask({ members: ["m"] }, Date.parse(time)));
    expect(await at("2026-06-10T08:59:59.999+08:00")).toEqual([]);
    expect(await at("2026-06-10T09:00:00.000+08:00")).toEqual(["m"]);
    expect(await at("2026-06-10T17:59:59.999+08:00")).toEqual(["m"]);
    expect(await at("2026-06-10T18:00:00.000+08:00")).toEqual([]);
  });

  it("who are in two zones are called while both are open, and told when that is", async () => {
    // 08:00 in Los Angeles is 11:00 in New York, 21:00 there is 18:00.
    const phones = { phones: ["+14155550123"], timezone: undefined, jurisdiction: "US" };
    await world.write([callable("m", "+12125550123", phones)]);
    const at = (time: string, include?: "later") =>
      world.ask({ members: ["m"], include }, Date.parse(time));
    expect(idsOf(await at("2026-06-10T10:59:59-04:00"))).toEqual([]);
    const [open] = (await at("2026-06-10T11:00:00-04:00")).leads;
    expect(open).toMatchObject({ timezone: null, callableUntil: "2026-06-11T01:00:00.000Z" });
    expect(open!.timezones).toEqual(["America/Los_Angeles", "America/New_York"]);
    expect(idsOf(await at("2026-06-10T21:00:00-04:00"))).toEqual([]);
    const [later] = (await at("2026-06-10T21:00:00-04:00", "later")).leads;
    expect(later).toMatchObject({
      callableFrom: "2026-06-11T15:00:00.000Z",
      callableUntil: "2026-06-12T01:00:00.000Z",
    });
  });

  it("who are closed only for now come with `later`, from when every guard allows it", async () => {
    const evening = Date.parse("2026-06-10T19:00:00+08:00");
    const refused = { outcome: "refused", outcomeAt: evening - 29 * DAY_MS } as const;
    await world.write([
      callable("closed", phoneOf(1)),
      { ...callable("called", phoneOf(2)), contacts: [aContact(TEN)] },
      { ...callable("refused", phoneOf(3)), contacts: [aContact(evening - 29 * DAY_MS, refused)] },
      callable("listed", phoneOf(4), { doNotContact: true }),
      callable("money", phoneOf(5), { vulnerable: true }),
    ]);
    const members = ["closed", "called", "refused", "listed", "money"];
    const without = await world.ask({ members }, evening);
    expect(without.leads).toEqual([]);
    const { leads, blocked } = await world.ask({ members, include: "later" }, evening);
    const fromOf = new Map(leads.map(({ memberId, callableFrom }) => [memberId, callableFrom]));
    expect(fromOf).toEqual(
      new Map([
        ["closed", "2026-06-11T01:00:00.000Z"],
        ["called", "2026-06-11T01:00:00.000Z"],
        // The cool-down ends in the evening, when it is too late to call.
        ["refused", "2026-06-12T01:00:00.000Z"],
      ]),
    );
    expect(blocked).toEqual({ "1 do_not_contact": 1, "8 vulnerable": 1 });
  });

  it("leave out who an experiment holds out", async () => {
    const members = Array.from({ length: 200 }, (_, i) => `m${i}`);
    await world.write(members.map((id, i) => callable(id, phoneOf(i))));
    const settings = { ...config, experiments: { holdoutShare: 0.5 } };
    const answer = await world.ask({ members }, TEN, { settings });
    expect(answer.skipped.held_out).toBeGreaterThan(50);
    expect(answer.passed + answer.skipped.held_out!).toBe(200);
  });

  it("are sorted by rules, without a score, while nothing is trained", async () => {
    const often = [5, 35, 65].map((days) =>
      aPurchase(0, [`p${days}`], { at: TEN - days * DAY_MS }),
    );
    await world.write([
      {
        ...callable("once", phoneOf(1)),
        events: [aPurchase(0, ["p"], { at: TEN - 200 * DAY_MS })],
      },
      callable("never", phoneOf(2)),
      { ...callable("often", phoneOf(3)), events: often },
    ]);
    const members = ["never", "once", "often"];
    const answer = await world.ask({ members }, TEN, { trained: false });
    expect(idsOf(answer)).toEqual(["often", "once", "never"]);
    expect(answer).toMatchObject({ degraded: ["untrained"], models: { heads: null } });
    for (const { score, scores } of answer.leads) {
      expect(score).toBeNull();
      expect(scores.purchase).toBeUndefined();
    }
  });

  it("are ten thousand at most, others on the event loop between them", async () => {
    const members = Array.from({ length: 10_000 }, (_, i) => `member-${i}`);
    const events = [3, 33, 63].map((days) => aPurchase(0, ["a", "b"], { at: TEN - days * DAY_MS }));
    for (let from = 0; from < members.length; from += 1_000) {
      await world.write(
        members.slice(from, from + 1_000).map((id, i) => ({
          ...callable(id, phoneOf(from + i), { doNotContact: i % 10 === 0 }),
          events: events.slice(i % 4),
        })),
      );
    }
    let turns = 0;
    const others = setInterval(() => turns++, 1);
    const answer = await world.ask({ members, limit: 10_000 }, TEN);
    clearInterval(others);
    expect(turns).toBeGreaterThan(20);
    expect(answer).toMatchObject({
      of: 10_000,
      passed: 9_000,
      blocked: { "1 do_not_contact": 1_000 },
    });
    expect(answer.blockedExamples).toHaveLength(100);
    const { leads } = answer;
    leads.forEach(({ rank, score }, i) => {
      const before = leads[i - 1];
      if (before === undefined) return;
      expect(score! <= before.score!).toBe(true);
      expect(rank < before.rank).toBe(score! < before.score!);
    });
  });
});

describe("leads of the last ranked set", () => {
  const several = async (count: number): Promise<void> => {
    await world.write(
      Array.from({ length: count }, (_, i) =>
        callable(`m${i}`, phoneOf(i), {
          doNotContact: i % 2 === 1,
          tags: i % 4 === 0 ? ["gold"] : [],
        }),
      ),
    );
    const ranked = Array.from({ length: count }, (_, i) => ({
      id: `m${i}`,
      score: Math.fround(1 - i / count),
    }));
    await world.rank(ranked, TEN - 2 * HOUR);
  };

  it("come best first, walked no further than there are enough", async () => {
    await several(1_000);
    const answer = await world.ask({ limit: 30 }, TEN);
    expect(idsOf(answer)).toEqual(Array.from({ length: 30 }, (_, i) => `m${2 * i}`));
    expect(answer).toMatchObject({
      walked: 64,
      of: 64,
      passed: 32,
      stopped: "limit",
      stale: false,
      rankedAt: new Date(TEN - 2 * HOUR).toISOString(),
      blocked: { "1 do_not_contact": 32 },
    });
    expect(answer.leads[0]).toMatchObject({ score: 1, rank: 99_999 });
    expect(answer.leads[0]!.scoredAt).toBe(answer.rankedAt);
    expect(answer.leads[0]!.scores.purchase).toBeDefined();
  });

  it("are those `where` describes", async () => {
    await several(300);
    const answer = await world.ask({ where: "'gold' in tags", limit: 1_000 }, TEN);
    expect(idsOf(answer)).toEqual(Array.from({ length: 75 }, (_, i) => `m${4 * i}`));
    expect(answer).toMatchObject({ walked: 300, stopped: "end", blocked: {} });
    expect(answer.skipped).toEqual({ not_matched: 225 });
    const scored = await world.ask({ where: "purchase >= 0.0 && churn < 2", limit: 1_000 }, TEN);
    // Without an order there is no churn to speak of.
    expect(scored.skipped).toEqual({ not_matched: 300 });
  });

  it("leave out who was erased, merged or suppressed since", async () => {
    await several(10);
    await world.core.members.erase("m0");
    await world.core.members.merge("m4", "m2");
    await world.core.suppressions.put(
      { kind: "phone", value: phoneOf(6) },
      { source: "t", reason: "opt_out", at: TEN },
    );
    expect(idsOf(await world.ask({}, TEN))).toEqual(["m4", "m8"]);
  });

  it("say when they are of another model or old", async () => {
    await several(5);
    expect((await world.ask({}, TEN + 34 * HOUR)).stale).toBe(false);
    expect((await world.ask({}, TEN + 34 * HOUR + MINUTE)).stale).toBe(true);
    await world.rank([{ id: "m0", score: 1 }], TEN, "v0");
    expect((await world.ask({}, TEN)).stale).toBe(true);
  });

  it("are refused where there is no such ranking, rather than empty", async () => {
    await expect(world.ask({}, TEN)).rejects.toMatchObject({ code: "ranking_missing" });
    await several(5);
    await expect(world.ask({ by: "renewal" }, TEN)).rejects.toMatchObject({
      code: "ranking_missing",
    });
  });
});
