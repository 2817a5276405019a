/** What `evaluate sequences` reports: figures by method, with intervals, and what we are ahead by. */
import type { Interval } from "./bootstrap.js";
import { bootstrapMeans, groupRows } from "./bootstrap-means.js";
import type { SequenceCase } from "./sequences-protocol.js";

/**
 * Mean over cases of: the share of the target recommended; binary NDCG, whose ideal list holds the
 * whole target also where it is longer than k (Li et al. 2023); whether anything was hit (personalised
 * hit ratio, HitRate); one over the rank of the first hit, 0 without one. Then recall by part: of what
 * the user had before (repeat) and what is new to them (explore), over cases whose target has any.
 */
export const SEQUENCE_METRICS = [
  "recall",
  "ndcg",
  "phr",
  "mrr",
  "recall_repeat",
  "recall_explore",
] as const;
export type SequenceMetric = (typeof SEQUENCE_METRICS)[number];

/**
 * `cuecard` is the product's recommender; `personal_frequency` the user's own items alone;
 * `gp_topfreq` those filled up with popular ones; `recency` the latest bought first, filled up too.
 * In sessions: `item_knn`, neighbours of the last item; `session_knn`, the product's
 * session-neighbours source alone.
 */
export type MethodName =
  | "cuecard"
  | "popularity"
  | "personal_frequency"
  | "gp_topfreq"
  | "recency"
  | "item_knn"
  | "session_knn";

/** Item numbers, best first, for each case. */
export type Recommendations = readonly (readonly number[])[];

/** A metric no case has a value for (no target was new) is NaN, `null` in JSON. */
export interface MethodFigures extends Readonly<Record<SequenceMetric, number>> {
  readonly method: MethodName;
  readonly k: number;
  /** 95 %, resampling users. */
  readonly intervals: Readonly<Record<SequenceMetric, Interval>>;
}

export interface MethodDifference {
  /** cuecard minus this method, on the same cases. */
  readonly against: MethodName;
  readonly k: number;
  readonly metric: SequenceMetric;
  readonly difference: number;
  /** 95 %, resampling users. */
  readonly interval: Interval;
}

/** Means over each user's cases, NaN where none has a value; users as in `userIds`. */
export interface UserFigures {
  readonly method: MethodName;
  readonly k: number;
  readonly values: Readonly<Record<SequenceMetric, Float64Array>>;
}

export interface Comparison {
  readonly figures: readonly MethodFigures[];
  readonly differences: readonly MethodDifference[];
  readonly userIds: readonly string[];
  readonly byUser: readonly UserFigures[];
}

interface Series {
  readonly method: MethodName;
  readonly k: number;
  readonly metric: SequenceMetric;
  readonly values: Float64Array;
}

/** The first method is compared with each of the others. */
export function compareMethods(
  methods: readonly (readonly [MethodName, Recommendations])[],
  cases: readonly SequenceCase[],
  { k: cutOffs, seed, rounds }: { k: readonly number[]; seed?: number; rounds?: number },
): Comparison {
  const groups = groupRows(cases.map(({ user }) => user));
  const known = cases.map(({ past, session }) => {
    const items = new Set(session);
    for (const basket of past) for (const item of basket.items) items.add(item);
    return items;
  });
  const own: Series[] = [];
  const gaps: Series[] = [];
  for (const k of cutOffs) {
    const first = measureAll(methods[0][1], cases, known, k);
    methods.forEach(([method, lists], m) => {
      const values = m === 0 ? first : measureAll(lists, cases, known, k);
      SEQUENCE_METRICS.forEach((metric, i) => {
        own.push({ method, k, metric, values: values[i] });
        if (m === 0) return;
        const gap = first[i].map((value, row) => value - values[i][row]);
        gaps.push({ method, k, metric, values: gap });
      });
    });
  }
  const means = bootstrapMeans(
    [...own, ...gaps].map(({ values }) => values),
    groups,
    { seed, rounds },
  );
  const byUser = means.slice(0, own.length).map(({ byGroup }) => byGroup);
  return {
    figures: recordsOf(own, (_, at) => means[at]).map(({ method, k, values }) => ({
      method,
      k,
      ...mapRecord(values, ({ mean }) => mean),
      intervals: mapRecord(values, ({ interval }) => interval),
    })),
    differences: gaps.map(({ method, k, metric }, i) => {
      const { mean, interval } = means[own.length + i];
      return { against: method, k, metric, difference: mean, interval };
    }),
    userIds: [...groups.ids].map(String),
    byUser: recordsOf(own, (_, at) => byUser[at]),
  };
}

/** Series of one method and cut-off stand together, one a metric. */
function recordsOf<T>(
  series: readonly Series[],
  pick: (series: Series, at: number) => T,
): { method: MethodName; k: number; values: Record<SequenceMetric, T> }[] {
  const records: { method: MethodName; k: number; values: Record<SequenceMetric, T> }[] = [];
  for (let at = 0; at < series.length; at += SEQUENCE_METRICS.length) {
    const entries = SEQUENCE_METRICS.map((metric, i) => [metric, pick(series[at], at + i)]);
    const { method, k } = series[at];
    records.push({ method, k, values: Object.fromEntries(entries) as Record<SequenceMetric, T> });
  }
  return records;
}

const mapRecord = <T, R>(
  record: Readonly<Record<SequenceMetric, T>>,
  change: (value: T) => R,
): Record<SequenceMetric, R> =>
  Object.fromEntries(SEQUENCE_METRICS.map((metric) => [metric, change(record[metric])])) as Record<
    SequenceMetric,
    R
  >;

/** One array a metric, one value a case. */
function measureAll(
  lists: Recommendations,
  cases: readonly SequenceCase[],
  known: readonly ReadonlySet<number>[],
  k: number,
): Float64Array[] {
  const values = SEQUENCE_METRICS.map(() => new Float64Array(cases.length));
  cases.forEach(({ target }, row) => {
    const measured = measure(lists[row], target, known[row], k);
    SEQUENCE_METRICS.forEach((metric, i) => {
      values[i][row] = measured[metric];
    });
  });
  return values;
}

const discount = (rank: number): number => 1 / Math.log2(rank + 2);

function measure(
  recommended: readonly number[],
  target: readonly number[],
  known: ReadonlySet<number>,
  k: number,
): Record<SequenceMetric, number> {
  const wanted = new Set(target);
  let repeats = 0;
  for (const item of wanted) if (known.has(item)) repeats++;
  let [hits, repeatHits, gain, ideal, firstHit] = [0, 0, 0, 0, 0];
  for (let rank = 0; rank < wanted.size; rank++) ideal += discount(rank);
  for (let rank = 0; rank < Math.min(k, recommended.length); rank++) {
    if (!wanted.has(recommended[rank])) continue;
    if (hits === 0) firstHit = 1 / (rank + 1);
    hits++;
    if (known.has(recommended[rank])) repeatHits++;
    gain += discount(rank);
  }
  const explores = wanted.size - repeats;
  return {
    recall: hits / wanted.size,
    ndcg: gain / ideal,
    phr: hits > 0 ? 1 : 0,
    mrr: firstHit,
    recall_repeat: repeats === 0 ? Number.NaN : repeatHits / repeats,
    recall_explore: explores === 0 ? Number.NaN : (hits - repeatHits) / explores,
  };
}
