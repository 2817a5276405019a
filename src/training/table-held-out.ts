/** What a model said of rows it had not seen, the figures of that, and how sure those are. */
import { type Interval, quantile } from "./bootstrap.js";
import {
  aliftOf,
  aucOf,
  brier,
  captureOf,
  expectedCalibrationError,
  logLoss,
  prAucOf,
  qini,
  rankingOf,
  tieGroups,
} from "./metrics.js";
import { seededRandom } from "./random.js";

/** The held-out rows of one fold, in the order of the file. */
export interface HeldOut {
  /** 0 or 1. */
  readonly labels: Float32Array;
  /** Calibrated probability, or uplift when there is a treatment. */
  readonly scores: Float64Array;
  /** 1 for treated, 0 for control. */
  readonly treated?: Uint8Array;
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

export type Metrics = Partial<ProbabilityMetrics & UpliftMetrics>;
export type MetricName = keyof ProbabilityMetrics | keyof UpliftMetrics;

export function metricsOf({ labels, scores, treated }: HeldOut): Metrics {
  if (treated === undefined) return probabilityMetrics(scores, labels);
  const rateOf = (arm: number) => mean(labels.filter((_, index) => treated[index] === arm));
  return { qini: qini(scores, labels, treated), averageEffect: rateOf(1) - rateOf(0) };
}

export function probabilityMetrics(
  probabilities: ArrayLike<number>,
  labels: ArrayLike<number>,
): ProbabilityMetrics {
  return {
    ...rankingFigures(tieGroups(probabilities, labels)),
    logLoss: logLoss(probabilities, labels),
    brier: brier(probabilities, labels),
    ece: expectedCalibrationError(probabilities, labels),
  };
}

const rankingFigures = (groups: ReturnType<typeof tieGroups>) => ({
  auc: aucOf(groups),
  prAuc: prAucOf(groups),
  alift: aliftOf(groups),
  topHalfCapture: captureOf(groups, 0.5),
  lift10: captureOf(groups, 0.1) * 10,
});

/** Mean over folds; the calibration error over all rows, that of a small fold is mostly noise. */
export function pooledMetrics(heldOuts: readonly HeldOut[]): Metrics {
  const folds = heldOuts.map(metricsOf);
  const names = Object.keys(folds[0]) as MetricName[];
  const means = names.map((name) => [name, mean(folds.map((fold) => fold[name] ?? Number.NaN))]);
  const pooled: Metrics = Object.fromEntries(means);
  return pooled.ece === undefined ? pooled : { ...pooled, ece: pooledEce(heldOuts) };
}

const pooledEce = (heldOuts: readonly HeldOut[]): number =>
  expectedCalibrationError(
    heldOuts.flatMap(({ scores }) => Array.from(scores)),
    heldOuts.flatMap(({ labels }) => Array.from(labels)),
  );

/** Figures of each draw of a bootstrap, by name. */
export type Draws = Readonly<Record<string, Float64Array>>;

export const DRAWS = 300;

/**
 * Bootstrap of the held-out rows, within folds; each draw's figure is the mean over folds. The same
 * seed draws the same rows for every model, so that draws of two models can be compared in pairs.
 */
export function drawsOf(heldOuts: readonly HeldOut[], seed: number): Draws {
  const draws: Record<string, Float64Array> = {};
  heldOuts.forEach((heldOut, fold) => {
    const random = seededRandom(seed * 1009 + fold);
    const ranking = rankingOf(heldOut.scores);
    const rowCount = heldOut.labels.length;
    const counts = new Uint16Array(rowCount);
    const losses = lossesOf(heldOut);
    for (let draw = 0; draw < DRAWS; draw++) {
      counts.fill(0);
      for (let row = 0; row < rowCount; row++) counts[Math.floor(random() * rowCount)]++;
      const figures = drawnFigures(heldOut, losses, counts, ranking);
      for (const [name, value] of Object.entries(figures)) {
        draws[name] ??= new Float64Array(DRAWS);
        draws[name][draw] += value / heldOuts.length;
      }
    }
  });
  return draws;
}

/** Log loss and Brier score of each row; none for uplift. */
function lossesOf({ labels, scores, treated }: HeldOut) {
  if (treated !== undefined) return { logLoss: new Float64Array(), brier: new Float64Array() };
  const each = (figure: typeof brier) =>
    Float64Array.from(labels, (label, row) => figure([scores[row]], [label]));
  return { logLoss: each(logLoss), brier: each(brier) };
}

function drawnFigures(
  { labels, scores, treated }: HeldOut,
  losses: ReturnType<typeof lossesOf>,
  counts: Uint16Array,
  ranking: Uint32Array,
): Record<string, number> {
  if (treated !== undefined) {
    const averageEffect = drawnEffect(labels, treated, counts);
    return { qini: qini(scores, labels, treated, counts, ranking), averageEffect };
  }
  const weighted = (values: Float64Array) =>
    values.reduce((sum, value, row) => sum + value * counts[row], 0) / labels.length;
  return {
    ...rankingFigures(tieGroups(scores, labels, counts, ranking)),
    logLoss: weighted(losses.logLoss),
    brier: weighted(losses.brier),
  };
}

function drawnEffect(labels: Float32Array, treated: Uint8Array, counts: Uint16Array): number {
  const [rows, positives] = [new Float64Array(2), new Float64Array(2)];
  for (let row = 0; row < labels.length; row++) {
    rows[treated[row]] += counts[row];
    positives[treated[row]] += counts[row] * labels[row];
  }
  return positives[1] / rows[1] - positives[0] / rows[0];
}

/** Percentile interval of 95 %. */
export function intervalOf(values: Float64Array): Interval {
  const sorted = Array.from(values)
    .filter(Number.isFinite)
    .sort((a, b) => a - b);
  return { low: quantile(sorted, 0.025), high: quantile(sorted, 0.975) };
}

export const intervalsOf = (draws: Draws): Record<string, Interval> =>
  Object.fromEntries(Object.entries(draws).map(([name, values]) => [name, intervalOf(values)]));

/** Intervals of the differences `one − other`, drawn in pairs. */
export const differencesOf = (one: Draws, other: Draws): Record<string, Interval> =>
  Object.fromEntries(
    Object.entries(one).map(([name, values]) => [
      name,
      intervalOf(values.map((value, draw) => value - other[name][draw])),
    ]),
  );

export const mean = (values: ArrayLike<number>): number =>
  Array.from(values).reduce((sum, value) => sum + value, 0) / values.length;
