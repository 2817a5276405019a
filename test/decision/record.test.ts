import { describe, expect, it } from "vitest";
import type { DecisionRecord } from "../../src/decision/record.js";
import { encodeDecision, RECORD_BYTES_MAX, unpackRecord } from "../../src/decision/record-codec.js";
import { decodeRecord } from "../../src/events/log-record.js";

const ids = (prefix: string, count: number, length = 1) =>
  Array.from({ length: count }, (_, i) => `${prefix}${i}`.padEnd(length, "x"));

const aRecord = (more: Partial<DecisionRecord> = {}): DecisionRecord => ({
  id: "d_a_mabcdefg_0123456789ab",
  member: "m_1029",
  at: 1_777_860_900_000,
  dryRun: false,
  request: { placement: "screen_pop", limit: 5, callId: "call-1", cart: ["p1"] },
  state: Buffer.alloc(900, 7).toString("base64"),
  counted: {
    stage: "growth",
    hasProfile: true,
    zones: ["Asia/Shanghai"],
    jurisdiction: "CN",
    locale: "zh",
    consents: [{ channel: "phone", purpose: "marketing", status: "granted", at: 5 }],
  },
  held: [["p17", 129, "c5"]],
  withheld: ["c9"],
  askedFor: "p0",
  reservedUntil: 1_777_861_800_000,
  versions: {
    heads: "20261122103200-abcdef12",
    ranker: "20261122103200-abcdef13",
    alive: "20261122103200-abcdef14",
    candidates: "20261122103200-abcdef15",
    catalog: 812,
    policy: 0,
    config: "0a1b2c3d",
  },
  seed: 4_294_967_295,
  clock: null,
  verdict: {
    care: null,
    personal: true,
    personalCoupons: false,
    open: ["phone"],
    bars: [],
    barredOffers: [],
  },
  shown: ids("p", 5).map((product) => ({
    kind: "sell",
    product,
    price: 129,
    coupon: null,
    channel: "phone",
    contactAt: null,
    propensity: 0.22173,
    expectedValue: 18.4,
  })),
  removed: { ranked_below_limit: ids("product-", 95) },
  removedCounts: { ranked_below_limit: 95 },
  degraded: [],
  lastScores: null,
  experiment: null,
  drawn: 1,
  cut: [],
  ...more,
});

const read = (text: string): DecisionRecord => {
  const record = decodeRecord(text);
  if (record.kind !== "decision") throw new Error("not a decision");
  return unpackRecord(record);
};
const defined = (value: unknown) => JSON.parse(JSON.stringify(value));

describe("a decision's record", () => {
  it("reads back as it was written", () => {
    for (const record of [
      aRecord({ removed: {}, removedCounts: {} }),
      aRecord({
        member: null,
        counted: null,
        state: null,
        held: [],
        dryRun: true,
        removed: {},
        removedCounts: {},
        clock: 1_777_000_000_000,
        verdict: {
          care: "open_complaint",
          personal: false,
          personalCoupons: true,
          open: [],
          bars: [{ guard: 8, code: "open_complaint", channel: null, until: null }],
          barredOffers: ["p9"],
        },
        degraded: ["untrained", "budget"],
        shown: [
          {
            kind: "care",
            product: null,
            price: null,
            coupon: null,
            channel: null,
            contactAt: null,
          },
          {
            kind: "sell",
            product: "free",
            price: 0,
            coupon: "c",
            channel: "sms",
            contactAt: "2026-05-04T10:00:00.000Z",
            propensity: 0,
            expectedValue: 0,
          },
        ],
        request: { placement: "home", explain: true, exclude: ["a"], page: "/p/1" },
        lastScores: { purchase: 0.3 },
        experiment: { name: "x", arm: "b" },
        drawn: 0.02,
      }),
    ]) {
      expect(defined(read(encodeDecision(record)))).toEqual(defined(record));
    }
  });

  it("of a member with all there is keeps within 2 KB, and says what it left out", () => {
    const text = encodeDecision(aRecord());
    expect(Buffer.byteLength(text)).toBeLessThanOrEqual(RECORD_BYTES_MAX);
    const record = read(text);
    expect(record.cut).toEqual(["removed"]);
    expect(record.removedCounts).toEqual({ ranked_below_limit: 95 });
    expect(record.shown).toHaveLength(5);
  });

  it("keeps as many of the removed as there is room for, the best first", () => {
    const record = read(encodeDecision(aRecord({ state: null })));
    const kept = record.removed.ranked_below_limit!;
    expect(kept.length).toBeGreaterThan(40);
    expect(kept).toEqual(ids("product-", kept.length));
  });

  it("of the largest request there is is cut, not longer", () => {
    const request = {
      placement: "cart",
      cart: ids("cart", 100, 200),
      exclude: ids("out", 1000, 200),
      page: "/".repeat(2000),
      callReason: "y".repeat(200),
      limit: 50,
    };
    const text = encodeDecision(aRecord({ request, shown: Array(50).fill(aRecord().shown[0]) }));
    expect(Buffer.byteLength(text)).toBeLessThanOrEqual(RECORD_BYTES_MAX);
    expect(read(text).cut).toEqual(
      expect.arrayContaining(["removed", "exclude", "page", "shown", "cart"]),
    );
    const small = read(encodeDecision(aRecord({ request, state: null, removed: {}, held: [] })));
    expect(small.request.exclude).toBeUndefined();
    expect(small.shown).toHaveLength(3);
  });
});
