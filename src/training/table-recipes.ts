/** The learners that are tried on a table. */
import type { Recipe } from "./table-parts.js";

const SLOW = { eta: 0.05, subsample: 0.8, lambda: 2 };
const trees = (
  name: string,
  max_depth: number,
  min_child_weight: number,
  colsample_bytree: number,
): Recipe => ({
  name,
  learner: "trees",
  columns: "all",
  params: { ...SLOW, max_depth, min_child_weight, colsample_bytree },
});
/** The first is sound on tables of a thousand to a million rows without tuning. */
export const TREES = [
  trees("trees of depth 4", 4, 5, 0.7),
  trees("trees of depth 3", 3, 10, 0.5),
  trees("trees of depth 6", 6, 20, 0.5),
];
const leaves = (
  name: string,
  max_leaves: number,
  min_child_weight: number,
  sampling: Readonly<Record<string, number>>,
): Recipe => ({
  name,
  learner: "trees",
  columns: "all",
  params: {
    eta: 0.05,
    lambda: 0.5,
    grow_policy: "lossguide",
    max_depth: 0,
    max_leaves,
    min_child_weight,
    // A number with a few hundred values, a rate of each day say, may be cut between any two.
    max_bin: 1024,
    ...sampling,
  },
});
/**
 * For many rows: split where it pays most (Shi 2007), so that a rare group may be cut small. With
 * few rows they fit noise. One sees every row and column and one samples, so that they err apart.
 */
export const LEAVES = [
  leaves("trees of 15 leaves, sampled", 15, 0.3, { subsample: 0.8, colsample_bytree: 0.7 }),
  leaves("trees of 20 leaves", 20, 1, {}),
];
const linear = (l2: number, bends: boolean): Recipe => ({
  name: `linear${bends ? " with bends" : ""}, penalty ${l2}`,
  learner: "linear",
  columns: "all",
  l2,
  bends,
});
/** With more columns of numbers than this, what takes long for little is left out. */
const WIDE_NUMBERS = 200;
const WIDE_BINS = 64;

/** Of a wide table numbers do not bend and are cut in 64 places at most; else the recipes as given. */
export function affordable(recipes: readonly Recipe[], numberColumns: number): Recipe[] {
  if (numberColumns <= WIDE_NUMBERS) return [...recipes];
  const cheaper = recipes.map((recipe) =>
    recipe.learner === "trees"
      ? {
          ...recipe,
          name: `${recipe.name}, ${WIDE_BINS} cuts`,
          params: { ...recipe.params, max_bin: WIDE_BINS },
        }
      : recipe.bends && recipe.l2 !== undefined
        ? linear(recipe.l2, false)
        : recipe,
  );
  return [...new Map(cheaper.map((recipe) => [recipe.name, recipe])).values()];
}
/** For rows in no order, and for uplift, where a difference of two models wants little freedom. */
export const LINEAR = [linear(1e-1, false), linear(1e-2, true), linear(1e-3, true)];
export const UPLIFT = [linear(1e-1, false), linear(1e-2, false), linear(1e-2, true)];
/** For rows in order of time. */
const STRAIGHT = [linear(1, false), linear(1e-2, false)];

/** Recipes for rows in order of time: each as it is, and two ways around what drifts. */
export function orderedRecipes(hasDrift: boolean): Recipe[] {
  const ways = (recipe: Recipe): Recipe[] =>
    hasDrift
      ? [
          recipe,
          { ...recipe, columns: "steady", name: `${recipe.name}, without what drifts` },
          { ...recipe, columns: "relative", name: `${recipe.name}, drift relative to its level` },
        ]
      : [recipe];
  const recent = [0.25, 0.1].map((halfLife) => ({
    ...STRAIGHT[0],
    halfLife,
    name: `${STRAIGHT[0].name}, rows halved every ${halfLife * 100} %`,
  }));
  return [...ways(STRAIGHT[0]), STRAIGHT[1], ...recent, ...ways(TREES[1]), TREES[0]];
}
