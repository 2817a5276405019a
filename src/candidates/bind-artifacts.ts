/** Artifacts and a snapshot brought together: which product of one is which of the other. */
import { setImmediate as nextTurn } from "node:timers/promises";
import type { CatalogSnapshot } from "../catalog/snapshot.js";
import { ordersOf, popularityOf } from "./artifact-orders.js";
import type { CandidateArtifacts } from "./artifacts.js";

const NEW_ARRIVALS_KEPT = 100;
const PER_CATEGORY_KEPT = 40;
/** Some of them may be excluded, sold out or in the cart. */
const POPULAR_KEPT = 200;
/** A millisecond or less. */
const PRODUCTS_A_TURN = 2_000;

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

/** The one bound last, which the next is made from. */
const latest = new WeakMap<CandidateArtifacts, BoundArtifacts>();
/** Of every snapshot that somebody decides by: while a catalog changes there is more than one. */
const bindings = new WeakMap<CandidateArtifacts, WeakMap<CatalogSnapshot, BoundArtifacts>>();

/**
 * Binds once per pair: asking again costs a look. A snapshot in which products only changed or
 * were added keeps the mapping; otherwise it takes about 15 ms per 100,000 products.
 */
export function bindArtifacts(
  artifacts: CandidateArtifacts,
  snapshot: CatalogSnapshot,
): BoundArtifacts {
  const before = latest.get(artifacts);
  if (before?.snapshot === snapshot) return before;
  const bound = bindings.get(artifacts)?.get(snapshot);
  return bound ?? boundBy(mapProducts(artifacts, snapshot, before), artifacts, snapshot);
}

/** The same, some products a turn of the event loop: for artifacts that nobody asks yet. */
export async function bindInTurns(
  artifacts: CandidateArtifacts,
  snapshot: CatalogSnapshot,
): Promise<void> {
  const mapping = nothingMapped(artifacts, snapshot);
  for (let from = 0; from < artifacts.products.length; from += PRODUCTS_A_TURN) {
    mapSome(mapping, artifacts, snapshot, from, from + PRODUCTS_A_TURN);
    await nextTurn();
  }
  boundBy(mapping, artifacts, snapshot);
}

function boundBy(
  mapping: Mapping,
  artifacts: CandidateArtifacts,
  snapshot: CatalogSnapshot,
): BoundArtifacts {
  const { toCatalog } = mapping;
  const bound: BoundArtifacts = {
    artifacts,
    snapshot,
    ...mapping,
    categoryTop: topByCategory(snapshot, toCatalog),
    popular: popularProducts(artifacts, snapshot, toCatalog, -1),
    popularIn: new Map(
      artifacts.segments.map((segment, row) => [
        segment,
        popularProducts(artifacts, snapshot, toCatalog, row),
      ]),
    ),
    newest: newestProducts(snapshot),
  };
  latest.set(artifacts, bound);
  const known = bindings.get(artifacts) ?? new WeakMap<CatalogSnapshot, BoundArtifacts>();
  bindings.set(artifacts, known.set(snapshot, bound));
  return bound;
}

interface Mapping {
  readonly toCatalog: Int32Array;
  readonly toArtifact: Int32Array;
}

const nothingMapped = (artifacts: CandidateArtifacts, snapshot: CatalogSnapshot): Mapping => ({
  toCatalog: new Int32Array(artifacts.products.length).fill(-1),
  toArtifact: new Int32Array(snapshot.products.length).fill(-1),
});

function mapProducts(
  artifacts: CandidateArtifacts,
  snapshot: CatalogSnapshot,
  before: BoundArtifacts | undefined,
): Mapping {
  if (before?.snapshot.indexOf === snapshot.indexOf) return before;
  // Where products were only added, those known stay what they were.
  const kept = before !== undefined && beginsWith(snapshot, before.snapshot) ? before : undefined;
  const mapping = nothingMapped(artifacts, snapshot);
  if (kept !== undefined) {
    mapping.toCatalog.set(kept.toCatalog);
    mapping.toArtifact.set(kept.toArtifact);
  }
  mapSome(mapping, artifacts, snapshot, 0, artifacts.products.length);
  return mapping;
}

/** Those from `from` to before `to` that are not mapped yet. */
function mapSome(
  { toCatalog, toArtifact }: Mapping,
  { products }: CandidateArtifacts,
  { indexOfFingerprint }: CatalogSnapshot,
  from: number,
  to: number,
): void {
  for (let artifact = from; artifact < Math.min(to, products.length); artifact++) {
    if (toCatalog[artifact] !== -1) continue;
    const index = indexOfFingerprint.get(products[artifact]);
    if (index === undefined) continue;
    toCatalog[artifact] = index;
    toArtifact[index] = artifact;
  }
}

function beginsWith({ fingerprint }: CatalogSnapshot, earlier: CatalogSnapshot): boolean {
  if (earlier.fingerprint.length > fingerprint.length) return false;
  return earlier.fingerprint.every((known, index) => fingerprint[index] === known);
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

function popularProducts(
  artifacts: CandidateArtifacts,
  { offerable }: CatalogSnapshot,
  toCatalog: Int32Array,
  row: number,
): PopularProducts {
  // Artifacts stand by everyone's popularity already.
  const ranked = row === -1 ? undefined : ordersOf(artifacts).segmentTop[row];
  const length = ranked?.length ?? toCatalog.length;
  const index: number[] = [];
  const score: number[] = [];
  for (let rank = 0; rank < length && index.length < POPULAR_KEPT; rank++) {
    const artifact = ranked?.[rank] ?? rank;
    const product = toCatalog[artifact];
    if (product === -1 || offerable[product] === 0) continue;
    const popularity = popularityOf(artifacts, row, artifact);
    if (popularity === 0) break;
    index.push(product);
    score.push(popularity);
  }
  return { index: Int32Array.from(index), score: Float32Array.from(score) };
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
