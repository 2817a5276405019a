import { setTimeout as sleep } from "node:timers/promises";
import { beforeAll, describe, expect, it } from "vitest";
import type { DecideDependencies } from "../../src/decision/decide.js";
import { score } from "../../src/decision/score.js";
import { CuecardError } from "../../src/errors.js";
import { anEvent, aPurchase, daysAgo } from "../support/builders.js";
import {
  type AMember,
  aCoupon,
  aProduct,
  ask,
  dependenciesOf,
  granted,
  trained,
  type World,
} from "./a-decider.js";

const SHANGHAI = { timezone: "Asia/Shanghai" };
const loyal: AMember = { events: [10, 40, 70, 100].map((days) => aPurchase(days, ["p1"])) };
const stranger: AMember = {};

let models: Pick<DecideDependencies, "heads" | "ranker">;
beforeAll(async () => {
  models = await trained();
});

const decider = (world: World, more: Partial<DecideDependencies> = {}) =>
  dependenciesOf(world, { ...models, ...more }).dependencies;
const ids = (answer: Awaited<ReturnType<typeof ask>>) =>
  answer.suggestions.map(({ product }) => product?.id);

describe("the order of suggestions", () => {
  const products = [
    aProduct("cheap", { price: 20, margin: 8 }),
    aProduct("dear", { price: 200, margin: 60 }),
    aProduct("thin", { price: 200, margin: 2 }),
  ];

  it("is by propensity × margin less what coupon and contact cost", async () => {
    const answer = await ask(decider({ members: { m: loyal }, products }));
    expect(ids(answer)).toEqual(["dear", "cheap", "thin"]);
    const purchase = 1 / (1 + Math.exp(-2));
    const liked = 1 / (1 + Math.exp(-1));
    expect(answer.scores.purchase).toBeCloseTo(purchase, 6);
    const [dear, cheap, thin] = answer.suggestions;
    expect(dear!.propensity).toBeCloseTo(purchase * liked, 6);
    expect(dear!.expectedValue).toBeCloseTo(purchase * liked * 60, 4);
    expect(cheap!.expectedValue).toBeCloseTo(purchase * (1 - liked) * 8, 4);
    expect(thin!.expectedValue).toBeCloseTo(purchase * liked * 2, 4);
    expect(answer.models).toEqual({
      heads: expect.stringMatching(/./),
      ranker: expect.stringMatching(/./),
    });
    expect(answer.degraded).toEqual([]);
  });

  it("counts a coupon's cost, and the cost of a contact where we start it", async () => {
    const coupons = [aCoupon("half", { amountOff: 30, products: ["dear"] })];
    const profile = { ...SHANGHAI, consents: granted("phone") };
    const member = { ...loyal, profile };
    const world = { members: { m: member }, products, coupons };
    const here = await ask(decider(world));
    const p = here.suggestions[0]!.propensity!;
    expect(here.suggestions[0]).toMatchObject({ coupon: { id: "half" }, channel: "phone" });
    expect(here.suggestions[0]!.expectedValue).toBeCloseTo(p * 30, 4);
    const called = await ask(decider(world), { placement: "outbound" });
    expect(called.suggestions[0]!.expectedValue).toBeCloseTo(p * 30 - 1.5, 4);
    expect(Date.parse(called.suggestions[0]!.contactAt!)).toBeGreaterThan(daysAgo(0));
    expect(here.suggestions[0]!.contactAt).toBeNull();
  });

  it("leaves out what is in the cart, what is excluded, and what is beyond the limit", async () => {
    const decide = decider({ members: { m: loyal }, products });
    expect(ids(await ask(decide, { exclude: ["dear"] }))).toEqual(["cheap", "thin"]);
    expect(ids(await ask(decide, { context: { cart: ["cheap", "no such"] } }))).not.toContain(
      "cheap",
    );
    expect(ids(await ask(decide, { limit: 1 }))).toEqual(["dear"]);
  });

  it("is the ranker's for a stranger, without a probability", async () => {
    const answer = await ask(decider({ products }), { placement: "home" });
    expect(ids(answer)[2]).toBe("cheap");
    expect(answer.member).toMatchObject({ id: "m", known: false, stage: null });
    expect(answer.scores).toEqual({});
    expect(JSON.stringify(answer)).not.toMatch(/propensity|expectedValue/);
  });
});

describe("the ladder", () => {
  const away: DecideDependencies["reader"] = {
    readRef: async () => {
      throw new CuecardError("store_unavailable", "away");
    },
    readRefs: async () => {
      throw new CuecardError("store_unavailable", "away");
    },
  };

  it("untrained shows no probability anywhere, and the order of the sources", async () => {
    const { dependencies } = dependenciesOf({ members: { m: loyal } });
    const answer = await ask(dependencies);
    expect(answer.degraded).toEqual(["untrained"]);
    expect(answer.suggestions.length).toBeGreaterThan(0);
    expect(answer.scores).toEqual({});
    expect(JSON.stringify(answer)).not.toMatch(/propensity|expectedValue|purchase/);
    const scores = await score({ members: ["m", "n"] }, dependencies);
    expect(scores.degraded).toEqual(["untrained"]);
    expect(scores.scores[0]).toEqual({
      member: "m",
      known: true,
      stage: expect.stringMatching(/./),
    });
  });

  it("with the store away sells nothing where it cannot see the guards, and says so", async () => {
    const decide = decider({}, { reader: away });
    const inbound = await ask(decide);
    expect(inbound.degraded).toEqual(["store_unavailable"]);
    expect(inbound.doNotSell?.code).toBe("guard_data_unavailable");
    expect(inbound.suggestions.map(({ kind }) => kind)).toEqual(["care"]);
    const outbound = await ask(decide, { placement: "outbound" });
    expect(outbound).toMatchObject({ suggestions: [], degraded: ["store_unavailable"] });
    const web = await ask(decide, { placement: "home" });
    expect(web).toMatchObject({ doNotSell: null, member: { known: false } });
    expect(web.suggestions.length).toBeGreaterThan(0);
    for (const channel of ["sms", "phone", "email"]) {
      const page = await ask(decide, { placement: "home", channel });
      expect([page.suggestions, page.doNotSell?.code]).toEqual([[], "no_open_channel"]);
      const call = await ask(decide, { channel });
      expect(call.suggestions).toMatchObject([{ kind: "care", channel: "phone" }]);
    }
  });

  it("sells a caller nothing by text message that they did not agree to, and helps them on the phone", async () => {
    const profile = { phone: "+8613800000001" };
    const decide = decider({
      members: {
        silent: { profile },
        agreed: { profile: { ...profile, consents: granted("sms") } },
      },
    });
    const silent = await ask(decide, { member: "silent", channel: "sms" });
    expect(silent.doNotSell?.code).toBe("consent_missing");
    expect(silent.suggestions).toMatchObject([{ kind: "care", channel: "phone" }]);
    const onThePhone = await ask(decide, { member: "silent" });
    expect(onThePhone.suggestions[0]).toMatchObject({ channel: "phone" });
    expect(onThePhone.doNotSell).toBeNull();
    const agreed = await ask(decide, { member: "agreed", channel: "sms" });
    expect(agreed.suggestions[0]).toMatchObject({ channel: "sms" });
    expect(agreed.doNotSell).toBeNull();
  });

  it("with the store away answers the last scores of a member, flagged", async () => {
    const decide = decider({ members: { m: loyal } });
    const { scores } = await ask(decide);
    const later = { ...decide, reader: away };
    const answer = await ask(later);
    expect(answer.scores).toEqual(scores);
    expect(answer.degraded).toEqual(["store_unavailable", "last_scores"]);
    const many = await score({ members: ["m", "n"] }, later);
    expect(many.scores.map((one) => [one.known, one.purchase])).toEqual([
      [true, scores.purchase],
      [false, undefined],
    ]);
    expect(many.degraded).toEqual(["store_unavailable", "last_scores"]);
  });

  it("with the store too slow answers inside the budget all the same", async () => {
    const slow = { readRef: () => sleep(60_000, null, { ref: false }), readRefs: away.readRefs };
    const answer = await ask(decider({}, { reader: slow }), { placement: "home", budgetMs: 20 });
    expect(answer.degraded).toContain("store_unavailable");
    expect(answer.suggestions.length).toBeGreaterThan(0);
  });

  it("with the budget spent leaves the ranker out and says budget", async () => {
    const decide = decider({ members: { m: loyal } });
    const reader: DecideDependencies["reader"] = {
      ...decide.reader,
      async readRef(ref) {
        const until = performance.now() + 3;
        while (performance.now() < until);
        return decide.reader.readRef(ref);
      },
    };
    const answer = await ask({ ...decide, reader }, { budgetMs: 5 });
    expect(answer.degraded).toEqual(["budget"]);
    expect(answer.models.ranker).toBeNull();
    expect(answer.suggestions.length).toBeGreaterThan(0);
    expect(JSON.stringify(answer.suggestions)).not.toMatch(/propensity|expectedValue/);
  });

  it.each(["heads", "ranker"] as const)(
    "with %s failing still answers, says model_failed and tells",
    async (name) => {
      const lease = models[name].lease()!;
      const scorer = {
        ...lease.scorer,
        run: async () => {
          throw new Error("the graph broke");
        },
      };
      const broken = { [name]: { lease: () => ({ ...lease, scorer }) } };
      const { dependencies, failures } = dependenciesOf(
        { members: { m: loyal } },
        { ...models, ...broken },
      );
      const answer = await ask(dependencies);
      expect(answer.degraded).toEqual(["model_failed"]);
      expect(answer.models[name]).toBeNull();
      expect(answer.suggestions.length).toBeGreaterThan(0);
      expect(JSON.stringify(answer.suggestions)).not.toMatch(/propensity|expectedValue/);
      expect(failures).toHaveLength(1);
    },
  );

  it("with an empty catalog says so, and a placement nobody declared is refused", async () => {
    const answer = await ask(decider({ members: { m: loyal }, products: [] }));
    expect(answer).toMatchObject({ suggestions: [], degraded: ["catalog_empty"] });
    await expect(ask(decider({}), { placement: "moon" })).rejects.toMatchObject({
      code: "invalid_request",
      errors: [{ path: "placement" }],
    });
  });
});

const sum = (parts: Record<string, number>) => Object.values(parts).reduce((a, b) => a + b, 0);

describe("explain", () => {
  const fates = async (decide: DecideDependencies, request = {}) => {
    const answer = await ask(decide, { explain: true, ...request });
    return answer.explanation!.candidates.map(({ product, fate, code }) => [product, fate, code]);
  };
  const products = [aProduct("p1"), aProduct("p2", { margin: 20 }), aProduct("p3", { margin: 1 })];

  it("gives each candidate its sources, its margin and its fate", async () => {
    const decide = decider({ members: { m: loyal }, products });
    const answer = await ask(decide, { explain: true, limit: 1 });
    const { candidates, features } = answer.explanation!;
    expect(candidates.find(({ product }) => product === "p1")).toMatchObject({
      fate: "kept",
      code: null,
      margin: 1,
      sources: expect.arrayContaining(["personal_frequency", "popularity"]),
    });
    expect(features.order_count).toBe(4);
    const [shown] = candidates.filter(({ fate }) => fate === "kept");
    expect(shown!.features.price_log).toBeCloseTo(Math.log1p(100), 1);
    // All parts of a margin add up to it.
    expect(sum(shown!.contributions!)).toBeCloseTo(shown!.margin!, 5);
    expect(shown!.contributions!.price_log).not.toBe(0);
    const { purchase } = answer.explanation!.contributions!;
    expect(1 / (1 + Math.exp(-sum(purchase!)))).toBeCloseTo(answer.scores.purchase!, 5);
    for (const { fate, contributions } of candidates) {
      expect(contributions === null).toBe(fate === "removed");
    }
    expect((await fates(decide, { limit: 1 })).slice(1).map(([, ...fate]) => fate)).toEqual([
      ["removed", "ranked_below_limit"],
      ["removed", "ranked_below_limit"],
    ]);
  });

  it("tells a lost rank from a contact that does not pay and from a channel that is barred", async () => {
    const profile = { ...SHANGHAI, consents: granted("phone") };
    const decide = decider({ members: { m: { ...loyal, profile } }, products });
    const called = await fates(decide, { placement: "outbound", limit: 1 });
    expect(Object.fromEntries(called.map(([product, , code]) => [product, code]))).toEqual({
      p1: null,
      p2: "ranked_below_limit",
      p3: "channel_not_worth_cost",
    });
    const barred = await fates(decider({ members: { m: loyal } }), { placement: "outbound" });
    expect(new Set(barred.map(([, , code]) => code))).toEqual(new Set(["consent_missing"]));
  });

  it("explains a stranger's answer too, without features", async () => {
    const answer = await ask(decider({}), { explain: true, placement: "home" });
    expect(answer.explanation!.candidates).toHaveLength(3);
    expect(answer.explanation!.features).toEqual({});
    for (const { margin, contributions, features } of answer.explanation!.candidates) {
      // Of a taste, an order or a habit there is nothing to tell, for or against.
      const told = Object.keys({ ...features, ...contributions }).join();
      expect(told).not.toMatch(/member_|bought_|touched|category_share|affinity|co_purchase/);
      expect(features).toHaveProperty("price_log");
      if (contributions !== null) expect(sum(contributions)).toBeCloseTo(margin!, 5);
    }
    expect(answer.explanation!.words?.no_history).toMatch(/no history/);
    const cart = await ask(decider({}), { explain: true, context: { cart: ["p1"] } });
    expect(cart.explanation!.candidates[0]!.features).toHaveProperty("cart_size", 1);
    expect((await ask(decider({}))).explanation).toBeUndefined();
  });
});

describe("personalization off", () => {
  it("gives everyone the same ranking, price, words and coupon, whatever they did", async () => {
    const off = { personalization: "off" as const };
    const products = ["p1", "p2", "p3"].map((id, i) => aProduct(id, { price: 40 + 30 * i }));
    const coupons = [
      aCoupon("back", { amountOff: 9, stages: ["dormant", "churned"] }),
      aCoupon("hello", { amountOff: 5, stages: ["prospect"] }),
    ];
    const members = {
      loyal: { ...loyal, profile: off },
      lapsed: { events: [aPurchase(700, ["p3"])], profile: off },
      fresh: { ...stranger, profile: off },
    };
    const decide = decider({ members, products, coupons });
    const answers = [];
    for (const member of ["nobody", ...Object.keys(members)]) {
      const answer = await ask(decide, { member, explain: true });
      expect(answer.scores).toEqual({});
      answers.push({ suggestions: answer.suggestions, explanation: answer.explanation });
    }
    for (const answer of answers) expect(answer).toEqual(answers[0]);
    expect(answers[0]!.suggestions[0]!.coupon?.id).toBe("hello");
    const on = decider({
      members: { m: members.lapsed, n: { events: members.lapsed.events } },
      products,
      coupons,
    });
    expect((await ask(on, { member: "n" })).suggestions[0]!.coupon?.id).toBe("back");
  });
});

describe("guards", () => {
  const complaint = anEvent({ id: "c", type: "complaint_opened", at: daysAgo(3) });

  it.each(["screen_pop", "home", "product", "cart"])(
    "let an open complaint get care and nothing else at %s",
    async (placement) => {
      const events = [...loyal.events!, complaint];
      const profile = { ...SHANGHAI, consents: granted("phone", "sms") };
      const answer = await ask(decider({ members: { m: { events, profile } } }), { placement });
      expect(answer.doNotSell?.code).toBe("open_complaint");
      expect(answer.suggestions).toHaveLength(1);
      expect(answer.suggestions[0]).toMatchObject({ kind: "care", product: null, coupon: null });
    },
  );

  it("call nobody whose complaint is open, not even to say sorry", async () => {
    const profile = { ...SHANGHAI, consents: granted("phone", "sms") };
    const events = [...loyal.events!, complaint];
    const decide = decider({ members: { m: { events, profile } } });
    const answer = await ask(decide, { placement: "outbound" });
    expect(answer).toMatchObject({ suggestions: [], doNotSell: { code: "open_complaint" } });
    expect(answer.blocked).toEqual([
      { guard: 8, code: "open_complaint", channel: null, until: null },
    ]);
  });

  it("hold also without models, and are said in the member's language", async () => {
    const profile = { vulnerable: true, locale: "zh-CN" };
    const { dependencies } = dependenciesOf({ members: { m: { ...loyal, profile } } });
    const answer = await ask(dependencies);
    expect(answer.doNotSell).toMatchObject({
      code: "vulnerable",
      text: expect.stringContaining("关怀"),
    });
    expect(answer.suggestions.map(({ kind }) => kind)).toEqual(["care"]);
  });

  it("contact outbound only on granted channels, in a known zone, and whom we may", async () => {
    const consents = granted("sms");
    const cases: [AMember["profile"], string | undefined, string | undefined][] = [
      [{ ...SHANGHAI, consents }, "sms", undefined],
      [{ phone: "+8613800138000", consents }, "sms", undefined],
      [{ consents }, undefined, "no_open_channel"],
      [{ timezone: "Mars/Olympus", consents }, undefined, "no_open_channel"],
      [{ phone: "+12025550100", consents }, "sms", undefined],
      [{ phone: "+80012345678", consents }, undefined, "no_open_channel"],
      [{ ...SHANGHAI }, undefined, "consent_missing"],
      [{ ...SHANGHAI, consents, doNotContact: true }, undefined, "do_not_contact"],
    ];
    for (const [profile, channel, code] of cases) {
      const decide = decider({ members: { m: { ...loyal, profile } } });
      const answer = await ask(decide, { placement: "outbound" });
      const label = JSON.stringify(profile);
      expect(answer.suggestions[0]?.channel, label).toBe(channel);
      expect(answer.doNotSell?.code, label).toBe(code);
      if (code !== undefined) expect(answer.suggestions, label).toEqual([]);
      const inbound = await ask(decide);
      expect(inbound.suggestions.length, label).toBeGreaterThan(0);
    }
  });
});
