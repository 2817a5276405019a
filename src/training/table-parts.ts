/**
 * One learner of a table model: trees or a ridge regression, on all columns, without those that
 * drift, or with those relative to their recent level. A head is a weighted sum of such parts.
 */
import { sigmoid } from "./calibrate.js";
import type { ColumnDrift } from "./drift.js";
import { DRIFT_PSI, levelDrift, numberDrift } from "./drift.js";
import { fitLinear, type LinearModel, linearMargins } from "./linear.js";
import { labelsOf, type TableData } from "./table-data.js";
import { type Encoder, encodeRows, encodeTrainingRows, featureNames } from "./table-encoder.js";
import type { LabelledRows, TreeModel, Xgboost } from "./xgboost.js";

export interface Recipe {
  readonly name: string;
  readonly learner: "trees" | "linear";
  /**
   * `steady`: without the columns that drift. `relative`: drifting numbers less their mean over the
   * tenth of the rows before, when scoring over the last tenth of the training rows.
   */
  readonly columns: "all" | "steady" | "relative";
  /** Of trees. */
  readonly params?: Readonly<Record<string, string | number>>;
  /** Of the linear model. */
  readonly l2?: number;
  readonly bends?: boolean;
  /** Rows this share of all rows earlier count half as much; absent: all count alike. */
  readonly halfLife?: number;
}

/** margin = trees or linear of (features − shift); NaN stays NaN. */
export interface Part {
  readonly recipe: Recipe;
  readonly trees?: TreeModel;
  readonly linear?: LinearModel;
  readonly shift?: Float32Array;
}

export interface WeightedPart extends Part {
  readonly weight: number;
}

/** Rows made ready for every recipe. */
export interface Prepared {
  readonly encoder: Encoder;
  readonly features: Float32Array;
  readonly width: number;
  readonly rowCount: number;
  readonly labels: Float32Array;
  /** Numbers of the features of drifting columns. */
  readonly drifting: ReadonlySet<number>;
  /** Those of them that are numbers, and have a level. */
  readonly levelled: ReadonlySet<number>;
}

/** Early and late rows are told apart here, as a share of the training rows. */
const EARLY_SHARE = 0.7;
const LEVEL_BLOCKS = 10;
const MAX_ROUNDS = 1000;
const PATIENCE_ROUNDS = 40;

/** Which columns differ between the first 70 % and the last 30 % of `rows`; the worst first. */
export function driftOfColumns(
  data: TableData,
  encoder: Encoder,
  rows: Uint32Array,
): (ColumnDrift & { readonly isDrifting: boolean })[] {
  const cut = Math.floor(rows.length * EARLY_SHARE);
  const sides = [rows.slice(0, cut), rows.slice(cut)];
  return encoder
    .map((encoding) => {
      const column = data.table.columns.find(({ name }) => name === encoding.column);
      if (column === undefined) throw new Error(`the table has no column ${encoding.column}`);
      if (encoding.kind === "number" || encoding.kind === "date") {
        const width = encoding.kind === "date" ? 3 : 1;
        const [early, late] = sides.map((side) =>
          encodeRows([encoding], data.table, side).filter((_, index) => index % width === 0),
        );
        return numberDrift(encoding.column, early, late);
      }
      const [early, late] = sides.map((side) => Array.from(side, (row) => column.codes[row]));
      return levelDrift(encoding.column, early, late);
    })
    .map((drift) => ({ ...drift, isDrifting: drift.psi >= DRIFT_PSI }))
    .sort((a, b) => b.psi - a.psi);
}

/** `drifting` names columns; only with rows in order of time. */
export function prepare(
  data: TableData,
  encoder: Encoder,
  rows: Uint32Array,
  seed: number,
  drifting: ReadonlySet<string>,
): Prepared {
  const features = encodeTrainingRows(encoder, data.table, data.labels, rows, seed);
  const owners = encoder.flatMap((encoding) =>
    featureNames([encoding]).map((_, index) => ({
      drifts: drifting.has(encoding.column),
      hasLevel: index === 0 && (encoding.kind === "number" || encoding.kind === "date"),
    })),
  );
  const chosen = (test: (owner: (typeof owners)[number]) => boolean) =>
    new Set(owners.flatMap((owner, feature) => (test(owner) ? [feature] : [])));
  return {
    encoder,
    features,
    width: owners.length,
    rowCount: rows.length,
    labels: labelsOf(data, rows),
    drifting: chosen(({ drifts }) => drifts),
    levelled: chosen(({ drifts, hasLevel }) => drifts && hasLevel),
  };
}

export interface FitPartSettings {
  readonly seed: number;
  readonly threads?: number;
  /** A number of rounds, or rows to stop on. */
  readonly rounds?: number;
  readonly stopOn?: LabelledRows;
}

export function fitPart(
  xgboost: Xgboost,
  prepared: Prepared,
  recipe: Recipe,
  settings: FitPartSettings,
): Part {
  const { width, rowCount, labels } = prepared;
  const levels = recipe.columns === "relative" ? levelsOf(prepared) : undefined;
  const shift = levels?.last;
  const own = { ...prepared, features: levels?.features ?? prepared.features };
  const weights = recipe.halfLife === undefined ? undefined : recency(rowCount, recipe.halfLife);
  if (recipe.learner === "linear") {
    const without = recipe.columns === "steady" ? prepared.drifting : undefined;
    const rows = { rows: own.features, rowCount, columnCount: width, labels, weights };
    const { l2 = 1e-2, bends } = recipe;
    return { recipe, shift, linear: fitLinear(rows, { l2, bends, without }) };
  }
  // A feature that never varies is never split on, so that scoring need not know.
  const blank = (rows: Float32Array) =>
    recipe.columns === "steady"
      ? rows.map((value, index) => (prepared.drifting.has(index % width) ? 0 : value))
      : rows;
  const { stopOn } = settings;
  const trees = xgboost.trainTrees({
    rows: blank(own.features),
    rowCount,
    columnCount: width,
    labels,
    weights,
    objective: "binary:logistic",
    params: recipe.params,
    seed: settings.seed,
    threads: settings.threads,
    rounds: settings.rounds ?? MAX_ROUNDS,
    evaluation: stopOn && { ...stopOn, rows: blank(shifted(stopOn.rows, width, shift)) },
    earlyStoppingRounds: stopOn && PATIENCE_ROUNDS,
  });
  return { recipe, shift, trees };
}

/** Weight of each row, oldest first: halved every `halfLife` of the rows. */
const recency = (rowCount: number, halfLife: number): Float32Array =>
  Float32Array.from(
    { length: rowCount },
    (_, row) => 2 ** ((row - rowCount + 1) / (rowCount * halfLife)),
  );

/** Raw margins, one a row. */
export function partMargins(
  xgboost: Xgboost,
  { trees, linear, shift }: Part,
  features: Float32Array,
  rowCount: number,
): Float64Array {
  const own = shifted(features, features.length / Math.max(1, rowCount), shift);
  if (linear !== undefined) return linearMargins(linear, own, rowCount);
  if (trees === undefined) throw new Error("a part is trees or linear");
  return Float64Array.from(xgboost.predictMargins(trees, own, rowCount));
}

/** Σ weight · margin over the parts. */
export function mixedMargins(
  xgboost: Xgboost,
  parts: readonly WeightedPart[],
  features: Float32Array,
  rowCount: number,
): Float64Array {
  const margins = new Float64Array(rowCount);
  for (const part of parts) {
    const own = partMargins(xgboost, part, features, rowCount);
    for (let row = 0; row < rowCount; row++) margins[row] += part.weight * own[row];
  }
  return margins;
}

/** Mean absolute contribution of each feature: exact SHAP of trees, weight · distance of linear. */
export function partImportance(
  xgboost: Xgboost,
  { trees, linear, shift }: Part,
  features: Float32Array,
  rowCount: number,
): Float64Array {
  const width = features.length / rowCount;
  const own = shifted(features, width, shift);
  const sizes = new Float64Array(width);
  if (trees !== undefined) {
    const contributions = xgboost.predictContributions(trees, own, rowCount);
    for (let index = 0; index < contributions.length; index++) {
      const feature = index % (width + 1);
      // The last column is the bias, which belongs to no feature.
      if (feature < width) sizes[feature] += Math.abs(contributions[index]) / rowCount;
    }
  }
  if (linear === undefined) return sizes;
  for (let feature = 0; feature < width; feature++) {
    const alone = new Float32Array(rowCount * width).fill(Number.NaN);
    for (let row = 0; row < rowCount; row++) {
      alone[row * width + feature] = own[row * width + feature];
    }
    const margins = linearMargins(linear, alone, rowCount);
    const average = margins.reduce((sum, margin) => sum + margin, 0) / rowCount;
    sizes[feature] =
      margins.reduce((sum, margin) => sum + Math.abs(margin - average), 0) / rowCount;
  }
  return sizes;
}

function shifted(rows: Float32Array, width: number, shift: Float32Array | undefined): Float32Array {
  return shift === undefined ? rows : rows.map((value, index) => value - shift[index % width]);
}

/** Each row's drifting numbers less their mean over the block before; and the last block's means. */
function levelsOf({ features, width, rowCount, levelled }: Prepared): {
  readonly features: Float32Array;
  readonly last: Float32Array;
} {
  const size = Math.max(1, Math.ceil(rowCount / LEVEL_BLOCKS));
  const relative = features.slice();
  const last = new Float32Array(width);
  for (const feature of levelled) {
    const means = Array.from({ length: Math.ceil(rowCount / size) }, (_, block) =>
      blockMean(features, width, feature, block * size, Math.min(rowCount, (block + 1) * size)),
    );
    for (let row = 0; row < rowCount; row++) {
      const before = Math.max(0, Math.floor(row / size) - 1);
      relative[row * width + feature] -= means[before];
    }
    last[feature] = blockMean(features, width, feature, Math.max(0, rowCount - size), rowCount);
  }
  return { features: relative, last };
}

/** Mean of what is there, 0 where nothing is. */
function blockMean(
  features: Float32Array,
  width: number,
  feature: number,
  from: number,
  to: number,
): number {
  let sum = 0;
  let filled = 0;
  for (let row = from; row < to; row++) {
    const value = features[row * width + feature];
    if (Number.isNaN(value)) continue;
    sum += value;
    filled++;
  }
  return filled === 0 ? 0 : sum / filled;
}

export const probabilitiesOf = (margins: Float64Array): Float64Array => margins.map(sigmoid);
