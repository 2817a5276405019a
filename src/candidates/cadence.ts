/** How long a product lasts this member: from own repeats, else from everyone's, else as recorded. */
import type { BoundArtifacts } from "./bind-artifacts.js";
import { DAY_SECONDS, type MemberView } from "./member-view.js";

/** Gaps of all members worth as much as one gap of the member's own. */
const PRODUCT_GAPS_MIN = 5;

/** Days from the last purchase until the next is expected; NaN when nothing tells. */
export function expectedGapDays(
  view: MemberView,
  position: number,
  { artifacts, snapshot, toArtifact }: BoundArtifacts,
): number {
  const index = view.product[position];
  const artifact = toArtifact[index];
  const known = artifact !== -1 && artifacts.cadenceCount[artifact] >= PRODUCT_GAPS_MIN;
  const productDays = known ? artifacts.cadenceDays[artifact] : Number.NaN;
  const ownGaps = view.times[position] - 1;
  if (ownGaps >= 1) {
    const ownDays = (view.lastAt[position] - view.firstAt[position]) / DAY_SECONDS / ownGaps;
    // One gap of one's own is half luck: it is averaged with what the product shows.
    if (ownGaps >= 2 || Number.isNaN(productDays)) return ownDays;
    return (ownDays + productDays) / 2;
  }
  const recordDays = snapshot.products[index].replenishmentDays;
  if (recordDays !== undefined) return recordDays * Math.max(1, view.lastQuantity[position]);
  return productDays;
}

export const daysSinceBought = (view: MemberView, position: number): number =>
  (view.now - view.lastAt[position]) / DAY_SECONDS;
