/** What should run out about now. */
import { daysSinceBought, expectedGapDays } from "./cadence.js";
import type { CandidateSource, SourceContext } from "./source.js";

/** Share of the expected gap from which a product is due, and until which it is not given up. */
const DUE_FROM = 0.7;
export const DUE_UNTIL = 2.5;
/** Spread of actual around expected gaps, on the logarithm. */
const LOG_SPREAD = 0.5;

/** 1 when exactly due, falling to both sides; 0 when not due or unknown. */
function dueScore({ view, bound }: SourceContext, position: number): number {
  const expected = expectedGapDays(view, position, bound);
  if (!(expected > 0)) return 0;
  const ratio = daysSinceBought(view, position) / expected;
  if (!(ratio >= DUE_FROM && ratio <= DUE_UNTIL)) return 0;
  return Math.exp(-((Math.log(ratio) / LOG_SPREAD) ** 2) / 2);
}

export const replenishment: CandidateSource = {
  name: "replenishment",
  weight: 2,
  propose(context, sink) {
    const { view } = context;
    const due: number[] = [];
    const scores = new Float32Array(view.count);
    for (let position = 0; position < view.count; position++) {
      scores[position] = dueScore(context, position);
      if (scores[position] > 0) due.push(position);
    }
    due.sort((a, b) => scores[b] - scores[a] || a - b);
    for (const position of due) sink.add(view.product[position], scores[position]);
  },
};
