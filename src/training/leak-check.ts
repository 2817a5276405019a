/** A single feature that all but tells the label is a leak, not a discovery. */
import { CuecardError } from "../errors.js";
import { auc } from "./metrics.js";

/** Nothing a member did before an instant tells so well what they do after it. */
export const LEAK_AUC = 0.95;
const ROWS_MAX = 20_000;

export interface Suspect {
  readonly feature: string;
  /** Of this feature alone, in whichever direction is better. */
  readonly auc: number;
}

/** Each feature by how well it alone separates the labels, also by being missing; best first. */
export function rankFeatures(
  names: readonly string[],
  rows: Float32Array,
  labels: ArrayLike<number>,
): Suspect[] {
  const columns = names.length;
  const rowCount = labels.length;
  const step = Math.max(1, Math.ceil(rowCount / ROWS_MAX));
  const sampled = Math.ceil(rowCount / step);
  const sampleLabels = Float64Array.from({ length: sampled }, (_, i) => labels[i * step]);
  return names
    .map((feature, column) => {
      const values = Float64Array.from({ length: sampled }, (_, i) => {
        const value = rows[i * step * columns + column];
        return Number.isNaN(value) ? Number.MIN_SAFE_INTEGER : value;
      });
      const area = auc(values, sampleLabels);
      return { feature, auc: Math.max(area, 1 - area) };
    })
    .sort((a, b) => b.auc - a.auc);
}

/**
 * Answers the feature that tells most, which is an honest one.
 * @throws CuecardError `model_invalid`, naming the features that tell too much.
 */
export function refuseLeaks(
  head: string,
  names: readonly string[],
  rows: Float32Array,
  labels: ArrayLike<number>,
): Suspect {
  const ranked = rankFeatures(names, rows, labels);
  const suspects = ranked.filter(({ auc: area }) => area > LEAK_AUC);
  if (suspects.length === 0) return ranked[0];
  const list = suspects.map(({ feature, auc: area }) => `${feature} (AUC ${area.toFixed(3)})`);
  throw new CuecardError("model_invalid", `${head} leaks into ${list.join(", ")}`);
}
