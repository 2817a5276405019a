/** 95 % intervals of differences between two independent groups of members. */

export interface Difference {
  readonly difference: number;
  readonly low: number;
  readonly high: number;
}

/** Sums over one group: enough for its mean and variance, whatever its size. */
export interface Sums {
  readonly count: number;
  readonly sum: number;
  readonly squares: number;
}

const Z = 1.959963984540054;

export const meanOf = ({ count, sum }: Sums): number => sum / count;

const varianceOf = ({ count, sum, squares }: Sums): number =>
  Math.max(0, (squares - (sum * sum) / count) / (count - 1));

/**
 * The 97.5 % point of Student's t with `df` degrees of freedom, from the normal one by the expansion
 * of Cornish and Fisher (Abramowitz and Stegun 26.7.5); within 1 % from 3 degrees on.
 */
function studentPoint(df: number): number {
  const z2 = Z * Z;
  const terms = [
    1,
    (z2 + 1) / (4 * df),
    (5 * z2 ** 2 + 16 * z2 + 3) / (96 * df ** 2),
    (3 * z2 ** 3 + 19 * z2 ** 2 + 17 * z2 - 15) / (384 * df ** 3),
  ];
  return Z * terms.reduce((sum, term) => sum + term, 0);
}

/** Mean of `a` less mean of `b`, unequal variances (Welch 1947); null below two members each. */
export function differenceOfMeans(a: Sums, b: Sums): Difference | null {
  if (a.count < 2 || b.count < 2) return null;
  const difference = meanOf(a) - meanOf(b);
  const [u, v] = [varianceOf(a) / a.count, varianceOf(b) / b.count];
  const df = (u + v) ** 2 / (u ** 2 / (a.count - 1) + v ** 2 / (b.count - 1));
  const margin = u + v === 0 ? 0 : studentPoint(df) * Math.sqrt(u + v);
  return { difference, low: difference - margin, high: difference + margin };
}

/** Wilson's score interval of one share (Wilson 1927): also right where the share is nearly 0. */
function wilson(hits: number, count: number): [low: number, high: number] {
  const share = hits / count;
  const middle = (share + Z ** 2 / (2 * count)) / (1 + Z ** 2 / count);
  const half =
    (Z * Math.sqrt((share * (1 - share)) / count + (Z / (2 * count)) ** 2)) / (1 + Z ** 2 / count);
  return [middle - half, middle + half];
}

export interface Share {
  readonly hits: number;
  readonly count: number;
}

/** Share of `a` less share of `b` (Newcombe 1998, method 10); null where one group is empty. */
export function differenceOfShares(a: Share, b: Share): Difference | null {
  if (a.count === 0 || b.count === 0) return null;
  const [p, q] = [a.hits / a.count, b.hits / b.count];
  const [lowA, highA] = wilson(a.hits, a.count);
  const [lowB, highB] = wilson(b.hits, b.count);
  return {
    difference: p - q,
    low: p - q - Math.hypot(p - lowA, highB - q),
    high: p - q + Math.hypot(highA - p, q - lowB),
  };
}
