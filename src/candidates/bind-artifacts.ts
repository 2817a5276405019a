/** Artifacts and a snapshot brought together: which product of one is which of the other. */
import type { CatalogSnapshot } from "../catalog/snapshot.js";
import type { CandidateArtifacts } from "./artifacts.js";

const NEW_ARRIVALS_KEPT = 100;
const PER_CATEGORY_KEPT = 40;
/** Some of them may be excluded, sold out or in the cart. */
const POPULAR_KEPT = 200;

export interface PopularProducts {
  /** Catalog indices, best first. */
  readonly index: Int32Array;
  /** `popularityOf` of each. */
  readonly score: Float32Array;
}

export interface BoundArtifacts {
  readonly artifacts: CandidateArtifacts;
  readonly snapshot: CatalogSnapshot;
  /** Position in the artifacts → catalog index, −1 when the catalog does not know it. */
  readonly toCatalog: Int32Array;
  /** Catalog index → position in the artifacts, −1 when nothing is known of it. */
  readonly toArtifact: Int32Array;
  /** Per category, catalog indices by falling popularity; offerable ones only. */
  readonly categoryTop: readonly Int32Array[];
  /** The most popular products that can be offered, everyone's and per segment. */
  readonly popular: PopularProducts;
  readonly popularIn: ReadonlyMap<string, PopularProducts>;
  /** Catalog indices, newest first; offerable ones only. */
  readonly newest: Int32Array;
}

const latest = new WeakMap<CandidateArtifacts, BoundArtifacts>();

/**
 * Binds once per pair: asking again costs a comparison, and a snapshot in which no product came or
 * went keeps the mapping. About 15 ms per 100,000 products otherwise.
 */
export function bindArtifacts(
  artifacts: CandidateArtifacts,
  snapshot: CatalogSnapshot,
): BoundArtifacts {
  const before = latest.get(artifacts);
  if (before?.snapshot === snapshot) return before;
  const mapping =
    before !== undefined && before.snapshot.indexOf === snapshot.indexOf
      ? { toCatalog: before.toCatalog, toArtifact: before.toArtifact }
      : mapProducts(artifacts, snapshot);
  const bound: BoundArtifacts = {
    artifacts,
    snapshot,
    ...mapping,
    categoryTop: topByCategory(snapshot, mapping.toCatalog),
    popular: popularProducts(artifacts, snapshot, mapping.toCatalog, -1),
    popularIn: new Map(
      artifacts.segments.map((segment, row) => [
        segment,
        popularProducts(artifacts, snapshot, mapping.toCatalog, row),
      ]),
    ),
    newest: newestProducts(snapshot),
  };
  latest.set(artifacts, bound);
  return bound;
}

function mapProducts(
  { products }: CandidateArtifacts,
  snapshot: CatalogSnapshot,
): Pick<BoundArtifacts, "toCatalog" | "toArtifact"> {
  const toCatalog = new Int32Array(products.length);
  const toArtifact = new Int32Array(snapshot.products.length).fill(-1);
  for (let i = 0; i < products.length; i++) {
    const index = snapshot.indexOfFingerprint.get(products[i]) ?? -1;
    toCatalog[i] = index;
    if (index !== -1) toArtifact[index] = i;
  }
  return { toCatalog, toArtifact };
}

function topByCategory(snapshot: CatalogSnapshot, toCatalog: Int32Array): Int32Array[] {
  const lists: number[][] = snapshot.categories.map(() => []);
  for (const index of toCatalog) {
    const category = index === -1 ? -1 : snapshot.category[index];
    if (category === -1 || snapshot.offerable[index] === 0) continue;
    if (lists[category].length < PER_CATEGORY_KEPT) lists[category].push(index);
  }
  return lists.map((list) => Int32Array.from(list));
}

const segmentPeaks = new WeakMap<CandidateArtifacts, Float32Array>();

/** The most popular product's popularity within each segment. */
function peaksOf(artifacts: CandidateArtifacts): Float32Array {
  const known = segmentPeaks.get(artifacts);
  if (known !== undefined) return known;
  const { segments, segmentPopularity, products } = artifacts;
  const peaks = Float32Array.from(segments, (_, row) =>
    segmentPopularity
      .subarray(row * products.length, (row + 1) * products.length)
      .reduce((peak, value) => Math.max(peak, value), 0),
  );
  segmentPeaks.set(artifacts, peaks);
  return peaks;
}

/**
 * Popularity relative to the most popular product, 0..1; the mean of everyone's and the segment's for
 * a `row` of the segments, everyone's alone for −1.
 */
export function popularityOf(artifacts: CandidateArtifacts, row: number, artifact: number): number {
  const { popularity, segmentPopularity, products } = artifacts;
  if (artifact === -1 || !(popularity[0] > 0)) return 0;
  const overall = popularity[artifact] / popularity[0];
  const peak = row === -1 ? 0 : peaksOf(artifacts)[row];
  if (peak === 0) return overall;
  return (overall + segmentPopularity[row * products.length + artifact] / peak) / 2;
}

function popularProducts(
  artifacts: CandidateArtifacts,
  { offerable }: CatalogSnapshot,
  toCatalog: Int32Array,
  row: number,
): PopularProducts {
  const scores = new Float32Array(toCatalog.length);
  const kept: number[] = [];
  for (let artifact = 0; artifact < toCatalog.length; artifact++) {
    const index = toCatalog[artifact];
    if (index === -1 || offerable[index] === 0) continue;
    scores[artifact] = popularityOf(artifacts, row, artifact);
    if (scores[artifact] > 0) kept.push(artifact);
    // Artifacts stand by everyone's popularity already.
    if (row === -1 && kept.length === POPULAR_KEPT) break;
  }
  if (row !== -1) kept.sort((a, b) => scores[b] - scores[a] || a - b);
  const top = kept.slice(0, POPULAR_KEPT);
  return {
    index: Int32Array.from(top, (artifact) => toCatalog[artifact]),
    score: Float32Array.from(top, (artifact) => scores[artifact]),
  };
}

function newestProducts({ offerable, launchedAt }: CatalogSnapshot): Int32Array {
  // A scan with a rising threshold: sorting 100,000 for a hundred would block for long.
  let kept: number[] = [];
  let threshold = Number.NEGATIVE_INFINITY;
  const cut = () => {
    kept.sort((a, b) => launchedAt[b] - launchedAt[a] || a - b);
    kept = kept.slice(0, NEW_ARRIVALS_KEPT);
    if (kept.length === NEW_ARRIVALS_KEPT) threshold = launchedAt[kept[NEW_ARRIVALS_KEPT - 1]];
  };
  for (let index = 0; index < offerable.length; index++) {
    if (offerable[index] === 0 || launchedAt[index] <= threshold) continue;
    kept.push(index);
    if (kept.length >= 10 * NEW_ARRIVALS_KEPT) cut();
  }
  cut();
  return Int32Array.from(kept);
}
