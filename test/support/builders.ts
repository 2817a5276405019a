/** Builders of readable test input. */
import fc from "fast-check";
import { EVENT_TYPES, type EventType, type MemberEvent } from "../../src/events/event.js";

export const DAY_MS = 86_400_000;
/** A fixed "now" far from any clock change. */
export const NOW = Date.parse("2026-06-15T12:00:00Z");
export const daysAgo = (days: number): number => NOW - days * DAY_MS;

export function anEvent(over: Partial<MemberEvent> = {}): MemberEvent {
  return { id: "e1", type: "purchase", at: daysAgo(1), lines: [], ...over };
}

export function aPurchase(
  daysBack: number,
  products: readonly string[] = ["p1"],
  over: Partial<MemberEvent> = {},
): MemberEvent {
  const lines = products.map((product) => ({
    product,
    quantity: 1,
    amount: 10,
    category: `category of ${product}`,
  }));
  const id = `purchase ${daysBack} ${products.join()}`;
  return anEvent({ id, at: daysAgo(daysBack), order: id, lines, ...over });
}

const lineArbitrary = fc.record({
  product: fc.integer({ min: 0, max: 40 }).map((n) => `p${n}`),
  quantity: fc.oneof(fc.integer({ min: 1, max: 30 }), fc.constantFrom(0.5, 1.25, 0.333)),
  amount: fc.integer({ min: 0, max: 500_000 }).map((cents) => cents / 100),
  category: fc.option(fc.constantFrom("tea", "toys", "books", "shoes"), { nil: undefined }),
});

/** Any valid event of the last two years. */
export const eventArbitrary: fc.Arbitrary<MemberEvent> = fc.record(
  {
    id: fc.uuid(),
    type: fc.constantFrom<EventType>(...EVENT_TYPES, "purchase", "purchase", "custom_quiz"),
    at: fc.integer({ min: daysAgo(730), max: NOW }),
    lines: fc.array(lineArbitrary, { maxLength: 12 }),
    order: fc.uuid(),
    continuation: fc.constantFrom(undefined, undefined, true as const),
    channel: fc.constantFrom("phone", "sms", "email", "app", "web", "store", "kiosk"),
    properties: fc.constantFrom(undefined, { answered: true }),
  },
  { requiredKeys: ["id", "type", "at", "lines"] },
);
