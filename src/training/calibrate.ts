/**
 * Platt scaling: probability = sigmoid(slope · margin + intercept), strictly increasing and
 * continuous, so that calibration never ties or reorders the ranking.
 *
 * Source: Platt 1999, "Probabilistic outputs for support vector machines", with the smoothed
 * targets of that paper and the Newton iteration with backtracking of Lin, Lin, Weng 2007, "A note
 * on Platt's probabilistic outputs" (Machine Learning 68).
 */
import { CuecardError } from "../errors.js";
import type { Calibration } from "./onnx.js";

/**
 * Beyond these a model is useless or absurdly sure of itself; inside them the order is always kept.
 */
export const MIN_SLOPE = 0.05;
export const MAX_SLOPE = 20;

const MAX_STEPS = 100;
const TOLERANCE = 1e-10;
/** Keeps the Hessian invertible when every row is all but certain. */
const RIDGE = 1e-12;

export const sigmoid = (margin: number): number =>
  margin >= 0 ? 1 / (1 + Math.exp(-margin)) : Math.exp(margin) / (1 + Math.exp(margin));

/** Calibrated probabilities of raw margins. */
export const calibrated = (margins: ArrayLike<number>, calibration: Calibration): Float64Array =>
  Float64Array.from(margins, (margin) =>
    sigmoid(calibration.slope * margin + calibration.intercept),
  );

/**
 * Fits the calibration on rows the model was not fitted on. Labels are 0 or 1; both may be absent,
 * the smoothed targets keep the answer finite.
 * @throws CuecardError `not_enough_data` without rows.
 */
export function fitPlatt(margins: ArrayLike<number>, labels: ArrayLike<number>): Calibration {
  if (margins.length === 0) {
    throw new CuecardError("not_enough_data", "there are no rows to calibrate on");
  }
  const targets = smoothedTargets(labels);
  // Equal margins say nothing about the slope; only the level can be fitted.
  if (isConstant(margins)) return minimise(margins, targets, 1, 1);
  const free = minimise(margins, targets, 1, undefined);
  if (free.slope >= MIN_SLOPE && free.slope <= MAX_SLOPE) return free;
  const slope = free.slope < MIN_SLOPE ? MIN_SLOPE : MAX_SLOPE;
  return minimise(margins, targets, slope, slope);
}

function isConstant(values: ArrayLike<number>): boolean {
  for (let index = 1; index < values.length; index++) {
    if (Math.abs(values[index] - values[0]) > 1e-9) return false;
  }
  return true;
}

/** (N₊ + 1)/(N₊ + 2) for positives and 1/(N₋ + 2) for negatives, instead of 1 and 0. */
function smoothedTargets(labels: ArrayLike<number>): Float64Array {
  let positives = 0;
  for (let row = 0; row < labels.length; row++) positives += labels[row];
  const high = (positives + 1) / (positives + 2);
  const low = 1 / (labels.length - positives + 2);
  return Float64Array.from(labels, (label) => (label === 1 ? high : low));
}

/** Mean cross-entropy in the form that never overflows: ln(1 + e^z) − t·z. */
function loss(margins: ArrayLike<number>, targets: Float64Array, fit: Calibration): number {
  let sum = 0;
  for (let row = 0; row < targets.length; row++) {
    const z = fit.slope * margins[row] + fit.intercept;
    sum += Math.max(z, 0) + Math.log1p(Math.exp(-Math.abs(z))) - targets[row] * z;
  }
  return sum / targets.length;
}

/** The margins as they are, or their average at the average target: far out, Newton finds no way. */
function startOf(
  margins: ArrayLike<number>,
  targets: Float64Array,
  startSlope: number,
  fixedSlope: number | undefined,
): Calibration {
  const meanOf = (values: ArrayLike<number>) =>
    Array.from(values).reduce((sum, value) => sum + value, 0) / values.length;
  const rate = meanOf(targets);
  const slope = fixedSlope ?? 0;
  const asTheyAre = { slope: startSlope, intercept: 0 };
  const level = { slope, intercept: Math.log(rate / (1 - rate)) - slope * meanOf(margins) };
  return loss(margins, targets, level) < loss(margins, targets, asTheyAre) ? level : asTheyAre;
}

function minimise(
  margins: ArrayLike<number>,
  targets: Float64Array,
  startSlope: number,
  fixedSlope: number | undefined,
): Calibration {
  let fit = startOf(margins, targets, startSlope, fixedSlope);
  let value = loss(margins, targets, fit);
  for (let step = 0; step < MAX_STEPS; step++) {
    const direction = newtonDirection(margins, targets, fit, fixedSlope !== undefined);
    let scale = 1;
    let next = fit;
    let nextValue = value;
    do {
      next = {
        slope: fit.slope + scale * direction.slope,
        intercept: fit.intercept + scale * direction.intercept,
      };
      nextValue = loss(margins, targets, next);
      scale /= 2;
    } while (nextValue > value && scale > 1e-10);
    if (!(nextValue < value)) break;
    const gained = value - nextValue;
    fit = next;
    value = nextValue;
    if (gained < TOLERANCE) break;
  }
  return fit;
}

function newtonDirection(
  margins: ArrayLike<number>,
  targets: Float64Array,
  fit: Calibration,
  slopeFixed: boolean,
): Calibration {
  let gradientSlope = 0;
  let gradientIntercept = 0;
  let slopeSlope = RIDGE;
  let slopeIntercept = 0;
  let interceptIntercept = RIDGE;
  for (let row = 0; row < targets.length; row++) {
    const margin = margins[row];
    const probability = sigmoid(fit.slope * margin + fit.intercept);
    const error = probability - targets[row];
    const weight = probability * (1 - probability);
    gradientSlope += error * margin;
    gradientIntercept += error;
    slopeSlope += weight * margin * margin;
    slopeIntercept += weight * margin;
    interceptIntercept += weight;
  }
  if (slopeFixed) return { slope: 0, intercept: -gradientIntercept / interceptIntercept };
  const determinant = slopeSlope * interceptIntercept - slopeIntercept ** 2;
  return {
    slope: -(interceptIntercept * gradientSlope - slopeIntercept * gradientIntercept) / determinant,
    intercept: -(slopeSlope * gradientIntercept - slopeIntercept * gradientSlope) / determinant,
  };
}
