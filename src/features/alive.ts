/** P(alive) and expected orders by MBG/NBD: the closed forms; the fit lives in training. */

/** Parameters of MBG/NBD (Batislam, Denizel, Filiztekin 2007); time in days. */
export interface AliveModel {
  readonly r: number;
  readonly alpha: number;
  readonly a: number;
  readonly b: number;
}

/**
 * Which buying process: `bg` lets a member drop out after each repeat order (Fader, Hardie, Lee 2005);
 * `mbg` also after the very first, which is what one-time buyers do. Serving uses `mbg`.
 */
export type AliveProcess = "bg" | "mbg";

/** All the model asks of a member; `tx` and `T` in the model's unit of time (days when serving). */
export interface AliveSummary {
  /** Repeat orders: orders on distinct days, less the first. */
  readonly x: number;
  /** From the first order to the latest; 0 when x = 0. */
  readonly tx: number;
  /** From the first order to now. */
  readonly T: number;
}

/** Enough for a relative error below 1e-9 up to horizon ÷ (alpha + T) of several thousand. */
const SERIES_TERMS_MAX = 200_000;

/**
 * P(still buying | x, tx, T), in 0..1: `1 / (1 + odds of having dropped out)`.
 * Under `bg` a member without a repeat order is alive by definition: 1.
 */
export function probabilityAlive(
  model: AliveModel,
  { x, tx, T }: AliveSummary,
  process: AliveProcess = "mbg",
): number {
  if (process === "bg" && x === 0) return 1;
  const survivals = process === "bg" ? model.b + x - 1 : model.b + x;
  const logOdds =
    Math.log(model.a / survivals) +
    (model.r + x) * Math.log((model.alpha + Math.max(T, tx)) / (model.alpha + tx));
  return 1 / (1 + Math.exp(logOdds));
}

/**
 * Expected orders in the next `horizon` (the model's unit of time), given x, tx, T.
 *
 * The papers write it as `(a+b+x)/(a−1) · (1 − ((α+T)/(α+T+t))^(r+x) · 2F1(r+x, b+x+1; a+b+x; t/(α+T+t)))`,
 * which is 0/0 at a = 1 and cancels near it. The same number, as a sum of positive terms only: while
 * alive, orders ahead are N ~ NegBin(r+x, z = t/(α+T+t)), and the k-th is made with the chance of
 * surviving k drop-outs, `E[(1−p)^k] = (β)_k / (a+β)_k`, so `Σ_k P(N > k) · (β)_k / (a+β)_k`.
 */
export function expectedOrders(
  model: AliveModel,
  summary: AliveSummary,
  horizon: number,
  process: AliveProcess = "mbg",
): number {
  if (!(horizon > 0)) return 0;
  const span = model.alpha + Math.max(summary.T, summary.tx);
  const shape = model.r + summary.x;
  const beta = process === "bg" ? model.b + summary.x : model.b + summary.x + 1;
  return (
    probabilityAlive(model, summary, process) *
    ordersWhileAlive(model.a, beta, shape, horizon / span)
  );
}

/** `E[(1 − (1 + p·u)^−shape) / p]` for p ~ Beta(a, beta): the series above, u = t/(α+T). */
function ordersWhileAlive(a: number, beta: number, shape: number, u: number): number {
  const z = u / (1 + u);
  const logZ = Math.log(z);
  const mean = shape * u;
  // In logs, because (1−z)^shape underflows for members with thousands of orders.
  let logWeight = -shape * Math.log1p(u);
  let tail = 1;
  let survival = 1;
  let sum = 0;
  for (let k = 0; k < SERIES_TERMS_MAX; k++) {
    tail -= Math.exp(logWeight);
    if (tail <= 0) break;
    const term = tail * survival;
    sum += term;
    // The terms left fall at least as fast as z^k once past the mean.
    if (k > mean && term * (1 + u) < 1e-10 * sum) break;
    survival *= (beta + k) / (a + beta + k);
    logWeight += Math.log((shape + k) / (k + 1)) + logZ;
  }
  return sum;
}
