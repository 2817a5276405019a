/** Family `lines`: the latest purchase lines, the memory next-product suggestions live on. */
import { fingerprint40 } from "../redis/keys.js";
import type { Family } from "./family.js";
import { type HistoryLine, LINES_KEPT } from "./history.js";
import { daysSince, readQuantity, roundQuantity, secondsOf, writeQuantity } from "./packed.js";

export type LinesState = readonly HistoryLine[];

const EMPTY: LinesState = [];

/**
 * Newest first; ties by product, then quantity. A total order on exactly what is stored: lines equal
 * in all three are interchangeable, so the latest N do not depend on arrival order.
 */
function compare(a: HistoryLine, b: HistoryLine): number {
  return b.at - a.at || a.product - b.product || a.quantity - b.quantity;
}

function mergeLines(a: LinesState, b: LinesState): LinesState {
  const merged: HistoryLine[] = [];
  let i = 0;
  let j = 0;
  while (merged.length < LINES_KEPT && (i < a.length || j < b.length)) {
    if (j >= b.length || (i < a.length && compare(a[i]!, b[j]!) <= 0)) merged.push(a[i++]!);
    else merged.push(b[j++]!);
  }
  return merged;
}

const FEATURES = ["distinct_products", "repeat_line_share", "last_basket_lines", "lines_span_days"];

export const lines: Family<LinesState> = {
  name: "lines",
  features: FEATURES,
  empty: () => EMPTY,
  isEmpty: (state) => state.length === 0,

  lift(event) {
    if (event.type !== "purchase") return EMPTY;
    const at = secondsOf(event.at);
    const lifted = event.lines.map((line) => ({
      product: fingerprint40(line.product),
      at,
      quantity: roundQuantity(line.quantity),
    }));
    return lifted.sort(compare).slice(0, LINES_KEPT);
  },

  merge(a, b) {
    if (a.length === 0) return b;
    if (b.length === 0) return a;
    return mergeLines(a, b);
  },

  encode(writer, state) {
    writer.varint(state.length);
    let previous = 0;
    for (let i = 0; i < state.length; i++) {
      const line = state[i]!;
      if (i === 0) writer.u32(line.at);
      else writer.varint(previous - line.at);
      previous = line.at;
      writer.u40(line.product);
      writeQuantity(writer, line.quantity);
    }
  },

  decode(reader) {
    const count = reader.varint();
    const state = new Array<HistoryLine>(count);
    let at = 0;
    for (let i = 0; i < count; i++) {
      at = i === 0 ? reader.u32() : at - reader.varint();
      state[i] = { at, product: reader.u40(), quantity: readQuantity(reader) };
    }
    return state;
  },

  hydrate(state, { now }, out, offset) {
    if (state.length === 0) {
      out.fill(Number.NaN, offset, offset + FEATURES.length);
      return;
    }
    const newest = state[0]!.at;
    const distinct = new Set<number>();
    let lastBasket = 0;
    for (const line of state) {
      distinct.add(line.product);
      if (line.at === newest) lastBasket++;
    }
    out[offset] = distinct.size;
    out[offset + 1] = 1 - distinct.size / state.length;
    out[offset + 2] = lastBasket;
    out[offset + 3] = daysSince(state[state.length - 1]!.at, now) - daysSince(newest, now);
  },
};
