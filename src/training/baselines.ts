/**
 * What a head must beat to be worth its trouble: one column, a plain linear model, trees as they come
 * out of the box. Fitted on the rows the head learns from and calibrated on the rows it is.
 */
import { calibrated, fitPlatt } from "./calibrate.js";
import type { HeadName } from "./dataset.js";
import { fitLinear, linearMargins } from "./linear.js";
import { logLoss } from "./metrics.js";
import type { Calibration } from "./onnx.js";
import type { LabelledRows, Xgboost } from "./xgboost.js";

export const BASELINE_NAMES = [
  "recency",
  "frequency",
  "alive",
  "linear",
  "xgboost_defaults",
] as const;
export type BaselineName = (typeof BASELINE_NAMES)[number];

/** What one method says of rows. */
export interface Scored {
  readonly margins: Float64Array;
  readonly probabilities: Float64Array;
}

export interface BaselineRows {
  readonly names: readonly string[];
  readonly train: LabelledRows;
  /** The linear model's penalty is chosen here. */
  readonly stop: LabelledRows;
  readonly calibrate: LabelledRows;
}

export interface BaselineSettings {
  readonly xgboost: Xgboost;
  readonly threads?: number;
  readonly seed?: number;
}

type Margins = (rows: LabelledRows) => Float64Array;
export type Baselines = Readonly<Record<BaselineName, (rows: LabelledRows) => Scored>>;

/** Trees of XGBoost's Python and R packages when nothing is said: 100 of depth 6, eta 0.3. */
const DEFAULT_ROUNDS = 100;
const PENALTIES = [1e-1, 1e-2];
/** A linear model has learnt what it can from so many rows; more would only take longer. */
const LINEAR_ROWS_MAX = 8_000;

export function fitBaselines(
  head: HeadName,
  data: BaselineRows,
  settings: BaselineSettings,
): Baselines {
  // Churn is the absence of orders: what speaks for one speaks against the other.
  const sign = head === "churn" ? -1 : 1;
  const column = (name: string, value: (x: number) => number, missing: number): Margins =>
    byColumn(data.names.indexOf(name), data.names.length, (x) =>
      Number.isNaN(x) ? sign * missing : sign * value(x),
    );
  const margins: Record<BaselineName, Margins> = {
    recency: column("days_since_order", (days) => -Math.log1p(days), -20),
    frequency: column("order_count", Math.log1p, 0),
    alive: column("alive", logit, -20),
    linear: linear(data),
    xgboost_defaults: defaultTrees(data, settings),
  };
  const entries = BASELINE_NAMES.map((name) => {
    const of = margins[name];
    const calibration = fitPlatt(of(data.calibrate), data.calibrate.labels);
    return [name, (rows: LabelledRows) => scored(of(rows), calibration)] as const;
  });
  return Object.fromEntries(entries) as Baselines;
}

const logit = (p: number): number => Math.log(Math.max(p, 1e-6) / Math.max(1 - p, 1e-6));

const scored = (margins: Float64Array, calibration: Calibration): Scored => ({
  margins,
  probabilities: calibrated(margins, calibration),
});

const byColumn =
  (column: number, width: number, marginOf: (value: number) => number): Margins =>
  ({ rows, rowCount }) =>
    Float64Array.from({ length: rowCount }, (_, row) => marginOf(rows[row * width + column]));

function linear({ names, train, stop }: BaselineRows): Margins {
  const sample = everyNth(train, names.length, Math.ceil(train.rowCount / LINEAR_ROWS_MAX));
  const fits = PENALTIES.map((l2) => fitLinear({ ...sample, columnCount: names.length }, { l2 }));
  const losses = fits.map((fit) => {
    const margins = linearMargins(fit, stop.rows, stop.rowCount);
    return logLoss(calibrated(margins, { slope: 1, intercept: 0 }), stop.labels);
  });
  const best = fits[losses.indexOf(Math.min(...losses))];
  return ({ rows, rowCount }) => linearMargins(best, rows, rowCount);
}

function everyNth(data: LabelledRows, width: number, step: number): LabelledRows {
  if (step <= 1) return data;
  const rowCount = Math.floor(data.rowCount / step);
  const rows = new Float32Array(rowCount * width);
  for (let row = 0; row < rowCount; row++) {
    rows.set(data.rows.subarray(row * step * width, (row * step + 1) * width), row * width);
  }
  return {
    rows,
    rowCount,
    labels: Float32Array.from({ length: rowCount }, (_, row) => data.labels[row * step]),
  };
}

function defaultTrees({ names, train }: BaselineRows, settings: BaselineSettings): Margins {
  const { xgboost, threads = 1, seed = 1 } = settings;
  const model = xgboost.trainTrees({
    ...train,
    columnCount: names.length,
    objective: "binary:logistic",
    rounds: DEFAULT_ROUNDS,
    threads,
    seed,
  });
  return ({ rows, rowCount }) => Float64Array.from(xgboost.predictMargins(model, rows, rowCount));
}
