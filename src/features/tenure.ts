/** Family `tenure`: how long we have known a member, by the first event of any type. */
import { isCounted } from "./activity.js";
import type { Family } from "./family.js";
import { daysSince, secondsOf } from "./packed.js";

/** Epoch seconds of the first event; 0 before one. */
export type TenureState = number;

export const tenure: Family<TenureState> = {
  name: "tenure",
  features: ["tenure_days"],
  empty: () => 0,
  isEmpty: (state) => state === 0,
  lift: (event) => (isCounted(event.type) ? secondsOf(event.at) : 0),
  merge: (a, b) => (a === 0 ? b : b === 0 ? a : Math.min(a, b)),
  encode: (writer, state) => writer.u32(state),
  decode: (reader) => reader.u32(),
  hydrate(state, { now }, out, offset) {
    out[offset] = daysSince(state, now);
  },
};
