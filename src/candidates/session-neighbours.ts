/** What others looked at next: neighbours of the products viewed and carted, and those themselves. */
import { DAY_SECONDS } from "./member-view.js";
import type { CandidateSource, SourceContext } from "./source.js";

const PROPOSED = 60;
/** Days after which a look no longer tells what the member is after. */
const TOUCH_HALF_LIFE_DAYS = 3;
/** A touched product competes with the neighbours of others at about this weight. */
const TOUCHED_SCORE = 0.3;
const CARTED_FACTOR = 2;

function addSeed({ bound, workspace }: SourceContext, index: number, weight: number): void {
  const artifact = bound.toArtifact[index] ?? -1;
  if (artifact === -1) return;
  const { offsets, neighbour, weight: share } = bound.artifacts.sessions;
  for (let at = offsets[artifact]; at < offsets[artifact + 1]; at++) {
    workspace.sessions.add(neighbour[at], share[at] * weight);
  }
}

export const sessionNeighbours: CandidateSource = {
  name: "session_neighbours",
  weight: 1.5,
  propose(context, sink) {
    const { view, bound, workspace, request } = context;
    for (const index of request.cart) addSeed(context, index, 1);
    for (let i = 0; i < view.touched.length; i++) {
      const index = view.touched[i];
      const ageDays = Math.max(0, view.now - view.touchedAt[i]) / DAY_SECONDS;
      const weight = 2 ** (-ageDays / TOUCH_HALF_LIFE_DAYS) / (i + 1);
      addSeed(context, index, weight);
      const artifact = bound.toArtifact[index];
      const own = TOUCHED_SCORE * weight * (view.touchedCart[i] === 1 ? CARTED_FACTOR : 1);
      if (artifact !== -1) workspace.sessions.add(artifact, own);
      else if (own > 0) sink.add(index, own);
    }
    for (const artifact of workspace.sessions.top(PROPOSED)) {
      const index = bound.toCatalog[artifact];
      if (index !== -1) sink.add(index, workspace.sessions.get(artifact));
    }
  },
  scoreOf({ bound, workspace }, index) {
    const artifact = bound.toArtifact[index];
    return artifact === -1 ? 0 : workspace.sessions.get(artifact);
  },
};
