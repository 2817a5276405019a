/** What members who bought the same also buy: item neighbours of the history and the cart. */
import type { CandidateSource, SourceContext } from "./source.js";

const PROPOSED = 60;
const CART_WEIGHT = 2;

/** Latest basket 1, older ones less, never below a fifth: tastes outlast baskets. */
const seedWeight = (basketsAgo: number): number => Math.max(0.2, 0.85 ** basketsAgo);

/** Adds a seed's neighbours to the sums of this request. `index` is a catalog index. */
function addSeed({ bound, workspace }: SourceContext, index: number, weight: number): void {
  const artifact = bound.toArtifact[index] ?? -1;
  if (artifact === -1) return;
  const { offsets, neighbour, weight: similarity } = bound.artifacts.coPurchase;
  for (let at = offsets[artifact]; at < offsets[artifact + 1]; at++) {
    workspace.coPurchase.add(neighbour[at], similarity[at] * weight, similarity[at]);
  }
}

export const coPurchase: CandidateSource = {
  name: "co_purchase",
  weight: 1.5,
  propose(context, sink) {
    const { view, bound, workspace, request } = context;
    for (let position = 0; position < view.count; position++) {
      addSeed(context, view.product[position], seedWeight(view.lastBasket[position]));
    }
    for (const index of request.cart) addSeed(context, index, CART_WEIGHT);
    for (const artifact of workspace.coPurchase.top(PROPOSED)) {
      const index = bound.toCatalog[artifact];
      if (index !== -1) sink.add(index, workspace.coPurchase.get(artifact));
    }
  },
  scoreOf({ bound, workspace }, index) {
    const artifact = bound.toArtifact[index];
    return artifact === -1 ? 0 : workspace.coPurchase.get(artifact);
  },
};
