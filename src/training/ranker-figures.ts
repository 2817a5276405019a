/** How well next orders are foretold: the ranker beside personal frequency and popularity. */
import type { CandidateArtifacts } from "../candidates/artifacts.js";
import { bindArtifacts } from "../candidates/bind-artifacts.js";
import { CANDIDATE_FEATURES, candidateFeatures } from "../candidates/features.js";
import { CANDIDATE_LIMIT, generateCandidates } from "../candidates/generate.js";
import type { CandidateSet } from "../candidates/source.js";
import type { CatalogSnapshot } from "../catalog/snapshot.js";
import { loadOnnxScorer } from "../scoring/onnx-scorer.js";
import type { Scorer } from "../scoring/scorer.js";
import { bootstrap } from "./bootstrap.js";
import { cleanRows, type MemberExample } from "./ranker-examples.js";

export const TOP = 10;
const COLUMNS = CANDIDATE_FEATURES.length;
const AGE_COLUMN = CANDIDATE_FEATURES.indexOf("age_days");
const EXAMPLES_MAX = 3_000;

/** What was known at one instant: artifacts, catalog, and the examples to rank. */
export interface RankerSlice {
  readonly instant: number;
  readonly artifacts: CandidateArtifacts;
  readonly snapshot: CatalogSnapshot;
  readonly examples: readonly MemberExample[];
}

/** Figures of one way to rank, one value an example, so that they can be resampled. */
export interface RankedFigures {
  readonly ndcg: Float64Array;
  readonly recall: Float64Array;
  /** Among products bought before and not; NaN where the order held none such. */
  readonly recallRepeat: Float64Array;
  readonly recallExplore: Float64Array;
}

/** What one method answers on a slice, over the same examples. */
export type Method = (example: MemberExample, set: CandidateSet) => Promise<readonly number[]>;

export async function figuresOfMethod(slice: RankerSlice, method: Method): Promise<RankedFigures> {
  const examples = slice.examples.slice(0, EXAMPLES_MAX);
  const figures: RankedFigures = {
    ndcg: new Float64Array(examples.length),
    recall: new Float64Array(examples.length),
    recallRepeat: new Float64Array(examples.length),
    recallExplore: new Float64Array(examples.length),
  };
  for (const [index, example] of examples.entries()) {
    const set = generateCandidates(example.request, slice.artifacts, slice.snapshot);
    const shown = (await method(example, set)).slice(0, TOP);
    const { bought } = example;
    const known = new Set(set.view.product);
    const recallOf = (wanted: readonly number[]): number =>
      wanted.filter((product) => shown.includes(product)).length / wanted.length;
    figures.ndcg[index] = ndcg(shown, bought);
    figures.recall[index] = recallOf([...bought]);
    figures.recallRepeat[index] = recallOf([...bought].filter((product) => known.has(product)));
    figures.recallExplore[index] = recallOf([...bought].filter((product) => !known.has(product)));
  }
  return figures;
}

/** Binary gains against the best order there could have been, also of what was no candidate. */
function ndcg(shown: readonly number[], bought: ReadonlySet<number>): number {
  let gain = 0;
  let ideal = 0;
  for (let rank = 0; rank < TOP; rank++) {
    if (rank < bought.size) ideal += 1 / Math.log2(rank + 2);
    if (rank < shown.length && bought.has(shown[rank])) gain += 1 / Math.log2(rank + 2);
  }
  return gain / ideal;
}

/** By the graph's own margins: what serves. */
export function byGraph(scorer: Scorer, slice: RankerSlice): Method {
  const rows = new Float32Array(CANDIDATE_LIMIT * COLUMNS);
  return async ({ request }, set) => {
    if (set.count === 0) return [];
    const filled = candidateFeatures(set, request, slice.artifacts, slice.snapshot, rows);
    cleanRows(filled, COLUMNS, AGE_COLUMN);
    const { margins } = await scorer.run(filled, set.count);
    const order = Array.from({ length: set.count }, (_, slot) => slot);
    order.sort((a, b) => margins[b] - margins[a] || a - b);
    return order.map((slot) => set.product[slot]);
  };
}

export function byPopularity(slice: RankerSlice): Method {
  const popular = popularOf(slice);
  return async () => popular;
}

/** The member's own products by the number of baskets that held them, filled up by popularity. */
export function byPersonalFrequency(slice: RankerSlice): Method {
  const popular = popularOf(slice);
  return async (_, { view }) => {
    const own = Array.from({ length: view.count }, (__, position) => position)
      .sort((a, b) => view.times[b] - view.times[a] || a - b)
      .map((position) => view.product[position]);
    const seen = new Set(own);
    return [...own, ...popular.filter((product) => !seen.has(product))].slice(0, TOP);
  };
}

function popularOf({ artifacts, snapshot }: RankerSlice): number[] {
  const { toCatalog } = bindArtifacts(artifacts, snapshot);
  const popular: number[] = [];
  for (const index of toCatalog) {
    if (index !== -1 && snapshot.offerable[index] === 1) popular.push(index);
    if (popular.length === 100) break;
  }
  return popular;
}

export async function measureRanker(
  graph: Uint8Array,
  slice: RankerSlice,
): Promise<Record<string, number | null>> {
  const scorer = await loadOnnxScorer(graph);
  try {
    const own = await figuresOfMethod(slice, byGraph(scorer, slice));
    const personal = await figuresOfMethod(slice, byPersonalFrequency(slice));
    const popular = await figuresOfMethod(slice, byPopularity(slice));
    const members = slice.examples.slice(0, EXAMPLES_MAX).map(({ member }) => member);
    const interval = bootstrap(own.ndcg.length, (rows) => meanAt(own.ndcg, rows), {
      clusters: members,
    });
    const gain = bootstrap(
      own.ndcg.length,
      (rows) => meanAt(own.ndcg, rows) - meanAt(personal.ndcg, rows),
      { clusters: members },
    );
    return finiteOrNull({
      n: own.ndcg.length,
      ndcg10: meanOf(own.ndcg),
      ndcg10Low: interval.low,
      ndcg10High: interval.high,
      recall10: meanOf(own.recall),
      recall10Repeat: meanOf(own.recallRepeat),
      recall10Explore: meanOf(own.recallExplore),
      ndcg10Personal: meanOf(personal.ndcg),
      recall10Personal: meanOf(personal.recall),
      ndcg10Popular: meanOf(popular.ndcg),
      recall10Popular: meanOf(popular.recall),
      ndcg10OverPersonalLow: gain.low,
      ndcg10OverPersonalHigh: gain.high,
    });
  } finally {
    await scorer.release();
  }
}

export const meanAt = (values: Float64Array, rows: readonly number[]): number =>
  rows.reduce((sum, row) => sum + values[row], 0) / rows.length;

/** Over the examples for which the figure is defined. */
export function meanOf(values: Float64Array): number {
  const defined = values.filter((value) => !Number.isNaN(value));
  return defined.reduce((sum, value) => sum + value, 0) / defined.length;
}

/** JSON has no NaN: an undefined figure is null. */
export const finiteOrNull = (figures: Record<string, number>): Record<string, number | null> =>
  Object.fromEntries(
    Object.entries(figures).map(([name, value]) => [name, Number.isFinite(value) ? value : null]),
  );
