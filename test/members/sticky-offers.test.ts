import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { newDecisionId, placeOfDecision } from "../../src/members/decision-id.js";
import {
  decodeOffers,
  encodeOffers,
  type HeldOffer,
  holdingAt,
  mergeOffers,
  OFFERS_HELD_MAX,
} from "../../src/members/sticky-offers.js";

const idAt = (at: number, random: string) => `d_a_${at.toString(36)}_${random.padStart(12, "0")}`;

/** Few decisions and products, so that the same are met often. */
const anOffer: fc.Arbitrary<HeldOffer> = fc.record({
  product: fc.oneof(
    fc.integer({ min: 0, max: 25 }).map((n) => `p${n}`),
    fc.constant("茶叶 😀"),
  ),
  price: fc.constantFrom(0, 9.99, 100, 1e9),
  coupon: fc.constantFrom(null, "c1", "优惠"),
  until: fc.integer({ min: 1, max: 2 ** 48 - 1 }),
  decision: fc
    .tuple(fc.integer({ min: 1, max: 6 }), fc.constantFrom("a", "b"))
    .map(([at, random]) => idAt(at, random)),
});
const offers = fc.array(anOffer, { maxLength: 30 }).map(encodeOffers);
const equal = (a: Buffer | null, b: Buffer | null) =>
  expect(a?.toString("hex")).toBe(b?.toString("hex"));

describe("offers that hold", () => {
  it("read back as they were written, the latest first, one a product", () => {
    fc.assert(
      fc.property(fc.array(anOffer, { maxLength: 30 }), (given) => {
        const read = decodeOffers(encodeOffers(given));
        expect(read.length).toBe(
          Math.min(OFFERS_HELD_MAX, new Set(given.map(({ product }) => product)).size),
        );
        for (const offer of read) expect(given).toContainEqual(offer);
        const times = read.map(({ decision }) => placeOfDecision(decision)!.at);
        expect(times).toEqual([...times].sort((a, b) => b - a));
      }),
    );
  });

  it("of merged members are the latest word on each product, whoever merges with whom first", () => {
    fc.assert(
      fc.property(offers, offers, offers, (a, b, c) => {
        equal(mergeOffers(a, b), mergeOffers(b, a));
        equal(mergeOffers(mergeOffers(a, b), c), mergeOffers(a, mergeOffers(b, c)));
        equal(mergeOffers(a, a), a);
        equal(mergeOffers(a, null), a);
      }),
      { numRuns: 500 },
    );
    const [old, late] = [1, 2].map((at) => ({
      product: "p",
      price: at,
      coupon: null,
      until: 9,
      decision: idAt(at, ""),
    }));
    const merged = mergeOffers(encodeOffers([late!]), encodeOffers([old!]));
    expect(decodeOffers(merged)).toEqual([late]);
  });

  it("hold until they end, not at that instant", () => {
    const offer = { product: "p", price: 1, coupon: null, until: 1000, decision: idAt(1, "") };
    expect(holdingAt([offer], 999).get("p")).toEqual(offer);
    expect(holdingAt([offer], 1000).size).toBe(0);
  });

  it("take little of a member's 2 KB", () => {
    const at = Date.now();
    const decision = newDecisionId(1023, at);
    const full = Array.from({ length: OFFERS_HELD_MAX }, (_, i) => ({
      product: `product-${i}`,
      price: 129.5,
      coupon: "spring-10",
      until: at + 86_400_000,
      decision,
    }));
    expect(encodeOffers(full)!.length).toBeLessThan(700);
  });

  it("of a newer server are not misread", () => {
    expect(() => decodeOffers(Buffer.from([9, 0, 0]))).toThrow(/store_incompatible/);
  });
});

describe("a decision's id", () => {
  it("says where and when, and is told from anything else", () => {
    const at = Date.now();
    expect(placeOfDecision(newDecisionId(1023, at))).toEqual({ partition: 1023, at });
    expect(placeOfDecision(newDecisionId(0, at))).toEqual({ partition: 0, at });
    for (const id of ["", "d_", "d_zz_1_000000000000", "d_1_1_00000000000", "x_1_1_000000000000"]) {
      expect([id, placeOfDecision(id)]).toEqual([id, null]);
    }
  });
});
