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
  /** Per product, positions of its latest sessions in `walks`, the latest first. */
  readonly walksOf: { readonly offsets: Uint32Array; readonly walk: Uint32Array };
  /** Per product, log(sessions ÷ sessions that held it) ÷ log(sessions): 1 is the rarest, 0 in all. */
  readonly rarity: Float32Array;
}

/** Sessions of one product that are looked at (the sample of VMIS-kNN). */
const WALKS_PER_PRODUCT = 100;

const known = new WeakMap<CandidateArtifacts, ArtifactOrders>();

/** For artifacts whose orders were computed elsewhere. */
export function keepOrders(artifacts: CandidateArtifacts, orders: ArtifactOrders): void {
  known.set(artifacts, orders);
}

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
  const orders = {
    segmentPeak,
    segmentTop,
    walksOf: walksByProduct(artifacts),
    rarity: rarityOf(artifacts),
  };
  known.set(artifacts, orders);
  return orders;
}

function rarityOf({ walks, products }: CandidateArtifacts): Float32Array {
  const counts = new Float32Array(products.length);
  for (const product of walks.product) counts[product]++;
  const all = Math.log(Math.max(2, walks.offsets.length - 1));
  return counts.map((count) => 1 - Math.log(Math.max(1, count)) / all);
}

function walksByProduct({ walks, products }: CandidateArtifacts): ArtifactOrders["walksOf"] {
  const counts = new Uint32Array(products.length);
  for (const product of walks.product) {
    if (counts[product] < WALKS_PER_PRODUCT) counts[product]++;
  }
  const offsets = new Uint32Array(products.length + 1);
  for (let i = 0; i < counts.length; i++) offsets[i + 1] = offsets[i] + counts[i];
  const walk = new Uint32Array(offsets[counts.length]);
  const cursor = offsets.slice(0, counts.length);
  for (let index = 0; index + 1 < walks.offsets.length; index++) {
    for (let at = walks.offsets[index]; at < walks.offsets[index + 1]; at++) {
      const product = walks.product[at];
      if (cursor[product] < offsets[product + 1]) walk[cursor[product]++] = index;
    }
  }
  return { offsets, walk };
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
