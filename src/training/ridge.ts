/**
 * Ridge logistic regression on sparse rows by Newton's method. A step is solved by a Cholesky factor;
 * with many terms, where that takes terms³, by conjugate gradients (Nash 1985, truncated Newton,
 * SIAM Journal on Scientific and Statistical Computing 6), which only pass over the rows.
 */
import { sigmoid } from "./calibrate.js";

/** Rows of numbered terms, of which only those that are not 0 are kept. */
export class SparseRows {
  /** Row r owns `columns` and `values` from starts[r] to starts[r + 1]. */
  readonly starts: number[] = [0];
  columns = new Uint32Array(1024);
  values = new Float64Array(1024);
  length = 0;
  readonly #columnOf: number[] = [];
  readonly #terms: number[] = [];

  /** Terms that ever occurred, in the order of their columns. */
  get terms(): readonly number[] {
    return this.#terms;
  }

  get rowCount(): number {
    return this.starts.length - 1;
  }

  push(term: number, value: number): void {
    if (this.length === this.columns.length) this.#grow();
    let column: number | undefined = this.#columnOf[term];
    if (column === undefined) {
      column = this.#terms.push(term) - 1;
      this.#columnOf[term] = column;
    }
    this.columns[this.length] = column;
    this.values[this.length++] = value;
  }

  endRow(): void {
    this.starts.push(this.length);
  }

  #grow(): void {
    const [columns, values] = [this.columns, this.values];
    this.columns = new Uint32Array(this.length * 2);
    this.values = new Float64Array(this.length * 2);
    this.columns.set(columns);
    this.values.set(values);
  }
}

export interface RidgeOptions {
  /** Minimised is mean log loss + l2/2 · Σ w², over all terms but term 0. */
  readonly l2: number;
  /** One a row; default 1. */
  readonly weights?: ArrayLike<number>;
  /** Weights to start from, by term. */
  readonly start?: ReadonlyMap<number, number>;
}

const MAX_STEPS = 30;
const TOLERANCE = 1e-7;
/** Keeps the factor defined where a term never varies. */
const JITTER = 1e-9;

/** With more terms than this a step is solved by conjugate gradients. */
const DENSE_TERMS = 160;
/** Gradients are followed until this share of the first remains, or so often. */
const RESIDUAL_SHARE = 0.01;
const MAX_CONJUGATE_STEPS = 100;

/** Weights by term. */
export function fitRidge(
  rows: SparseRows,
  labels: ArrayLike<number>,
  options: RidgeOptions,
): Map<number, number> {
  const { terms } = rows;
  const penalties = Float64Array.from(terms, (term) => (term === 0 ? 0 : options.l2));
  const shares = rowShares(rows.rowCount, options.weights);
  let weights = Float64Array.from(terms, (term) => options.start?.get(term) ?? 0);
  const lossOf = (candidate: Float64Array): number =>
    loss(rows, labels, shares, penalties, candidate);
  let value = lossOf(weights);
  const directionOf = terms.length > DENSE_TERMS ? conjugateDirection : newtonDirection;
  for (let step = 0; step < MAX_STEPS; step++) {
    const direction = directionOf(rows, labels, shares, penalties, weights);
    let scale = 1;
    let next = weights;
    let nextValue = value;
    do {
      const size = scale;
      next = weights.map((weight, column) => weight - size * direction[column]);
      nextValue = lossOf(next);
      scale /= 2;
    } while (!(nextValue <= value) && scale > 1e-6);
    if (!(nextValue < value)) break;
    const gained = value - nextValue;
    weights = next;
    value = nextValue;
    if (gained < TOLERANCE) break;
  }
  return new Map(terms.map((term, column) => [term, weights[column]]));
}

/** Weight of each row as a share of all. */
function rowShares(rowCount: number, weights: ArrayLike<number> | undefined): Float64Array {
  const shares = Float64Array.from({ length: rowCount }, (_, row) => weights?.[row] ?? 1);
  const total = shares.reduce((sum, share) => sum + share, 0);
  return shares.map((share) => share / total);
}

function marginOf(rows: SparseRows, row: number, weights: Float64Array): number {
  let margin = 0;
  for (let at = rows.starts[row]; at < rows.starts[row + 1]; at++) {
    margin += weights[rows.columns[at]] * rows.values[at];
  }
  return margin;
}

/** Cross-entropy in the form that never overflows: ln(1 + e^z) − y·z. */
function loss(
  rows: SparseRows,
  labels: ArrayLike<number>,
  shares: Float64Array,
  penalties: Float64Array,
  weights: Float64Array,
): number {
  let sum = 0;
  for (let row = 0; row < shares.length; row++) {
    const z = marginOf(rows, row, weights);
    sum += shares[row] * (Math.max(z, 0) + Math.log1p(Math.exp(-Math.abs(z))) - labels[row] * z);
  }
  return weights.reduce(
    (total, weight, column) => total + (penalties[column] * weight ** 2) / 2,
    sum,
  );
}

/** Inverse Hessian times gradient. */
function newtonDirection(
  rows: SparseRows,
  labels: ArrayLike<number>,
  shares: Float64Array,
  penalties: Float64Array,
  weights: Float64Array,
): Float64Array {
  const width = weights.length;
  const gradient = weights.map((weight, column) => penalties[column] * weight);
  // Lower triangle, row by row of `width`.
  const hessian = new Float64Array(width * width);
  for (let column = 0; column < width; column++) {
    hessian[column * width + column] = penalties[column] + JITTER;
  }
  const { columns, values, starts } = rows;
  for (let row = 0; row < shares.length; row++) {
    const probability = sigmoid(marginOf(rows, row, weights));
    const error = shares[row] * (probability - labels[row]);
    const curvature = shares[row] * probability * (1 - probability);
    for (let at = starts[row]; at < starts[row + 1]; at++) {
      const column = columns[at];
      gradient[column] += error * values[at];
      const scaled = curvature * values[at];
      for (let other = starts[row]; other <= at; other++) {
        const [low, high] =
          columns[other] < column ? [columns[other], column] : [column, columns[other]];
        hessian[high * width + low] += scaled * values[other];
      }
    }
  }
  return solveCholesky(hessian, gradient);
}

/** Inverse Hessian times gradient, to within `RESIDUAL_SHARE`, without forming the Hessian. */
function conjugateDirection(
  rows: SparseRows,
  labels: ArrayLike<number>,
  shares: Float64Array,
  penalties: Float64Array,
  weights: Float64Array,
): Float64Array {
  const { columns, values, starts } = rows;
  const gradient = weights.map((weight, column) => penalties[column] * weight);
  const diagonal = penalties.map((penalty) => penalty + JITTER);
  const curvatures = new Float64Array(shares.length);
  for (let row = 0; row < shares.length; row++) {
    const probability = sigmoid(marginOf(rows, row, weights));
    const error = shares[row] * (probability - labels[row]);
    curvatures[row] = shares[row] * probability * (1 - probability);
    for (let at = starts[row]; at < starts[row + 1]; at++) {
      gradient[columns[at]] += error * values[at];
      diagonal[columns[at]] += curvatures[row] * values[at] ** 2;
    }
  }
  const hessianTimes = (vector: Float64Array): Float64Array => {
    const product = vector.map((value, column) => (penalties[column] + JITTER) * value);
    for (let row = 0; row < curvatures.length; row++) {
      const scaled = curvatures[row] * marginOf(rows, row, vector);
      for (let at = starts[row]; at < starts[row + 1]; at++) {
        product[columns[at]] += scaled * values[at];
      }
    }
    return product;
  };
  return solveConjugate(hessianTimes, diagonal, gradient);
}

const dot = (a: Float64Array, b: Float64Array): number => {
  let sum = 0;
  for (let index = 0; index < a.length; index++) sum += a[index] * b[index];
  return sum;
};

/** About x of A·x = b by conjugate gradients, preconditioned by the diagonal of A. */
function solveConjugate(
  times: (vector: Float64Array) => Float64Array,
  diagonal: Float64Array,
  b: Float64Array,
): Float64Array {
  const x = new Float64Array(b.length);
  const residual = b.slice();
  let towards = residual.map((value, index) => value / diagonal[index]);
  let size = dot(residual, towards);
  const enough = size * RESIDUAL_SHARE ** 2;
  for (let step = 0; step < MAX_CONJUGATE_STEPS && size > enough; step++) {
    const product = times(towards);
    const length = size / dot(towards, product);
    for (let index = 0; index < x.length; index++) {
      x[index] += length * towards[index];
      residual[index] -= length * product[index];
    }
    const scaled = residual.map((value, index) => value / diagonal[index]);
    const next = dot(residual, scaled);
    const kept = next / size;
    towards = scaled.map((value, index) => value + kept * towards[index]);
    size = next;
  }
  return x;
}

/**
 * x of A·x = b for a positive definite A, of which the lower triangle is given and overwritten by its
 * factor.
 */
function solveCholesky(a: Float64Array, b: Float64Array): Float64Array {
  const size = b.length;
  const x = b.slice();
  for (let row = 0; row < size; row++) {
    for (let column = 0; column <= row; column++) {
      let sum = a[row * size + column];
      for (let k = 0; k < column; k++) sum -= a[row * size + k] * a[column * size + k];
      if (row === column) a[row * size + row] = Math.sqrt(Math.max(sum, JITTER));
      else a[row * size + column] = sum / a[column * size + column];
    }
    for (let k = 0; k < row; k++) x[row] -= a[row * size + k] * x[k];
    x[row] /= a[row * size + row];
  }
  for (let row = size - 1; row >= 0; row--) {
    for (let k = row + 1; k < size; k++) x[row] -= a[k * size + row] * x[k];
    x[row] /= a[row * size + row];
  }
  return x;
}
