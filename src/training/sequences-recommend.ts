/** What answers the cases: the product's own recommender, and what it has to beat. */
import type { CandidateArtifacts } from "../candidates/artifacts.js";
import { CANDIDATE_FEATURES, candidateFeatures } from "../candidates/features.js";
import { CANDIDATE_LIMIT, generateCandidates } from "../candidates/generate.js";
import type { CandidateRequest, CandidateSet } from "../candidates/source.js";
import type { CatalogSnapshot } from "../catalog/snapshot.js";
import {
  CATEGORY_BUCKETS,
  type HistoryLine,
  LINES_KEPT,
  TOUCHES_KEPT,
  type Touch,
} from "../features/history.js";
import type { SequenceCase, SequenceRound } from "./sequences-protocol.js";
import type { TreeModel, Xgboost } from "./xgboost.js";

/** Gaps behind the mean that serving knows. */
const GAPS_KEPT = 12;
const DAY_MS = 86_400_000;
const CASES_PER_CHUNK = 500;
const COLUMNS = CANDIDATE_FEATURES.length;

/** Item numbers, best first, for each case. */
export type Recommendations = readonly (readonly number[])[];

/** The case as serving would see it: the latest 64 lines and 12 touches, nothing else. */
export function requestOf(example: SequenceCase, snapshot: CatalogSnapshot): CandidateRequest {
  const { past, session, now } = example;
  const lines: HistoryLine[] = [];
  for (let basket = past.length - 1; basket >= 0 && lines.length < LINES_KEPT; basket--) {
    const at = Math.floor(past[basket].at / 1000);
    // Within a basket the order says little; the first item counts as the newest.
    for (const item of past[basket].items) {
      if (lines.length === LINES_KEPT) break;
      lines.push({ product: snapshot.fingerprint[item], at, quantity: 1 });
    }
  }
  const touches: Touch[] = [];
  for (let i = session.length - 1; i >= 0 && touches.length < TOUCHES_KEPT; i--) {
    const at = Math.floor(now / 1000) - (session.length - 1 - i) * 60;
    touches.push({ product: snapshot.fingerprint[session[i]], at, kind: "view" });
  }
  const times = past.slice(-GAPS_KEPT - 1).map(({ at }) => at);
  const gaps = times.length - 1;
  return {
    history: {
      now,
      lines,
      touches,
      orderCount: past.length,
      priceLevel: Number.NaN,
      categoryCounts: new Array<number>(CATEGORY_BUCKETS).fill(0),
      meanGapDays: gaps > 0 ? (times[gaps] - times[0]) / gaps / DAY_MS : Number.NaN,
    },
    cart: example.cart,
    exclude: new Set(),
    segment: "",
  };
}

export interface OwnRecommendations {
  readonly ranked: Recommendations;
  /** Scores beside `ranked`, on the ranker's margin. */
  readonly scores: readonly (readonly number[])[];
  /** Share of target items among the candidates. */
  readonly candidateRecall: number;
}

/** Candidates by the product's sources, ordered by the ranker's margin; `limit` items a case. */
export async function recommendOwn(
  cases: readonly SequenceCase[],
  artifacts: CandidateArtifacts,
  snapshot: CatalogSnapshot,
  ranker: { xgboost: Xgboost; model: TreeModel },
  limit: number,
  onCases?: (done: number) => void,
): Promise<OwnRecommendations> {
  const ranked: number[][] = [];
  const scores: number[][] = [];
  let found = 0;
  let wanted = 0;
  for (let start = 0; start < cases.length; start += CASES_PER_CHUNK) {
    const chunk = cases.slice(start, start + CASES_PER_CHUNK);
    const rows = new Float32Array(chunk.length * CANDIDATE_LIMIT * COLUMNS);
    const sets: CandidateSet[] = [];
    let rowCount = 0;
    for (const example of chunk) {
      const request = requestOf(example, snapshot);
      const set = generateCandidates(request, artifacts, snapshot);
      candidateFeatures(set, request, artifacts, snapshot, rows.subarray(rowCount * COLUMNS));
      sets.push(set);
      rowCount += set.count;
    }
    const filled = rows.subarray(0, rowCount * COLUMNS);
    const margins = ranker.xgboost.predictMargins(ranker.model, filled, rowCount);
    let row = 0;
    sets.forEach((set, i) => {
      const own = margins.subarray(row, row + set.count);
      row += set.count;
      const order = Array.from(own, (_, candidate) => candidate);
      order.sort((a, b) => own[b] - own[a] || a - b);
      ranked.push(order.slice(0, limit).map((candidate) => set.product[candidate]));
      scores.push(order.slice(0, limit).map((candidate) => own[candidate]));
      const proposed = new Set(set.product);
      found += chunk[i].target.filter((item) => proposed.has(item)).length;
      wanted += chunk[i].target.length;
    });
    onCases?.(start + chunk.length);
    // Lets a progress bar draw and Ctrl-C through.
    await new Promise((resolve) => setImmediate(resolve));
  }
  return { ranked, scores, candidateRecall: found / wanted };
}

/** The most popular items that do not lie in the cart. */
export function recommendPopular(
  { cart }: SequenceCase,
  popular: readonly number[],
  limit: number,
): number[] {
  const top = popular.slice(0, limit + cart.length);
  return top.filter((item) => !cart.includes(item)).slice(0, limit);
}

/** Item numbers by number of baskets that held them, ties by first appearance. */
export function itemsByPopularity(round: SequenceRound, snapshot: CatalogSnapshot): number[] {
  const counts = new Map<number, number>();
  for (const { lines } of round.purchases) {
    for (const { product } of lines) {
      const item = snapshot.indexOf.get(product) as number;
      counts.set(item, (counts.get(item) ?? 0) + 1);
    }
  }
  return [...counts].sort((a, b) => b[1] - a[1]).map(([item]) => item);
}

/**
 * GP-TopFreq (Li et al. 2023, A Next Basket Recommendation Reality Check): the user's own items by the
 * number of baskets that held them, ties by first appearance, filled up with the most popular ones;
 * what lies in the cart is left out.
 */
export function recommendPersonal(
  { past, cart, session }: SequenceCase,
  popular: readonly number[],
  limit: number,
): number[] {
  const counts = new Map<number, number>();
  for (const { items } of past) {
    for (const item of items) counts.set(item, (counts.get(item) ?? 0) + 1);
  }
  for (const item of session) counts.set(item, (counts.get(item) ?? 0) + 1);
  const own = [...counts].sort((a, b) => b[1] - a[1]).map(([item]) => item);
  const ranked = own.filter((item) => !cart.includes(item)).slice(0, limit);
  for (const item of popular) {
    if (ranked.length === limit) break;
    if (!counts.has(item) && !cart.includes(item)) ranked.push(item);
  }
  return ranked;
}
