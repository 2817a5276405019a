import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import type { DecideDependencies } from "../../src/decision/decide.js";
import type { Recordable } from "../../src/decision/record.js";
import { CuecardError } from "../../src/errors.js";
import type { Hold } from "../../src/members/offer-store.js";
import { decodeOffers, encodeOffers } from "../../src/members/sticky-offers.js";
import { aPurchase, NOW } from "../support/builders.js";
import { aCoupon, aProduct, ask, dependenciesOf, type World } from "./a-decider.js";

const world: World = {
  members: { m: { events: [aPurchase(10, ["p1"])] } },
  products: [aProduct("p1"), aProduct("p2")],
  coupons: [aCoupon("ten", { amountOff: 10 })],
};
/** A real request: of a dry run nothing is committed. */
const real = { context: { now: undefined } };

function decider(hold: DecideDependencies["offers"]["hold"]) {
  const records: Recordable[] = [];
  const more = { offers: { hold }, record: (one: Recordable) => void records.push(one) };
  return { records, dependencies: dependenciesOf(world, more).dependencies };
}
const coupons = (answer: Awaited<ReturnType<typeof ask>>) =>
  answer.suggestions.map(({ coupon }) => coupon?.id ?? null);

describe("what an answer promises", () => {
  it("is committed with the answer: each product's price and coupon, and until when", async () => {
    const held: Hold[] = [];
    const { dependencies } = decider(async (hold) => {
      held.push(hold);
      return { status: "ok" };
    });
    const before = Date.now();
    const answer = await ask(dependencies, real);
    expect(coupons(answer)).toEqual(["ten", "ten"]);
    expect(held).toHaveLength(1);
    expect(held[0]).toMatchObject({ holder: "m", known: true, read: null, call: null });
    const offers = decodeOffers(held[0]!.offers);
    expect(offers.map(({ product, price, coupon }) => [product, price, coupon])).toEqual([
      ["p1", 100, "ten"],
      ["p2", 100, "ten"],
    ]);
    for (const { until, decision } of offers) {
      expect(until - before).toBeGreaterThanOrEqual(24 * 3_600_000);
      expect(decision).toBe(answer.decisionId);
    }
  });

  it.each(["store_unavailable", "store_full"] as const)(
    "is not made when it cannot be committed (%s): public prices, no coupon, and the answer says so",
    async (code) => {
      const { dependencies, records } = decider(async () => {
        throw new CuecardError(code, "away");
      });
      const answer = await ask(dependencies, { ...real, context: { callId: "c1" } });
      const dry = await ask(dependencies);
      expect(coupons(dry)).toEqual(["ten", "ten"]);
      expect(coupons(await ask(dependencies, real))).toEqual([null, null]);
      expect(answer.suggestions.length).toBe(2);
      const refused = await ask(dependencies, real);
      expect(refused.degraded).toContain("offers_not_held");
      expect(refused.suggestions.map(({ product }) => product?.price)).toEqual([100, 100]);
      expect(records.at(-1)!.decided.answer.degraded).toContain("offers_not_held");
    },
  );

  it("is not made when the commit is slower than the budget", async () => {
    const { dependencies } = decider(() => sleep(5_000, { status: "ok" as const }, { ref: false }));
    const answer = await ask(dependencies, { ...real, budgetMs: 40 });
    expect(coupons(answer)).toEqual([null, null]);
    expect(answer.degraded).toContain("offers_not_held");
  });

  it("is what another answer promised a moment before", async () => {
    const other = { product: "p1", price: 80, coupon: null, until: NOW * 2 };
    const offers = encodeOffers([{ ...other, decision: "d_a_1_000000000000" }]);
    let calls = 0;
    const { dependencies } = decider(async () =>
      calls++ === 0 ? { status: "stale", offers } : { status: "ok" },
    );
    const answer = await ask(dependencies, real);
    const p1 = answer.suggestions.find(({ product }) => product?.id === "p1")!;
    expect([p1.product?.price, p1.coupon]).toEqual([80, null]);
    expect(calls).toBe(2);
  });

  it("of a member who moved is made after reading them again; who keeps moving gets no promise", async () => {
    let calls = 0;
    const { dependencies } = decider(async () => {
      calls++;
      return { status: "moved" };
    });
    const answer = await ask(dependencies, real);
    expect(calls).toBeGreaterThan(1);
    expect(answer.degraded).toContain("offers_not_held");
    expect(coupons(answer)).toEqual([null, null]);
  });
});
