/** Maximum likelihood fit of BG/NBD and MBG/NBD, by our own Nelder–Mead on log parameters. */
import { CuecardError } from "../errors.js";
import type { AliveModel, AliveProcess, AliveSummary } from "../features/alive.js";
import { type Minimum, minimize } from "./nelder-mead.js";

export interface AliveCustomer extends AliveSummary {
  /** How many customers this row stands for; 1 when absent. */
  readonly weight?: number;
}

export interface FitAliveOptions {
  /** Default `mbg`, which serving uses. */
  readonly process?: AliveProcess;
  /** Evaluations of the likelihood at most, over all restarts. */
  readonly evaluationsMax?: number;
}

export interface AliveFit {
  readonly model: AliveModel;
  readonly logLikelihood: number;
  /** Evaluations of the likelihood. */
  readonly iterations: number;
}

/** Shape parameters stay inside: flat likelihoods (all one-time buyers) would run to 0 or infinity. */
const SHAPE_MIN = 1e-3;
const SHAPE_MAX = 1e3;
/** Distinct rows on which the way is found; the logarithm's standard error there is a few per cent. */
const ROWS_TO_FIND = 5000;
/** First simplex around what those rows say. */
const NEAR_STEP = 0.05;

/** Distinct values of a column, and which of them each row holds: a logarithm a value, not a row. */
interface Coded {
  readonly values: Float64Array;
  readonly codes: Uint32Array;
}

interface Grouped {
  x: Float64Array;
  tx: Coded;
  T: Coded;
  weight: Float64Array;
  xMax: number;
  meanT: number;
  /** Repeat orders per unit of time. */
  rate: number;
}

/**
 * Fits (r, alpha, a, b); the unit of time is that of `tx` and `T`.
 * Degenerate data (three customers, nobody ever back) gives finite parameters at the edge of the box.
 * Throws `not_enough_data` without a single usable customer.
 */
export function fitAlive(
  customers: Iterable<AliveCustomer>,
  options: FitAliveOptions = {},
): AliveFit {
  const process = options.process ?? "mbg";
  const grouped = group(customers);
  const bounds = boundsOf(grouped.meanT);
  const starts = [
    [1, 1 / grouped.rate, 1, 2],
    [0.3, 0.3 / grouped.rate, 0.5, 3],
  ].map((start) => Float64Array.from(start, Math.log));
  let budget = options.evaluationsMax ?? 6000;
  let iterations = 0;
  const descend = (rows: Grouped, start: Float64Array, firstStep: number): Found => {
    const objective = (point: Float64Array): number =>
      outsideCost(point, bounds) - logLikelihoodOf(rows, modelAt(point, bounds), process);
    let found: Found = { point: start, value: Number.POSITIVE_INFINITY };
    // A collapsed simplex is rebuilt around its best point until that no longer helps.
    for (let restart = 0; restart < 6 && budget > 0; restart++) {
      const before = found.value;
      const step = restart === 0 ? firstStep : 0.3;
      const result = minimize(objective, found.point, {
        step,
        evaluationsMax: Math.min(budget, 1500),
      });
      budget -= result.evaluations;
      iterations += result.evaluations;
      found = result;
      if (before - found.value < 1e-6 * (1 + Math.abs(found.value))) break;
    }
    return found;
  };
  // The way from afar is found on a share of the rows; all of them say where it ends.
  const few = thinned(grouped);
  const found = starts.map((start) => descend(few, start, 1));
  const nearest = found.reduce((best, one) => (one.value < best.value ? one : best));
  const best = few === grouped ? nearest : descend(grouped, nearest.point, NEAR_STEP);
  const model = modelAt(best.point, bounds);
  return { model, logLikelihood: logLikelihoodOf(grouped, model, process), iterations };
}

type Found = Pick<Minimum, "point" | "value">;

/** Log-likelihood of the parameters on these customers (same unit of time). */
export function aliveLogLikelihood(
  customers: Iterable<AliveCustomer>,
  model: AliveModel,
  process: AliveProcess = "mbg",
): number {
  return logLikelihoodOf(group(customers), model, process);
}

/** One row per distinct (x, tx, T): shops report in days, so most one-time buyers coincide. */
function group(customers: Iterable<AliveCustomer>): Grouped {
  const rows = new Map<string, { x: number; tx: number; T: number; weight: number }>();
  let total = 0;
  let timeTotal = 0;
  let repeats = 0;
  for (const { x, tx, T, weight = 1 } of customers) {
    if (!(x >= 0 && x <= 1e6 && tx >= 0 && T >= tx && T < 1e9 && weight > 0)) continue;
    const key = `${x} ${tx} ${T}`;
    const row = rows.get(key);
    if (row === undefined) rows.set(key, { x, tx: x === 0 ? 0 : tx, T, weight });
    else row.weight += weight;
    total += weight;
    timeTotal += T * weight;
    repeats += x * weight;
  }
  if (rows.size === 0)
    throw new CuecardError("not_enough_data", "P(alive): no customer with an order");
  const list = [...rows.values()];
  const meanT = Math.max(timeTotal / total, 1e-6);
  return {
    x: Float64Array.from(list, (row) => row.x),
    tx: coded(list.map(({ tx }) => tx)),
    T: coded(list.map(({ T }) => T)),
    weight: Float64Array.from(list, (row) => row.weight),
    xMax: list.reduce((max, row) => Math.max(max, row.x), 0),
    meanT,
    rate: Math.max(repeats / (total * meanT), 0.05 / meanT),
  };
}

function coded(column: readonly number[]): Coded {
  const known = new Map<number, number>();
  const codes = Uint32Array.from(column, (value) => {
    const code = known.get(value) ?? known.size;
    known.set(value, code);
    return code;
  });
  return { values: Float64Array.from(known.keys()), codes };
}

/** Every n-th row, where there are many more than ROWS_TO_FIND. */
function thinned(rows: Grouped): Grouped {
  const every = Math.floor(rows.x.length / ROWS_TO_FIND);
  if (every < 2) return rows;
  const kept = <T extends Float64Array | Uint32Array>(values: T): T =>
    values.filter((_, row) => row % every === 0) as T;
  const codesKept = ({ values, codes }: Coded): Coded => ({ values, codes: kept(codes) });
  return {
    ...rows,
    x: kept(rows.x),
    tx: codesKept(rows.tx),
    T: codesKept(rows.T),
    weight: kept(rows.weight),
  };
}

interface Bounds {
  low: Float64Array;
  high: Float64Array;
}

function boundsOf(meanT: number): Bounds {
  return {
    low: Float64Array.from([SHAPE_MIN, SHAPE_MIN * meanT, SHAPE_MIN, SHAPE_MIN], Math.log),
    high: Float64Array.from([SHAPE_MAX, SHAPE_MAX * meanT, SHAPE_MAX, SHAPE_MAX], Math.log),
  };
}

function modelAt(point: Float64Array, { low, high }: Bounds): AliveModel {
  const at = (i: number): number => Math.exp(Math.min(high[i], Math.max(low[i], point[i])));
  return { r: at(0), alpha: at(1), a: at(2), b: at(3) };
}

function outsideCost(point: Float64Array, { low, high }: Bounds): number {
  let cost = 0;
  for (let i = 0; i < point.length; i++) {
    const outside = Math.max(low[i] - point[i], point[i] - high[i], 0);
    cost += outside * outside;
  }
  return cost;
}

/**
 * `bg`:  Γ(r+x)α^r/Γ(r) · B(a,b+x)/B(a,b)   · [(α+T)^−(r+x) + (x>0) a/(b+x−1) · (α+tx)^−(r+x)]
 * `mbg`: Γ(r+x)α^r/Γ(r) · B(a,b+x+1)/B(a,b) · [(α+T)^−(r+x) + a/(b+x) · (α+tx)^−(r+x)]
 * Everything that depends on x alone is built once per x by recurrence, so no gamma function is needed.
 */
function logLikelihoodOf(rows: Grouped, model: AliveModel, process: AliveProcess): number {
  const { r, alpha, a, b } = model;
  const mbg = process === "mbg";
  const offset = mbg ? 0 : -1;
  const constant = constantsByCount(rows.xMax, model, mbg);
  const dropped = constant.map((_, x) => Math.log(a / (b + x + offset)));
  const logAlpha = Math.log(alpha);
  const logT = rows.T.values.map((T) => Math.log(alpha + T));
  const logTx = rows.tx.values.map((tx) => Math.log(alpha + tx));
  let sum = 0;
  for (let i = 0; i < rows.x.length; i++) {
    const x = rows.x[i];
    const shape = r + x;
    const logAlive = -shape * logT[rows.T.codes[i]];
    let value = logAlive;
    if (mbg || x > 0) {
      const logDropped = dropped[Math.round(x)] - shape * logTx[rows.tx.codes[i]];
      const high = Math.max(logAlive, logDropped);
      value = high + Math.log1p(Math.exp(Math.min(logAlive, logDropped) - high));
    }
    sum += rows.weight[i] * (value + constant[Math.round(x)] + r * logAlpha);
  }
  return sum;
}

/** log Γ(r+x)/Γ(r) + log B(a, b+x [+1 for mbg])/B(a, b), for x = 0..xMax. */
function constantsByCount(xMax: number, { r, a, b }: AliveModel, mbg: boolean): Float64Array {
  const constant = new Float64Array(xMax + 1);
  let sum = mbg ? Math.log(b / (a + b)) : 0;
  constant[0] = sum;
  for (let x = 1; x <= xMax; x++) {
    const survived = mbg ? b + x : b + x - 1;
    sum += Math.log(r + x - 1) + Math.log(survived / (a + survived));
    constant[x] = sum;
  }
  return constant;
}
