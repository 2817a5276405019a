import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { EVENT_TYPES } from "../../src/events/event.js";
import { createFeatureSchema } from "../../src/features/feature-schema.js";
import {
  decodeState,
  EMPTY_STATE,
  encodeState,
  type FeatureState,
  fold,
  type lift,
  merge,
} from "../../src/features/state.js";
import { anEvent, aPurchase, daysAgo, eventArbitrary, NOW } from "../support/builders.js";

const foldAll = (events: readonly Parameters<typeof lift>[0][]): FeatureState =>
  events.reduce(fold, EMPTY_STATE);

/** Equal to the last bit, but for decayed f64 sums, which agree within 1e-9. */
function expectSameState(actual: FeatureState, expected: FeatureState): void {
  const { decays: actualDecays, ...actualRest } = actual;
  const { decays: expectedDecays, ...expectedRest } = expected;
  expect(actualRest).toEqual(expectedRest);
  expect(actualDecays.referenceAt).toBe(expectedDecays.referenceAt);
  actualDecays.sums.forEach((sum, i) => {
    const wanted = expectedDecays.sums[i]!;
    expect(Math.abs(sum - wanted)).toBeLessThanOrEqual(1e-9 * Math.max(Math.abs(wanted), 1e-300));
  });
}

const events = fc.array(eventArbitrary, { maxLength: 40 });

describe("feature state", () => {
  it("is the same whatever the order in which events arrive", () => {
    fc.assert(
      fc.property(
        events.chain((list) =>
          fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length })),
        ),
        ([list, shuffled]) => expectSameState(foldAll(shuffled), foldAll(list)),
      ),
    );
  });

  it("merges commutatively, to the last bit", () => {
    fc.assert(
      fc.property(events, events, (a, b) => {
        expect(merge(foldAll(a), foldAll(b))).toEqual(merge(foldAll(b), foldAll(a)));
      }),
    );
  });

  it("merges associatively", () => {
    fc.assert(
      fc.property(events, events, events, (a, b, c) => {
        const [x, y, z] = [foldAll(a), foldAll(b), foldAll(c)];
        expectSameState(merge(merge(x, y), z), merge(x, merge(y, z)));
      }),
    );
  });

  it("of two merged members is the state of one who did everything", () => {
    fc.assert(
      fc.property(events, events, (a, b) => {
        expectSameState(merge(foldAll(a), foldAll(b)), foldAll([...a, ...b]));
      }),
    );
  });

  it("has the empty state as identity of merge", () => {
    fc.assert(
      fc.property(events, (list) => {
        expect(merge(foldAll(list), EMPTY_STATE)).toEqual(foldAll(list));
        expect(merge(EMPTY_STATE, foldAll(list))).toEqual(foldAll(list));
      }),
    );
  });

  it("survives packing and unpacking unchanged", () => {
    fc.assert(
      fc.property(events, (list) => {
        const state = foldAll(list);
        expect(decodeState(encodeState(state))).toEqual(state);
        expect(encodeState(decodeState(encodeState(state)))).toEqual(encodeState(state));
      }),
    );
  });

  it("packs a member with 64 single-line orders over two years and all kinds of activity into 900 bytes", () => {
    const all = Array.from({ length: 80 }, (_, i) =>
      aPurchase(i * 9, [`product ${i % 50}`], { channel: "web" }),
    );
    const types = [
      "view",
      "cart_add",
      "call_inbound",
      "message_sent",
      "message_open",
      "return",
    ] as const;
    for (const type of types) {
      for (let i = 0; i < 30; i++) {
        const lines = [{ product: `p${i}`, quantity: 1, amount: 5, category: `c${i}` }];
        all.push(anEvent({ type, at: daysAgo(i * 3 + 0.37), lines, channel: "email" }));
      }
    }
    expect(encodeState(foldAll(all)).length).toBeLessThanOrEqual(900);
  });

  it("refuses a layout newer than its own and a state cut short", () => {
    const packed = encodeState(foldAll([aPurchase(1)]));
    const newer = Buffer.from(packed);
    newer[0] = 255;
    expect(() => decodeState(newer)).toThrow(/store_incompatible/);
    expect(() => decodeState(packed.subarray(0, packed.length - 3))).toThrow(/store_incompatible/);
  });

  it("keeps the latest 64 purchase lines, newest first", () => {
    const state = foldAll(Array.from({ length: 100 }, (_, i) => aPurchase(i, [`p${i}`])));
    expect(state.lines).toHaveLength(64);
    expect(state.lines[0]!.at).toBe(daysAgo(0) / 1000);
    expect(state.lines[63]!.at).toBe(daysAgo(63) / 1000);
  });

  it("tells every type of event from every other, and custom types from all of those", () => {
    const codes = [...EVENT_TYPES, "custom_quiz" as const].map(
      (type) => foldAll([anEvent({ type })]).activity[0]!.code,
    );
    // What packed states in the field say: a code never changes its meaning.
    expect(codes).toEqual([...EVENT_TYPES.keys(), 63]);
  });

  it("counts an order once however many parts it comes in", () => {
    const state = foldAll([aPurchase(3, ["p1"]), aPurchase(3, ["p2"], { continuation: true })]);
    expect(state.orders.count).toBe(1);
    expect(state.orders.lineCount).toBe(2);
    expect(state.orders.grossMilli).toBe(20_000);
  });
});

describe("the feature vector", () => {
  const schema = createFeatureSchema([
    { name: "renewal", type: "date" },
    { name: "plan", type: "category", levels: ["basic", "gold"] },
  ]);
  const hydrate = (state: FeatureState, now = NOW): Record<string, number> => {
    const out = new Float32Array(schema.length);
    const profile = {
      id: "m",
      createdAt: 0,
      updatedAt: 0,
      attributes: { renewal: "2026-06-25T12:00:00Z", plan: "gold" },
    };
    schema.hydrate(state, { now, profile, alive: null, utcOffsetHours: 8 }, out);
    return Object.fromEntries(schema.names.map((name, i) => [name, out[i]!]));
  };

  it("derives recency at the instant asked, never stale", () => {
    const state = foldAll([aPurchase(10), aPurchase(4)]);
    expect(hydrate(state).days_since_order).toBeCloseTo(4, 3);
    expect(hydrate(state, NOW + 3 * 86_400_000).days_since_order).toBeCloseTo(7, 3);
    expect(hydrate(state).gap_mean_days).toBeCloseTo(6, 3);
  });

  it("halves a decayed count every half-life", () => {
    const state = foldAll([aPurchase(30)]);
    expect(hydrate(state).orders_decayed_30d).toBeCloseTo(0.5, 5);
    expect(hydrate(state).orders_decayed_7d).toBeCloseTo(2 ** (-30 / 7), 5);
  });

  it("carries declared attributes: days to a date, one column a level", () => {
    const vector = hydrate(EMPTY_STATE);
    expect(vector.attribute_renewal).toBeCloseTo(10, 3);
    expect([vector.attribute_plan_basic, vector.attribute_plan_gold]).toEqual([0, 1]);
  });

  it("holds missing values as NaN and never anything infinite", () => {
    fc.assert(
      fc.property(events, (list) => {
        for (const value of Object.values(hydrate(foldAll(list)))) {
          expect(Math.abs(value)).not.toBe(Number.POSITIVE_INFINITY);
        }
      }),
    );
  });

  it("has unique names", () => {
    expect(new Set(schema.names).size).toBe(schema.length);
  });
});
