/**
 * `evaluate sequences`: the product's own recommender (sources, artifacts, LambdaMART ranker), cut to
 * what serving would know, beside popularity and personal frequency, on any log of baskets or sessions.
 */
import { writeFile } from "node:fs/promises";
import type { CandidateArtifacts } from "../candidates/artifacts.js";
import { buildArtifacts } from "../candidates/build-artifacts.js";
import { buildSnapshot } from "../catalog/build-snapshot.js";
import type { CatalogSnapshot } from "../catalog/snapshot.js";
import { CuecardError } from "../errors.js";
import { bootstrap, type Interval } from "./bootstrap.js";
import { seededRandom, shuffle } from "./random.js";
import { joinRankerRows, type RankerRows, rankerRows } from "./ranker-rows.js";
import {
  type SequenceCase,
  type SequenceRound,
  type SequenceSplit,
  splitSequences,
} from "./sequences-protocol.js";
import { readSequences, type SequenceData, type SequenceSource } from "./sequences-read.js";
import {
  itemsByPopularity,
  type Recommendations,
  recommendOwn,
  recommendPersonal,
  recommendPopular,
  requestOf,
} from "./sequences-recommend.js";
import { loadXgboost, type TreeModel, type Xgboost } from "./xgboost.js";

export interface SequencesOptions extends SequenceSource {
  /** last-basket, leave-one-out, next-in-session, or time:DATE */
  readonly protocol: string;
  /** Cut-offs, e.g. [10, 20]. */
  readonly k: readonly number[];
  /** Where recommendations go, as CSV `case,user,rank,item,score`. */
  readonly out?: string;
  readonly seed?: number;
  readonly threads?: number;
  readonly xgboostLibrary?: string;
  /** Cases the ranker learns from. Default 6,000. */
  readonly maxTrainingCases?: number;
  /** Trees. Default 150. */
  readonly rounds?: number;
}

export interface SequencesProgress {
  readonly step: "read" | "learn" | "train" | "recommend" | "measure";
  readonly done: number;
  /** Absent where it is not known beforehand. */
  readonly total?: number;
}

export const SEQUENCE_METRICS = ["recall", "ndcg", "phr"] as const;
export type SequenceMetric = (typeof SEQUENCE_METRICS)[number];
export type MethodName = "cuecard" | "popularity" | "personal_frequency";

export interface MethodFigures {
  readonly method: MethodName;
  readonly k: number;
  /** Mean over cases of the share of the target recommended. */
  readonly recall: number;
  /** Binary NDCG; the ideal list holds the whole target, also where it is longer than k (Li et al. 2023). */
  readonly ndcg: number;
  /** Share of cases with any hit. */
  readonly phr: number;
}

export interface MethodDifference {
  /** cuecard minus this method. */
  readonly against: MethodName;
  readonly k: number;
  readonly metric: SequenceMetric;
  readonly difference: number;
  /** 95 %, resampling users. */
  readonly interval: Interval;
}

export interface SequencesReport {
  readonly protocol: string;
  readonly users: number;
  readonly items: number;
  readonly cases: number;
  readonly trainingGroups: number;
  /** Share of what was asked for among the candidates: recall cannot exceed it. */
  readonly candidateRecall: number;
  readonly figures: readonly MethodFigures[];
  readonly differences: readonly MethodDifference[];
  readonly notes: readonly string[];
  readonly seconds: number;
}

const MAX_TRAINING_CASES = 6_000;
const ROUNDS = 150;
const K_MAX = 100;
const VALIDATION_SHARE = 0.15;
const EARLY_STOPPING_ROUNDS = 20;

/**
 * @throws CuecardError `usage`, `file_invalid`, `not_enough_data`, `xgboost_missing`
 */
export async function evaluateSequences(
  options: SequencesOptions,
  onProgress: (progress: SequencesProgress) => void = () => undefined,
): Promise<SequencesReport> {
  const startedAt = performance.now();
  if (options.k.length === 0 || options.k.some((k) => !Number.isInteger(k) || k < 1 || k > K_MAX)) {
    throw new CuecardError("usage", `--k takes whole numbers from 1 to ${K_MAX}`);
  }
  const xgboost = loadXgboost(options.xgboostLibrary);
  const data = await readSequences(options, (rows) => onProgress({ step: "read", done: rows }));
  const split = splitSequences(data, options.protocol);
  const snapshot = snapshotOf(data);
  onProgress({ step: "learn", done: 0 });
  const trained = trainRanker(xgboost, split, snapshot, options, onProgress);
  const { test } = split;
  const limit = Math.max(...options.k);
  const artifacts = artifactsOf(test);
  const own = await recommendOwn(
    test.cases,
    artifacts,
    snapshot,
    { xgboost, model: trained.model },
    limit,
    (done) => onProgress({ step: "recommend", done, total: test.cases.length }),
  );
  const popular = itemsByPopularity(test, snapshot);
  const methods: [MethodName, Recommendations][] = [
    ["cuecard", own.ranked],
    ["popularity", test.cases.map((each) => recommendPopular(each, popular, limit))],
    ["personal_frequency", test.cases.map((each) => recommendPersonal(each, popular, limit))],
  ];
  onProgress({ step: "measure", done: 0 });
  if (options.out !== undefined) await writeOut(options.out, data, test.cases, own);
  return {
    protocol: options.protocol,
    users: data.users.length,
    items: data.items.length,
    cases: test.cases.length,
    trainingGroups: trained.groups,
    candidateRecall: own.candidateRecall,
    ...compare(methods, test.cases, options),
    notes: data.notes,
    seconds: (performance.now() - startedAt) / 1000,
  };
}

/** A catalog in which every item of the file can be offered; catalog index = item number. */
function snapshotOf(data: SequenceData): CatalogSnapshot {
  const firstAt = new Float64Array(data.items.length).fill(Number.POSITIVE_INFINITY);
  for (const { baskets } of data.users) {
    for (const { at, items } of baskets) {
      for (const item of items) firstAt[item] = Math.min(firstAt[item], data.timed ? at : 0);
    }
  }
  const products = data.items.map((id, item) => ({
    id,
    name: id,
    price: 1,
    active: true,
    createdAt: firstAt[item],
    updatedAt: firstAt[item],
    source: "event" as const,
  }));
  return buildSnapshot(1, products);
}

const artifactsOf = (round: SequenceRound): CandidateArtifacts =>
  buildArtifacts(round.purchases, round.sessions, { asOf: round.asOf });

function trainRanker(
  xgboost: Xgboost,
  split: SequenceSplit,
  snapshot: CatalogSnapshot,
  options: SequencesOptions,
  onProgress: (progress: SequencesProgress) => void,
): { model: TreeModel; groups: number } {
  const random = seededRandom(options.seed ?? 0);
  const perRound = (options.maxTrainingCases ?? MAX_TRAINING_CASES) / split.training.length;
  const training: RankerRows[] = [];
  const validation: RankerRows[] = [];
  for (const [done, round] of split.training.entries()) {
    const order = shuffle(
      Array.from(round.cases, (_, i) => i),
      random,
    ).slice(0, perRound);
    const examples = order.map((i) => ({
      request: requestOf(round.cases[i], snapshot),
      bought: new Set(round.cases[i].target),
    }));
    const held = Math.floor(examples.length * VALIDATION_SHARE);
    const artifacts = artifactsOf(round);
    const rows = (part: typeof examples) =>
      rankerRows(part, artifacts, snapshot, { heldOutByPosition: split.byPosition });
    validation.push(rows(examples.slice(0, held)));
    training.push(rows(examples.slice(held)));
    onProgress({ step: "learn", done: done + 1, total: split.training.length });
  }
  const train = joinRankerRows(training);
  const evaluation = joinRankerRows(validation);
  if (train.rowCount === 0) {
    throw new CuecardError("not_enough_data", "no candidate was bought in any training case");
  }
  const model = xgboost.trainTrees({
    ...train,
    objective: "rank:ndcg",
    params: RANKER_PARAMS,
    rounds: options.rounds ?? ROUNDS,
    threads: options.threads,
    seed: options.seed,
    ...(evaluation.rowCount > 0 ? { evaluation, earlyStoppingRounds: EARLY_STOPPING_ROUNDS } : {}),
    onRound: ({ round, rounds }) => onProgress({ step: "train", done: round, total: rounds }),
  });
  return { model, groups: train.groups.length };
}

/** Shallow trees and a slow rate: groups are few and most features are counts of few baskets. */
export const RANKER_PARAMS: Readonly<Record<string, string | number>> = {
  max_depth: 5,
  eta: 0.1,
  min_child_weight: 10,
  subsample: 0.8,
  colsample_bytree: 0.7,
  lambda: 5,
};

/** Figures of one method per case, the metrics of SEQUENCE_METRICS. */
function measure(
  recommended: readonly number[],
  target: readonly number[],
  k: number,
): Record<SequenceMetric, number> {
  const wanted = new Set(target);
  let hits = 0;
  let gain = 0;
  let ideal = 0;
  const discount = (rank: number) => 1 / Math.log2(rank + 2);
  for (let rank = 0; rank < wanted.size; rank++) ideal += discount(rank);
  for (let rank = 0; rank < Math.min(k, recommended.length); rank++) {
    if (!wanted.has(recommended[rank])) continue;
    hits++;
    gain += discount(rank);
  }
  return { recall: hits / wanted.size, ndcg: gain / ideal, phr: hits > 0 ? 1 : 0 };
}

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

function compare(
  methods: readonly [MethodName, Recommendations][],
  cases: readonly SequenceCase[],
  options: SequencesOptions,
): Pick<SequencesReport, "figures" | "differences"> {
  const figures: MethodFigures[] = [];
  const differences: MethodDifference[] = [];
  const clusters = cases.map(({ user }) => user);
  for (const k of options.k) {
    const perCase = methods.map(([, lists]) => lists.map((l, i) => measure(l, cases[i].target, k)));
    methods.forEach(([method], m) => {
      const average = (metric: SequenceMetric) => mean(perCase[m].map((each) => each[metric]));
      figures.push({
        method,
        k,
        recall: average("recall"),
        ndcg: average("ndcg"),
        phr: average("phr"),
      });
      if (m === 0) return;
      for (const metric of SEQUENCE_METRICS) {
        const gaps = cases.map((_, i) => perCase[0][i][metric] - perCase[m][i][metric]);
        const figure = (rows: readonly number[]) =>
          rows.reduce((sum, row) => sum + gaps[row], 0) / rows.length;
        const interval = bootstrap(cases.length, figure, { clusters, seed: options.seed });
        differences.push({ against: method, k, metric, difference: mean(gaps), interval });
      }
    });
  }
  return { figures, differences };
}

async function writeOut(
  path: string,
  data: SequenceData,
  cases: readonly SequenceCase[],
  own: { ranked: Recommendations; scores: readonly (readonly number[])[] },
): Promise<void> {
  const cell = (text: string) => (/[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const lines = ["case,user,rank,item,score"];
  own.ranked.forEach((items, i) => {
    const user = cell(cases[i].user);
    items.forEach((item, rank) => {
      const score = own.scores[i][rank].toPrecision(7);
      lines.push(`${i + 1},${user},${rank + 1},${cell(data.items[item])},${score}`);
    });
  });
  await writeFile(path, `${lines.join("\n")}\n`);
}
