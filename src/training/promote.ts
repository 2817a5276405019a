/**
 * Whether a freshly trained model serves. Champion and challenger are asked about the same later slice,
 * on which neither was fitted; otherwise it stays a challenger and says why.
 */
import type { Alias } from "../scoring/versioned-store.js";
import { bootstrap, type Interval, pick } from "./bootstrap.js";
import { auc, expectedCalibrationError, logLoss } from "./metrics.js";

export interface Verdict {
  readonly promoted: boolean;
  /** A sentence for a person. */
  readonly reason: string;
}

export const aliasOf = ({ promoted }: Verdict): Alias => (promoted ? "champion" : "challenger");

/** What both models say of the same rows. */
export interface Judged {
  readonly margins: ArrayLike<number>;
  readonly probabilities: ArrayLike<number>;
}

export interface JudgedHead {
  readonly name: string;
  readonly labels: ArrayLike<number>;
  /** hash32 of each row's member: they are resampled, not rows. */
  readonly members: ArrayLike<number>;
  readonly challenger: Judged;
  /** Absent: there is none, or it does not fit this server any more. */
  readonly champion?: Judged;
}

/** A scheduled refresh on newer data may be this little worse within its interval. */
const REFRESH_TOLERANCE = -0.002;
const ECE_RISE_MAX = 0.01;
const PSI_MAX = 0.25;
/** Share by which a head's log loss may exceed that of saying the base rate for everyone. */
const BASE_TOLERANCE = 1.02;

/**
 * Heads in order; the first decides by AUC, the others must not be worse than the champion's (or than
 * the base rate). `refresh`: a scheduled training on newer data.
 */
export function judgeHeads(heads: readonly JudgedHead[], refresh: boolean): Verdict {
  for (const [index, head] of heads.entries()) {
    const fault =
      head.champion === undefined
        ? firstFault(head, index === 0)
        : challengerFault(
            head,
            head.champion,
            index === 0 ? (refresh ? REFRESH_TOLERANCE : 0) : null,
          );
    if (fault !== null) return { promoted: false, reason: `${head.name}: ${fault}` };
  }
  const first = heads.every(({ champion }) => champion === undefined);
  return {
    promoted: true,
    reason: first
      ? "the first model, and better than the base rate"
      : "as good as the champion or better",
  };
}

function firstFault({ labels, members, challenger }: JudgedHead, decides: boolean): string | null {
  const { low } = resample(members, (rows) =>
    auc(pick(challenger.margins, rows), pick(labels, rows)),
  );
  if (decides && !(low > 0.5)) return `AUC not surely above 0.5 (lower bound ${show(low)})`;
  const rate = Array.from(labels).reduce((sum, label) => sum + label, 0) / labels.length;
  const base = logLoss(new Float64Array(labels.length).fill(rate), labels);
  const loss = logLoss(challenger.probabilities, labels);
  if (loss <= base * (decides ? 1 : BASE_TOLERANCE)) return null;
  return `log loss ${show(loss)}, while the base rate alone gives ${show(base)}`;
}

/** `least`: what the lower bound of the AUC difference must reach; null: the upper bound, 0. */
function challengerFault(
  { labels, members, challenger }: JudgedHead,
  champion: Judged,
  least: number | null,
): string | null {
  const difference = resample(members, (rows) => {
    const own = pick(labels, rows);
    return auc(pick(challenger.margins, rows), own) - auc(pick(champion.margins, rows), own);
  });
  if (least === null ? difference.high < 0 : !(difference.low >= least)) {
    return `AUC ${show(difference.low)} to ${show(difference.high)} against the champion's`;
  }
  const rise = resample(members, (rows) => {
    const own = pick(labels, rows);
    return (
      expectedCalibrationError(pick(challenger.probabilities, rows), own) -
      expectedCalibrationError(pick(champion.probabilities, rows), own)
    );
  });
  if (!(rise.high < ECE_RISE_MAX)) return `calibration error up to ${show(rise.high)} higher`;
  const shift = populationStability(champion.probabilities, challenger.probabilities);
  return shift < PSI_MAX ? null : `scores moved: PSI ${show(shift)}`;
}

/** Mean NDCG per example of both; the ranker has no probabilities to calibrate. */
export function judgeRanker(
  challenger: ArrayLike<number>,
  rival: ArrayLike<number>,
  members: ArrayLike<number>,
  against: "champion" | "popularity",
  refresh: boolean,
): Verdict {
  const { low, high } = resample(members, (rows) => {
    let sum = 0;
    for (const row of rows) sum += challenger[row] - rival[row];
    return sum / rows.length;
  });
  const promoted = against === "champion" && refresh ? low >= REFRESH_TOLERANCE : low > 0;
  return { promoted, reason: `NDCG@10 ${show(low)} to ${show(high)} against ${against}` };
}

const resample = (
  members: ArrayLike<number>,
  figure: (rows: readonly number[]) => number,
): Interval => bootstrap(members.length, figure, { clusters: members, rounds: 100, seed: 1 });

const show = (value: number): string => value.toFixed(4);

/** Population stability index over the deciles of `before`: Σ (q − p) ln(q / p). */
export function populationStability(before: ArrayLike<number>, after: ArrayLike<number>): number {
  const sorted = Float64Array.from(before).sort();
  const edges = Array.from(
    { length: 9 },
    (_, edge) => sorted[Math.floor(((edge + 1) * sorted.length) / 10)],
  );
  const shares = (values: ArrayLike<number>): number[] => {
    const counts = new Array<number>(10).fill(0);
    for (let row = 0; row < values.length; row++) {
      const above = edges.findIndex((edge) => values[row] < edge);
      counts[above === -1 ? 9 : above]++;
    }
    // Half a row in an empty bin keeps the logarithm finite.
    return counts.map((count) => Math.max(count, 0.5) / values.length);
  };
  const p = shares(before);
  const q = shares(after);
  return p.reduce((sum, share, bin) => sum + (q[bin] - share) * Math.log(q[bin] / share), 0);
}
