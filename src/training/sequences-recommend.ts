/** The product's own recommender, asked each case as serving would be. */
import type { CandidateArtifacts } from "../candidates/artifacts.js";
import { CANDIDATE_FEATURES, candidateFeatures } from "../candidates/features.js";
import { CANDIDATE_LIMIT, generateCandidates } from "../candidates/generate.js";
import {
  type CandidateRequest,
  type CandidateSet,
  SOURCE_NAMES,
  SOURCES,
} from "../candidates/source.js";
import type { CatalogSnapshot } from "../catalog/snapshot.js";
import {
  CATEGORY_BUCKETS,
  type HistoryLine,
  LINES_KEPT,
  TOUCHES_KEPT,
  type Touch,
} from "../features/history.js";
import type { SequenceCase } from "./sequences-protocol.js";
import type { Recommendations } from "./sequences-report.js";
import type { TreeModel, Xgboost } from "./xgboost.js";

/** Gaps behind the mean that serving knows. */
const GAPS_KEPT = 12;
const DAY_MS = 86_400_000;
const CASES_PER_CHUNK = 500;
const COLUMNS = CANDIDATE_FEATURES.length;
const SESSION_SOURCE = SOURCE_NAMES.indexOf("session_neighbours");

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
  /** Candidates of the session-neighbours source alone, by its score. */
  readonly bySession: Recommendations;
  readonly candidateRecall: CandidateRecall;
}

/** Share of target items among the candidates; NaN for a part no target has. */
export interface CandidateRecall {
  readonly all: number;
  /** Of what the user had before, and of what is new to them. */
  readonly repeat: number;
  readonly explore: number;
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
  const bySession: number[][] = [];
  const recall = new RecallCount();
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
      const order = bestFirst(set.count, (candidate) => own[candidate]).slice(0, limit);
      ranked.push(order.map((candidate) => set.product[candidate]));
      scores.push(order.map((candidate) => own[candidate]));
      bySession.push(sessionOrder(set, limit));
      recall.add(chunk[i], set.product);
    });
    onCases?.(start + chunk.length);
    // Lets a progress bar draw and Ctrl-C through.
    await new Promise((resolve) => setImmediate(resolve));
  }
  return { ranked, scores, bySession, candidateRecall: recall.shares() };
}

/** 0 … count − 1 by falling score, ties in order. */
function bestFirst(count: number, scoreOf: (candidate: number) => number): number[] {
  const order = Array.from({ length: count }, (_, candidate) => candidate);
  return order.sort((a, b) => scoreOf(b) - scoreOf(a) || a - b);
}

function sessionOrder({ count, product, sourceScore }: CandidateSet, limit: number): number[] {
  const scoreOf = (candidate: number) => sourceScore[candidate * SOURCES + SESSION_SOURCE];
  return bestFirst(count, scoreOf)
    .slice(0, limit)
    .filter((candidate) => scoreOf(candidate) > 0)
    .map((candidate) => product[candidate]);
}

class RecallCount {
  readonly #found = [0, 0];
  readonly #wanted = [0, 0];

  add({ past, session, target }: SequenceCase, candidates: Int32Array): void {
    const known = new Set(session);
    for (const { items } of past) for (const item of items) known.add(item);
    const proposed = new Set(candidates);
    for (const item of target) {
      const part = known.has(item) ? 0 : 1;
      this.#wanted[part]++;
      if (proposed.has(item)) this.#found[part]++;
    }
  }

  shares(): CandidateRecall {
    const [repeat, explore] = this.#found;
    const [repeats, explores] = this.#wanted;
    return {
      all: (repeat + explore) / (repeats + explores),
      repeat: repeat / repeats,
      explore: explore / explores,
    };
  }
}
