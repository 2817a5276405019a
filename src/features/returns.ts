/** Family `returns`: goods sent back, in accumulators of their own (a purchase is never taken back). */
import type { Family } from "./family.js";
import { daysSince, roundQuantity, secondsOf, toMilli } from "./packed.js";

export interface ReturnsState {
  readonly count: number;
  readonly moneyMilli: number;
  readonly unitsMilli: number;
  /** Epoch seconds; 0 without a return. */
  readonly lastAt: number;
}

const EMPTY: ReturnsState = { count: 0, moneyMilli: 0, unitsMilli: 0, lastAt: 0 };

export const returns: Family<ReturnsState> = {
  name: "returns",
  features: ["return_count", "return_money", "days_since_return"],
  empty: () => EMPTY,
  isEmpty: (state) => state.count === 0,

  lift(event) {
    if (event.type !== "return") return EMPTY;
    return {
      count: 1,
      moneyMilli: event.lines.reduce((sum, line) => sum + toMilli(line.amount), 0),
      unitsMilli: event.lines.reduce(
        (sum, line) => sum + Math.round(roundQuantity(line.quantity) * 1000),
        0,
      ),
      lastAt: secondsOf(event.at),
    };
  },

  merge(a, b) {
    if (a.count === 0) return b;
    if (b.count === 0) return a;
    return {
      count: a.count + b.count,
      moneyMilli: a.moneyMilli + b.moneyMilli,
      unitsMilli: a.unitsMilli + b.unitsMilli,
      lastAt: Math.max(a.lastAt, b.lastAt),
    };
  },

  encode(writer, state) {
    writer.varint(state.count);
    writer.varint(state.moneyMilli);
    writer.varint(state.unitsMilli);
    writer.u32(state.lastAt);
  },

  decode: (reader) => ({
    count: reader.varint(),
    moneyMilli: reader.varint(),
    unitsMilli: reader.varint(),
    lastAt: reader.u32(),
  }),

  hydrate(state, { now }, out, offset) {
    out[offset] = state.count;
    out[offset + 1] = state.moneyMilli / 1000;
    out[offset + 2] = daysSince(state.lastAt, now);
  },
};
