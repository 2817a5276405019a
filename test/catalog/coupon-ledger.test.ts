import { beforeEach, describe, expect, it } from "vitest";
import { CouponLedger, personalCoupons } from "../../src/catalog/coupon-ledger.js";
import { createRedeem } from "../../src/events/redeem-coupon.js";
import type { MemberRecord } from "../../src/members/member-store.js";
import { OfferStore } from "../../src/members/offer-store.js";
import { decodeOffers, encodeOffers } from "../../src/members/sticky-offers.js";
import { type RedisClient, scanKeys } from "../../src/redis/clients.js";
import { useClient } from "../support/client.js";
import { flush, idElsewhere, openTestCore, type TestCore } from "../support/core.js";

const NOW = Date.now();
const DAY_MS = 86_400_000;
let client: RedisClient;
let ledger: CouponLedger;

useClient((connected) => {
  client = connected;
  ledger = new CouponLedger(client);
});
beforeEach(() => flush(client));

const coupon = (over = {}) => ({ id: "c{1}%", budget: 5, ...over });
const page = { limit: 100 };

describe("issuing a coupon", () => {
  it("never exceeds its budget under 200 claims at once", async () => {
    const results = await Promise.all(
      Array.from({ length: 200 }, (_, i) =>
        ledger.issue(coupon(), [`m${i}`], `d_${i}`, NOW + DAY_MS),
      ),
    );
    expect(results.filter((one) => one === "issued")).toHaveLength(5);
    expect(results.filter((one) => one === "budget_spent")).toHaveLength(195);
    const report = await ledger.report(coupon(), page);
    expect(report).toMatchObject({ issued: 5, open: 5, redeemed: 0, members: 5, left: 0 });
    expect(report.items).toHaveLength(5);
  });

  it("gives one member no more than allowed, and the same token one issue", async () => {
    const two = coupon({ perMember: 2, budget: undefined });
    const results = await Promise.all(
      Array.from({ length: 50 }, (_, i) => ledger.issue(two, ["m1"], `d_${i}`, null)),
    );
    expect(results.filter((one) => one === "issued")).toHaveLength(2);
    expect(new Set(results)).toEqual(new Set(["issued", "member_has_it"]));
    expect(await ledger.issue(coupon(), ["m2"], "d_x", null)).toBe("issued");
    expect(await ledger.issue(coupon(), ["m2"], "d_x", null)).toBe("issued");
    expect(await ledger.issue(coupon(), ["m2"], "d_y", null)).toBe("member_has_it");
  });

  it("counts merged members as one", async () => {
    await ledger.issue(coupon(), ["old"], "d_1", null);
    expect(await ledger.issue(coupon(), ["m1", "old"], "d_2", null)).toBe("member_has_it");
  });

  it("takes an issue that was not redeemed in time, or was released, back", async () => {
    const one = coupon({ budget: 1 });
    expect(await ledger.issue(one, ["m1"], "d_1", NOW + 1000, NOW)).toBe("issued");
    expect(await ledger.issue(one, ["m2"], "d_2", null, NOW + 999)).toBe("budget_spent");
    expect((await ledger.report(one, page, NOW + 1001)).left).toBe(1);
    expect(await ledger.issue(one, ["m2"], "d_2", null, NOW + 1000)).toBe("issued");
    expect(await ledger.release(one.id, "d_2")).toBe(true);
    expect(await ledger.release(one.id, "d_2")).toBe(false);
    expect(await ledger.issue(one, ["m1"], "d_3", null, NOW + 1001)).toBe("issued");
  });
});

describe("redeeming a coupon", () => {
  it("happens once, whoever asks how often, and is never taken back", async () => {
    await ledger.issue(coupon(), ["m1"], "d_1", NOW + 1000, NOW);
    const results = await Promise.all(
      Array.from({ length: 50 }, (_, i) => ledger.redeem(coupon(), ["m1"], `e${i}`)),
    );
    expect(results.filter((one) => one === "ok")).toHaveLength(1);
    expect(results.filter((one) => one === "already")).toHaveLength(49);
    const again = `e${results.indexOf("ok")}`;
    expect(await ledger.redeem(coupon(), ["m1"], again)).toBe("ok");
    expect(await ledger.redeem(coupon(), ["m2", "m1"], "e99")).toBe("already");
    expect(await ledger.release(coupon().id, "d_1")).toBe(false);
    const late = NOW + DAY_MS;
    expect(await ledger.issue(coupon(), ["m1"], "d_2", null, late)).toBe("member_has_it");
    const report = await ledger.report(coupon(), page, late);
    expect(report).toMatchObject({ issued: 1, open: 0, redeemed: 1, left: 4 });
    expect(report.items).toMatchObject([{ token: "d_1", member: "m1" }]);
  });

  it("happens no more often than allowed to one, of those merged after each got it", async () => {
    for (const member of ["m1", "old"]) {
      await ledger.issue(coupon(), [member], `d_${member}`, NOW + DAY_MS);
      await ledger.issue(coupon({ id: "two" }), [member], `d_${member}`, NOW + DAY_MS);
    }
    const results = await Promise.all(
      Array.from({ length: 10 }, (_, i) => ledger.redeem(coupon(), ["m1", "old"], `e${i}`)),
    );
    expect(results.filter((one) => one === "ok")).toHaveLength(1);
    expect(results.filter((one) => one === "already")).toHaveLength(9);
    const again = `e${results.indexOf("ok")}`;
    expect(await ledger.redeem(coupon(), ["m1", "old"], again)).toBe("ok");
    const two = coupon({ id: "two", perMember: 2 });
    const ofTwo = await Promise.all(
      ["e1", "e2", "e3"].map((event) => ledger.redeem(two, ["m1", "old"], event)),
    );
    expect(ofTwo.sort()).toEqual(["already", "ok", "ok"]);
  });

  it("of one no longer recorded happens once an issue", async () => {
    const two = coupon({ perMember: 2 });
    for (const token of ["d_1", "d_2"]) await ledger.issue(two, ["m1"], token, NOW + DAY_MS);
    const gone = { id: two.id };
    const results: string[] = [];
    for (const event of ["e1", "e2", "e3"]) {
      results.push(await ledger.redeem(gone, ["m1"], event, { places: false }));
    }
    expect(results).toEqual(["ok", "ok", "already"]);
  });

  it("without an issue takes a place of the budget, while there is one", async () => {
    const one = coupon({ budget: 1 });
    expect(await ledger.redeem(one, ["m1"], "e1", { places: false })).toBe("not_issued");
    expect(await ledger.redeem(one, ["m1"], "e1")).toBe("ok");
    expect(await ledger.redeem(one, ["m1"], "e1")).toBe("ok");
    expect(await ledger.redeem(one, ["m1"], "e2")).toBe("already");
    expect(await ledger.redeem(one, ["m2"], "e3")).toBe("not_issued");
  });
});

describe("an erased member", () => {
  it("leaves every ledger; what they got stays counted", async () => {
    await ledger.issue(coupon(), ["m1"], "d_1", null);
    await ledger.redeem(coupon({ id: "other" }), ["m1"], "e1");
    await ledger.issue(coupon(), ["m2"], "d_2", null);
    expect(await ledger.forget(["m1", "never"])).toBe(2);
    expect(await ledger.forget(["m1"])).toBe(0);
    const report = await ledger.report(coupon(), page);
    expect(report).toMatchObject({ issued: 2, members: 1, left: 3 });
    expect(report.items.map(({ member }) => member).sort()).toEqual(["m2", null]);
    for await (const keys of scanKeys(client, "coupon:*")) {
      for (const key of keys.filter((one) => !one.endsWith(":open"))) {
        const fields = Object.entries(await client.hgetall(key)).flat();
        expect(fields.some((field) => field.includes("m1"))).toBe(false);
      }
    }
  });
});

describe("a coupon_redeemed event", () => {
  let core: TestCore;
  let offers: OfferStore;
  beforeEach(() => {
    const { store } = openTestCore(client);
    offers = new OfferStore(client, 100);
    const coupons = [coupon({ id: "c1", budget: 2 })];
    const couponOf = (id: string) => coupons.find((one) => one.id === id);
    const redeemed = (holder: MemberRecord, { id }: { id: string }) => offers.endCoupon(holder, id);
    const parts = { store, ledger, couponOf, redeemed };
    core = openTestCore(client, undefined, undefined, createRedeem(parts));
  });
  const redeemed = (id: string, member = "m1", name = "c1") => ({
    id,
    type: "coupon_redeemed",
    member,
    at: NOW,
    properties: { coupon: name },
  });

  it("is taken once; the second is rejected with a code, a repeat is a duplicate", async () => {
    const first = await core.ingest.ingest([redeemed("e1"), redeemed("e2")]);
    expect(first).toMatchObject({
      accepted: 1,
      rejected: [{ index: 1, code: "coupon_already_redeemed" }],
    });
    expect(await core.ingest.ingest([redeemed("e1")])).toMatchObject({ duplicates: 1 });
    const over = await core.ingest.ingest([redeemed("e3", "m2"), redeemed("e4", "m3")]);
    expect(over).toMatchObject({ accepted: 1, rejected: [{ code: "coupon_not_issued" }] });
  });

  it("ends the coupon of the offers that hold, and nothing else of them", async () => {
    await core.members.put("m1", {});
    const until = Date.now() * 2;
    const shown = ["c1", "other", null].map((one, i) => ({
      ...{ product: `p${i}`, price: i, coupon: one, until },
      decision: "d_a_1_000000000000",
    }));
    const held = encodeOffers(shown);
    await offers.hold({ holder: "m1", known: true, read: null, offers: held, call: null });
    await core.ingest.ingest([redeemed("e1")]);
    const left = decodeOffers((await core.store.read("m1")).offers);
    expect(left.map(({ price, coupon }) => [price, coupon])).toEqual([
      [0, null],
      [1, "other"],
      [2, null],
    ]);
  });

  it("of merged members counts as one member's", async () => {
    const other = idElsewhere("x", "m1");
    await core.members.put("m1", { name: "m1" });
    await core.ingest.ingest([redeemed("e1", other)]);
    await core.members.merge("m1", other);
    for (const [id, member] of ["m1", other].entries()) {
      const result = await core.ingest.ingest([redeemed(`e${id + 2}`, member)]);
      expect(result.rejected).toMatchObject([{ code: "coupon_already_redeemed" }]);
    }
    expect(await core.ingest.ingest([redeemed("e1", other)])).toMatchObject({ duplicates: 1 });
  });

  it("of members merged after each was shown it is taken once, whatever was shown", async () => {
    const other = idElsewhere("x", "m1");
    await core.members.put("m1", { name: "m1" });
    await core.members.put(other, { name: "x" });
    await ledger.issue(coupon({ id: "c1" }), ["m1"], "d_1", NOW + DAY_MS);
    await ledger.issue(coupon({ id: "c1" }), [other], "d_2", NOW + DAY_MS);
    await core.members.merge("m1", other);
    expect(await core.ingest.ingest([redeemed("e1", other), redeemed("e2", other)])).toMatchObject({
      accepted: 1,
      rejected: [{ index: 1, code: "coupon_already_redeemed" }],
    });
  });

  it("of a code that is not ours passes, and of an erased member leaves nothing", async () => {
    const twice = [redeemed("e1", "m1", "FRIENDS"), redeemed("e2", "m1", "FRIENDS")];
    expect(await core.ingest.ingest(twice)).toMatchObject({ accepted: 2 });
    await core.members.put("m5", { name: "m5" });
    await core.members.erase("m5");
    expect((await core.ingest.ingest([redeemed("e5", "m5")])).rejected).toMatchObject([
      { code: "member_erased" },
    ]);
    expect((await ledger.report(coupon({ id: "c1" }), page)).issued).toBe(0);
  });
});

describe("choosing coupons person by person", () => {
  it("is a switch by jurisdiction, with one for all others", () => {
    const personal = { "*": true, CN: false };
    expect(personalCoupons(personal, "CN")).toBe(false);
    expect(personalCoupons(personal, "DE")).toBe(true);
    expect(personalCoupons(personal, undefined)).toBe(true);
    expect(personalCoupons({}, "DE")).toBe(false);
    expect(personalCoupons({ "*": true }, "CN")).toBe(false);
    expect(personalCoupons({ CN: true }, "CN")).toBe(true);
  });
});
