/**
 * Fits one head: boosted trees of a few shapes, of which the slice that stops them chooses one, then
 * calibrated on members of their own.
 */
import { fitPlatt } from "./calibrate.js";
import type { Dataset, HeadName } from "./dataset.js";
import { type ColumnDrift, DRIFT_PSI, matrixDrift } from "./drift.js";
import { rowsOf, sliceOf } from "./head-rows.js";
import { refuseLeaks } from "./leak-check.js";
import type { Head } from "./onnx.js";
import type { LabelledRows, RoundProgress, TreeModel, Xgboost } from "./xgboost.js";

export interface FitSettings {
  readonly xgboost: Xgboost;
  /** One while this machine serves. Default 1. */
  readonly threads?: number;
  readonly seed?: number;
  /** Trees of one head at most. Default 200. */
  readonly rounds?: number;
  readonly onRound?: (head: string, progress: RoundProgress) => void;
  readonly signal?: AbortSignal;
}

export interface FittedHead extends Head {
  readonly name: HeadName;
  readonly model: TreeModel;
  /** What was tried and chosen, and what drifts, in sentences. */
  readonly notes: readonly string[];
}

const EARLY_STOPPING_ROUNDS = 25;
const ROUNDS = 200;
/** Rows at most whose distributions are compared for drift. */
const DRIFT_ROWS_MAX = 10_000;
/** Hessian a leaf needs: a fiftieth of what the rarer class can give, so that small logs split too. */
const LEAF_WEIGHT = { share: 1 / 50, max: 20 };

interface Shape {
  readonly name: string;
  readonly params: Readonly<Record<string, number>>;
  /** Columns that drift between early and late training rows are missing to it. */
  readonly settled?: boolean;
}

const COMMON = { subsample: 0.8, colsample_bytree: 0.4, lambda: 5 };
/**
 * Flat ones first: most logs have few members and much noise, and their next month is another one
 * (rolling origins of three shops: depth 3 above deeper ones by .002 to .015 AUC on the two smaller,
 * depth 5 ahead on the largest).
 */
const SHAPES: readonly Shape[] = [
  { name: "depth 3", params: { ...COMMON, max_depth: 3, eta: 0.06 } },
  { name: "depth 5", params: { ...COMMON, max_depth: 5, eta: 0.06 } },
  {
    name: "depth 3 without drifting columns",
    params: { ...COMMON, max_depth: 3, eta: 0.06 },
    settled: true,
  },
];

/** @throws CuecardError `model_invalid` when a feature tells the label. */
export function fitHead(data: Dataset, name: HeadName, settings: FitSettings): FittedHead {
  const train = sliceOf(data, name, "train");
  const strongest = refuseLeaks(name, data.names, train.rows, train.labels);
  const stop = sliceOf(data, name, "stop");
  const drifting = driftWithin(data, name).filter(({ psi }) => psi >= DRIFT_PSI);
  const columns = drifting.map(({ column }) => data.names.indexOf(column));
  const shapes = SHAPES.filter(({ settled }) => settled !== true || drifting.length > 0);
  const tried = shapes.map((shape, index) => {
    const without = (rows: LabelledRows) => (shape.settled ? blanked(rows, columns) : rows);
    const model = settings.xgboost.trainTrees({
      ...without(train),
      columnCount: data.names.length,
      objective: "binary:logistic",
      params: { ...shape.params, min_child_weight: leafWeight(train.labels) },
      rounds: settings.rounds ?? ROUNDS,
      threads: settings.threads ?? 1,
      seed: settings.seed ?? 1,
      evaluation: without(stop),
      earlyStoppingRounds: EARLY_STOPPING_ROUNDS,
      onRound: ({ round, rounds, metric }) => {
        settings.signal?.throwIfAborted();
        const all = rounds * shapes.length;
        settings.onRound?.(name, { round: index * rounds + round, rounds: all, metric });
      },
    });
    return { shape, model, loss: model.bestMetric ?? Number.POSITIVE_INFINITY };
  });
  const best = tried.reduce((a, b) => (b.loss < a.loss ? b : a));
  const { rows, rowCount, labels } = sliceOf(data, name, "calibrate");
  const margins = settings.xgboost.predictMargins(best.model, rows, rowCount);
  const losses = tried.map(({ shape, loss }) => `${shape.name} ${loss.toFixed(4)}`).join(", ");
  return {
    name,
    model: best.model,
    calibration: fitPlatt(margins, labels),
    notes: [
      `${name}: ${best.shape.name}, ${best.model.trees.length} trees, of log losses ${losses}`,
      `${name}: the strongest single column is ${strongest.feature} ` +
        `(AUC ${strongest.auc.toFixed(3)})`,
      ...driftNotes(name, drifting),
    ],
  };
}

/** No trees: everyone's probability is the rate of the calibration slice (½ of nobody). */
export function levelHead(data: Dataset, name: HeadName): Head {
  const { labels, rowCount } = sliceOf(data, name, "calibrate");
  const rate = (labels.reduce((sum, label) => sum + label, 0) + 1) / (rowCount + 2);
  return {
    name,
    model: {
      objective: "binary:logistic",
      trees: [],
      baseMargin: 0,
      featureCount: data.names.length,
    },
    // Not in the base margin: onnxruntime leaves that out for an output without trees.
    calibration: { slope: 1, intercept: Math.log(rate / (1 - rate)) },
  };
}

function leafWeight(labels: Float32Array): number {
  const positives = labels.reduce((sum, label) => sum + label, 0);
  const rarer = Math.min(positives, labels.length - positives);
  return Math.max(1, Math.min(LEAF_WEIGHT.max, rarer * LEAF_WEIGHT.share));
}

/**
 * Trees trained on a column that is always missing never ask for it, so that the graph still takes
 * the whole vector.
 */
function blanked({ rows, ...rest }: LabelledRows, columns: readonly number[]): LabelledRows {
  const kept = rows.slice();
  const width = rows.length / rest.rowCount;
  for (let row = 0; row < rest.rowCount; row++) {
    for (const column of columns) kept[row * width + column] = Number.NaN;
  }
  return { ...rest, rows: kept };
}

/** Drift of each column between the earlier and the later half of the training snapshots. */
export function driftWithin(data: Dataset, name: HeadName): ColumnDrift[] {
  const rows = rowsOf(data, name, "train");
  const { train } = data.heads[name].slices;
  const middle = train[train.length >> 1];
  const sample = (side: Uint32Array) =>
    side.filter((_, index) => index % Math.ceil(side.length / DRIFT_ROWS_MAX) === 0);
  const early = sample(rows.filter((row) => data.snapshot[row] < middle));
  const late = sample(rows.filter((row) => data.snapshot[row] >= middle));
  return early.length === 0 ? [] : matrixDrift(data.names, data.rows, early, late);
}

/** Drifting columns named in a note; the first drift most. */
const NAMED_MAX = 6;

function driftNotes(name: string, drifting: readonly ColumnDrift[]): string[] {
  if (drifting.length === 0) return [];
  const named = drifting
    .slice(0, NAMED_MAX)
    .map(({ column, psi }) => `${column} (PSI ${psi.toFixed(2)})`);
  const more = drifting.length - named.length;
  const list = more > 0 ? `${named.join(", ")} and ${more} more` : named.join(", ");
  return [`${name}: between early and late training rows drift ${list}`];
}
