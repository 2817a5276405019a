/** When one need is met the next is known: products recorded as following one that was bought. */
import { daysSinceBought } from "./cadence.js";
import type { CandidateSource } from "./source.js";

/** Share of `afterDays` from which the successor is worth a word. */
const DUE_FROM = 0.9;
/** Days after the due day at which the score has halved, and after which it is given up. */
const HALVED_AFTER_DAYS = 30;
const GIVEN_UP_AFTER_DAYS = 180;

export const successors: CandidateSource = {
  name: "successors",
  weight: 3,
  propose({ view, bound }, sink) {
    const { products, indexOf } = bound.snapshot;
    const due: { index: number; score: number }[] = [];
    for (let position = 0; position < view.count; position++) {
      const days = daysSinceBought(view, position);
      for (const { product, afterDays } of products[view.product[position]].successors ?? []) {
        const late = days - afterDays;
        if (days < DUE_FROM * afterDays || late > GIVEN_UP_AFTER_DAYS) continue;
        const index = indexOf.get(product);
        if (index === undefined) continue;
        const bought = view.positionOf(index);
        if (bought !== -1 && view.lastAt[bought] > view.lastAt[position]) continue;
        due.push({ index, score: 2 ** (-Math.max(0, late) / HALVED_AFTER_DAYS) });
      }
    }
    due.sort((a, b) => b.score - a.score || a.index - b.index);
    for (const { index, score } of due) sink.add(index, score);
  },
};
