/** What the catalog got last: nobody could buy it before, so nothing else would propose it. */
import type { CandidateSource } from "./source.js";

const PROPOSED = 20;
const HALF_LIFE_DAYS = 30;
const DAY_MS = 86_400_000;

export const newArrivals: CandidateSource = {
  name: "new_arrivals",
  weight: 0.7,
  propose({ bound, request }, sink) {
    const { launchedAt } = bound.snapshot;
    let proposed = 0;
    for (const index of bound.newest) {
      const ageDays = (request.history.now - launchedAt[index]) / DAY_MS;
      // A dry run in the past must not see what came later.
      if (ageDays < 0) continue;
      sink.add(index, 2 ** (-ageDays / HALF_LIFE_DAYS));
      if (++proposed === PROPOSED) return;
    }
  },
};
