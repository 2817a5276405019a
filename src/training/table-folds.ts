/** Folds inside the training rows, by which a learner is chosen. */
import { stratifiedFolds } from "./random.js";
import { groupedFolds } from "./table-groups.js";

export interface Fold {
  /** Positions in `rows`. */
  readonly fit: Uint32Array;
  readonly held: Uint32Array;
  /** How much the fold counts. */
  readonly weight: number;
}

/** Tables of more rows are searched on one fold, and cross-fitted on fewer. */
export const MANY_ROWS = 10_000;
const FORWARD_FROM = 0.5;
const FORWARD_FOLDS = 5;
const MIN_FIT_CLASS = 10;

/** Folds inside the training rows. `labels` and `groups` are those of `rows`. */
export function innerFolds(
  labels: ArrayLike<number>,
  strata: ArrayLike<number>,
  settings: { readonly seed: number; readonly isOrdered: boolean },
  groups?: ArrayLike<number>,
): Fold[] {
  const count = labels.length;
  const all = Uint32Array.from({ length: count }, (_, index) => index);
  if (settings.isOrdered) {
    const cut = (fold: number) =>
      Math.round(count * (FORWARD_FROM + (fold * (1 - FORWARD_FROM)) / FORWARD_FOLDS));
    return Array.from({ length: FORWARD_FOLDS }, (_, fold) => {
      const [fit, held] = [all.slice(0, cut(fold)), all.slice(cut(fold), cut(fold + 1))];
      const weight = fewest(labels, fit) < MIN_FIT_CLASS ? 0 : (fold + 1) * fewest(labels, held);
      return { fit, held, weight };
    }).filter(({ weight }) => weight > 0);
  }
  const size = count > MANY_ROWS ? 3 : 5;
  const folds =
    groups === undefined
      ? stratifiedFolds(strata, size, settings.seed)
      : groupedFolds(groups, strata, size, settings.seed);
  return Array.from({ length: size }, (_, fold) => ({
    fit: all.filter((row) => folds[row] !== fold),
    held: all.filter((row) => folds[row] === fold),
    weight: 1,
  }));
}

/** Rows of the rarer class. */
function fewest(labels: ArrayLike<number>, positions: Uint32Array): number {
  const positives = positions.reduce((sum, position) => sum + labels[position], 0);
  return Math.min(positives, positions.length - positives);
}
