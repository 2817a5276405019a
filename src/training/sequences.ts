/**
 * `evaluate sequences`: the product's own recommender (sources, artifacts, trained ranker), cut to
 * what serving would know, beside popularity and personal frequency, on any log of baskets or sessions.
 */
import { writeFile } from "node:fs/promises";
import { buildSnapshot } from "../catalog/build-snapshot.js";
import type { CatalogSnapshot } from "../catalog/snapshot.js";
import { CuecardError } from "../errors.js";
import { baselinesOf } from "./sequences-baselines.js";
import { type SequenceCase, splitSequences } from "./sequences-protocol.js";
import { readSequences, type SequenceData, type SequenceSource } from "./sequences-read.js";
import { type CandidateRecall, recommendOwn } from "./sequences-recommend.js";
import {
  compareMethods,
  type MethodDifference,
  type MethodFigures,
  type MethodName,
  type Recommendations,
  type UserFigures,
} from "./sequences-report.js";
import { artifactsOf, trainSequenceRanker } from "./sequences-train.js";
import { loadXgboost } from "./xgboost.js";

export interface SequencesOptions extends SequenceSource {
  /** last-basket, leave-one-out, next-in-session, or time:DATE */
  readonly protocol: string;
  /** Cut-offs, e.g. [10, 20]. */
  readonly k: readonly number[];
  /** Where recommendations go, as CSV `case,user,rank,item,score`. */
  readonly out?: string;
  /** Give each user's figures, e.g. for a plot. Default false. */
  readonly byUser?: boolean;
  readonly seed?: number;
  readonly threads?: number;
  readonly xgboostLibrary?: string;
  /** Cases the ranker learns from. Default 14,000. */
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

export interface SequencesReport {
  readonly protocol: string;
  readonly users: number;
  readonly items: number;
  readonly cases: number;
  readonly trainingGroups: number;
  /** Share of what was asked for among the candidates: recall cannot exceed it. */
  readonly candidateRecall: CandidateRecall;
  readonly figures: readonly MethodFigures[];
  readonly differences: readonly MethodDifference[];
  /** With `byUser`: users who were asked, and their figures for each method and cut-off. */
  readonly userIds?: readonly string[];
  readonly byUser?: readonly UserFigures[];
  readonly notes: readonly string[];
  readonly seed: number;
  readonly seconds: number;
}

const K_MAX = 100;

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
  const trained = trainSequenceRanker(xgboost, split, snapshot, options, onProgress);
  const { test } = split;
  const limit = Math.max(...options.k);
  const own = await recommendOwn(
    test.cases,
    artifactsOf(test),
    snapshot,
    { xgboost, model: trained.model },
    limit,
    (done) => onProgress({ step: "recommend", done, total: test.cases.length }),
  );
  onProgress({ step: "measure", done: 0 });
  if (options.out !== undefined) await writeOut(options.out, data, test.cases, own);
  const methods: (readonly [MethodName, Recommendations])[] = [
    ["cuecard", own.ranked],
    ...baselinesOf(test, snapshot, limit),
  ];
  if (test.sessions.length > 0) methods.push(["session_knn", own.bySession]);
  const seed = options.seed ?? 0;
  const compared = compareMethods(methods, test.cases, { k: options.k, seed });
  const { figures, differences, userIds, byUser } = compared;
  return {
    protocol: options.protocol,
    users: data.users.length,
    items: data.items.length,
    cases: test.cases.length,
    trainingGroups: trained.groups,
    candidateRecall: own.candidateRecall,
    figures,
    differences,
    ...(options.byUser === true ? { userIds, byUser } : {}),
    notes: [...data.notes, ...split.notes],
    seed,
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
