/**
 * Fits a flat table: chooses a learner by validation inside the rows, calibrates it on rows it had
 * not seen, then fits it on every row. A table without treatment gets one head; with treatment, two
 * (a T-learner, Künzel et al. 2019): uplift = P(positive | treated) − P(positive | control).
 */
import { CuecardError } from "../errors.js";
import { calibrated, fitPlatt } from "./calibrate.js";
import { adversarialAuc, type ColumnDrift } from "./drift.js";
import type { Calibration } from "./onnx.js";
import { type Arm, blended, type Choice, choose } from "./table-choice.js";
import { checkClasses, labelsOf, type TableData } from "./table-data.js";
import { type Encoder, encodeRows, fitEncoder } from "./table-encoder.js";
import { innerFolds } from "./table-folds.js";
import {
  driftOfColumns,
  fitPart,
  mixedMargins,
  prepare,
  type WeightedPart,
} from "./table-parts.js";
import type { Xgboost } from "./xgboost.js";

export interface FitSettings {
  readonly seed: number;
  readonly threads?: number;
  /** The rows are in order of time: validated forward, and watched for drift. */
  readonly isOrdered?: boolean;
  /** Called after each of the fits, of which there are about `total`. */
  readonly onFit?: (done: number, total: number) => void;
}

export interface FittedHead {
  /** `probability`; or `treated` and `control`. */
  readonly name: string;
  readonly parts: readonly WeightedPart[];
  readonly calibration: Calibration;
}

/** How late rows differ from early ones, among the rows the model was fitted on. */
export interface DriftFinding {
  readonly columns: readonly (ColumnDrift & { readonly isDrifting: boolean })[];
  /** How well a linear model tells late rows from early ones. */
  readonly adversarialAuc: number;
}

export interface FittedTable {
  readonly encoder: Encoder;
  readonly heads: readonly FittedHead[];
  readonly choice: Choice;
  /** Of rows in order of time. */
  readonly drift?: DriftFinding;
}

/** Rows of the rarer class on which a calibration is sure enough. */
const CALIBRATION_CLASS_ROWS = 100;

/** Fits on `rows` of the table. @throws CuecardError `not_enough_data` */
export function fitTable(
  xgboost: Xgboost,
  data: TableData,
  rows: Uint32Array,
  settings: FitSettings,
): FittedTable {
  const { treated } = data;
  const arms: readonly Arm[] =
    treated === undefined
      ? [{ name: "probability", has: () => true }]
      : [
          { name: "treated", has: (row) => treated[row] === 1 },
          { name: "control", has: (row) => treated[row] === 0 },
        ];
  for (const arm of arms) checkClasses(data.labels, rows.filter(arm.has), arm.name);
  // Both arms read the same features, because they end up in one graph.
  const encoder = fitEncoder(data.table, data.kinds, data.labels, rows);
  if (encoder.length === 0) throw new CuecardError("not_enough_data", "no column is usable");
  const labels = labelsOf(data, rows);
  const forward = innerFolds(labels, labels, { seed: settings.seed, isOrdered: true });
  // Sorted by the label, say, no later part could be held to what came before.
  const isOrdered = settings.isOrdered === true && forward.length > 0;
  const drift = isOrdered ? findDrift(data, encoder, rows) : undefined;
  let done = 0;
  const choice = choose(xgboost, data, rows, arms, {
    ...settings,
    isOrdered,
    onFit: (total) => settings.onFit?.(++done, total),
  });
  const drifting = new Set(
    drift?.columns.filter(({ isDrifting }) => isDrifting).map(({ column }) => column),
  );
  const margins = blended(choice.parts);
  const heads = arms.map((arm, index) => {
    const prepared = prepare(data, encoder, rows.filter(arm.has), settings.seed, drifting);
    const parts = choice.parts.map(({ crossFit, weight }) => ({
      ...fitPart(xgboost, prepared, crossFit.recipe, {
        ...settings,
        rounds: Math.max(1, crossFit.rounds[index]),
      }),
      weight,
    }));
    const seen = calibrationPositions(margins[index], rows, arm, labels, isOrdered);
    const calibration = fitPlatt(
      seen.map((position) => margins[index][position]),
      seen.map((position) => labels[position]),
    );
    return { name: arm.name, parts, calibration };
  });
  return { encoder, heads, choice, drift };
}

/**
 * Rows of the arm that were held out once. In order of time, the latest of them: their level is
 * nearest to what comes.
 */
function calibrationPositions(
  margins: Float64Array,
  rows: Uint32Array,
  arm: Arm,
  labels: Float32Array,
  isOrdered: boolean,
): number[] {
  const held = Array.from(rows.keys()).filter(
    (position) => arm.has(rows[position]) && !Number.isNaN(margins[position]),
  );
  if (!isOrdered) return held;
  const counts = [0, 0];
  let from = held.length;
  while (from > 0 && Math.min(...counts) < CALIBRATION_CLASS_ROWS) {
    from--;
    counts[labels[held[from]]]++;
  }
  return held.slice(from);
}

/** More rows would not make the adversarial figure surer, only later. */
const ADVERSARIAL_ROWS = 4000;

/** `rows` in the order in question. */
export function findDrift(data: TableData, encoder: Encoder, rows: Uint32Array): DriftFinding {
  const stride = Math.max(1, Math.floor(rows.length / ADVERSARIAL_ROWS));
  const sample = rows.filter((_, index) => index % stride === 0);
  const features = encodeRows(encoder, data.table, sample);
  const isLate = Array.from(sample, (_, index) => (index * 2 >= sample.length ? 1 : 0));
  return {
    columns: driftOfColumns(data, encoder, rows),
    adversarialAuc: adversarialAuc(features, features.length / sample.length, isLate),
  };
}

/** Calibrated probabilities of encoded rows, by head. */
export const headProbabilities = (
  xgboost: Xgboost,
  { heads }: FittedTable,
  features: Float32Array,
  rowCount: number,
): Float64Array[] =>
  heads.map(({ parts, calibration }) =>
    calibrated(mixedMargins(xgboost, parts, features, rowCount), calibration),
  );

/** Calibrated probability, or uplift, of rows of the table. */
export function predictTable(
  xgboost: Xgboost,
  data: TableData,
  fitted: FittedTable,
  rows: Uint32Array,
): Float64Array {
  const features = encodeRows(fitted.encoder, data.table, rows);
  const [first, second] = headProbabilities(xgboost, fitted, features, rows.length);
  return second === undefined ? first : first.map((value, index) => value - second[index]);
}
