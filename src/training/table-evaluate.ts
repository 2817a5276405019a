/** Measures the table trainer on rows held out from everything: encoder, trees and calibration. */
import { bootstrap, type Interval, pick } from "./bootstrap.js";
import { calibrated } from "./calibrate.js";
import {
  alift,
  auc,
  brier,
  captureAt,
  expectedCalibrationError,
  liftAt,
  logLoss,
  prAuc,
  qini,
} from "./metrics.js";
import { loadTableData, type TableData, type TableOptions } from "./table-data.js";
import { encodeRows } from "./table-encoder.js";
import { type FitSettings, type FittedTable, fitTable, labelsOf } from "./table-model.js";
import { parseSplit, type Split, splitRows } from "./table-split.js";
import { loadXgboost, type Xgboost } from "./xgboost.js";

export interface EvaluateTableOptions extends TableOptions {
  /**
   * `kfold:5` stratified, `random:0.2` held out, `order:0.8` of the file first, the rest held out.
   */
  readonly split: string;
}

export interface ProbabilityMetrics {
  readonly auc: number;
  readonly prAuc: number;
  readonly logLoss: number;
  readonly brier: number;
  readonly ece: number;
  readonly alift: number;
  /** Share of the positives in the better half, and lift of the best tenth. */
  readonly topHalfCapture: number;
  readonly lift10: number;
}

export interface UpliftMetrics {
  /** Area between Qini curve and random targeting, per treated row. */
  readonly qini: number;
  /** Difference of the arms' rates among the held-out rows. */
  readonly averageEffect: number;
}

type Metrics = Partial<ProbabilityMetrics & UpliftMetrics>;

export interface TableEvaluation extends Metrics {
  readonly task: "probability" | "uplift";
  readonly rows: number;
  readonly positives: number;
  readonly heldOutRows: number;
  readonly split: string;
  readonly seed: number;
  readonly folds: readonly (Metrics & { readonly rows: number; readonly baseRate: number })[];
  /**
   * 95 % intervals: of the mean over folds (± 1.96 standard errors) for k-fold, by bootstrap of the
   * held-out rows otherwise.
   */
  readonly intervals: Readonly<Record<string, Interval>>;
  readonly library: { readonly version: string; readonly threads: number };
  /** What a reader of the figures has to know. */
  readonly notes: readonly string[];
}

/** @throws CuecardError `usage`, `file_invalid`, `not_enough_data`, `xgboost_missing` */
export async function evaluateTable(options: EvaluateTableOptions): Promise<TableEvaluation> {
  parseSplit(options.split);
  const xgboost = loadXgboost(options.xgboostLibrary);
  const data = await loadTableData(options);
  return evaluateData(xgboost, data, options.split, {
    seed: options.seed ?? 0,
    threads: options.threads,
    onFit: (done, total) => options.onProgress?.({ stage: "fit", done, total }),
  });
}

export function evaluateData(
  xgboost: Xgboost,
  data: TableData,
  split: string,
  settings: FitSettings,
): TableEvaluation {
  const strata = Array.from(data.rows, (row) => data.labels[row] + 2 * (data.treated?.[row] ?? 0));
  const splits = splitRows(data.rows, strata, split, settings.seed);
  const task = data.treated === undefined ? "probability" : "uplift";
  let threads = 0;
  const heldOuts: HeldOut[] = [];
  const folds = splits.map(({ train, test }, fold) => {
    const fitted = fitTable(xgboost, data, train, {
      ...settings,
      onFit: (done, total) => settings.onFit?.(fold * total + done, splits.length * total),
    });
    threads = fitted.heads[0].model.threads;
    const scored = heldOut(xgboost, data, fitted, test);
    heldOuts.push(scored);
    return { rows: test.length, baseRate: mean(scored.labels), ...metricsOf(scored) };
  });
  const intervals =
    splits.length > 1 ? foldIntervals(folds) : bootstrapIntervals(heldOuts[0], settings.seed);
  const metrics = Object.fromEntries(
    metricNames(folds[0]).map((name) => [
      name,
      mean(folds.map((fold) => fold[name] ?? Number.NaN)),
    ]),
  );
  return {
    task,
    rows: data.rows.length,
    positives: labelsOf(data, data.rows).reduce((sum, label) => sum + label, 0),
    heldOutRows: folds.reduce((sum, fold) => sum + fold.rows, 0),
    split,
    seed: settings.seed,
    ...metrics,
    ...(task === "probability" && { ece: pooledEce(heldOuts) }),
    intervals,
    folds,
    library: { version: xgboost.version, threads },
    notes: notesOn(data, splits, intervals),
  };
}

interface HeldOut {
  readonly labels: Float32Array;
  /** Calibrated probability, or uplift when there is a treatment. */
  readonly scores: Float64Array;
  readonly treated?: Uint8Array;
}

function heldOut(
  xgboost: Xgboost,
  data: TableData,
  fitted: FittedTable,
  rows: Uint32Array,
): HeldOut {
  const features = encodeRows(fitted.encoder, data.table, rows);
  const [first, second] = fitted.heads.map((head) =>
    calibrated(xgboost.predictMargins(head.model, features, rows.length), head.calibration),
  );
  const { treated } = data;
  return {
    labels: labelsOf(data, rows),
    scores: second === undefined ? first : first.map((value, index) => value - second[index]),
    treated: treated && Uint8Array.from(rows, (row) => treated[row]),
  };
}

function metricsOf({ labels, scores, treated }: HeldOut): Metrics {
  if (treated === undefined) return probabilityMetrics(scores, labels);
  const rateOf = (arm: number) => mean(labels.filter((_, index) => treated[index] === arm));
  return { qini: qini(scores, labels, treated), averageEffect: rateOf(1) - rateOf(0) };
}

export function probabilityMetrics(
  probabilities: ArrayLike<number>,
  labels: ArrayLike<number>,
): ProbabilityMetrics {
  return {
    auc: auc(probabilities, labels),
    prAuc: prAuc(probabilities, labels),
    logLoss: logLoss(probabilities, labels),
    brier: brier(probabilities, labels),
    ece: expectedCalibrationError(probabilities, labels),
    alift: alift(probabilities, labels),
    topHalfCapture: captureAt(probabilities, labels, 0.5),
    lift10: liftAt(probabilities, labels, 0.1),
  };
}

const mean = (values: ArrayLike<number>): number =>
  Array.from(values).reduce((sum, value) => sum + value, 0) / values.length;

type MetricName = keyof ProbabilityMetrics | keyof UpliftMetrics;

const metricNames = (metrics: Metrics & { rows: number; baseRate: number }): MetricName[] => {
  const { rows: _rows, baseRate: _baseRate, ...named } = metrics;
  return Object.keys(named) as MetricName[];
};

/** Over all held-out rows at once: the error of small folds is mostly their noise. */
const pooledEce = (heldOuts: readonly HeldOut[]): number =>
  expectedCalibrationError(
    heldOuts.flatMap(({ scores }) => Array.from(scores)),
    heldOuts.flatMap(({ labels }) => Array.from(labels)),
  );

function foldIntervals(
  folds: readonly (Metrics & { rows: number; baseRate: number })[],
): Record<string, Interval> {
  const intervals: Record<string, Interval> = {};
  for (const name of metricNames(folds[0]).filter((metric) => metric !== "ece")) {
    const values = folds.map((fold) => fold[name] ?? Number.NaN);
    const centre = mean(values);
    const variance = values.reduce((sum, v) => sum + (v - centre) ** 2, 0) / (values.length - 1);
    const half = 1.96 * Math.sqrt(variance / values.length);
    intervals[name] = { low: centre - half, high: centre + half };
  }
  return intervals;
}

const BOOTSTRAP_ROUNDS = 200;

function bootstrapIntervals(rows: HeldOut, seed: number): Record<string, Interval> {
  const { labels, scores, treated } = rows;
  const interval = (figure: (drawn: readonly number[]) => number) =>
    bootstrap(labels.length, figure, { rounds: BOOTSTRAP_ROUNDS, seed });
  if (treated !== undefined) {
    return {
      qini: interval((drawn) =>
        qini(pick(scores, drawn), pick(labels, drawn), pick(treated, drawn)),
      ),
    };
  }
  return {
    auc: interval((drawn) => auc(pick(scores, drawn), pick(labels, drawn))),
    alift: interval((drawn) => alift(pick(scores, drawn), pick(labels, drawn))),
    logLoss: interval((drawn) => logLoss(pick(scores, drawn), pick(labels, drawn))),
  };
}

/**
 * Rates that moved by more than this factor between training and held-out rows are worth a warning.
 */
const RATE_DRIFT = 1.25;

function notesOn(
  data: TableData,
  splits: readonly Split[],
  intervals: Readonly<Record<string, Interval>>,
): string[] {
  const notes: string[] = [];
  const [{ train, test }] = splits;
  const before = mean(labelsOf(data, train));
  const after = mean(labelsOf(data, test));
  const ratio = Math.max(before, after) / Math.min(before, after);
  if (ratio > RATE_DRIFT) {
    const [from, to] = [before, after].map((rate) => `${(rate * 100).toFixed(1)} %`);
    notes.push(
      `drift: the share of positives moves from ${from} in the training rows to ${to} in the ` +
        "held-out rows; probabilities will be off and the ranking may be, train on recent rows",
    );
  }
  if (intervals.qini !== undefined && intervals.qini.low <= 0) {
    notes.push(
      "no uplift ranking can be claimed: the interval of the Qini coefficient includes 0, so treating " +
        "everyone or no one is as good as choosing by this score",
    );
  }
  return notes;
}
