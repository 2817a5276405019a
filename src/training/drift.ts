/**
 * Whether rows of a later time differ from those of an earlier one: per column by its distribution,
 * for all columns together by how well a model tells late rows from early ones.
 */
import { quantile } from "./bootstrap.js";
import { fitLinear, linearMargins } from "./linear.js";
import { auc } from "./metrics.js";
import { stratifiedFolds } from "./random.js";

export interface ColumnDrift {
  readonly column: string;
  /**
   * Population stability index, Σ (late − early)·ln(late / early) over bins, less what chance alone
   * gives on so many rows, never below 0. 0.1 is worth a look, 0.25 is drift.
   */
  readonly psi: number;
  /** How well the column alone tells late rows from early ones, 0.5 to 1; of numbers only. */
  readonly auc?: number;
}

/** PSI from which a column counts as drifting. */
export const DRIFT_PSI = 0.25;
const BINS = 10;
/** Up to so many distinct values are bins of their own. */
const MAX_OWN_BINS = 20;
/** Keeps a bin that is empty on one side finite. */
const PSEUDO_ROWS = 0.5;

/** Drift of one column of numbers; NaN is missing, a bin of its own. */
export function numberDrift(
  column: string,
  early: ArrayLike<number>,
  late: ArrayLike<number>,
): ColumnDrift {
  const all = [...Array.from(early), ...Array.from(late)];
  const filled = all.filter((value) => !Number.isNaN(value)).sort((a, b) => a - b);
  const distinct = [...new Set(filled)];
  const edges =
    distinct.length <= MAX_OWN_BINS
      ? distinct
      : Array.from({ length: BINS - 1 }, (_, bin) => quantile(filled, (bin + 1) / BINS));
  const binOf = (value: number): number =>
    Number.isNaN(value) ? -1 : edges.filter((edge) => edge <= value).length;
  const shift = stability(Array.from(early, binOf), Array.from(late, binOf));
  const lowest = all.map((value) => (Number.isNaN(value) ? Number.NEGATIVE_INFINITY : value));
  const area = auc(
    lowest,
    all.map((_, index) => (index < early.length ? 0 : 1)),
  );
  return { column, psi: shift, auc: Math.max(area, 1 - area) };
}

/** Drift of one column of levels by code; −1 is missing. Levels that are rare count together. */
export function levelDrift(
  column: string,
  early: ArrayLike<number>,
  late: ArrayLike<number>,
): ColumnDrift {
  const counts = new Map<number, number>();
  for (const code of [...Array.from(early), ...Array.from(late)]) {
    counts.set(code, (counts.get(code) ?? 0) + 1);
  }
  const frequent = new Set(
    [...counts]
      .sort(([, a], [, b]) => b - a)
      .slice(0, MAX_OWN_BINS)
      .map(([code]) => code),
  );
  const binOf = (code: number): number => (frequent.has(code) ? code : -2);
  return { column, psi: stability(Array.from(early, binOf), Array.from(late, binOf)) };
}

/** Drift of each column of a dense matrix, row-major, NaN for missing; most drifting first. */
export function matrixDrift(
  columns: readonly string[],
  rows: Float32Array,
  early: ArrayLike<number>,
  late: ArrayLike<number>,
): ColumnDrift[] {
  const width = columns.length;
  const valuesOf = (column: number, chosen: ArrayLike<number>) =>
    Float32Array.from(chosen, (row) => rows[row * width + column]);
  return columns
    .map((name, column) => numberDrift(name, valuesOf(column, early), valuesOf(column, late)))
    .sort((a, b) => b.psi - a.psi);
}

/** PSI of bins, less its expectation where nothing moved: (bins − 1)·(1/n + 1/m). */
function stability(early: readonly number[], late: readonly number[]): number {
  const bins = new Map<number, [number, number]>();
  [early, late].forEach((side, which) => {
    for (const bin of side) {
      const counts = bins.get(bin) ?? [0, 0];
      counts[which]++;
      bins.set(bin, counts);
    }
  });
  let sum = 0;
  for (const [before, after] of bins.values()) {
    const p = (before + PSEUDO_ROWS) / (early.length + PSEUDO_ROWS * bins.size);
    const q = (after + PSEUDO_ROWS) / (late.length + PSEUDO_ROWS * bins.size);
    sum += (q - p) * Math.log(q / p);
  }
  return Math.max(0, sum - (bins.size - 1) * (1 / early.length + 1 / late.length));
}

const ADVERSARIAL_FOLDS = 2;
const ADVERSARIAL_L2 = 1e-2;
/** With more columns than this they stay straight: bends would take long. */
const ADVERSARIAL_BENDS = 200;

/**
 * How well a linear model tells late rows from early ones on rows it was not fitted on: about 0.5
 * where nothing moved, 1 where they have nothing in common. `isLate` is 0 or 1, one a row.
 */
export function adversarialAuc(
  rows: Float32Array,
  columnCount: number,
  isLate: ArrayLike<number>,
  seed = 0,
): number {
  const folds = stratifiedFolds(isLate, ADVERSARIAL_FOLDS, seed);
  const areas = Array.from({ length: ADVERSARIAL_FOLDS }, (_, fold) => {
    const part = (wanted: boolean) => {
      const own = Array.from(folds.keys()).filter((row) => (folds[row] === fold) === wanted);
      const picked = new Float32Array(own.length * columnCount);
      own.forEach((row, index) => {
        picked.set(rows.subarray(row * columnCount, (row + 1) * columnCount), index * columnCount);
      });
      return { rows: picked, rowCount: own.length, labels: own.map((row) => isLate[row]) };
    };
    const [fit, held] = [part(false), part(true)];
    const bends = columnCount <= ADVERSARIAL_BENDS;
    const model = fitLinear({ ...fit, columnCount }, { l2: ADVERSARIAL_L2, bends });
    return auc(linearMargins(model, held.rows, held.rowCount), held.labels);
  });
  return areas.reduce((sum, area) => sum + area, 0) / areas.length;
}
