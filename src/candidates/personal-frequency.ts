/** What this member buys: every product of the kept lines, the often and lately bought first. */
import type { CandidateSource, SourceContext } from "./source.js";

/** Baskets held, recent ones worth more; a part of the plain count keeps old habits alive. */
const scoreAt = ({ view }: SourceContext, position: number): number =>
  view.basketDecayed[position] + 0.2 * view.times[position];

export const personalFrequency: CandidateSource = {
  name: "personal_frequency",
  weight: 3,
  propose(context, sink) {
    const { view } = context;
    const order = Array.from({ length: view.count }, (_, position) => position);
    const scores = order.map((position) => scoreAt(context, position));
    order.sort((a, b) => scores[b] - scores[a] || a - b);
    for (const position of order) sink.add(view.product[position], scores[position]);
  },
};
