/**
 * Whether a freshly trained model serves. Champion and challenger are asked about the same later slice,
 * on which neither was fitted; otherwise it stays a challenger and says why.
 */
import type { Alias } from "../scoring/versioned-store.js";
import { bootstrap, type Interval } from "./bootstrap.js";
import { logLoss } from "./metrics.js";
import { aucOver, calibrationErrorOver, type Figure } from "./resampled.js";

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
        : challengerFault(head, head.champion, index === 0, refresh);
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
  const { low } = resample(members, aucOver(challenger.margins, labels));
  if (decides && !(low > 0.5)) return `AUC not surely above 0.5 (lower bound ${show(low)})`;
  const rate = Array.from(labels).reduce((sum, label) => sum + label, 0) / labels.length;
  const base = logLoss(new Float64Array(labels.length).fill(rate), labels);
  const loss = logLoss(challenger.probabilities, labels);
  if (loss <= base * (decides ? 1 : BASE_TOLERANCE)) return null;
  return `log loss ${show(loss)}, while the base rate alone gives ${show(base)}`;
}

/** The first head decides: its AUC must not fall. The others must not surely have become worse. */
function challengerFault(
  { labels, members, challenger }: JudgedHead,
  champion: Judged,
  decides: boolean,
  refresh: boolean,
): string | null {
  const difference = resample(
    members,
    minus(aucOver(challenger.margins, labels), aucOver(champion.margins, labels)),
  );
  if (decides ? !isEnough(difference.low, refresh) : difference.high < 0) {
    return `AUC ${show(difference.low)} to ${show(difference.high)} against the champion's`;
  }
  const rise = resample(
    members,
    minus(
      calibrationErrorOver(challenger.probabilities, labels),
      calibrationErrorOver(champion.probabilities, labels),
    ),
  );
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
  const promoted = isEnough(low, refresh && against === "champion");
  return { promoted, reason: `NDCG@10 ${show(low)} to ${show(high)} against ${against}` };
}

const isEnough = (low: number, refresh: boolean): boolean =>
  refresh ? low >= REFRESH_TOLERANCE : low > 0;

const minus =
  (a: Figure, b: Figure): Figure =>
  (rows) =>
    a(rows) - b(rows);

const resample = (members: ArrayLike<number>, figure: Figure): Interval =>
  bootstrap(members.length, figure, { clusters: members, rounds: 100, seed: 1 });

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
