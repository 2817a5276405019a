/** Family `orders`: frequency, cadence, basket size, price level and P(alive) from whole orders. */
import { type AliveSummary, expectedOrders, probabilityAlive } from "./alive.js";
import type { Family } from "./family.js";
import { mergeLatest } from "./latest-instants.js";
import {
  DAY_SECONDS,
  daysSince,
  type PackedReader,
  roundQuantity,
  secondsOf,
  timesOf,
  toMilli,
} from "./packed.js";

/** Latest order times kept; the gaps between them are the member's cadence. */
export const ORDER_TIMES_KEPT = 14;

export interface OrdersState {
  /** Distinct orders; later parts of one order (`continuation`) do not count again. */
  readonly count: number;
  /** Epoch seconds; 0 without an order. */
  readonly firstAt: number;
  readonly lastAt: number;
  /** Money in thousandths, exact. */
  readonly grossMilli: number;
  /** Units in thousandths, exact. */
  readonly unitsMilli: number;
  readonly lineCount: number;
  /** Epoch seconds, newest first, at most ORDER_TIMES_KEPT. */
  readonly times: readonly number[];
}

const EMPTY: OrdersState = {
  count: 0,
  firstAt: 0,
  lastAt: 0,
  grossMilli: 0,
  unitsMilli: 0,
  lineCount: 0,
  times: [],
};

export interface Cadence {
  /** Mean and standard deviation of the gaps between the latest orders, days; NaN below two orders. */
  readonly meanDays: number;
  readonly sdDays: number;
}

export function cadenceOf(times: readonly number[]): Cadence {
  const gaps = times.length - 1;
  if (gaps < 1) return { meanDays: Number.NaN, sdDays: Number.NaN };
  const mean = (times[0]! - times[gaps]!) / gaps;
  let squares = 0;
  for (let i = 0; i < gaps; i++) squares += (times[i]! - times[i + 1]! - mean) ** 2;
  return { meanDays: mean / DAY_SECONDS, sdDays: Math.sqrt(squares / gaps) / DAY_SECONDS };
}

/** What P(alive) asks of a member, in days; every order counts, also a second one on a day. */
export function aliveSummaryOf(state: OrdersState, now: number): AliveSummary {
  const tx = (state.lastAt - state.firstAt) / DAY_SECONDS;
  return { x: state.count - 1, tx, T: Math.max(daysSince(state.firstAt, now), tx) };
}

const FEATURES = [
  "order_count",
  "days_since_order",
  "days_since_first_order",
  "order_value_mean",
  "order_lines_mean",
  "order_units_mean",
  "price_level",
  "gap_mean_days",
  "gap_sd_days",
  "gap_last_days",
  "silence_ratio",
  "silence_z",
  "orders_per_year",
  "alive",
  "expected_orders_30d",
] as const;

export const orders: Family<OrdersState> = {
  name: "orders",
  features: FEATURES,
  empty: () => EMPTY,
  isEmpty: (state) => state.firstAt === 0,

  lift(event) {
    if (event.type !== "purchase") return EMPTY;
    const at = secondsOf(event.at);
    let grossMilli = 0;
    let unitsMilli = 0;
    for (const line of event.lines) {
      grossMilli += toMilli(line.amount);
      unitsMilli += Math.round(roundQuantity(line.quantity) * 1000);
    }
    const first = event.continuation !== true;
    return {
      count: first ? 1 : 0,
      firstAt: at,
      lastAt: at,
      grossMilli,
      unitsMilli,
      lineCount: event.lines.length,
      times: first ? [at] : [],
    };
  },

  merge(a, b) {
    if (orders.isEmpty(a)) return b;
    if (orders.isEmpty(b)) return a;
    return {
      count: a.count + b.count,
      firstAt: Math.min(a.firstAt, b.firstAt),
      lastAt: Math.max(a.lastAt, b.lastAt),
      grossMilli: a.grossMilli + b.grossMilli,
      unitsMilli: a.unitsMilli + b.unitsMilli,
      lineCount: a.lineCount + b.lineCount,
      times: mergeLatest(a.times, b.times, ORDER_TIMES_KEPT),
    };
  },

  /** Without the times, which stand behind all families (`order-times.ts`). */
  encode(writer, state) {
    writer.varint(state.count);
    writer.u32(state.firstAt);
    writer.varint(state.lastAt - state.firstAt);
    writer.varint(state.grossMilli);
    writer.varint(state.unitsMilli);
    writer.varint(state.lineCount);
  },

  decode(reader) {
    const count = reader.varint();
    const firstAt = reader.u32();
    return {
      count,
      firstAt,
      lastAt: firstAt + reader.varint(),
      grossMilli: reader.varint(),
      unitsMilli: reader.varint(),
      lineCount: reader.varint(),
      times: [],
    };
  },

  hydrate(state, { now, alive }, out, offset) {
    const { count } = state;
    out.fill(Number.NaN, offset, offset + FEATURES.length);
    out[offset] = count;
    if (count === 0) return;
    const silence = daysSince(state.lastAt, now);
    const age = daysSince(state.firstAt, now);
    const cadence = cadenceOf(state.times);
    out[offset + 1] = silence;
    out[offset + 2] = age;
    out[offset + 3] = state.grossMilli / 1000 / count;
    out[offset + 4] = state.lineCount / count;
    out[offset + 5] = state.unitsMilli / 1000 / count;
    out[offset + 6] = state.unitsMilli === 0 ? Number.NaN : state.grossMilli / state.unitsMilli;
    out[offset + 7] = cadence.meanDays;
    out[offset + 8] = cadence.sdDays;
    if (state.times.length > 1) {
      out[offset + 9] = (state.times[0]! - state.times[1]!) / DAY_SECONDS;
      // A day's floor keeps two orders of one day from making every silence look endless.
      out[offset + 10] = silence / Math.max(cadence.meanDays, 1);
      out[offset + 11] = (silence - cadence.meanDays) / Math.max(cadence.sdDays, 1);
    }
    out[offset + 12] = (count / Math.max(age, 30)) * 365;
    if (alive !== null) {
      const summary = aliveSummaryOf(state, now);
      out[offset + 13] = probabilityAlive(alive, summary);
      out[offset + 14] = expectedOrders(alive, summary, 30);
    }
  },
};

/** As layouts 2 and 3 have it: with the times, as differences from the last order. */
export function decodeWithTimes(reader: PackedReader): OrdersState {
  const state = orders.decode(reader);
  const count = reader.varint();
  if (count === 0) return state;
  const newest = state.lastAt - reader.varint();
  return { ...state, times: timesOf(newest, reader.ints(count - 1)) };
}
