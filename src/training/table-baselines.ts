/**
 * Plain models beside which the trained one is shown, on the same rows: the base rate, a ridge
 * logistic regression with straight features, and XGBoost as it comes. With a treatment each is
 * fitted on either arm and the difference counts.
 */
import { sigmoid } from "./calibrate.js";
import { fitLinear, type LinearModel, type LinearRows, linearMargins } from "./linear.js";
import { logLoss } from "./metrics.js";
import { stratifiedFolds } from "./random.js";
import { groupsOf, labelsOf, type TableData } from "./table-data.js";
import { encodeRows, encodeTrainingRows, fitEncoder } from "./table-encoder.js";
import { groupedFolds } from "./table-groups.js";
import type { Xgboost } from "./xgboost.js";

export const BASELINES = ["base rate", "linear", "XGBoost defaults"] as const;
export type BaselineName = (typeof BASELINES)[number];

export interface FitBaselinesSettings {
  readonly seed: number;
  readonly threads?: number;
  /** The rows are in order of time, so that a penalty is chosen on the latest. */
  readonly isOrdered: boolean;
}

/** Probability (or uplift) of rows of the table, one a row. */
export type Predict = (rows: Uint32Array) => Float64Array;

type Fit = (
  data: LinearRows,
  groups?: ArrayLike<number>,
) => (features: Float32Array, rowCount: number) => Float64Array;

/** Fits each on `rows`. */
export function fitBaselines(
  xgboost: Xgboost,
  data: TableData,
  rows: Uint32Array,
  settings: FitBaselinesSettings,
): { readonly name: BaselineName; readonly predict: Predict }[] {
  const encoder = fitEncoder(data.table, data.kinds, data.labels, rows);
  const fits: Record<BaselineName, Fit> = {
    "base rate": rateFit,
    linear: (own, groups) => linearFit(own, settings, groups),
    "XGBoost defaults": (own) => defaultTrees(xgboost, own, settings),
  };
  const { treated } = data;
  const arms =
    treated === undefined
      ? [rows]
      : [1, 0].map((arm) => rows.filter((row) => treated[row] === arm));
  return BASELINES.map((name) => {
    const models = arms.map((arm) => {
      const features = encodeTrainingRows(encoder, data.table, data.labels, arm, settings.seed);
      const own = {
        rows: features,
        rowCount: arm.length,
        columnCount: features.length / arm.length,
        labels: labelsOf(data, arm),
      };
      return fits[name](own, groupsOf(data, arm));
    });
    const predict = (wanted: Uint32Array) => {
      const features = encodeRows(encoder, data.table, wanted);
      const [first, second] = models.map((model) => model(features, wanted.length));
      return second === undefined ? first : first.map((value, index) => value - second[index]);
    };
    return { name, predict };
  });
}

const rateFit: Fit = ({ labels, rowCount }) => {
  const rate = Array.from(labels).reduce((sum, label) => sum + label, 0) / rowCount;
  return (_features, count) => new Float64Array(count).fill(rate);
};

const PENALTIES = [1, 1e-1, 1e-2, 1e-3, 1e-4];
/** Every so-manieth part of the rows decides about the penalty. */
const PENALTY_FOLDS = 5;

/** The penalty with the least log loss on a fifth of the rows: the latest, or a random one. */
function linearFit(
  data: LinearRows,
  { seed, isOrdered }: FitBaselinesSettings,
  groups: ArrayLike<number> | undefined,
) {
  const folds =
    groups === undefined
      ? stratifiedFolds(data.labels, PENALTY_FOLDS, seed)
      : groupedFolds(groups, data.labels, PENALTY_FOLDS, seed);
  const cut = data.rowCount * (1 - 1 / PENALTY_FOLDS);
  const isHeld = (row: number) => (isOrdered ? row >= cut : folds[row] === 0);
  const all = Array.from({ length: data.rowCount }, (_, row) => row);
  const part = selected(
    data,
    all.filter((row) => !isHeld(row)),
  );
  const held = selected(data, all.filter(isHeld));
  let best = { l2: PENALTIES[0], loss: Number.POSITIVE_INFINITY };
  let start: LinearModel | undefined;
  for (const l2 of PENALTIES) {
    const model = fitLinear(part, { l2, start });
    start = model;
    const margins = linearMargins(model, held.rows, held.rowCount);
    const loss = logLoss(margins.map(sigmoid), held.labels);
    if (loss < best.loss) best = { l2, loss };
  }
  const model = fitLinear(data, { l2: best.l2 });
  return (features: Float32Array, count: number) =>
    linearMargins(model, features, count).map(sigmoid);
}

function selected(data: LinearRows, chosen: readonly number[]): LinearRows {
  const { columnCount } = data;
  const rows = new Float32Array(chosen.length * columnCount);
  chosen.forEach((row, index) => {
    rows.set(data.rows.subarray(row * columnCount, (row + 1) * columnCount), index * columnCount);
  });
  const labels = chosen.map((row) => data.labels[row]);
  return { rows, rowCount: chosen.length, columnCount, labels };
}

const DEFAULT_ROUNDS = 100;

/** 100 rounds with every parameter as XGBoost has it. */
function defaultTrees(
  xgboost: Xgboost,
  { rows, rowCount, columnCount, labels }: LinearRows,
  { seed, threads }: FitBaselinesSettings,
) {
  const model = xgboost.trainTrees({
    rows,
    rowCount,
    columnCount,
    labels: Float32Array.from(labels),
    objective: "binary:logistic",
    rounds: DEFAULT_ROUNDS,
    seed,
    threads,
  });
  return (features: Float32Array, count: number) =>
    Float64Array.from(xgboost.predictMargins(model, features, count), sigmoid);
}
