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

  /** The kind is the lowest bit of the time difference: a byte less than one of its own. */
  encode(writer, state) {
    writer.varint(state.length);
    let previous = state[0]?.at ?? 0;
    writer.u32(previous);
    for (const touch of state) {
      writer.varint((previous - touch.at) * 2 + (touch.kind === "view" ? 0 : 1));
      writer.u40(touch.product);
      previous = touch.at;
    }
  },

  decode(reader) {
    const state = new Array<Touch>(reader.varint());
    let at = reader.u32();
    for (let i = 0; i < state.length; i++) {
      const coded = reader.varint();
      at -= Math.floor(coded / 2);
      state[i] = { at, product: reader.u40(), kind: coded % 2 === 0 ? "view" : "cart_add" };
    }
    return state;
  },

  hydrate(state, _context, out, offset) {
    out[offset] = new Set(state.map((touch) => touch.product)).size;
  },
};
