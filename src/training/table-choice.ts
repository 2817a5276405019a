/**
 * Which learner a table gets: every recipe is tried on rows held out inside the training rows, and
 * the best by one stated criterion is taken. Where figures are as good as equal the simpler one is; in
 * order of time and for uplift, where one fold's luck weighs more, and with many rows, which bear
 * it, an average of the best is (Clemen 1989, International Journal of Forecasting 5).
 *
 * Rows in order of time are validated forward: fitted on the first half, held to the next tenth, and
 * so on; later folds count more, because they are nearer to what comes, and so do folds with more
 * positives, because their figures are surer. Other rows are validated in stratified folds.
 */
import { auc, qini } from "./metrics.js";
import { groupsOf, labelsOf, type TableData } from "./table-data.js";
import { type Encoder, encodeRows, fitEncoder } from "./table-encoder.js";
import { type Fold, innerFolds, MANY_ROWS } from "./table-folds.js";
import {
  driftOfColumns,
  fitPart,
  partMargins,
  prepare,
  probabilitiesOf,
  type Recipe,
} from "./table-parts.js";
import { affordable, LEAVES, LINEAR, orderedRecipes, TREES, UPLIFT } from "./table-recipes.js";
import type { Xgboost } from "./xgboost.js";

/** Rows of one treatment, or all; each arm becomes a head. */
export interface Arm {
  readonly name: string;
  readonly has: (row: number) => boolean;
}

export interface ChoiceSettings {
  readonly seed: number;
  readonly threads?: number;
  readonly isOrdered: boolean;
  /** Called after each fit, with how many there are. */
  readonly onFit: (total: number) => void;
}

/** One candidate and its figures on the held-out rows of each fold. */
export interface Tried {
  readonly name: string;
  /** Weighted mean of `folds`: AUC, or the Qini coefficient of an uplift model. */
  readonly figure: number;
  readonly folds: readonly number[];
}

export interface Choice {
  readonly criterion: string;
  /** Best first. */
  readonly tried: readonly Tried[];
  readonly chosen: string;
  readonly why: string;
  /** Recipes, and the weight of the margin of each. */
  readonly parts: readonly { readonly crossFit: CrossFit; readonly weight: number }[];
}

/** What one recipe said of the rows it had not seen, by arm. */
export interface CrossFit {
  readonly recipe: Recipe;
  /** By arm, one a row of `rows`; NaN for rows that were never held out. */
  readonly margins: readonly Float64Array[];
  /** Rounds of trees by arm, mean over folds; 0 for a linear model. */
  readonly rounds: readonly number[];
}

/** Figures nearer than this count as equal; then the simpler candidate is taken. */
const TIE = { auc: 0.0005, qini: 0.001 };
/** Later parts differ more than random folds do. */
const ORDERED_TIE = { auc: 0.002, qini: 0.001 };
/** With fewer rows a search would only follow chance. */
const SEARCH_ROWS = 2000;
/** With fewer rows of the rarer class one fold tells recipes apart by chance. */
const SURE_CLASS_ROWS = 500;
const BLEND_SHARES = [0.25, 0.5, 0.75];

/** Tries the recipes on `rows` and chooses. */
export function choose(
  xgboost: Xgboost,
  data: TableData,
  rows: Uint32Array,
  arms: readonly Arm[],
  settings: ChoiceSettings,
): Choice {
  const trial = new Trial(xgboost, data, rows, arms, settings);
  const numbers = data.kinds.filter(({ kind }) => kind === "number").length;
  if (settings.isOrdered) {
    const encoder = fitEncoder(data.table, data.kinds, data.labels, rows);
    const hasDrift = driftOfColumns(data, encoder, rows).some(({ isDrifting }) => isDrifting);
    const recipes = affordable(orderedRecipes(hasDrift), numbers);
    trial.plannedFits = recipes.length * trial.folds.length * arms.length;
    trial.run(recipes, trial.folds);
    return trial.conclude(recipes);
  }
  if (data.treated !== undefined) {
    const recipes = affordable([...UPLIFT, TREES[0], TREES[1]], numbers);
    trial.plannedFits = recipes.length * trial.folds.length * arms.length;
    trial.run(recipes, trial.folds);
    return trial.conclude(recipes);
  }
  const isLarge = rows.length > MANY_ROWS;
  const positives = labelsOf(data, rows).reduce((sum, label) => sum + label, 0);
  const isRare = Math.min(positives, rows.length - positives) < SURE_CLASS_ROWS;
  const search = isLarge && !isRare ? trial.folds.slice(0, 1) : trial.folds;
  const rest = trial.folds.slice(search.length);
  const isSmall = rows.length < SEARCH_ROWS;
  const families = [
    isSmall ? LINEAR.slice(0, 2) : LINEAR,
    isSmall ? TREES.slice(0, 1) : TREES,
    ...(isLarge ? LEAVES.map((recipe) => [recipe]) : []),
  ].map((recipes) => affordable(recipes, numbers));
  const fits = families.flat().length * search.length + families.length * rest.length;
  trial.plannedFits = fits * arms.length;
  trial.run(families.flat(), search);
  const finalists = families.map((recipes) => trial.best(recipes, search));
  trial.run(finalists, rest);
  return trial.conclude(finalists);
}

/** Recipes on folds, and what came of them. */
class Trial {
  readonly folds: readonly Fold[];
  plannedFits = 0;
  readonly #labels: Float32Array;
  readonly #results = new Map<Recipe, { margins: Float64Array[]; rounds: number[] }>();
  readonly #metric: "auc" | "qini";
  readonly #tie: number;

  constructor(
    readonly xgboost: Xgboost,
    readonly data: TableData,
    readonly rows: Uint32Array,
    readonly arms: readonly Arm[],
    readonly settings: ChoiceSettings,
  ) {
    const { treated } = data;
    this.#labels = labelsOf(data, rows);
    const strata = Array.from(rows, (row) => data.labels[row] + 2 * (treated?.[row] ?? 0));
    this.folds = innerFolds(this.#labels, strata, settings, groupsOf(data, rows));
    this.#metric = treated === undefined ? "auc" : "qini";
    this.#tie = (settings.isOrdered ? ORDERED_TIE : TIE)[this.#metric];
  }

  run(recipes: readonly Recipe[], folds: readonly Fold[]): void {
    const { data, settings } = this;
    for (const fold of folds) {
      const fitRows = fold.fit.map((position) => this.rows[position]);
      const heldRows = fold.held.map((position) => this.rows[position]);
      const encoder = fitEncoder(data.table, data.kinds, data.labels, fitRows);
      const drifting = settings.isOrdered ? driftingColumns(data, encoder, fitRows) : NONE;
      const held = encodeRows(encoder, data.table, heldRows);
      this.arms.forEach((arm, index) => {
        const own = fitRows.filter(arm.has);
        const prepared = prepare(data, encoder, own, settings.seed, drifting);
        const stopOn = settings.isOrdered
          ? undefined
          : rowsToStopOn(data, encoder, heldRows.filter(arm.has));
        for (const recipe of recipes) {
          const rounds = stopOn === undefined ? ORDERED_ROUNDS : undefined;
          const part = fitPart(this.xgboost, prepared, recipe, { ...settings, stopOn, rounds });
          const margins = partMargins(this.xgboost, part, held, heldRows.length);
          this.#keep(recipe, index, fold, margins, (part.trees?.bestIteration ?? -1) + 1);
          settings.onFit(this.plannedFits);
        }
      });
    }
  }

  #keep(recipe: Recipe, arm: number, fold: Fold, margins: Float64Array, rounds: number): void {
    const result = this.#results.get(recipe) ?? {
      margins: this.arms.map(() => new Float64Array(this.rows.length).fill(Number.NaN)),
      rounds: this.arms.map(() => 0),
    };
    this.#results.set(recipe, result);
    fold.held.forEach((position, index) => {
      result.margins[arm][position] = margins[index];
    });
    result.rounds[arm] += rounds / this.folds.length;
  }

  #crossFit(recipe: Recipe): CrossFit {
    const result = this.#results.get(recipe);
    if (result === undefined) throw new Error(`${recipe.name} was not tried`);
    return { recipe, margins: result.margins, rounds: result.rounds.map(Math.round) };
  }

  /** The better by figure, the earlier in the list where figures tie. */
  best(recipes: readonly Recipe[], folds: readonly Fold[]): Recipe {
    const tried = recipes.map((recipe) =>
      this.#figure(recipe.name, this.#crossFit(recipe).margins, folds),
    );
    return recipes[tried.indexOf(simplest(tried, this.#tie))];
  }

  /** How many of the best are averaged, the averages that are preferred where they tie first. */
  #averaged(): number[] {
    if (this.settings.isOrdered || this.#metric === "qini") return [3, 2];
    return this.rows.length > MANY_ROWS ? [2] : [];
  }

  #figure(name: string, margins: readonly Float64Array[], folds = this.folds): Tried {
    const { treated } = this.data;
    const figures = folds.map(({ held }) => {
      const labels = held.map((position) => this.#labels[position]);
      const [first, second] = margins.map((own) =>
        Float64Array.from(held, (position) => own[position]),
      );
      if (treated === undefined) return auc(first, labels);
      const [p, q] = [first, second].map(probabilitiesOf);
      const uplift = p.map((value, index) => value - q[index]);
      return qini(
        uplift,
        labels,
        held.map((position) => treated[this.rows[position]]),
      );
    });
    const total = folds.reduce((sum, { weight }) => sum + weight, 0);
    const figure = figures.reduce((sum, value, f) => sum + (value * folds[f].weight) / total, 0);
    return { name, figure, folds: figures };
  }

  /** The best recipe or blend of the best linear model and the best trees. */
  conclude(recipes: readonly Recipe[]): Choice {
    const singles = recipes.map((recipe) => {
      const crossFit = this.#crossFit(recipe);
      return {
        parts: [{ crossFit, weight: 1 }],
        tried: this.#figure(recipe.name, crossFit.margins),
      };
    });
    const leader = (learner: Recipe["learner"]) =>
      this.#crossFit(
        this.best(
          recipes.filter((recipe) => recipe.learner === learner),
          this.folds,
        ),
      );
    const [line, forest] = [leader("linear"), leader("trees")];
    const mixed = (name: string, members: readonly CrossFit[], shares: readonly number[]) => {
      // On a common scale: a strong penalty shrinks margins, and says nothing about their worth.
      const parts = members.map((crossFit, index) => ({
        crossFit,
        weight: shares[index] / (spreadOf(crossFit) || 1),
      }));
      return { parts, tried: this.#figure(name, blended(parts)) };
    };
    const blends = BLEND_SHARES.map((share) =>
      mixed(
        `${(1 - share) * 100} % ${line.recipe.name} + ${share * 100} % ${forest.recipe.name}`,
        [line, forest],
        [1 - share, share],
      ),
    );
    const ranked = singles.toSorted((a, b) => b.tried.figure - a.tried.figure);
    const averages = this.#averaged().map((count) => {
      const members = ranked.slice(0, count).map(({ parts }) => parts[0].crossFit);
      const name = `average of ${members.map(({ recipe }) => recipe.name).join(" and ")}`;
      return mixed(name, members, new Array(count).fill(1 / count));
    });
    const all = [...averages, ...singles, ...blends];
    const tie = this.#tie;
    const winner = simplest(
      all.map(({ tried }) => tried),
      tie,
    );
    const tried = all.map((one) => one.tried).sort((a, b) => b.figure - a.figure);
    return {
      criterion: criterionOf(this.#metric, this.settings.isOrdered, this.folds.length),
      tried,
      chosen: winner.name,
      why:
        winner === tried[0]
          ? `the best figure, ${winner.figure.toFixed(4)}`
          : `${winner.figure.toFixed(4)} is within ${tie} of the best (${tried[0].figure.toFixed(4)}), and ${averages.some((one) => one.tried === winner) ? "an average hangs least on one fold's luck" : "it is simpler"}`,
      parts: all.find((one) => one.tried === winner)?.parts ?? [],
    };
  }
}

const NONE: ReadonlySet<string> = new Set();
/**
 * With rows in order of time there are no rows to stop on that would not be either of the past or
 * those the figure is taken on.
 */
const ORDERED_ROUNDS = 150;

/** Names of the columns that drift within `rows`. */
export const driftingColumns = (data: TableData, encoder: Encoder, rows: Uint32Array) =>
  new Set(
    driftOfColumns(data, encoder, rows)
      .filter(({ isDrifting }) => isDrifting)
      .map(({ column }) => column),
  );

const rowsToStopOn = (data: TableData, encoder: Encoder, rows: Uint32Array) => ({
  rows: encodeRows(encoder, data.table, rows),
  rowCount: rows.length,
  labels: labelsOf(data, rows),
});

/** Margins by arm of a weighted sum of cross-fits. */
export const blended = (parts: Choice["parts"]): Float64Array[] =>
  parts[0].crossFit.margins.map((first, arm) =>
    first.map((_, position) =>
      parts.reduce(
        (sum, { crossFit, weight }) => sum + weight * crossFit.margins[arm][position],
        0,
      ),
    ),
  );

/** Standard deviation of the margins of held-out rows, over all arms. */
function spreadOf({ margins }: CrossFit): number {
  const held = margins.flatMap((own) => [...own].filter((margin) => !Number.isNaN(margin)));
  const centre = held.reduce((sum, margin) => sum + margin, 0) / held.length;
  return Math.sqrt(held.reduce((sum, margin) => sum + (margin - centre) ** 2, 0) / held.length);
}

/** The first of the list that is within `tie` of the best. */
function simplest(tried: readonly Tried[], tie: number): Tried {
  const best = Math.max(...tried.map(({ figure }) => figure));
  return tried.find(({ figure }) => figure >= best - tie) ?? tried[0];
}

function criterionOf(metric: "auc" | "qini", isOrdered: boolean, folds: number): string {
  const name = metric === "auc" ? "AUC" : "Qini coefficient";
  return isOrdered
    ? `${name} on ${folds} later parts of the training rows, each fitted on what came before; ` +
        "later parts and parts with more positives count more"
    : `mean ${name} over ${folds} random folds of the training rows`;
}
