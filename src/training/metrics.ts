/**
 * How good scores are. Labels are 0 or 1; scores are finite, higher means likelier; rows of equal
 * score are treated as in random order, so that ties neither help nor hurt. A figure that is not
 * defined (one class only) is NaN.
 */

type Numbers = ArrayLike<number>;

/** Row numbers by falling score. */
export function rankingOf(scores: Numbers): Uint32Array {
  const order = Uint32Array.from({ length: scores.length }, (_, row) => row);
  return order.sort((a, b) => scores[b] - scores[a] || a - b);
}

/** Runs of equal scores, from the highest score down: what every ranking figure is made of. */
export interface TieGroups {
  /** Rows and positives of each run. */
  readonly sizes: readonly number[];
  readonly positives: readonly number[];
  readonly rowCount: number;
  readonly positiveCount: number;
}

/**
 * `counts` says how often each row counts (a bootstrap's draw), default once; `ranking` spares the
 * sorting.
 */
export function tieGroups(
  scores: Numbers,
  labels: Numbers,
  counts?: Numbers,
  ranking: Uint32Array = rankingOf(scores),
): TieGroups {
  const sizes: number[] = [];
  const positives: number[] = [];
  let rowCount = 0;
  let positiveCount = 0;
  let previous = Number.NaN;
  for (const row of ranking) {
    const count = counts === undefined ? 1 : counts[row];
    if (count === 0) continue;
    if (scores[row] !== previous) {
      sizes.push(0);
      positives.push(0);
      previous = scores[row];
    }
    sizes[sizes.length - 1] += count;
    positives[positives.length - 1] += count * labels[row];
    rowCount += count;
    positiveCount += count * labels[row];
  }
  return { sizes, positives, rowCount, positiveCount };
}

/** Area under the ROC curve: P(a positive scores above a negative), ties counting half. */
export const auc = (scores: Numbers, labels: Numbers): number => aucOf(tieGroups(scores, labels));

export function aucOf({ sizes, positives, rowCount, positiveCount }: TieGroups): number {
  let negativesBelow = rowCount - positiveCount;
  const pairs = positiveCount * negativesBelow;
  let won = 0;
  for (let group = 0; group < sizes.length; group++) {
    const negatives = sizes[group] - positives[group];
    negativesBelow -= negatives;
    won += positives[group] * (negativesBelow + negatives / 2);
  }
  return won / pairs;
}

/** Average precision: Σ (recall step) · precision, over distinct scores. */
export const prAuc = (scores: Numbers, labels: Numbers): number =>
  prAucOf(tieGroups(scores, labels));

export function prAucOf({ sizes, positives, positiveCount }: TieGroups): number {
  let seen = 0;
  let found = 0;
  let area = 0;
  for (let group = 0; group < sizes.length; group++) {
    seen += sizes[group];
    found += positives[group];
    area += positives[group] * (found / seen);
  }
  return area / positiveCount;
}

/**
 * Area under the cumulative lift curve: share of all positives reached against share of rows
 * contacted (Moro, Cortez, Rita 2014, Decision Support Systems 62). 0.5 is random.
 */
export const alift = (scores: Numbers, labels: Numbers): number =>
  aliftOf(tieGroups(scores, labels));

export function aliftOf({ sizes, positives, rowCount, positiveCount }: TieGroups): number {
  let found = 0;
  let area = 0;
  for (let group = 0; group < sizes.length; group++) {
    area += sizes[group] * (found + positives[group] / 2);
    found += positives[group];
  }
  return area / (rowCount * positiveCount);
}

/**
 * Share of all positives among the best `share` (0 to 1] of rows; a tie at the edge counts in part.
 */
export const captureAt = (scores: Numbers, labels: Numbers, share: number): number =>
  captureOf(tieGroups(scores, labels), share);

export function captureOf(
  { sizes, positives, rowCount, positiveCount }: TieGroups,
  share: number,
): number {
  let room = rowCount * share;
  let found = 0;
  for (let group = 0; group < sizes.length && room > 0; group++) {
    found += positives[group] * Math.min(1, room / sizes[group]);
    room -= sizes[group];
  }
  return found / positiveCount;
}

/** How many times the average rate of positives the best `share` of rows reaches. */
export const liftAt = (scores: Numbers, labels: Numbers, share: number): number =>
  captureAt(scores, labels, share) / share;

/**
 * Mean −ln P(label). Probabilities are clipped to [1e-7, 1 − 1e-7], float32's resolution near 1.
 */
export function logLoss(probabilities: Numbers, labels: Numbers): number {
  let sum = 0;
  for (let row = 0; row < labels.length; row++) {
    const probability = Math.min(1 - 1e-7, Math.max(1e-7, probabilities[row]));
    sum -= labels[row] === 1 ? Math.log(probability) : Math.log(1 - probability);
  }
  return sum / labels.length;
}

/** Mean squared distance between probability and label. */
export function brier(probabilities: Numbers, labels: Numbers): number {
  let sum = 0;
  for (let row = 0; row < labels.length; row++) sum += (probabilities[row] - labels[row]) ** 2;
  return sum / labels.length;
}

export interface CalibrationBin {
  readonly rows: number;
  /** Mean probability said, and the share of positives that came. */
  readonly predicted: number;
  readonly observed: number;
}

/** Bins of equally many rows by rising probability. */
export function calibrationBins(
  probabilities: Numbers,
  labels: Numbers,
  binCount = 10,
): CalibrationBin[] {
  const order = rankingOf(probabilities).reverse();
  const bins: CalibrationBin[] = [];
  for (let bin = 0; bin < binCount; bin++) {
    const from = Math.floor((order.length * bin) / binCount);
    const rows = order.subarray(from, Math.floor((order.length * (bin + 1)) / binCount));
    if (rows.length === 0) continue;
    let predicted = 0;
    let observed = 0;
    for (const row of rows) {
      predicted += probabilities[row] / rows.length;
      observed += labels[row] / rows.length;
    }
    bins.push({ rows: rows.length, predicted, observed });
  }
  return bins;
}

/**
 * Expected calibration error: mean |predicted − observed| over ten bins of equally many rows,
 * weighted by rows (Naeini, Cooper, Hauskrecht 2015, with equal-mass bins, which suit rare
 * positives).
 */
export function expectedCalibrationError(probabilities: Numbers, labels: Numbers): number {
  return calibrationBins(probabilities, labels).reduce(
    (sum, bin) => sum + (Math.abs(bin.predicted - bin.observed) * bin.rows) / labels.length,
    0,
  );
}

/**
 * NDCG of one list: `relevances` in the order shown, gain 2^relevance − 1, discount log2(rank + 1),
 * the first `k` of the list against its best order (Järvelin, Kekäläinen 2002). NaN without
 * relevant items.
 */
export function ndcgAt(relevances: Numbers, k: number): number {
  const ideal = Array.from(relevances).sort((a, b) => b - a);
  return discountedGain(relevances, k) / discountedGain(ideal, k);
}

function discountedGain(relevances: Numbers, k: number): number {
  let gain = 0;
  for (let rank = 0; rank < Math.min(k, relevances.length); rank++) {
    gain += (2 ** relevances[rank] - 1) / Math.log2(rank + 2);
  }
  return gain;
}

/** Mean NDCG over consecutive groups of rows; groups without a relevant row are left out. */
export function meanNdcg(scores: Numbers, labels: Numbers, groups: Numbers, k: number): number {
  let start = 0;
  let sum = 0;
  let counted = 0;
  for (let group = 0; group < groups.length; group++) {
    const rows = Array.from({ length: groups[group] }, (_, index) => start + index);
    start += groups[group];
    rows.sort((a, b) => scores[b] - scores[a] || a - b);
    const ndcg = ndcgAt(
      rows.map((row) => labels[row]),
      k,
    );
    if (Number.isNaN(ndcg)) continue;
    sum += ndcg;
    counted++;
  }
  return sum / counted;
}

/** `[x, y]` of a curve. */
export type CurvePoint = readonly [number, number];

const CURVE_POINTS = 100;

/** About a hundred of the points, first and last included. */
function thinned(points: readonly CurvePoint[]): CurvePoint[] {
  const stride = Math.max(1, Math.ceil(points.length / CURVE_POINTS));
  return points.filter((_, index) => index % stride === 0 || index === points.length - 1);
}

/** Share of all positives reached against share of rows contacted, best first, from [0, 0]. */
export function gainCurve(scores: Numbers, labels: Numbers): CurvePoint[] {
  const { sizes, positives, rowCount, positiveCount } = tieGroups(scores, labels);
  const points: CurvePoint[] = [[0, 0]];
  let seen = 0;
  let found = 0;
  for (let group = 0; group < sizes.length; group++) {
    seen += sizes[group];
    found += positives[group];
    points.push([seen / rowCount, found / positiveCount]);
  }
  return thinned(points);
}

export interface TenthOfRows {
  readonly rows: number;
  /** Share of positives in the tenth, and as a multiple of the average. */
  readonly rate: number;
  readonly lift: number;
  /** Share of all positives in this tenth and the better ones. */
  readonly captured: number;
}

/** The rows in ten equal parts, best first; a tie over an edge counts in part on either side. */
export function tenthsOf(scores: Numbers, labels: Numbers): TenthOfRows[] {
  const { sizes, positives, rowCount, positiveCount } = tieGroups(scores, labels);
  const room = rowCount / 10;
  const found = new Float64Array(10);
  let seen = 0;
  for (let group = 0; group < sizes.length; group++) {
    const end = seen + sizes[group];
    for (let tenth = Math.min(9, Math.floor(seen / room)); tenth < 10; tenth++) {
      const overlap = Math.min(end, (tenth + 1) * room) - Math.max(seen, tenth * room);
      if (overlap <= 0) break;
      found[tenth] += (positives[group] * overlap) / sizes[group];
    }
    seen = end;
  }
  let captured = 0;
  return Array.from(found, (count, tenth) => {
    captured += count / positiveCount;
    const rows = Math.round((tenth + 1) * room) - Math.round(tenth * room);
    return { rows, rate: count / room, lift: (count * 10) / positiveCount, captured };
  });
}

interface QiniStep {
  /** Rows seen so far, and extra positives among them, scaled to the treated. */
  readonly seen: number;
  readonly gain: number;
}

/** The steps of the Qini curve, one a distinct uplift, by falling uplift. */
function qiniSteps(
  uplift: Numbers,
  labels: Numbers,
  treated: Numbers,
  counts?: Numbers,
  order: Uint32Array = rankingOf(uplift),
): { steps: QiniStep[]; treatedCount: number } {
  let treatedCount = 0;
  let controlCount = 0;
  let treatedPositives = 0;
  let controlPositives = 0;
  const steps: QiniStep[] = [];
  let seen = 0;
  for (let from = 0; from < order.length; ) {
    let to = from;
    for (; to < order.length && uplift[order[to]] === uplift[order[from]]; to++) {
      const row = order[to];
      const count = counts === undefined ? 1 : counts[row];
      seen += count;
      if (treated[row] === 1) {
        treatedCount += count;
        treatedPositives += count * labels[row];
      } else {
        controlCount += count;
        controlPositives += count * labels[row];
      }
    }
    const scale = controlCount === 0 ? 0 : treatedCount / controlCount;
    steps.push({ seen, gain: treatedPositives - controlPositives * scale });
    from = to;
  }
  return { steps, treatedCount };
}

/**
 * Qini coefficient per treated row: the mean distance between the curve of incremental positives
 * `Yt(k) − Yc(k)·Nt(k)/Nc(k)`, rows taken by falling uplift, and the straight line to its end
 * (Radcliffe 2007), divided by the number of treated rows. 0 is random targeting. `counts` and
 * `ranking` as in `tieGroups`.
 */
export function qini(
  uplift: Numbers,
  labels: Numbers,
  treated: Numbers,
  counts?: Numbers,
  ranking?: Uint32Array,
): number {
  const { steps, treatedCount } = qiniSteps(uplift, labels, treated, counts, ranking);
  let previous: QiniStep = { seen: 0, gain: 0 };
  let area = 0;
  for (const step of steps) {
    area += ((step.seen - previous.seen) * (previous.gain + step.gain)) / 2;
    previous = step;
  }
  return (area / previous.seen - previous.gain / 2) / treatedCount;
}

/** The curve itself: extra positives per treated row against share of rows, from [0, 0]. */
export function qiniCurve(uplift: Numbers, labels: Numbers, treated: Numbers): CurvePoint[] {
  const { steps, treatedCount } = qiniSteps(uplift, labels, treated);
  const points = steps.map(
    ({ seen, gain }): CurvePoint => [seen / uplift.length, gain / treatedCount],
  );
  return thinned([[0, 0], ...points]);
}
