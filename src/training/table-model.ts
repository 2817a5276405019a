/**
 * Fits the trees of a flat table: cross-fitting for the number of rounds and the calibration, then
 * one model on every row. A table without treatment gets one head; with treatment, two (a
 * T-learner, Künzel et al. 2019): uplift = P(positive | treated) − P(positive | control).
 */
import { CuecardError } from "../errors.js";
import { fitPlatt } from "./calibrate.js";
import type { Calibration, Head } from "./onnx.js";
import { stratifiedFolds } from "./random.js";
import { checkClasses, labelsOf, type TableData } from "./table-data.js";
import { type Encoder, encodeRows, encodeTrainingRows, fitEncoder } from "./table-encoder.js";
import type { TreeModel, Xgboost } from "./xgboost.js";

export interface FitSettings {
  readonly seed: number;
  readonly threads?: number;
  /** Called after each of the fits, of which there are `total`. */
  readonly onFit?: (done: number, total: number) => void;
}

/** What a head learned about itself on rows it was not fitted on. */
export interface CrossFit {
  readonly rows: Uint32Array;
  /** One a row of `rows`, from the fold model that had not seen it. */
  readonly margins: Float32Array;
  readonly calibration: Calibration;
  readonly rounds: number;
}

export interface FittedHead extends Head {
  readonly model: TreeModel;
  readonly crossFit: CrossFit;
}

export interface FittedTable {
  readonly encoder: Encoder;
  /** `probability`; or `treated` and `control`. */
  readonly heads: readonly FittedHead[];
}

const FOLDS = 5;
const MAX_ROUNDS = 1000;
const PATIENCE_ROUNDS = 40;
/** Shallow, slow and subsampled: sound on tables of a thousand to a million rows without tuning. */
const PARAMS = {
  max_depth: 4,
  eta: 0.05,
  subsample: 0.8,
  colsample_bytree: 0.7,
  min_child_weight: 5,
  lambda: 2,
};

/** Fits on `rows` of the table. @throws CuecardError `not_enough_data` */
export function fitTable(
  xgboost: Xgboost,
  data: TableData,
  rows: Uint32Array,
  settings: FitSettings,
): FittedTable {
  const { treated } = data;
  const arms =
    treated === undefined
      ? [{ name: "probability", rows }]
      : [
          { name: "treated", rows: rows.filter((row) => treated[row] === 1) },
          { name: "control", rows: rows.filter((row) => treated[row] === 0) },
        ];
  for (const arm of arms) checkClasses(data.labels, arm.rows, arm.name);
  let done = 0;
  const onFit = () => settings.onFit?.(++done, arms.length * (FOLDS + 1));
  // Both arms read the same features, because they end up in one graph.
  const encoder = fitEncoder(data.table, data.kinds, data.labels, rows);
  if (encoder.length === 0) throw new CuecardError("not_enough_data", "no column is usable");
  const heads = arms.map((arm) => {
    const crossFit = crossFitArm(xgboost, data, arm.rows, settings, onFit);
    const model = trainArm(xgboost, data, encoder, arm.rows, settings, { rounds: crossFit.rounds });
    onFit();
    return { name: arm.name, model, calibration: crossFit.calibration, crossFit };
  });
  return { encoder, heads };
}

/** Each fold is predicted, and stopped early, by a model of the others. */
function crossFitArm(
  xgboost: Xgboost,
  data: TableData,
  rows: Uint32Array,
  settings: FitSettings,
  onFit: () => void,
): CrossFit {
  const labels = labelsOf(data, rows);
  const folds = stratifiedFolds(labels, FOLDS, settings.seed);
  const margins = new Float32Array(rows.length);
  let rounds = 0;
  for (let fold = 0; fold < FOLDS; fold++) {
    const fitRows = rows.filter((_, index) => folds[index] !== fold);
    const heldOut = rows.filter((_, index) => folds[index] === fold);
    const encoder = fitEncoder(data.table, data.kinds, data.labels, fitRows);
    const evaluation = {
      rows: encodeRows(encoder, data.table, heldOut),
      rowCount: heldOut.length,
      labels: labelsOf(data, heldOut),
    };
    const model = trainArm(xgboost, data, encoder, fitRows, settings, {
      rounds: MAX_ROUNDS,
      evaluation,
      earlyStoppingRounds: PATIENCE_ROUNDS,
    });
    const predicted = xgboost.predictMargins(model, evaluation.rows, heldOut.length);
    let next = 0;
    for (let index = 0; index < rows.length; index++) {
      if (folds[index] === fold) margins[index] = predicted[next++];
    }
    rounds += (model.bestIteration + 1) / FOLDS;
    onFit();
  }
  return { rows, margins, calibration: fitPlatt(margins, labels), rounds: Math.round(rounds) };
}

type Rounds = Pick<
  Parameters<Xgboost["trainTrees"]>[0],
  "rounds" | "evaluation" | "earlyStoppingRounds"
>;

function trainArm(
  xgboost: Xgboost,
  data: TableData,
  encoder: Encoder,
  rows: Uint32Array,
  settings: FitSettings,
  rounds: Rounds,
): TreeModel {
  const features = encodeTrainingRows(encoder, data.table, data.labels, rows, settings.seed);
  return xgboost.trainTrees({
    rows: features,
    rowCount: rows.length,
    columnCount: features.length / rows.length,
    labels: labelsOf(data, rows),
    objective: "binary:logistic",
    params: PARAMS,
    seed: settings.seed,
    threads: settings.threads,
    ...rounds,
  });
}
