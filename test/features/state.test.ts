import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isCuecardError } from "../../src/errors.js";
import { EVENT_TYPES, type EventType } from "../../src/events/event.js";
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

  it("reads a state packed in layout 1", () => {
    const packed =
      "01ff0302181c626980bc69a29002ac1b0302187a7c6980bc69d4cb7d69ff07a5ff7fc78d7df03f9514c3efb97bf93f" +
      "47d90c1ade7cfd3f10f1c8d91558ff3f22b200b24a3f28404b4c228cd20c39402ec445a41b0e3f409ea62144c6ed40" +
      "40eac69389affeef3f6790ef59deffef3f000000000000f03f03187a7c694369a418670280bc694369a4186704005" +
      "144a457ade90702d4cb7d6901d0eef07c6678d0eef07c6698118369070001808c150201c48b15050280af1a06018" +
      "0a305070180c60a090180e90f3f0100018827f40318c08169040000010003010000181d7f69060000010a00000100" +
      "02000504020408181c6269";
    expect(decodeState(Buffer.from(packed, "hex"))).toEqual({
      orders: {
        count: 2,
        firstAt: 1768037400,
        lastAt: 1769765400,
        grossMilli: 34850,
        unitsMilli: 3500,
        lineCount: 3,
        times: [1769765400, 1768037400],
      },
      decays: {
        referenceAt: 1769851860,
        sums: [
          1.0306527893990076, 1.59270661980671, 1.8429852502427637, 1.9590052134727252,
          12.123616755089703, 25.050087698339023, 31.05510927871017, 33.85761310237034,
          0.9998395621352902, 0.9999839550550974, 1,
        ],
      },
      lines: [
        { product: 442795059523, at: 1769765400, quantity: 1 },
        { product: 442795059523, at: 1768037400, quantity: 2 },
        { product: 744499725393, at: 1768037400, quantity: 0.5 },
      ],
      touches: [
        { product: 440182828752, at: 1769851860, kind: "cart_add" },
        { product: 440182828752, at: 1769851800, kind: "view" },
      ],
      activity: [
        { code: 0, count: 1, lastAt: 1769851800, instants: [] },
        { code: 2, count: 1, lastAt: 1769851860, instants: [] },
        { code: 5, count: 2, lastAt: 1769765400, instants: [] },
        { code: 6, count: 1, lastAt: 1770111000, instants: [] },
        { code: 7, count: 1, lastAt: 1770024600, instants: [] },
        { code: 9, count: 1, lastAt: 1769938200, instants: [] },
        { code: 63, count: 1, lastAt: 1770197400, instants: [] },
      ],
      returns: { count: 1, moneyMilli: 5000, unitsMilli: 500, lastAt: 1770111000 },
      channelHabits: [
        { slot: 0, contacts: 0, responses: 1, orders: 0, lastContactAt: 0 },
        { slot: 1, contacts: 1, responses: 0, orders: 0, lastContactAt: 1769938200 },
        { slot: 3, contacts: 0, responses: 0, orders: 1, lastContactAt: 0 },
        { slot: 5, contacts: 0, responses: 0, orders: 1, lastContactAt: 0 },
      ],
      hours: [0, 0, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
      categories: [0, 0, 4, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0],
      tenure: 1768037400,
    });
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

  it("packs whoever complained and had a refund a thousand times into 500 bytes more", () => {
    const types = [
      "complaint_opened",
      "complaint_closed",
      "refund_opened",
      "refund_closed",
    ] as const;
    const all = Array.from({ length: 1000 }, (_, i) =>
      types.map((type, j) => anEvent({ type, at: daysAgo(1000 - i) + j * 7_777_777 })),
    );
    expect(encodeState(foldAll(all.flat())).length).toBeLessThanOrEqual(500);
  });

  it("refuses a layout newer than its own and a state cut short", () => {
    const packed = encodeState(foldAll([aPurchase(1)]));
    const newer = Buffer.from(packed);
    newer[0] = 255;
    expect(() => decodeState(newer)).toThrow(/store_incompatible/);
    expect(() => decodeState(packed.subarray(0, packed.length - 3))).toThrow(/store_incompatible/);
  });

  it("refuses altered bytes as such, or reads some state from them", () => {
    const events = Array.from({ length: 6 }, (_, i) => aPurchase(i, ["p1", `p${i}`]));
    const packed = encodeState(foldAll(events));
    const said = new Set<string>();
    for (let at = 3; at < packed.length; at++) {
      for (let bit = 0; bit < 8; bit++) {
        const altered = Buffer.from(packed);
        altered[at]! ^= 1 << bit;
        try {
          decodeState(altered);
        } catch (error) {
          said.add(isCuecardError(error) ? error.code : String(error));
        }
      }
    }
    expect([...said]).toEqual(["store_incompatible"]);
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

  it("stays as it was when refunds open and close and when somebody opts out", () => {
    const silent = fc.constantFrom<EventType>("refund_opened", "refund_closed", "opt_out");
    const one = fc.tuple(silent, fc.integer({ min: daysAgo(700), max: NOW }));
    fc.assert(
      fc.property(events, fc.array(one, { maxLength: 5 }), (list, said) => {
        const known = list.filter(({ type }) => !/^(refund_|opt_out)/.test(type));
        const more = said.map(([type, at]) => anEvent({ type, at, channel: "sms" }));
        expect(hydrate(foldAll([...known, ...more]))).toEqual(hydrate(foldAll(known)));
      }),
    );
    expect(createFeatureSchema([]).hash).toBe("609461beb42160d2");
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
