/** Percentile bootstrap (Efron 1979) for any figure over rows. */
import { seededRandom } from "./random.js";

export interface Interval {
  readonly low: number;
  readonly high: number;
}

export interface BootstrapOptions {
  /** Default 200. */
  readonly rounds?: number;
  readonly seed?: number;
  /** Share of the resampled figures inside the interval; default 0.95. */
  readonly level?: number;
  /** One id a row: rows with the same id (one member's snapshots) are drawn together. */
  readonly clusters?: ArrayLike<number | string>;
}

/**
 * Resamples `rowCount` rows (or their clusters) with replacement, computes `figure` on each draw
 * and returns the percentile interval. Draws on which the figure is not finite are left out.
 */
export function bootstrap(
  rowCount: number,
  figure: (rows: readonly number[]) => number,
  options: BootstrapOptions = {},
): Interval {
  const random = seededRandom(options.seed ?? 0);
  const units = options.clusters === undefined ? undefined : clusterRows(options.clusters);
  const unitCount = units?.length ?? rowCount;
  const figures: number[] = [];
  for (let round = 0; round < (options.rounds ?? 200); round++) {
    const rows: number[] = [];
    for (let draw = 0; draw < unitCount; draw++) {
      const unit = Math.floor(random() * unitCount);
      if (units === undefined) rows.push(unit);
      else for (const row of units[unit]) rows.push(row);
    }
    const value = figure(rows);
    if (Number.isFinite(value)) figures.push(value);
  }
  figures.sort((a, b) => a - b);
  const tail = (1 - (options.level ?? 0.95)) / 2;
  return { low: quantile(figures, tail), high: quantile(figures, 1 - tail) };
}

function clusterRows(clusters: ArrayLike<number | string>): number[][] {
  const byId = new Map<number | string, number[]>();
  for (let row = 0; row < clusters.length; row++) {
    const rows = byId.get(clusters[row]);
    if (rows === undefined) byId.set(clusters[row], [row]);
    else rows.push(row);
  }
  return [...byId.values()];
}

/** Linear interpolation between order statistics; NaN for an empty list. */
export function quantile(sorted: readonly number[], share: number): number {
  if (sorted.length === 0) return Number.NaN;
  const position = share * (sorted.length - 1);
  const below = Math.floor(position);
  const above = Math.min(sorted.length - 1, below + 1);
  return sorted[below] + (sorted[above] - sorted[below]) * (position - below);
}

/** The values at `rows`, in that order. */
export const pick = (values: ArrayLike<number>, rows: ArrayLike<number>): Float64Array =>
  Float64Array.from({ length: rows.length }, (_, index) => values[rows[index]]);
