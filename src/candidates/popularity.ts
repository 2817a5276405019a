/** What is bought most now: in the member's segment and by everyone. */
import { popularityOf } from "./artifact-orders.js";
import type { CandidateSource } from "./source.js";

const PROPOSED = 60;

export const popularity: CandidateSource = {
  name: "popularity",
  weight: 1,
  propose({ bound, request }, sink) {
    const { index, score } = bound.popularIn.get(request.segment) ?? bound.popular;
    for (let rank = 0; rank < Math.min(PROPOSED, index.length); rank++) {
      sink.add(index[rank], score[rank]);
    }
  },
  scoreOf({ bound, request }, index) {
    const row = bound.artifacts.segments.indexOf(request.segment);
    return popularityOf(bound.artifacts, row, bound.toArtifact[index]);
  },
};
