/** The best of the categories this member buys from and looks at. */
import type { BoundArtifacts } from "./bind-artifacts.js";
import type { MemberView } from "./member-view.js";
import type { CandidateSource } from "./source.js";

const CATEGORIES = 4;
const PER_CATEGORY = 12;
/** A look says this much of what a purchase says. */
const TOUCH_WEIGHT = 0.25;

/** Category → share of the member's weighted purchases and looks; sums to 1 when there are any. */
export function categoryShares(
  view: MemberView,
  { snapshot }: BoundArtifacts,
): ReadonlyMap<number, number> {
  const weights = new Map<number, number>();
  let total = 0;
  const add = (index: number, weight: number) => {
    const category = snapshot.category[index];
    if (category === -1) return;
    weights.set(category, (weights.get(category) ?? 0) + weight);
    total += weight;
  };
  for (let i = 0; i < view.count; i++) add(view.product[i], view.basketDecayed[i]);
  for (const index of view.touched) add(index, TOUCH_WEIGHT);
  for (const [category, weight] of weights) weights.set(category, weight / total);
  return weights;
}

export const categoryAffinity: CandidateSource = {
  name: "category_affinity",
  weight: 1,
  propose({ view, bound }, sink) {
    const shares = [...categoryShares(view, bound)].sort((a, b) => b[1] - a[1] || a[0] - b[0]);
    const favourites = shares.slice(0, CATEGORIES);
    const index: number[] = [];
    const score: number[] = [];
    for (const [category, share] of favourites) {
      const top = bound.categoryTop[category];
      for (let rank = 0; rank < Math.min(PER_CATEGORY, top.length); rank++) {
        index.push(top[rank]);
        score.push(share / (1 + rank / PER_CATEGORY));
      }
    }
    const order = index.map((_, i) => i).sort((a, b) => score[b] - score[a] || a - b);
    for (const i of order) sink.add(index[i], score[i]);
  },
};
