/** Purchases and sessions → CandidateArtifacts. Runs in background jobs; memory is bounded by options. */
import { fingerprint40 } from "../redis/keys.js";
import type {
  ArtifactOptions,
  CandidateArtifacts,
  PurchaseRecord,
  SessionRecord,
  Walks,
} from "./artifacts.js";
import { coPurchaseNeighbours, sessionNeighbours } from "./neighbours.js";
import { type TimedList, TimedLists } from "./timed-lists.js";

const DAY_MS = 86_400_000;
const NEIGHBOURS_PER_PRODUCT = 30;
const POPULARITY_HALF_LIFE_DAYS = 60;
const RECENT_HALF_LIFE_DAYS = 10;
const MAX_MEMBERS = 200_000;
const MAX_SESSIONS = 1_000_000;
/** Sessions kept whole, and products of each: longer ones are lists, not intentions. */
const MAX_WALKS = 100_000;
const WALK_LENGTH_MAX = 30;
const MAX_SEGMENTS = 16;
/** Latest lines of one member that count for neighbours and cadences. */
const LINES_PER_MEMBER = 200;
/** Buyers' worth of the average product added to each product's repeat rate. */
const REPEAT_PRIOR_BUYERS = 5;

/** Everything read once, products numbered by first appearance. */
interface Gathered {
  readonly ids: Map<string, number>;
  readonly popularity: number[];
  readonly recentPopularity: number[];
  readonly bySegment: Map<string, Map<number, number>>;
  /** Known members by first appearance, and what each bought. */
  readonly members: Map<string, number>;
  readonly bought: TimedLists;
}

export function buildArtifacts(
  purchases: Iterable<PurchaseRecord>,
  sessions: Iterable<SessionRecord>,
  options: ArtifactOptions,
): CandidateArtifacts {
  const gathered = gatherPurchases(purchases, options);
  const walked = gatherSessions(sessions, gathered, options);
  const { ids } = gathered;
  const productCount = ids.size;
  const order = Array.from({ length: productCount }, (_, product) => product).sort(
    (a, b) => gathered.popularity[b] - gathered.popularity[a] || a - b,
  );
  const rankOf = new Uint32Array(productCount);
  order.forEach((product, rank) => {
    rankOf[product] = rank;
  });
  const histories = gathered.bought
    .latest(options.maxMembers ?? MAX_MEMBERS, LINES_PER_MEMBER)
    .map(({ products, at }) => ({ products: products.map((product) => rankOf[product]), at }));
  const names = [...ids.keys()];
  const perProduct = options.neighboursPerProduct ?? NEIGHBOURS_PER_PRODUCT;
  const walks = walked
    .latest(options.maxSessions ?? MAX_SESSIONS, Number.POSITIVE_INFINITY)
    .map(({ products, at }) => ({
      at: at[0],
      products: Array.from(products, (product) => rankOf[product]),
    }));
  return {
    asOf: options.asOf,
    products: Float64Array.from(order, (product) => fingerprint40(names[product])),
    popularity: Float32Array.from(order, (product) => Math.max(0, gathered.popularity[product])),
    recentPopularity: Float32Array.from(order, (product) =>
      Math.max(0, gathered.recentPopularity[product]),
    ),
    ...segmentTables(gathered, rankOf),
    ...cadences(histories, productCount),
    coPurchase: coPurchaseNeighbours(
      histories.map(({ products }) => Array.from(products)),
      productCount,
      perProduct,
    ),
    sessions: sessionNeighbours(
      walks.map(({ products }) => products),
      productCount,
      perProduct,
    ),
    walks: latestWalks(walks, options.maxWalks ?? MAX_WALKS),
  };
}

function gatherPurchases(purchases: Iterable<PurchaseRecord>, options: ArtifactOptions): Gathered {
  const halfLifeMs = (options.popularityHalfLifeDays ?? POPULARITY_HALF_LIFE_DAYS) * DAY_MS;
  const gathered: Gathered = {
    ids: new Map(),
    popularity: [],
    recentPopularity: [],
    bySegment: new Map(),
    members: new Map(),
    bought: new TimedLists(),
  };
  for (const { member, at, segment, lines } of purchases) {
    if (!(at < options.asOf)) continue;
    const weight = 2 ** ((at - options.asOf) / halfLifeMs);
    const recentWeight = 2 ** ((at - options.asOf) / (RECENT_HALF_LIFE_DAYS * DAY_MS));
    const inSegment = segment === undefined ? undefined : segmentOf(gathered, segment);
    const counted = new Set<number>();
    for (const { product: id, quantity } of lines) {
      const product = numberOf(gathered, id);
      const returned = quantity < 0;
      if (!returned && counted.has(product)) continue;
      if (!returned) counted.add(product);
      const change = returned ? -weight : weight;
      gathered.popularity[product] += change;
      gathered.recentPopularity[product] += returned ? -recentWeight : recentWeight;
      inSegment?.set(product, (inSegment.get(product) ?? 0) + change);
    }
    if (member === "") continue;
    const number = gathered.members.get(member) ?? gathered.members.size;
    if (number === gathered.members.size) gathered.members.set(member, number);
    for (const product of counted) gathered.bought.add(number, product, at);
  }
  return gathered;
}

/** Steps of a session stand at one time, so that they keep their order. */
function gatherSessions(
  sessions: Iterable<SessionRecord>,
  gathered: Gathered,
  options: ArtifactOptions,
): TimedLists {
  const walks = new TimedLists();
  let count = 0;
  for (const { at, products } of sessions) {
    if (!(at < options.asOf) || products.length < 2) continue;
    for (const id of products) walks.add(count, numberOf(gathered, id), at);
    count++;
  }
  return walks;
}

/** Each product once; sessions of a single product say nothing of what goes with it. */
function latestWalks(
  walks: readonly { readonly at: number; readonly products: readonly number[] }[],
  limit: number,
): Walks {
  const offsets = [0];
  const kept: number[] = [];
  for (const { products } of walks.toSorted((a, b) => b.at - a.at)) {
    if (offsets.length > limit) break;
    const once = [...new Set(products)].slice(-WALK_LENGTH_MAX);
    if (once.length < 2) continue;
    for (const product of once) kept.push(product);
    offsets.push(kept.length);
  }
  return { offsets: Uint32Array.from(offsets), product: Uint32Array.from(kept) };
}

function numberOf(gathered: Gathered, id: string): number {
  const known = gathered.ids.get(id);
  if (known !== undefined) return known;
  const product = gathered.ids.size;
  gathered.ids.set(id, product);
  gathered.popularity.push(0);
  gathered.recentPopularity.push(0);
  return product;
}

function segmentOf(gathered: Gathered, segment: string): Map<number, number> | undefined {
  const known = gathered.bySegment.get(segment);
  if (known !== undefined || gathered.bySegment.size >= MAX_SEGMENTS) return known;
  const fresh = new Map<number, number>();
  gathered.bySegment.set(segment, fresh);
  return fresh;
}

function segmentTables(
  { bySegment, ids }: Gathered,
  rankOf: Uint32Array,
): Pick<CandidateArtifacts, "segments" | "segmentPopularity"> {
  const segments = [...bySegment.keys()].sort();
  const segmentPopularity = new Float32Array(segments.length * ids.size);
  segments.forEach((segment, row) => {
    for (const [product, value] of bySegment.get(segment) ?? []) {
      segmentPopularity[row * ids.size + rankOf[product]] = Math.max(0, value);
    }
  });
  return { segments, segmentPopularity };
}

type Cadences = Pick<CandidateArtifacts, "cadenceDays" | "cadenceCount" | "repeatRate">;

function cadences(histories: readonly TimedList[], productCount: number): Cadences {
  const gapDays = new Float64Array(productCount);
  const gaps = new Float32Array(productCount);
  const buyers = new Float64Array(productCount);
  const repeaters = new Float64Array(productCount);
  for (const { products, at: times } of histories) {
    const last = new Map<number, { at: number; repeated: boolean }>();
    for (const [i, product] of products.entries()) {
      const at = times[i];
      const known = last.get(product);
      if (known === undefined) {
        buyers[product]++;
        last.set(product, { at, repeated: false });
        continue;
      }
      // Twice within the same hours is one need met in two parts.
      if (at - known.at < DAY_MS / 2) continue;
      if (!known.repeated) repeaters[product]++;
      gapDays[product] += (at - known.at) / DAY_MS;
      gaps[product]++;
      last.set(product, { at, repeated: true });
    }
  }
  const allBuyers = buyers.reduce((sum, n) => sum + n, 0);
  const mean = allBuyers === 0 ? 0 : repeaters.reduce((sum, n) => sum + n, 0) / allBuyers;
  return {
    cadenceDays: Float32Array.from(gapDays, (days, i) =>
      gaps[i] > 0 ? days / gaps[i] : Number.NaN,
    ),
    cadenceCount: gaps,
    repeatRate: Float32Array.from(
      repeaters,
      (n, i) => (n + REPEAT_PRIOR_BUYERS * mean) / (buyers[i] + REPEAT_PRIOR_BUYERS),
    ),
  };
}
