/** Methods side by side on the same rows: figures, and paired differences, with their intervals. */
import type { Scored } from "./baselines.js";
import { bootstrap, type Interval, quantile } from "./bootstrap.js";
import { auc, expectedCalibrationError, logLoss, prAuc } from "./metrics.js";
import { aucOver, type Figure, meanOver, prAucOver } from "./resampled.js";

/** 95 %, members resampled. */
export interface Estimate extends Interval {
  readonly value: number;
}

export const COMPARED = ["auc", "prAuc", "logLoss"] as const;
export type ComparedFigures = Readonly<Record<(typeof COMPARED)[number], Estimate>>;

export interface MethodFigures extends ComparedFigures {
  readonly method: string;
  readonly ece: number;
}

/** The first method's figure minus this one's, on the same draws of members. */
export interface Difference extends ComparedFigures {
  readonly against: string;
}

export interface Comparison {
  readonly figures: readonly MethodFigures[];
  readonly differences: readonly Difference[];
}

export interface ComparedRows {
  readonly labels: ArrayLike<number>;
  /** hash32 of each row's member: they are resampled, not rows. */
  readonly members: ArrayLike<number>;
}

/** `methods` in order, ours first: every other one is a rival. */
export function compareMethods(
  methods: Readonly<Record<string, Scored>>,
  { labels, members }: ComparedRows,
  { rounds = 200, seed = 1 } = {},
): Comparison {
  const names = Object.keys(methods);
  const figures = names.flatMap((name) => resampledFigures(methods[name], labels));
  const draws: number[][] = [];
  bootstrap(
    labels.length,
    (rows) => {
      // All methods see the same draw: that is what makes the differences paired.
      draws.push(figures.map((figure) => figure(rows)));
      return 0;
    },
    { clusters: members, rounds, seed },
  );
  const values = names.map((name) => plainFigures(methods[name], labels));
  const estimate = (value: number, of: (draw: readonly number[]) => number): Estimate => {
    const sorted = draws
      .map(of)
      .filter(Number.isFinite)
      .sort((a, b) => a - b);
    return { value, low: quantile(sorted, 0.025), high: quantile(sorted, 0.975) };
  };
  const at = (method: number, metric: number) => method * COMPARED.length + metric;
  const each = (of: (metric: number) => Estimate): ComparedFigures => ({
    auc: of(0),
    prAuc: of(1),
    logLoss: of(2),
  });
  return {
    figures: names.map((method, index) => ({
      method,
      ece: expectedCalibrationError(methods[method].probabilities, labels),
      ...each((metric) => estimate(values[index][metric], (draw) => draw[at(index, metric)])),
    })),
    differences: names.slice(1).map((against, offset) => ({
      against,
      ...each((metric) =>
        estimate(
          values[0][metric] - values[offset + 1][metric],
          (draw) => draw[at(0, metric)] - draw[at(offset + 1, metric)],
        ),
      ),
    })),
  };
}

/** In the order of COMPARED. */
const plainFigures = ({ margins, probabilities }: Scored, labels: ArrayLike<number>): number[] => [
  auc(margins, labels),
  prAuc(margins, labels),
  logLoss(probabilities, labels),
];

function resampledFigures({ margins, probabilities }: Scored, labels: ArrayLike<number>): Figure[] {
  const losses = Float64Array.from(probabilities, (probability, row) =>
    logLoss([probability], [labels[row]]),
  );
  return [aucOver(margins, labels), prAucOver(margins, labels), meanOver(losses)];
}
