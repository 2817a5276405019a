/** Artifacts and a snapshot brought together: which product of one is which of the other. */
import type { CatalogSnapshot } from "../catalog/snapshot.js";
import type { CandidateArtifacts } from "./artifacts.js";

const NEW_ARRIVALS_KEPT = 100;
const PER_CATEGORY_KEPT = 40;
const PER_SEGMENT_KEPT = 200;

export interface BoundArtifacts {
  readonly artifacts: CandidateArtifacts;
  readonly snapshot: CatalogSnapshot;
  /** Position in the artifacts → catalog index, −1 when the catalog does not know it. */
  readonly toCatalog: Int32Array;
  /** Catalog index → position in the artifacts, −1 when nothing is known of it. */
  readonly toArtifact: Int32Array;
  /** Per category, catalog indices by falling popularity; offerable ones only. */
  readonly categoryTop: readonly Int32Array[];
  /** Per segment, positions in the artifacts by falling popularity within it. */
  readonly segmentTop: readonly Int32Array[];
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
    segmentTop: before?.segmentTop ?? topBySegment(artifacts),
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

function topBySegment({ segments, segmentPopularity, products }: CandidateArtifacts): Int32Array[] {
  return segments.map((_, row) => {
    const start = row * products.length;
    const bought: number[] = [];
    for (let i = 0; i < products.length; i++) if (segmentPopularity[start + i] > 0) bought.push(i);
    bought.sort((a, b) => segmentPopularity[start + b] - segmentPopularity[start + a] || a - b);
    return Int32Array.from(bought.slice(0, PER_SEGMENT_KEPT));
  });
}

function newestProducts({ offerable, createdAt }: CatalogSnapshot): Int32Array {
  // A scan with a rising threshold: sorting 100,000 for a hundred would block for long.
  let kept: number[] = [];
  let threshold = Number.NEGATIVE_INFINITY;
  const cut = () => {
    kept.sort((a, b) => createdAt[b] - createdAt[a] || a - b);
    kept = kept.slice(0, NEW_ARRIVALS_KEPT);
    if (kept.length === NEW_ARRIVALS_KEPT) threshold = createdAt[kept[NEW_ARRIVALS_KEPT - 1]];
  };
  for (let index = 0; index < offerable.length; index++) {
    if (offerable[index] === 0 || createdAt[index] <= threshold) continue;
    kept.push(index);
    if (kept.length >= 10 * NEW_ARRIVALS_KEPT) cut();
  }
  cut();
  return Int32Array.from(kept);
}
