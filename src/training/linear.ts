/**
 * Ridge logistic regression on dense features with NaN for missing: the plain model every other one
 * is measured against, and the one that still ranks when columns move out of the range they were
 * learned on. Each feature is clipped, standardised and may bend at its quartiles; a missing one
 * counts as average and raises a flag.
 *
 * Sources: ridge by Newton's method, le Cessie, van Houwelingen 1992 (Applied Statistics 41);
 * piecewise linear terms, Hastie, Tibshirani, Friedman 2009, The Elements of Statistical Learning,
 * 5.2.
 */
import { quantile } from "./bootstrap.js";
import { fitRidge, SparseRows } from "./ridge.js";

/** Rows to fit on: row-major `rowCount × columnCount`, NaN where a value is missing. */
export interface LinearRows {
  readonly rows: Float32Array;
  readonly rowCount: number;
  readonly columnCount: number;
  /** 0 or 1, one a row. */
  readonly labels: ArrayLike<number>;
  /** One a row, not negative; default 1. */
  readonly weights?: ArrayLike<number>;
}

export interface LinearOptions {
  /** Penalty on squared weights of standardised terms, as a share of the rows' loss. */
  readonly l2: number;
  /** Let features with many values bend at their quartiles. Default false. */
  readonly bends?: boolean;
  /** Features that take no part, by number. */
  readonly without?: ReadonlySet<number>;
  /** Where to start, e.g. the fit with another penalty on the same rows. */
  readonly start?: LinearModel;
}

/**
 * margin = intercept + Σ_f weight_f·z_f + flag_f·[x_f missing] + Σ_b bend_bf·max(0, z_f − knot_bf),
 * with z = (min(max(x, low), high) − centre)·scale and z from `centre` where x is missing. All
 * vectors have one entry a feature; what is not used is 0.
 */
export interface LinearModel {
  readonly intercept: number;
  readonly weights: Float32Array;
  readonly flags: Float32Array;
  readonly bends: readonly { readonly knots: Float32Array; readonly weights: Float32Array }[];
  readonly scaling: Scaling;
}

export interface Scaling {
  readonly low: Float32Array;
  readonly high: Float32Array;
  readonly centre: Float32Array;
  readonly scale: Float32Array;
}

/** Where features bend, as shares of the filled rows. */
const KNOT_SHARES = [0.25, 0.5, 0.75];
/** With fewer distinct values than this a feature stays straight. */
const BEND_MIN_VALUES = 5;
/** Shares between which values count as ordinary; beyond by twice that span they are clipped. */
const ORDINARY = [0.01, 0.99] as const;
const CLIP_BEYOND = 2;
/** Enough for quantiles; more rows would only take longer. */
const QUANTILE_ROWS = 20_000;

/** Fits on the rows given. Deterministic; takes as long as rows × (terms that are not 0)². */
export function fitLinear(data: LinearRows, options: LinearOptions): LinearModel {
  const { columnCount } = data;
  const columns = Array.from({ length: columnCount }, (_, column) =>
    options.without?.has(column) ? IDLE : describeColumn(data, column, options.bends ?? false),
  );
  const scaling = {
    low: Float32Array.from(columns, ({ low }) => low),
    high: Float32Array.from(columns, ({ high }) => high),
    centre: Float32Array.from(columns, ({ centre }) => centre),
    scale: Float32Array.from(columns, ({ scale }) => scale),
  };
  const knots = KNOT_SHARES.map((_, bend) =>
    Float32Array.from(columns, (column) => column.knots[bend] ?? Number.POSITIVE_INFINITY),
  );
  const terms = sparseTerms(data, scaling, knots, options.without);
  const start = options.start && termWeights(options.start);
  const weights = fitRidge(terms, data.labels, { l2: options.l2, weights: data.weights, start });
  const at = (term: number) => weights.get(term) ?? 0;
  const piece = (index: number) =>
    Float32Array.from({ length: columnCount }, (_, column) => at(1 + index * columnCount + column));
  return {
    intercept: at(0),
    weights: piece(0),
    flags: piece(1),
    bends: knots.map((own, bend) => ({ knots: own, weights: piece(2 + bend) })),
    scaling,
  };
}

function termWeights({ intercept, weights, flags, bends }: LinearModel): Map<number, number> {
  const blocks = [weights, flags, ...bends.map((bend) => bend.weights)];
  return new Map([intercept, ...blocks.flatMap((block) => [...block])].entries());
}

/** Margins of rows, one a row; probabilities are their sigmoids. */
export function linearMargins(
  model: LinearModel,
  rows: Float32Array,
  rowCount: number,
): Float64Array {
  const { weights, flags, bends } = model;
  const columnCount = weights.length;
  const margins = new Float64Array(rowCount);
  for (let row = 0; row < rowCount; row++) {
    let margin = model.intercept;
    for (let column = 0; column < columnCount; column++) {
      const value = rows[row * columnCount + column];
      if (Number.isNaN(value)) margin += flags[column];
      const z = standardised(model.scaling, value, column);
      margin += weights[column] * z;
      for (const bend of bends) {
        if (z > bend.knots[column]) {
          margin += bend.weights[column] * Math.fround(z - bend.knots[column]);
        }
      }
    }
    margins[row] = margin;
  }
  return margins;
}

/** In float32 throughout, as the ONNX graph does it. */
function standardised(scaling: Scaling, value: number, column: number): number {
  const { low, high, centre, scale } = scaling;
  const filled = Number.isNaN(value) ? centre[column] : value;
  const clipped = Math.min(Math.max(filled, low[column]), high[column]);
  return Math.fround(Math.fround(clipped - centre[column]) * scale[column]);
}

interface ColumnScale {
  readonly low: number;
  readonly high: number;
  readonly centre: number;
  readonly scale: number;
  readonly knots: readonly number[];
}

/** A feature that is constant or left out: z is 0 everywhere. */
const IDLE: ColumnScale = { low: 0, high: 0, centre: 0, scale: 0, knots: [] };

function describeColumn(
  { rows, rowCount, columnCount }: LinearRows,
  column: number,
  bends: boolean,
): ColumnScale {
  const stride = Math.max(1, Math.floor(rowCount / QUANTILE_ROWS));
  const values: number[] = [];
  for (let row = 0; row < rowCount; row += stride) {
    const value = rows[row * columnCount + column];
    if (!Number.isNaN(value)) values.push(value);
  }
  if (values.length === 0) return IDLE;
  const sorted = values.toSorted((a, b) => a - b);
  const [first, last] = [sorted[0], sorted[sorted.length - 1]];
  if (first === last) return IDLE;
  const at = (share: number) => quantile(sorted, share);
  // 0 and 1 stay as they are, so that rows of level features stay sparse.
  const isFlag = new Set(values).size === 2 && first === 0 && last === 1;
  const [lower, upper] = ORDINARY.map(at);
  const room = (upper - lower || last - first) * CLIP_BEYOND;
  const [low, high] = [lower - room, upper + room].map(Math.fround);
  const clipped = values.map((value) => Math.min(Math.max(value, low), high));
  const mean = clipped.reduce((sum, value) => sum + value, 0) / clipped.length;
  const variance = clipped.reduce((sum, value) => sum + (value - mean) ** 2, 0) / clipped.length;
  if (isFlag) {
    const spread = Math.sqrt(variance);
    return { low: 0, high: 1, centre: 0, scale: 1 / Math.max(spread, 0.05), knots: [] };
  }
  const centre = Math.fround(mean);
  const scale = 1 / (Math.sqrt(variance) || 1);
  const distinct = new Set(values).size;
  const knots =
    bends && distinct >= BEND_MIN_VALUES
      ? [...new Set(KNOT_SHARES.map((share) => (at(share) - centre) * scale))]
      : [];
  return { low, high, centre, scale, knots };
}

/** Numbers of the terms: 0 the intercept, then blocks of `columnCount`: z, flags, a block a bend. */
function sparseTerms(
  { rows, rowCount, columnCount }: LinearRows,
  scaling: Scaling,
  knots: readonly Float32Array[],
  without: ReadonlySet<number> | undefined,
): SparseRows {
  const terms = new SparseRows();
  for (let row = 0; row < rowCount; row++) {
    terms.push(0, 1);
    for (let column = 0; column < columnCount; column++) {
      if (without?.has(column)) continue;
      const value = rows[row * columnCount + column];
      if (Number.isNaN(value)) terms.push(1 + columnCount + column, 1);
      const z = standardised(scaling, value, column);
      if (z !== 0) terms.push(1 + column, z);
      for (let bend = 0; bend < knots.length; bend++) {
        const beyond = z - knots[bend][column];
        if (beyond > 0) terms.push(1 + (2 + bend) * columnCount + column, beyond);
      }
    }
    terms.endRow();
  }
  return terms;
}
