import { describe, expect, it } from "vitest";
import { buildSnapshot } from "../../src/catalog/build-snapshot.js";
import type { Coupon, Product } from "../../src/catalog/records.js";
import { chooseCoupon, costOf, openCoupons } from "../../src/decision/coupon.js";
import { NOW } from "../support/builders.js";
import { aCoupon, aProduct } from "./a-decider.js";

const HALF = 0.5;
const product = aProduct("tea", { category: "drinks", price: 100, margin: 40 });

const choose = (coupons: readonly Coupon[], one: Product = product, share = HALF) => {
  const found = chooseCoupon(coupons, buildSnapshot(1, [one]), 0, share);
  return found === null ? null : [found.id, costOf(found, one.price!)];
};
const all = { limitedCoupons: true, withheld: new Set<string>() };
const isOpen = (more: Partial<Coupon>, stage = "new", now = NOW) =>
  openCoupons([aCoupon("c", more)], stage, [now], all).length === 1;
const iso = (offsetMs: number) => new Date(NOW + offsetMs).toISOString();

describe("a coupon is open", () => {
  it("from its first instant until just before its last, in whatever zone they are written", () => {
    expect(isOpen({ validFrom: iso(0), validUntil: iso(1) })).toBe(true);
    expect(isOpen({ validFrom: iso(1) })).toBe(false);
    expect(isOpen({ validUntil: iso(0) })).toBe(false);
    expect(isOpen({ validUntil: "2026-06-15T20:00:01+08:00" })).toBe(true);
    expect(isOpen({ validUntil: "2026-06-15T20:00:00+08:00" })).toBe(false);
  });

  it("while it is active, to the stages it names or to all", () => {
    expect(isOpen({ active: false })).toBe(false);
    expect(isOpen({ stages: ["new", "growth"] })).toBe(true);
    expect(isOpen({ stages: ["dormant"] })).toBe(false);
    expect(isOpen({ stages: [] })).toBe(false);
  });
});

describe("the coupon of a suggestion", () => {
  it("is the dearest that fits the product and that the margin can bear", () => {
    const five = aCoupon("five", { amountOff: 5 });
    const twelve = aCoupon("twelve", { percentOff: 0.12 });
    const thirty = aCoupon("thirty", { amountOff: 30 });
    expect(choose([five, twelve, thirty])).toEqual(["twelve", 12]);
    expect(choose([five, twelve, thirty], product, 1)).toEqual(["thirty", 30]);
    expect(choose([twelve, thirty], product, 0.1)).toBeNull();
    expect(choose([aCoupon("exact", { amountOff: 20 })])).toEqual(["exact", 20]);
  });

  it("fits the products and categories it names, from its least amount on", () => {
    const off = { amountOff: 5 };
    expect(choose([aCoupon("c", { ...off, products: ["tea"] })])).toEqual(["c", 5]);
    expect(choose([aCoupon("c", { ...off, products: ["pot"] })])).toBeNull();
    expect(choose([aCoupon("c", { ...off, categories: ["drinks"] })])).toEqual(["c", 5]);
    expect(choose([aCoupon("c", { ...off, categories: ["toys"] })])).toBeNull();
    expect(choose([aCoupon("c", { ...off, minimumAmount: 100 })])).toEqual(["c", 5]);
    expect(choose([aCoupon("c", { ...off, minimumAmount: 100.01 })])).toBeNull();
    const bare = aProduct("bare", { category: undefined });
    expect(choose([aCoupon("c", { ...off, categories: ["drinks"] })], bare)).toBeNull();
  });

  it("never costs more than the product, and nothing goes with a product without price or margin", () => {
    const all = aCoupon("all", { amountOff: 500 });
    expect(choose([all], aProduct("cheap", { price: 8, margin: 20 }))).toEqual(["all", 8]);
    expect(choose([all], aProduct("unpriced", { price: undefined, margin: 40 }))).toBeNull();
    expect(choose([aCoupon("c", { amountOff: 1 })], aProduct("at cost", { margin: 0 }))).toBeNull();
    expect(choose([aCoupon("c", { amountOff: 1 })], aProduct("loss", { margin: -9 }))).toBeNull();
  });
});
