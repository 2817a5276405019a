/** Family `lines`: the latest purchase lines, the memory next-product suggestions live on. */
import { fingerprint40 } from "../redis/keys.js";
import type { Family } from "./family.js";
import { type HistoryLine, LINES_KEPT } from "./history.js";
import { daysSince, gapsOf, roundQuantity, secondsOf, timesOf, unreadable } from "./packed.js";

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

/** Beside the number of lines, which is below: some quantity is not a whole number from 1 on. */
const FRACTIONAL = 128;
const unitsBeyondOne = (quantity: number): number => quantity - 1;
/** A quantity of up to three decimals as a whole number. */
const codedQuantity = (quantity: number): number =>
  Number.isInteger(quantity) ? quantity * 2 : Math.round(quantity * 1000) * 2 + 1;
export const quantityOf = (coded: number): number =>
  coded % 2 === 0 ? coded / 2 : (coded - 1) / 2 / 1000;

/** Index + 1 of the latest line seen of each product, by open addressing; four times the lines. */
const seen = new Uint8Array(4 * LINES_KEPT);

/** For each line how many lines before it the same product stands, 0 where it is the first. */
function repeatsOf(state: LinesState): number[] {
  seen.fill(0);
  const repeats = new Array<number>(state.length);
  for (let i = 0; i < state.length; i++) {
    const { product } = state[i]!;
    let slot = product % seen.length;
    while (seen[slot] !== 0 && state[seen[slot]! - 1]!.product !== product) {
      slot = (slot + 1) % seen.length;
    }
    repeats[i] = seen[slot] === 0 ? 0 : i + 1 - seen[slot]!;
    seen[slot] = i + 1;
  }
  return repeats;
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

  /** Column by column: what is alike shares a code. A product named before is not named again. */
  encode(writer, state) {
    const fractional = !state.every(({ quantity }) => Number.isInteger(quantity) && quantity > 0);
    const coded = fractional ? codedQuantity : unitsBeyondOne;
    const repeats = repeatsOf(state);
    writer.u8(state.length + (fractional ? FRACTIONAL : 0));
    writer.u32(state[0]!.at);
    writer.ints(gapsOf(state.map(({ at }) => at)));
    writer.ints(state.map(({ quantity }) => coded(quantity)));
    writer.ints(repeats);
    for (let i = 0; i < state.length; i++) if (repeats[i] === 0) writer.u40(state[i]!.product);
  },

  decode(reader) {
    const head = reader.u8();
    const count = head % FRACTIONAL;
    const newest = reader.u32();
    const times = timesOf(newest, reader.ints(count - 1));
    const quantities = reader.ints(count);
    const repeats = reader.ints(count);
    const state = new Array<HistoryLine>(count);
    for (let i = 0; i < count; i++) {
      const back = repeats[i]!;
      if (back > i) throw unreadable();
      const product = back === 0 ? reader.u40() : state[i - back]!.product;
      const coded = quantities[i]!;
      const quantity = head < FRACTIONAL ? coded + 1 : quantityOf(coded);
      state[i] = { at: times[i]!, product, quantity };
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
