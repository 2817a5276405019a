/** Why a candidate is suggested, from the sources that proposed it. */
import type { CatalogSnapshot } from "../catalog/snapshot.js";
import type { CandidateArtifacts, Neighbours } from "./artifacts.js";
import { type BoundArtifacts, bindArtifacts } from "./bind-artifacts.js";
import { daysSinceBought, expectedGapDays } from "./cadence.js";
import { DAY_SECONDS } from "./member-view.js";
import type { CandidateReason } from "./reason-texts.js";
import {
  type CandidateRequest,
  type CandidateSet,
  SOURCE_NAMES,
  type SourceName,
} from "./source.js";

export { type CandidateReason, type ReasonCode, reasonText } from "./reason-texts.js";

/** Older products are not called new, though the source may fill up with them. */
const NEW_DAYS_MAX = 45;

interface ReasonContext {
  readonly set: CandidateSet;
  readonly i: number;
  readonly index: number;
  readonly request: CandidateRequest;
  readonly bound: BoundArtifacts;
}

/**
 * Reasons of candidate `i`, the most telling first, at most `limit`; never empty for a candidate
 * some source proposed and something is known of. Meant for the few that are shown.
 */
export function reasonsFor(
  set: CandidateSet,
  i: number,
  request: CandidateRequest,
  artifacts: CandidateArtifacts,
  snapshot: CatalogSnapshot,
  limit = 3,
): CandidateReason[] {
  const bound = bindArtifacts(artifacts, snapshot);
  const context: ReasonContext = { set, i, index: set.product[i], request, bound };
  const reasons: CandidateReason[] = [];
  for (const reason of REASONS) {
    const found = reason(context);
    if (found !== undefined) reasons.push(found);
    if (reasons.length === limit) break;
  }
  if (reasons.length === 0) reasons.push({ code: "popular_now", params: {} });
  return reasons;
}

const proposedBy = ({ set, i }: ReasonContext, source: SourceName): boolean =>
  (set.sources[i] & (1 << SOURCE_NAMES.indexOf(source))) !== 0;

const nameOf = ({ bound }: ReasonContext, index: number): string =>
  bound.snapshot.products[index].name ?? bound.snapshot.products[index].id;

const wholeDays = (days: number): number => Math.max(0, Math.round(days));

function follows(context: ReasonContext): CandidateReason | undefined {
  if (!proposedBy(context, "successors")) return undefined;
  const { set, index, bound } = context;
  const { products } = bound.snapshot;
  const id = products[index].id;
  for (let position = 0; position < set.view.count; position++) {
    const bought = set.view.product[position];
    if (!products[bought].successors?.some(({ product }) => product === id)) continue;
    const days = wholeDays(daysSinceBought(set.view, position));
    return { code: "follows_purchase", params: { name: nameOf(context, bought), days } };
  }
  return undefined;
}

function replenishmentDue(context: ReasonContext): CandidateReason | undefined {
  if (!proposedBy(context, "replenishment")) return undefined;
  const { view } = context.set;
  const position = view.positionOf(context.index);
  const lasts = Math.max(1, wholeDays(expectedGapDays(view, position, context.bound)));
  const days = wholeDays(daysSinceBought(view, position));
  return { code: "replenishment_due", params: { days, lasts } };
}

function boughtOften(context: ReasonContext): CandidateReason | undefined {
  const { view } = context.set;
  const position = view.positionOf(context.index);
  if (position === -1 || view.times[position] < 2) return undefined;
  const days = wholeDays(daysSinceBought(view, position));
  return { code: "bought_often", params: { times: view.times[position], days } };
}

function viewedRecently({ set, index }: ReasonContext): CandidateReason | undefined {
  const touch = set.view.touchOf(index);
  if (touch === -1) return undefined;
  const days = wholeDays((set.view.now - set.view.touchedAt[touch]) / DAY_SECONDS);
  return { code: "viewed_recently", params: { days } };
}

function weightBetween(table: Neighbours, from: number, to: number): number {
  for (let at = table.offsets[from]; at < table.offsets[from + 1]; at++) {
    if (table.neighbour[at] === to) return table.weight[at];
  }
  return 0;
}

/** The product among `seeds` (catalog indices) that speaks most for the candidate. */
function strongestSeed(context: ReasonContext, seeds: Iterable<number>): number | undefined {
  const { bound, index } = context;
  const { coPurchase, sessions } = bound.artifacts;
  const to = bound.toArtifact[index];
  if (to === -1) return undefined;
  let best: number | undefined;
  let bestWeight = 0;
  for (const seed of seeds) {
    const from = bound.toArtifact[seed] ?? -1;
    if (from === -1 || seed === index) continue;
    const weight = Math.max(weightBetween(coPurchase, from, to), weightBetween(sessions, from, to));
    if (weight <= bestWeight) continue;
    best = seed;
    bestWeight = weight;
  }
  return best;
}

function inCartTogether(context: ReasonContext): CandidateReason | undefined {
  const seed = strongestSeed(context, context.request.cart);
  if (seed === undefined) return undefined;
  return { code: "in_cart_together", params: { name: nameOf(context, seed) } };
}

function boughtTogether(context: ReasonContext): CandidateReason | undefined {
  if (!proposedBy(context, "co_purchase")) return undefined;
  const seed = strongestSeed(context, context.set.view.product);
  if (seed === undefined) return undefined;
  return { code: "bought_together", params: { name: nameOf(context, seed) } };
}

function categoryTaste(context: ReasonContext): CandidateReason | undefined {
  if (!proposedBy(context, "category_affinity")) return undefined;
  const { categories, category } = context.bound.snapshot;
  return { code: "category_taste", params: { category: categories[category[context.index]] } };
}

function newArrival(context: ReasonContext): CandidateReason | undefined {
  if (!proposedBy(context, "new_arrivals")) return undefined;
  const { bound, index, request } = context;
  const days = (request.history.now - bound.snapshot.launchedAt[index]) / (1000 * DAY_SECONDS);
  if (days > NEW_DAYS_MAX) return undefined;
  return { code: "new_arrival", params: { days: Math.max(1, wholeDays(days)) } };
}

function popularNow(context: ReasonContext): CandidateReason | undefined {
  return proposedBy(context, "popularity") ? { code: "popular_now", params: {} } : undefined;
}

/** Own needs first, then what others did, then what is new or popular. */
const REASONS = [
  follows,
  replenishmentDue,
  inCartTogether,
  boughtOften,
  viewedRecently,
  boughtTogether,
  categoryTaste,
  newArrival,
  popularNow,
];
