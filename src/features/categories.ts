/** Family `categories`: affinity by hashed category bucket (hashed, so that merging stays exact). */
import type { MemberEvent } from "../events/event.js";
import { fingerprint40 } from "../redis/keys.js";
import type { Family } from "./family.js";
import { CATEGORY_BUCKETS } from "./history.js";

/** Weight by bucket, CATEGORY_BUCKETS long. */
export type CategoriesState = readonly number[];

const EMPTY: CategoriesState = new Array<number>(CATEGORY_BUCKETS).fill(0);

export const categoryBucket = (category: string): number =>
  fingerprint40(category) % CATEGORY_BUCKETS;

/** A bought line says more than a carted one, and that more than a look. */
function weightOf(event: MemberEvent): number {
  if (event.type === "purchase") return 4;
  if (event.type === "cart_add") return 2;
  return event.type === "view" ? 1 : 0;
}

export const categories: Family<CategoriesState> = {
  name: "categories",
  features: ["category_buckets", "category_top_share", "category_entropy"],
  empty: () => EMPTY,
  isEmpty: (state) => state.every((weight) => weight === 0),

  lift(event) {
    const weight = weightOf(event);
    if (weight === 0) return EMPTY;
    if (!event.lines.some((line) => line.category !== undefined)) return EMPTY;
    const weights = EMPTY.slice();
    for (const line of event.lines) {
      if (line.category !== undefined) weights[categoryBucket(line.category)]! += weight;
    }
    return weights;
  },

  merge(a, b) {
    if (a === EMPTY) return b;
    if (b === EMPTY) return a;
    const sums = new Array<number>(CATEGORY_BUCKETS);
    for (let i = 0; i < CATEGORY_BUCKETS; i++) sums[i] = a[i]! + b[i]!;
    return sums;
  },

  encode: (writer, state) => writer.ints(state),

  decode: (reader) => reader.ints(CATEGORY_BUCKETS),

  hydrate(state, _context, out, offset) {
    const total = state.reduce((sum, weight) => sum + weight, 0);
    if (total === 0) {
      out.fill(Number.NaN, offset, offset + 3);
      return;
    }
    let used = 0;
    let entropy = 0;
    for (const weight of state) {
      if (weight === 0) continue;
      used++;
      entropy -= (weight / total) * Math.log(weight / total);
    }
    out[offset] = used;
    out[offset + 1] = Math.max(...state) / total;
    out[offset + 2] = entropy;
  },
};
