/** Family `touches`: the latest viewed and carted products, for sessions and second thoughts. */
import { fingerprint40 } from "../redis/keys.js";
import type { Family } from "./family.js";
import { TOUCHES_KEPT, type Touch } from "./history.js";
import { secondsOf } from "./packed.js";

export type TouchesState = readonly Touch[];

const EMPTY: TouchesState = [];

function compare(a: Touch, b: Touch): number {
  return b.at - a.at || a.product - b.product || (a.kind < b.kind ? -1 : a.kind > b.kind ? 1 : 0);
}

const kindBit = ({ kind }: Touch): number => (kind === "view" ? 0 : 1);
export const kindOf = (coded: number): Touch["kind"] => (coded % 2 === 0 ? "view" : "cart_add");

export const touches: Family<TouchesState> = {
  name: "touches",
  features: ["touched_products"],
  empty: () => EMPTY,
  isEmpty: (state) => state.length === 0,

  lift(event) {
    if (event.type !== "view" && event.type !== "cart_add") return EMPTY;
    const { type: kind } = event;
    const at = secondsOf(event.at);
    const lifted = event.lines.map((line) => ({ product: fingerprint40(line.product), at, kind }));
    return lifted.sort(compare).slice(0, TOUCHES_KEPT);
  },

  merge(a, b) {
    if (a.length === 0) return b;
    if (b.length === 0) return a;
    const merged: Touch[] = [];
    let i = 0;
    let j = 0;
    while (merged.length < TOUCHES_KEPT && (i < a.length || j < b.length)) {
      if (j >= b.length || (i < a.length && compare(a[i]!, b[j]!) <= 0)) merged.push(a[i++]!);
      else merged.push(b[j++]!);
    }
    return merged;
  },

  /** The kind is the lowest bit of the number beside it: a byte less than one of its own. */
  encode(writer, state) {
    const [newest] = state;
    writer.u8(state.length * 2 + kindBit(newest!));
    writer.u32(newest!.at);
    const older = state.slice(1);
    writer.ints(older.map((touch, i) => (state[i]!.at - touch.at) * 2 + kindBit(touch)));
    for (const { product } of state) writer.u40(product);
  },

  decode(reader) {
    const head = reader.u8();
    let at = reader.u32();
    const older = reader.ints((head >> 1) - 1);
    const state: Touch[] = [{ at, product: reader.u40(), kind: kindOf(head) }];
    for (const coded of older) {
      at -= Math.floor(coded / 2);
      state.push({ at, product: reader.u40(), kind: kindOf(coded) });
    }
    return state;
  },

  hydrate(state, _context, out, offset) {
    out[offset] = new Set(state.map((touch) => touch.product)).size;
  },
};
