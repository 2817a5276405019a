/**
 * What others looked at next: items of the sessions most like this one (VMIS-kNN, Kersbergen et al.
 * 2022), rules from one product to the next, and the products touched themselves.
 */
import { ordersOf } from "./artifact-orders.js";
import { DAY_SECONDS } from "./member-view.js";
import type { CandidateSource, SourceContext } from "./source.js";
import { Sums } from "./sums.js";

const PROPOSED = 60;
/** Days after which a look no longer tells what the member is after. */
const TOUCH_HALF_LIFE_DAYS = 3;
const FORGOTTEN = 1e-6;
/** A touched product competes with the neighbours of others at about this weight. */
const TOUCHED_SCORE = 0.3;
const CARTED_FACTOR = 2;
/** Sessions most like this one that are listened to. */
const SIMILAR_SESSIONS = 50;

/** Weights of other sessions, by their number: requests are answered one after another. */
const similar = new Sums(0);

function addSeed(context: SourceContext, index: number, weight: number): void {
  const { bound, workspace } = context;
  const artifact = bound.toArtifact[index] ?? -1;
  if (artifact === -1) return;
  const { offsets, neighbour, weight: share } = bound.artifacts.sessions;
  for (let at = offsets[artifact]; at < offsets[artifact + 1]; at++) {
    workspace.sessions.add(neighbour[at], share[at] * weight);
  }
  const { walksOf } = ordersOf(bound.artifacts);
  for (let at = walksOf.offsets[artifact]; at < walksOf.offsets[artifact + 1]; at++) {
    similar.add(walksOf.walk[at], weight);
  }
}

/** The peak is the weight of the latest product in common: those that share it are more alike. */
const alike = (walk: number): number => similar.get(walk) * similar.peak(walk);

/** Each product's share of the similar sessions, rare ones counting more. */
function addSimilarSessions({ bound, workspace, view, request }: SourceContext): void {
  const { offsets, product } = bound.artifacts.walks;
  const { rarity } = ordersOf(bound.artifacts);
  const nearest = similar.top(SIMILAR_SESSIONS);
  let total = 0;
  for (const walk of nearest) total += alike(walk);
  if (total === 0) return;
  const own = new Set([...request.cart, ...view.touched].map((index) => bound.toArtifact[index]));
  for (const walk of nearest) {
    const weight = alike(walk) / total;
    for (let at = offsets[walk]; at < offsets[walk + 1]; at++) {
      const share = weight * rarity[product[at]];
      if (share > 0 && !own.has(product[at])) workspace.sessions.add(product[at], share);
    }
  }
}

export const sessionNeighbours: CandidateSource = {
  name: "session_neighbours",
  weight: 1.5,
  propose(context, sink) {
    const { view, bound, workspace, request } = context;
    similar.reset(bound.artifacts.walks.offsets.length - 1);
    for (const index of request.cart) addSeed(context, index, 1);
    for (let i = 0; i < view.touched.length; i++) {
      const index = view.touched[i];
      const ageDays = Math.max(0, view.now - view.touchedAt[i]) / DAY_SECONDS;
      const weight = 2 ** (-ageDays / TOUCH_HALF_LIFE_DAYS) / (i + 1);
      // Sums take what is above 0 only, and what is this old says nothing.
      if (weight < FORGOTTEN) continue;
      addSeed(context, index, weight);
      const artifact = bound.toArtifact[index];
      const own = TOUCHED_SCORE * weight * (view.touchedCart[i] === 1 ? CARTED_FACTOR : 1);
      if (artifact !== -1) workspace.sessions.add(artifact, own);
      else if (own > 0) sink.add(index, own);
    }
    addSimilarSessions(context);
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
