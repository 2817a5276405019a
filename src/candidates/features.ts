/** The ranker's inputs: what speaks for one candidate and this member. Names are the model's contract. */
import type { CatalogSnapshot } from "../catalog/snapshot.js";
import { categoryBucket } from "../features/categories.js";
import type { MemberHistory } from "../features/history.js";
import type { CandidateArtifacts } from "./artifacts.js";
import { type BoundArtifacts, bindArtifacts } from "./bind-artifacts.js";
import { daysSinceBought, expectedGapDays } from "./cadence.js";
import { categoryShares } from "./category-affinity.js";
import { DAY_SECONDS, type MemberView } from "./member-view.js";
import { type CandidateRequest, type CandidateSet, SOURCE_NAMES, SOURCES } from "./source.js";

const PERSONAL_FEATURES = [
  "bought_times",
  "bought_share",
  "bought_basket_decayed",
  "bought_time_decayed",
  "bought_baskets_ago",
  "bought_days_ago",
  "bought_last_basket",
  "expected_gap_days",
  "cadence_ratio",
] as const;

const PRODUCT_FEATURES = [
  "popularity_log",
  "popularity_rank_log",
  "popularity_recent_log",
  "popularity_trend",
  "repeat_rate",
  "product_cadence_days",
  "price_log",
  "price_to_level",
  "category_share",
  "category_bucket_share",
  "co_purchase_max",
  "touched_days_ago",
  "touched_cart",
  "age_days",
  "source_count",
  "fused_rank",
] as const;

/** The same for all candidates of one member: they let the trees weigh the others. */
const MEMBER_FEATURES = [
  "member_orders",
  "member_mean_gap_days",
  "member_days_since_order",
  "member_basket_size",
  "member_novelty",
  "member_touches",
  "cart_size",
] as const;

/** Columns of a candidate row, in order. A model lists them and is refused when they differ. */
export const CANDIDATE_FEATURES: readonly string[] = [
  ...SOURCE_NAMES.map((name) => `source_${name}`),
  ...PERSONAL_FEATURES,
  ...PRODUCT_FEATURES,
  ...MEMBER_FEATURES,
];

/** Columns of a member's own past alone: empty, whatever the product, where there is none. */
export const HISTORY_FEATURES: readonly string[] = [
  ...(["personal_frequency", "replenishment", "successors", "category_affinity"] as const).map(
    (name) => `source_${name}`,
  ),
  ...PERSONAL_FEATURES,
  ...(["price_to_level", "category_share", "category_bucket_share"] as const),
  ...(["touched_days_ago", "touched_cart"] as const),
  ...MEMBER_FEATURES.filter((name) => name !== "cart_size"),
];

/** Columns of a past or of what lies in the cart now. */
export const CART_FEATURES: readonly string[] = [
  ...(["co_purchase", "session_neighbours"] as const).map((name) => `source_${name}`),
  "co_purchase_max",
  "cart_size",
];

const PERSONAL_AT = SOURCES;
const PRODUCT_AT = PERSONAL_AT + PERSONAL_FEATURES.length;
const MEMBER_AT = PRODUCT_AT + PRODUCT_FEATURES.length;
const COLUMNS = CANDIDATE_FEATURES.length;

/** What is computed once for all candidates of a request. */
interface Shared {
  readonly request: CandidateRequest;
  readonly view: MemberView;
  readonly bound: BoundArtifacts;
  readonly shares: ReadonlyMap<number, number>;
  readonly bucketTotal: number;
}

/**
 * Writes `set.count` rows of CANDIDATE_FEATURES.length values, NaN where a value is missing, and
 * returns the filled part of `out`. `artifacts` and `snapshot` are those the set was made with.
 * @throws RangeError when `out` is too short
 */
export function candidateFeatures(
  set: CandidateSet,
  request: CandidateRequest,
  artifacts: CandidateArtifacts,
  snapshot: CatalogSnapshot,
  out: Float32Array,
): Float32Array {
  if (out.length < set.count * COLUMNS) throw new RangeError("out is too short for the candidates");
  const { view } = set;
  const bound = bindArtifacts(artifacts, snapshot);
  const shares = categoryShares(view, bound);
  const bucketTotal = request.history.categoryCounts.reduce((sum, n) => sum + n, 0);
  const shared: Shared = { request, view, bound, shares, bucketTotal };
  const member = memberFeatures(shared);
  for (let i = 0; i < set.count; i++) {
    const row = i * COLUMNS;
    for (let s = 0; s < SOURCES; s++) out[row + s] = set.sourceScore[i * SOURCES + s];
    writePersonal(shared, set.product[i], out, row + PERSONAL_AT);
    writeProduct(shared, set, i, out, row + PRODUCT_AT);
    out.set(member, row + MEMBER_AT);
  }
  return out.subarray(0, set.count * COLUMNS);
}

function writePersonal(shared: Shared, index: number, out: Float32Array, at: number): void {
  const { view, bound } = shared;
  const position = view.positionOf(index);
  if (position === -1) {
    out.fill(0, at, at + 4);
    out.fill(Number.NaN, at + 4, at + PERSONAL_FEATURES.length);
    out[at + 6] = 0;
    return;
  }
  const days = daysSinceBought(view, position);
  const expected = expectedGapDays(view, position, bound);
  out[at] = view.times[position];
  out[at + 1] = view.times[position] / Math.max(1, view.baskets);
  out[at + 2] = view.basketDecayed[position];
  out[at + 3] = view.timeDecayed[position];
  out[at + 4] = view.lastBasket[position];
  out[at + 5] = days;
  out[at + 6] = view.lastBasket[position] === 0 ? 1 : 0;
  out[at + 7] = expected;
  out[at + 8] = expected > 0 ? days / expected : Number.NaN;
}

function writeProduct(
  shared: Shared,
  set: CandidateSet,
  i: number,
  out: Float32Array,
  at: number,
): void {
  const { view, bound, request, shares } = shared;
  const { artifacts, snapshot } = bound;
  const index = set.product[i];
  const artifact = bound.toArtifact[index];
  const known = artifact !== -1;
  const price = snapshot.price[index];
  const touch = view.touchOf(index);
  out[at] = known ? Math.log1p(artifacts.popularity[artifact]) : 0;
  out[at + 1] = known ? Math.log1p(artifact) : Number.NaN;
  out[at + 2] = known ? Math.log1p(artifacts.recentPopularity[artifact]) : 0;
  out[at + 3] = known ? out[at + 2] - out[at] : Number.NaN;
  out[at + 4] = known ? artifacts.repeatRate[artifact] : Number.NaN;
  out[at + 5] = known ? artifacts.cadenceDays[artifact] : Number.NaN;
  out[at + 6] = Math.log(price);
  out[at + 7] = Math.log(price / request.history.priceLevel);
  out[at + 8] = shares.get(snapshot.category[index]) ?? 0;
  out[at + 9] = bucketShare(shared, request.history, snapshot.category[index]);
  out[at + 10] = set.coPurchaseMax[i];
  out[at + 11] = touch === -1 ? Number.NaN : (view.now - view.touchedAt[touch]) / DAY_SECONDS;
  out[at + 12] = touch === -1 ? 0 : view.touchedCart[touch];
  const ageDays = (request.history.now - snapshot.launchedAt[index]) / (1000 * DAY_SECONDS);
  // Looking back, a record may be younger than what it describes: then its age is not known.
  out[at + 13] = ageDays >= 0 ? ageDays : Number.NaN;
  out[at + 14] = bitCount(set.sources[i]);
  out[at + 15] = i;
}

/** Share of the member's whole past in the category's bucket: reaches beyond the kept lines. */
function bucketShare(shared: Shared, history: MemberHistory, category: number): number {
  if (category === -1 || shared.bucketTotal === 0) return Number.NaN;
  const bucket = bucketOf(shared.bound.snapshot.categories, category);
  return (history.categoryCounts[bucket] ?? 0) / shared.bucketTotal;
}

const buckets = new WeakMap<readonly string[], Uint8Array>();

function bucketOf(categories: readonly string[], category: number): number {
  let known = buckets.get(categories);
  if (known === undefined) {
    known = Uint8Array.from(categories, categoryBucket);
    buckets.set(categories, known);
  }
  return known[category];
}

function memberFeatures({ view, request }: Shared): Float32Array {
  const { history } = request;
  const hasOrders = view.baskets > 0;
  return Float32Array.of(
    history.orderCount,
    history.meanGapDays,
    hasOrders ? (view.now - history.lines[0].at) / DAY_SECONDS : Number.NaN,
    hasOrders ? view.lines / view.baskets : Number.NaN,
    // Near 1: hardly buys anything twice.
    view.lines > 0 ? view.count / view.lines : Number.NaN,
    view.touched.length,
    request.cart.length,
  );
}

function bitCount(mask: number): number {
  let count = 0;
  for (let rest = mask; rest !== 0; rest &= rest - 1) count++;
  return count;
}
