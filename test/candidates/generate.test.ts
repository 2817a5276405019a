import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  CANDIDATE_FEATURES,
  CART_FEATURES,
  candidateFeatures,
  HISTORY_FEATURES,
} from "../../src/candidates/features.js";
import { generateCandidates } from "../../src/candidates/generate.js";
import { reasonsFor, reasonText } from "../../src/candidates/reasons.js";
import { nextSnapshot } from "../../src/catalog/build-snapshot.js";
import { type CatalogSnapshot, canOffer } from "../../src/catalog/snapshot.js";
import {
  aCatalog,
  aHistory,
  aProduct,
  aPurchase,
  aRequest,
  aView,
  daysAgo,
  learnt,
  NOW,
  proposedBy,
} from "./builders.js";

const IDS = Array.from({ length: 40 }, (_, i) => `p${i}`);
const id = fc.constantFrom(...IDS);
const days = fc.integer({ min: 0, max: 300 });

const world = fc.record({
  catalog: fc.uniqueArray(
    fc.record({
      id,
      active: fc.boolean(),
      price: fc.constantFrom(0, 5, 100),
      stock: fc.constantFrom(undefined, 0, 3),
      season: fc.constantFrom(undefined, { to: "2026-01-31" }, { from: "2026-05-01" }),
      category: fc.constantFrom(undefined, "x", "y"),
      createdAt: days.map(daysAgo),
    }),
    { selector: (product) => product.id, maxLength: 40 },
  ),
  purchases: fc.array(
    fc.tuple(fc.constantFrom("a", "b", "c"), days, fc.array(id, { maxLength: 5 })),
  ),
  sessions: fc.array(fc.array(id, { maxLength: 5 }), { maxLength: 8 }),
  baskets: fc.array(fc.tuple(days, id, id), { maxLength: 8 }),
  touches: fc.array(id, { maxLength: 12 }),
  cart: fc.array(id, { maxLength: 3 }),
  exclude: fc.array(id, { maxLength: 10 }),
  limit: fc.integer({ min: 0, max: 50 }),
});

const indices = (snapshot: CatalogSnapshot, ids: readonly string[]) =>
  ids.flatMap((each) => snapshot.indexOf.get(each) ?? []);

describe("generateCandidates", () => {
  it("never returns what is excluded, carted, not to be offered, twice there, or beyond the limit", () => {
    fc.assert(
      fc.property(world, (w) => {
        const snapshot = aCatalog(...w.catalog.map((product) => aProduct(product.id, product)));
        const artifacts = learnt(
          w.purchases.map(([member, ago, products]) => aPurchase(member, ago, ...products)),
          w.sessions,
        );
        const request = aRequest({
          history: aHistory(w.baskets, { touches: w.touches.map((each) => aView(each)) }),
          cart: indices(snapshot, w.cart),
          exclude: new Set(indices(snapshot, w.exclude)),
        });
        const set = generateCandidates(request, artifacts, snapshot, w.limit);
        const products = Array.from(set.product);
        expect(products.length).toBe(set.count);
        expect(set.count).toBeLessThanOrEqual(w.limit);
        expect(new Set(products).size).toBe(set.count);
        for (const index of products) {
          expect(canOffer(snapshot, index, NOW)).toBe(true);
          expect(request.exclude.has(index)).toBe(false);
          expect(request.cart).not.toContain(index);
        }
        for (const mask of set.sources) expect(mask).toBeGreaterThan(0);
        // The same question again, after others were asked, has the same answer.
        generateCandidates(aRequest(), artifacts, snapshot);
        expect(generateCandidates(request, artifacts, snapshot, w.limit)).toMatchObject({
          product: set.product,
          sources: set.sources,
          sourceScore: set.sourceScore,
        });
        for (let i = 0; i < set.count; i++) {
          const reasons = reasonsFor(set, i, request, artifacts, snapshot);
          expect(reasons.length).toBeGreaterThan(0);
          for (const locale of ["en", "zh-CN"]) {
            for (const reason of reasons) {
              expect(reasonText(reason, locale)).not.toMatch(/undefined|NaN|null|Infinity/);
            }
          }
        }
      }),
      { numRuns: 200 },
    );
  });

  it("fills an answer for somebody unknown from popular and new products", () => {
    const artifacts = learnt([aPurchase("a", 3, "tea")]);
    const catalog = aCatalog("tea", aProduct("fresh", { createdAt: daysAgo(1) }));
    const set = generateCandidates(aRequest(), artifacts, catalog);
    const proposed = Array.from(set.product, (index) => catalog.products[index].id);
    expect(new Set(proposed)).toEqual(new Set(["tea", "fresh"]));
  });

  it("follows the catalog without new artifacts: sold out, back again, added", () => {
    const artifacts = learnt([aPurchase("a", 3, "tea", "cup"), aPurchase("b", 3, "later")]);
    const before = aCatalog("tea", "cup");
    const ask = (snapshot: CatalogSnapshot) =>
      Array.from(
        generateCandidates(aRequest(), artifacts, snapshot).product,
        (index) => snapshot.products[index].id,
      ).sort();
    expect(ask(before)).toEqual(["cup", "tea"]);
    const soldOut = nextSnapshot(before, {
      version: 2,
      written: [aProduct("tea", { stock: 0 }), aProduct("later")],
      deleted: [],
    });
    expect(ask(soldOut)).toEqual(["cup", "later"]);
    expect(proposedBy("popularity", aRequest(), artifacts, soldOut)).toContain("later");
    const gone = nextSnapshot(soldOut, {
      version: 3,
      written: [aProduct("tea")],
      deleted: ["cup"],
    });
    expect(ask(gone)).toEqual(["later", "tea"]);
    const shifted = nextSnapshot(gone, {
      version: 4,
      written: [aProduct("x"), aProduct("y")],
      deleted: ["tea"],
    });
    expect(proposedBy("popularity", aRequest(), artifacts, shifted)).toEqual(["later"]);
    expect(ask(before)).toEqual(["cup", "tea"]);
  });
});

describe("candidateFeatures", () => {
  const column = (name: string) => CANDIDATE_FEATURES.indexOf(name);
  const width = CANDIDATE_FEATURES.length;

  it("describes the member's own products and the others by name", () => {
    const catalog = aCatalog(aProduct("tea", { price: 20 }), "cup");
    const artifacts = learnt(
      ["a", "b", "c"].flatMap((m) => [aPurchase(m, 30, "tea"), aPurchase(m, 20, "tea", "cup")]),
    );
    const request = aRequest({
      history: aHistory([
        [40, "tea"],
        [20, "tea"],
        [10, "other"],
      ]),
    });
    const set = generateCandidates(request, artifacts, catalog);
    const out = new Float32Array(100 * width);
    const rows = candidateFeatures(set, request, artifacts, catalog, out);
    expect(rows.length).toBe(set.count * width);
    const row = (product: string) => {
      const start = set.product.indexOf(catalog.indexOf.get(product) as number) * width;
      return (name: string) => rows[start + column(name)];
    };
    const tea = row("tea");
    expect(tea("bought_times")).toBe(2);
    expect(tea("bought_share")).toBeCloseTo(2 / 3);
    expect(tea("bought_days_ago")).toBeCloseTo(20);
    expect(tea("bought_baskets_ago")).toBe(1);
    expect(tea("price_to_level")).toBeCloseTo(Math.log(2));
    expect(tea("expected_gap_days")).toBeCloseTo(20);
    expect(tea("cadence_ratio")).toBeCloseTo(1);
    const cup = row("cup");
    expect(cup("bought_times")).toBe(0);
    expect(cup("bought_days_ago")).toBeNaN();
    expect(cup("source_co_purchase")).toBeGreaterThan(0);
    expect(cup("co_purchase_max")).toBeGreaterThan(0);
    expect(cup("member_days_since_order")).toBeCloseTo(10);
  });

  it("names each column once", () => {
    expect(new Set(CANDIDATE_FEATURES).size).toBe(width);
  });

  it("says nothing in a past's columns without a past, nor in a cart's without either", () => {
    const catalog = aCatalog("tea", "cup", "pot");
    const artifacts = learnt(["a", "b", "c"].map((m) => aPurchase(m, 20, "tea", "cup", "pot")));
    const history = aHistory([], {
      orderCount: 0,
      meanGapDays: Number.NaN,
      priceLevel: Number.NaN,
    });
    const told = (cart: number[], names: readonly string[]) => {
      const request = aRequest({ history, cart });
      const set = generateCandidates(request, artifacts, catalog);
      const rows = candidateFeatures(set, request, artifacts, catalog, new Float32Array(9 * width));
      expect(set.count).toBeGreaterThan(0);
      return names.filter((name) =>
        Array.from({ length: set.count }, (_, i) => rows[i * width + column(name)]).some(Boolean),
      );
    };
    const cart = [catalog.indexOf.get("tea") as number];
    expect(told(cart, HISTORY_FEATURES)).toEqual([]);
    expect(told([], [...HISTORY_FEATURES, ...CART_FEATURES])).toEqual([]);
    expect(told(cart, CART_FEATURES)).toEqual(
      expect.arrayContaining(["source_co_purchase", "co_purchase_max", "cart_size"]),
    );
  });

  it("scores a product by a source that knows it, also where another one proposed it", () => {
    const catalog = aCatalog("tea", "cup");
    const artifacts = learnt(["a", "b"].map((m) => aPurchase(m, 20, "tea", "cup")));
    const request = aRequest({ history: aHistory([[40, "tea"]]) });
    const set = generateCandidates(request, artifacts, catalog, 1);
    const rows = candidateFeatures(set, request, artifacts, catalog, new Float32Array(width));
    expect(rows[column("source_popularity")]).toBe(1);
  });
});

describe("reasons", () => {
  it("are sentences a person can say, in the member's language", () => {
    const catalog = aCatalog(
      aProduct("coffee", { name: "Coffee" }),
      aProduct("mug", { name: "Mug", createdAt: daysAgo(3) }),
    );
    const artifacts = learnt(["a", "b"].map((m) => aPurchase(m, 20, "coffee", "mug")));
    const request = aRequest({
      history: aHistory([
        [88, "coffee"],
        [58, "coffee"],
        [28, "coffee"],
      ]),
    });
    const set = generateCandidates(request, artifacts, catalog);
    const say = (product: string, locale: string) => {
      const i = set.product.indexOf(catalog.indexOf.get(product) as number);
      return reasonsFor(set, i, request, artifacts, catalog).map((reason) => [
        reason.code,
        reasonText(reason, locale),
      ]);
    };
    expect(say("coffee", "en-GB")).toEqual([
      ["replenishment_due", "Bought 28 days ago; lasts about 30 days"],
      ["bought_often", "Bought 3 times, last 28 days ago"],
      ["popular_now", "Popular right now"],
    ]);
    expect(say("mug", "zh-CN")).toEqual([
      ["bought_together", "买过Coffee的顾客也常买"],
      ["new_arrival", "新品，上架3天"],
      ["popular_now", "近期热销"],
    ]);
  });
});
