/** Nobody is offered on the phone what they bought this morning. */
import type { CatalogSnapshot } from "../catalog/snapshot.js";
import type { MemberHistory } from "../features/history.js";

const HOUR_MS = 3_600_000;

/** Catalog indexes of what was bought within so many hours before `history.now`. */
export function boughtLately(
  { lines, now }: Pick<MemberHistory, "lines" | "now">,
  { indexOfFingerprint }: Pick<CatalogSnapshot, "indexOfFingerprint">,
  restHours: number,
): number[] {
  const since = now - restHours * HOUR_MS;
  const bought: number[] = [];
  for (const { product, at, quantity } of lines) {
    // Newest first.
    if (at * 1000 <= since) break;
    const index = indexOfFingerprint.get(product);
    if (index !== undefined && quantity > 0 && at * 1000 <= now) bought.push(index);
  }
  return bought;
}
