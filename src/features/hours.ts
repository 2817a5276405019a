/** Family `hours`: at which hours of the day a member acts of their own accord. */
import type { EventType } from "../events/event.js";
import type { Family } from "./family.js";

/** Counts by hour of the day in UTC, 24 long; local habit is a rotation at read time. */
export type HoursState = readonly number[];

const HOURS = 24;
const EMPTY: HoursState = new Array<number>(HOURS).fill(0);
/** The state of one act in each hour. */
const ONCE: readonly HoursState[] = EMPTY.map((_, hour) =>
  EMPTY.map((_, other) => (other === hour ? 1 : 0)),
);

const OWN_ACCORD: ReadonlySet<EventType> = new Set<EventType>([
  "view",
  "search",
  "cart_add",
  "checkout_start",
  "purchase",
  "call_inbound",
  "message_open",
  "message_click",
  "visit",
]);

/** Share of activity in the local hours [from, to). NaN without activity. */
export function shareOfHours(
  state: HoursState,
  from: number,
  to: number,
  utcOffset: number,
): number {
  let total = 0;
  let inside = 0;
  for (let hour = 0; hour < HOURS; hour++) {
    const count = state[hour]!;
    if (count === 0) continue;
    const local = (((hour + Math.round(utcOffset)) % HOURS) + HOURS) % HOURS;
    total += count;
    if (local >= from && local < to) inside += count;
  }
  return total === 0 ? Number.NaN : inside / total;
}

export const hours: Family<HoursState> = {
  name: "hours",
  features: ["night_share", "morning_share", "afternoon_share", "evening_share"],
  empty: () => EMPTY,
  isEmpty: (state) => state.every((count) => count === 0),

  lift(event) {
    if (!OWN_ACCORD.has(event.type)) return EMPTY;
    return ONCE[new Date(event.at).getUTCHours()]!;
  },

  merge(a, b) {
    if (a === EMPTY) return b;
    if (b === EMPTY) return a;
    const sums = new Array<number>(HOURS);
    for (let hour = 0; hour < HOURS; hour++) sums[hour] = a[hour]! + b[hour]!;
    return sums;
  },

  encode: (writer, state) => writer.ints(state),

  decode: (reader) => reader.ints(HOURS),

  hydrate(state, { utcOffsetHours }, out, offset) {
    for (let quarter = 0; quarter < 4; quarter++) {
      out[offset + quarter] = shareOfHours(state, quarter * 6, quarter * 6 + 6, utcOffsetHours);
    }
  },
};
