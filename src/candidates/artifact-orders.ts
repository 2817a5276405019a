/** What follows from the artifacts alone: computed once when they are loaded, not with each snapshot. */
import type { CandidateArtifacts } from "./artifacts.js";
import { Sums } from "./sums.js";

/** Some of them may not be offered, or be excluded: more than any answer asks for. */
const SEGMENT_PRODUCTS_KEPT = 400;

export interface ArtifactOrders {
  /** The most popular product's popularity within each segment. */
  readonly segmentPeak: Float32Array;
  /** Per segment, positions in the artifacts by falling `popularityOf`. */
  readonly segmentTop: readonly Int32Array[];
}

const known = new WeakMap<CandidateArtifacts, ArtifactOrders>();

export function ordersOf(artifacts: CandidateArtifacts): ArtifactOrders {
  const before = known.get(artifacts);
  if (before !== undefined) return before;
  const { segments, segmentPopularity, products } = artifacts;
  const count = products.length;
  const segmentPeak = Float32Array.from(segments, (_, row) =>
    segmentPopularity
      .subarray(row * count, (row + 1) * count)
      .reduce((peak, value) => Math.max(peak, value), 0),
  );
  const sums = new Sums(count);
  const segmentTop = segments.map((_, row) => {
    sums.reset();
    for (let artifact = 0; artifact < count; artifact++) {
      // Behind so many of everyone's favourites, who is unknown to the segment cannot come among them.
      const inSegment = segmentPopularity[row * count + artifact] > 0;
      if (!inSegment && artifact >= SEGMENT_PRODUCTS_KEPT) continue;
      const score = relativePopularity(artifacts, segmentPeak, row, artifact);
      if (score > 0) sums.add(artifact, score);
    }
    return Int32Array.from(sums.top(SEGMENT_PRODUCTS_KEPT));
  });
  const orders = { segmentPeak, segmentTop };
  known.set(artifacts, orders);
  return orders;
}

/**
 * Popularity relative to the most popular product, 0..1; the mean of everyone's and the segment's for
 * a `row` of the segments, everyone's alone for −1.
 */
export const popularityOf = (
  artifacts: CandidateArtifacts,
  row: number,
  artifact: number,
): number => relativePopularity(artifacts, ordersOf(artifacts).segmentPeak, row, artifact);

function relativePopularity(
  { popularity, segmentPopularity, products }: CandidateArtifacts,
  segmentPeak: Float32Array,
  row: number,
  artifact: number,
): number {
  if (artifact === -1 || !(popularity[0] > 0)) return 0;
  const overall = popularity[artifact] / popularity[0];
  const peak = row === -1 ? 0 : segmentPeak[row];
  if (peak === 0) return overall;
  return (overall + segmentPopularity[row * products.length + artifact] / peak) / 2;
}
