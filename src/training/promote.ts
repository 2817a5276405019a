/**
 * Whether a freshly trained model serves. Champion and challenger are asked about the same later slice,
 * on which neither was fitted; otherwise it stays a challenger and says why.
 */
import type { Alias } from "../scoring/versioned-store.js";
import { bootstrap, type Interval } from "./bootstrap.js";
import type { Latency } from "./latency.js";
import { logLoss } from "./metrics.js";
import { aucOver, calibrationErrorOver, type Figure } from "./resampled.js";

export interface Verdict {
  readonly promoted: boolean;
  /** A sentence for a person. */
  readonly reason: string;
}

/** What becomes of one head of a new model. */
export interface HeadVerdict {
  readonly name: string;
  /**
   * `new`: it serves. `champion`: the champion's head stays beside the new ones. `withheld`: it tells
   * members apart no better than chance and there is none to fall back on, so that it says the base
   * rate of everyone.
   */
  readonly serves: "new" | "champion" | "withheld";
  readonly reason: string;
}

export interface HeadsVerdict extends Verdict {
  readonly heads: readonly HeadVerdict[];
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
/** What a challenger may cost: this much of the champion's time, or so little that nobody notices. */
const LATENCY_MAX = 1.2;
const LATENCY_FREE_US = 15;

/**
 * Heads in order; the first decides whether the model serves. Another one that is worse than the
 * champion's, or than the base rate, does not hold the rest up: it is replaced. `refresh`: a scheduled
 * training on newer data.
 */
export function judgeHeads(heads: readonly JudgedHead[], refresh: boolean): HeadsVerdict {
  const judged = heads.map((head, index): HeadVerdict => {
    const { name } = head;
    const rival =
      head.champion !== undefined && !isLevel(head.champion) ? head.champion : undefined;
    const fault =
      rival === undefined ? firstFault(head) : challengerFault(head, rival, index === 0, refresh);
    if (fault === null) {
      return {
        name,
        serves: "new",
        reason:
          rival === undefined ? "better than the base rate" : "as good as the champion's or better",
      };
    }
    return { name, serves: rival === undefined ? "withheld" : "champion", reason: fault };
  });
  const [first, ...others] = judged;
  if (first.serves !== "new") {
    return { promoted: false, reason: `${first.name}: ${first.reason}`, heads: judged };
  }
  const replaced = others.filter(({ serves }) => serves !== "new").map(inWords);
  const isFirst = heads.every(({ champion }) => champion === undefined);
  const reason = isFirst
    ? "the first model, and better than the base rate"
    : "as good as the champion or better";
  return { promoted: true, reason: [reason, ...replaced].join("; "), heads: judged };
}

const inWords = ({ name, serves, reason }: HeadVerdict): string =>
  serves === "champion"
    ? `${name} stays the champion's (${reason})`
    : `${name} is withheld and says everyone's base rate (${reason})`;

/** Says the same of everyone: a head that was withheld is no rival. */
const isLevel = ({ margins }: Judged): boolean =>
  Array.from(margins).every((margin) => margin === margins[0]);

/** A model that answers slower than its champion, in microseconds a run; null when it may serve. */
export function latencyFault({ challengerUs, championUs }: Latency): string | null {
  const allowed = Math.max(championUs * LATENCY_MAX, championUs + LATENCY_FREE_US);
  if (challengerUs <= allowed) return null;
  const times = (challengerUs / championUs).toFixed(2);
  return `answers in ${challengerUs.toFixed(0)} µs, ${times} times the champion's ${championUs.toFixed(0)} µs`;
}

function firstFault({ labels, members, challenger }: JudgedHead): string | null {
  const { low } = resample(members, aucOver(challenger.margins, labels));
  if (!(low > 0.5)) return `AUC not surely above 0.5 (lower bound ${show(low)})`;
  const rate = Array.from(labels).reduce((sum, label) => sum + label, 0) / labels.length;
  const base = logLoss(new Float64Array(labels.length).fill(rate), labels);
  const loss = logLoss(challenger.probabilities, labels);
  if (loss <= base) return null;
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
