import { setTimeout as sleep } from "node:timers/promises";
import { beforeEach, describe, expect, it } from "vitest";
import { CouponLedger } from "../../src/catalog/coupon-ledger.js";
import type { Coupon } from "../../src/catalog/records.js";
import type { DecideDependencies } from "../../src/decision/decide.js";
import { MemberReader } from "../../src/decision/member-reader.js";
import type { Recordable } from "../../src/decision/record.js";
import { CuecardError } from "../../src/errors.js";
import { OfferStore } from "../../src/members/offer-store.js";
import { decodeOffers } from "../../src/members/sticky-offers.js";
import type { RedisClient } from "../../src/redis/clients.js";
import { useClient } from "../support/client.js";
import { flush, idElsewhere, openTestCore, type TestCore } from "../support/core.js";
import { aCoupon, aProduct, ask, config, dependenciesOf } from "./a-decider.js";

const real = { context: { now: undefined }, placement: "home" };
const HOUR_MS = 3_600_000;
let client: RedisClient;
let core: TestCore;
let ledger: CouponLedger;

useClient((connected) => {
  client = connected;
});
beforeEach(async () => {
  await flush(client);
  core = openTestCore(client);
  ledger = new CouponLedger(client);
  await core.members.put("m", { name: "M" });
});

const ten = (more: Partial<Coupon> = {}) => aCoupon("ten", { amountOff: 10, ...more });

function decider(
  coupons: readonly Coupon[],
  more: Partial<DecideDependencies> = {},
  products = ["p1", "p2", "p3"].map((id) => aProduct(id)),
) {
  const parts = {
    reader: new MemberReader(core.store, core.members),
    offers: new OfferStore(client, 100),
    couponLedger: ledger,
    ...more,
  };
  return dependenciesOf({ products, coupons }, parts).dependencies;
}
const shown = ({ suggestions }: Awaited<ReturnType<typeof ask>>) =>
  suggestions.map(({ coupon }) => coupon?.id ?? null);
const issued = async (coupon: Coupon) => (await ledger.report(coupon, { limit: 100 })).items;

describe("a coupon there is only so much of", () => {
  it("is shown to exactly as many members as its budget has, however many ask at once", async () => {
    const ids = Array.from({ length: 100 }, (_, i) => `m${i}`);
    await Promise.all(ids.map((id) => core.members.put(id, {})));
    const coupon = ten({ budget: 10 });
    const dependencies = decider([coupon]);
    const answers = await Promise.all(
      ids.map((member) => ask(dependencies, { ...real, member, limit: 1 })),
    );
    expect(answers.filter((one) => shown(one)[0] === "ten")).toHaveLength(10);
    expect(answers.filter((one) => shown(one)[0] === null)).toHaveLength(90);
    expect(answers.flatMap(({ degraded }) => degraded)).not.toContain("offers_not_held");
    expect(await ledger.report(coupon, { limit: 1 })).toMatchObject({ issued: 10, left: 0 });
  });

  it("is issued once a decision, under its id, until the offer ends", async () => {
    const coupon = ten({ perMember: 1 });
    const answer = await ask(decider([coupon]), { ...real, limit: 2 });
    expect(shown(answer)).toEqual(["ten", "ten"]);
    const [issue, ...others] = await issued(coupon);
    expect(others).toEqual([]);
    expect(issue).toMatchObject({ token: answer.decisionId, member: "m" });
    expect(issue!.until! - issue!.issuedAt).toBe(config.offers.holdHours * HOUR_MS);
  });

  it("holds with its offer and is not issued again for it, nor with another product", async () => {
    const coupon = ten({ perMember: 5 });
    const dependencies = decider([coupon]);
    expect(shown(await ask(dependencies, { ...real, limit: 1 }))).toEqual(["ten"]);
    const both = await ask(dependencies, { ...real, limit: 2 });
    expect(shown(both)).toEqual(["ten", null]);
    expect(await issued(coupon)).toHaveLength(1);
  });

  it("goes once to a member, whichever of the merged it went to", async () => {
    const coupon = ten({ perMember: 1 });
    const other = idElsewhere("other", "m");
    await core.members.put(other, {});
    await ledger.issue(coupon, [other], "d_0", null);
    await core.members.merge("m", other);
    const five = aCoupon("five", { amountOff: 5 });
    expect(shown(await ask(decider([coupon, five]), { ...real, limit: 1 }))).toEqual(["five"]);
  });

  it("is not for who is known by no id, who gets the others all the same", async () => {
    const five = aCoupon("five", { amountOff: 5 });
    const stranger = { ...real, member: { visitor: "v" }, limit: 1 };
    expect(shown(await ask(decider([ten({ budget: 5 }), five]), stranger))).toEqual(["five"]);
    await core.members.patch("m", { personalization: "off" });
    expect(shown(await ask(decider([ten({ budget: 5 })]), { ...real, limit: 1 }))).toEqual([null]);
    expect(await issued(ten())).toEqual([]);
  });

  it.each(["store_unavailable", "store_full"] as const)(
    "is not shown when it cannot be issued (%s), and the answer says so",
    async (code) => {
      const issue = async () => {
        throw new CuecardError(code, "away");
      };
      const couponLedger = { issue, release: async () => true };
      const answer = await ask(decider([ten({ budget: 5 })], { couponLedger }), real);
      expect(new Set(shown(answer))).toEqual(new Set([null]));
      expect(answer.degraded).toContain("offers_not_held");
      expect((await core.store.read("m")).offers).toBeNull();
    },
  );

  it("returns when the offer it was issued for could not be held", async () => {
    const hold = async () => {
      throw new CuecardError("store_full", "no room");
    };
    const coupon = ten({ budget: 5 });
    const answer = await ask(decider([coupon], { offers: { hold } }), real);
    expect(answer.degraded).toContain("offers_not_held");
    expect(await issued(coupon)).toEqual([]);
  });

  it("stays issued when the offer is held after all, behind an answer that could not wait", async () => {
    const coupon = ten({ budget: 1 });
    const store = new OfferStore(client, 100);
    let held: Promise<unknown> = Promise.resolve();
    const hold: DecideDependencies["offers"]["hold"] = async (one) => {
      await sleep(200);
      const holding = store.hold(one);
      held = holding;
      return holding;
    };
    const recorded: Recordable[] = [];
    const record = (one: Recordable): void => void recorded.push(one);
    const call = { ...real, context: { ...real.context, callId: "c" } };
    const hurried = await ask(decider([coupon], { offers: { hold }, record }), {
      ...call,
      budgetMs: 100,
    });
    expect(shown(hurried).every((one) => one === null)).toBe(true);
    expect(hurried.degraded).toContain("offers_not_held");
    await expect.poll(() => recorded.length).toBe(2);
    await held;
    const again = await ask(decider([coupon]), call);
    expect(shown(again)).toContain("ten");
    expect(await issued(coupon)).toHaveLength(1);
    expect(recorded.map(({ id }) => id)).toContain(again.decisionId);
  });

  it("is issued wherever it stands in a long answer", async () => {
    const many = Array.from({ length: 40 }, (_, i) => aProduct(`p${i}`));
    const coupon = ten({ budget: 5, products: ["p35", "p38"] });
    const answer = await ask(decider([coupon], {}, many), { ...real, limit: 50 });
    expect(shown(answer).filter((one) => one === "ten")).toHaveLength(2);
    expect(await issued(coupon)).toHaveLength(1);
    const held = decodeOffers((await core.store.readThrough("m")).offers);
    expect(held.filter(({ coupon: one }) => one === "ten")).toHaveLength(2);
  });

  it("costs nothing where none is limited: the ledger is not asked", async () => {
    const asked = async () => {
      throw new Error("asked");
    };
    const dependencies = decider([ten()], { couponLedger: { issue: asked, release: asked } });
    expect(shown(await ask(dependencies, { ...real, limit: 1 }))).toEqual(["ten"]);
  });
});
