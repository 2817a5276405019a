/** Family `touches`: the latest viewed and carted products, for sessions and second thoughts. */
import { fingerprint40 } from "../redis/keys.js";
import type { Family } from "./family.js";
import { TOUCHES_KEPT, type Touch } from "./history.js";
import { secondsOf } from "./packed.js";

export type TouchesState = readonly Touch[];

function compare(a: Touch, b: Touch): number {
  return b.at - a.at || a.product - b.product || (a.kind < b.kind ? -1 : a.kind > b.kind ? 1 : 0);
}

export const touches: Family<TouchesState> = {
  name: "touches",
  features: ["touched_products"],
  empty: () => [],
  isEmpty: (state) => state.length === 0,

  lift(event) {
    if (event.type !== "view" && event.type !== "cart_add") return [];
    const { type: kind } = event;
    const at = secondsOf(event.at);
    const lifted = event.lines.map((line) => ({ product: fingerprint40(line.product), at, kind }));
    return lifted.sort(compare).slice(0, TOUCHES_KEPT);
  },

  merge(a, b) {
    if (a.length === 0) return b;
    if (b.length === 0) return a;
    return [...a, ...b].sort(compare).slice(0, TOUCHES_KEPT);
  },

  encode(writer, state) {
    writer.varint(state.length);
    let previous = 0;
    for (let i = 0; i < state.length; i++) {
      const touch = state[i]!;
      if (i === 0) writer.u32(touch.at);
      else writer.varint(previous - touch.at);
      previous = touch.at;
      writer.u40(touch.product);
      writer.u8(touch.kind === "view" ? 0 : 1);
    }
  },

  decode(reader) {
    const count = reader.varint();
    const state = new Array<Touch>(count);
    let at = 0;
    for (let i = 0; i < count; i++) {
      at = i === 0 ? reader.u32() : at - reader.varint();
      state[i] = { at, product: reader.u40(), kind: reader.u8() === 0 ? "view" : "cart_add" };
    }
    return state;
  },

  hydrate(state, _context, out, offset) {
    out[offset] = new Set(state.map((touch) => touch.product)).size;
  },
};
