/** Trains the member heads: purchase, purchase7 and churn, calibrated and fused into one graph. */
import { CuecardError } from "../errors.js";
import { type Manifest, manifestFor } from "../scoring/manifest.js";
import { loadOnnxScorer } from "../scoring/onnx-scorer.js";
import { bootstrap, pick } from "./bootstrap.js";
import { fitPlatt } from "./calibrate.js";
import { type Dataset, HEAD_NAMES, type HeadName } from "./dataset.js";
import { refuseLeaks } from "./leak-check.js";
import { auc, expectedCalibrationError, liftAt, logLoss, prAuc } from "./metrics.js";
import { fuseHeads, type Head } from "./onnx.js";
import { checkParity, parityRows } from "./parity.js";
import { aucOver } from "./resampled.js";
import type { LabelledRows, RoundProgress, TreeModel, Xgboost } from "./xgboost.js";

export interface TrainSettings {
  readonly xgboost: Xgboost;
  /** One while this machine serves. Default 1. */
  readonly threads?: number;
  readonly seed?: number;
  /** Trees of one head at most. Default 200. */
  readonly rounds?: number;
  readonly onRound?: (head: string, progress: RoundProgress) => void;
  readonly signal?: AbortSignal;
  readonly now?: number;
  /** Marks the manifest: trained on the demo world. */
  readonly demo?: boolean;
}

export interface TrainedModel {
  readonly bytes: Uint8Array;
  readonly manifest: Manifest;
}

/** Rows of each class a slice needs: below, no figure about it means anything. */
export const TRAIN_CLASS_MIN = 40;
export const LATER_CLASS_MIN = 10;
const EARLY_STOPPING_ROUNDS = 25;
const BOOTSTRAP_ROUNDS = 100;

const PARAMS = {
  max_depth: 5,
  eta: 0.08,
  min_child_weight: 8,
  subsample: 0.8,
  colsample_bytree: 0.7,
  lambda: 2,
};

export type SliceName = "train" | "stop" | "calibrate" | "promote" | "report";

/**
 * Rows of a head within a slice. Early stopping and calibration take one snapshot and part its members
 * by hash, so that neither sees the other's.
 */
export function rowsOf(data: Dataset, head: HeadName, slice: SliceName): Uint32Array {
  const { weights, slices } = data.heads[head];
  const trained = new Set(slices.train);
  const inSlice = (row: number): boolean => {
    const at = data.snapshot[row];
    if (slice === "train") return trained.has(at);
    if (slice === "promote" || slice === "report") return at === slices[slice];
    return at === slices.calibrate && (data.member[row] & 1) === (slice === "stop" ? 0 : 1);
  };
  const rows: number[] = [];
  for (let row = 0; row < data.rowCount; row++) {
    if (weights[row] === 1 && inSlice(row)) rows.push(row);
  }
  return Uint32Array.from(rows);
}

export function labelledRows(data: Dataset, head: HeadName, rows: Uint32Array): LabelledRows {
  const columns = data.names.length;
  const gathered = new Float32Array(rows.length * columns);
  rows.forEach((row, index) => {
    gathered.set(data.rows.subarray(row * columns, (row + 1) * columns), index * columns);
  });
  const labels = Float32Array.from(rows, (row) => data.heads[head].labels[row]);
  // XGBoost takes NaN for missing and refuses infinity (an attribute beyond float32).
  for (let at = 0; at < gathered.length; at++) {
    if (!Number.isFinite(gathered[at])) gathered[at] = Number.NaN;
  }
  return { rows: gathered, rowCount: rows.length, labels };
}

/**
 * @throws CuecardError `not_enough_data` naming what is short; `model_invalid` when a feature tells the
 * label or the graph does not answer as XGBoost does.
 */
export async function trainHeads(
  data: Dataset,
  schemaHash: string,
  settings: TrainSettings,
): Promise<TrainedModel> {
  for (const name of HEAD_NAMES) requireRows(data, name);
  const models: TreeModel[] = [];
  const heads: Head[] = [];
  for (const name of HEAD_NAMES) {
    settings.signal?.throwIfAborted();
    const model = trainHead(data, name, settings);
    const calibration = calibrateHead(data, name, model, settings.xgboost);
    models.push(model);
    heads.push({ name, model, calibration });
  }
  const bytes = fuseHeads(heads, data.names.length);
  const checked = heads.map((head, index) => ({ ...head, model: models[index] }));
  const seed = settings.seed ?? 1;
  await checkParity(
    bytes,
    checked,
    settings.xgboost,
    parityRows(data.rows, data.names.length, seed),
  );
  const manifest = manifestFor(bytes, {
    name: "heads",
    createdAt: settings.now ?? Date.now(),
    features: [...data.names],
    schemaHash,
    outputs: [...HEAD_NAMES],
    trainedWindow: windowOf(data),
    rows: rowsOf(data, "purchase", "train").length,
    metrics: await measureHeads(bytes, data),
    calibration: Object.fromEntries(heads.map((head) => [head.name, head.calibration])),
    libraryVersion: settings.xgboost.version,
    threads: models[0].threads,
    seed,
    ...(settings.demo === true ? { demo: true } : {}),
  });
  return { bytes, manifest };
}

function windowOf({ snapshots, heads }: Dataset): Manifest["trainedWindow"] {
  const latest = HEAD_NAMES.map((name) => heads[name].slices.train.at(-1) ?? 0);
  return { from: snapshots[0], to: snapshots[Math.max(...latest)] };
}

function requireRows(data: Dataset, head: HeadName): void {
  const least: [SliceName, number][] = [
    ["train", TRAIN_CLASS_MIN],
    ["stop", LATER_CLASS_MIN],
    ["calibrate", LATER_CLASS_MIN],
    ["promote", LATER_CLASS_MIN],
    ["report", LATER_CLASS_MIN],
  ];
  for (const [slice, minimum] of least) {
    const rows = rowsOf(data, head, slice);
    const positives = rows.reduce((sum, row) => sum + data.heads[head].labels[row], 0);
    const rarer = Math.min(positives, rows.length - positives);
    if (rarer >= minimum) continue;
    throw new CuecardError(
      "not_enough_data",
      `${head}: ${positives} of ${rows.length} rows to ${slice} on have the label; ` +
        `at least ${minimum} with and ${minimum} without are needed`,
    );
  }
}

function trainHead(data: Dataset, head: HeadName, settings: TrainSettings): TreeModel {
  const train = labelledRows(data, head, rowsOf(data, head, "train"));
  refuseLeaks(head, data.names, train.rows, train.labels);
  return settings.xgboost.trainTrees({
    ...train,
    columnCount: data.names.length,
    objective: "binary:logistic",
    params: PARAMS,
    rounds: settings.rounds ?? 200,
    threads: settings.threads ?? 1,
    seed: settings.seed ?? 1,
    evaluation: labelledRows(data, head, rowsOf(data, head, "stop")),
    earlyStoppingRounds: EARLY_STOPPING_ROUNDS,
    onRound: (progress) => {
      settings.signal?.throwIfAborted();
      settings.onRound?.(head, progress);
    },
  });
}

function calibrateHead(data: Dataset, head: HeadName, model: TreeModel, xgboost: Xgboost) {
  const { rows, rowCount, labels } = labelledRows(data, head, rowsOf(data, head, "calibrate"));
  return fitPlatt(xgboost.predictMargins(model, rows, rowCount), labels);
}

export interface HeadScores {
  readonly margins: Float64Array;
  readonly probabilities: Float64Array;
  readonly labels: Float64Array;
  /** hash32 of each row's member. */
  readonly members: Float64Array;
}

/** What the graph itself answers on a slice: figures are about what serves, not about its maker. */
export async function scoreSlice(
  graph: Uint8Array,
  data: Dataset,
  head: HeadName,
  slice: SliceName,
): Promise<HeadScores> {
  const rows = rowsOf(data, head, slice);
  const gathered = labelledRows(data, head, rows);
  const scorer = await loadOnnxScorer(graph);
  try {
    const scores = await scorer.run(gathered.rows, rows.length);
    const column = HEAD_NAMES.indexOf(head);
    const of = (values: Float32Array | undefined) =>
      Float64Array.from(rows, (_, row) => values?.[row * scorer.width + column] ?? Number.NaN);
    return {
      margins: of(scores.margins),
      probabilities: of(scores.probabilities),
      labels: Float64Array.from(gathered.labels),
      members: pick(data.member, rows),
    };
  } finally {
    await scorer.release();
  }
}

/** Head → slice → figures, on the slices nobody was fitted on. */
export async function measureHeads(graph: Uint8Array, data: Dataset): Promise<Manifest["metrics"]> {
  const metrics: Manifest["metrics"] = {};
  for (const head of HEAD_NAMES) {
    const { horizonDays, slices } = data.heads[head];
    metrics[head] = {
      label: { horizonDays, sharedSlices: slices.shared ? 1 : 0 },
      promote: figuresOf(await scoreSlice(graph, data, head, "promote")),
      report: figuresOf(await scoreSlice(graph, data, head, "report")),
    };
  }
  return metrics;
}

/** Undefined figures (one class only) are null. */
export function figuresOf(scores: HeadScores): Record<string, number | null> {
  const { margins, probabilities, labels, members } = scores;
  const baseRate = labels.reduce((sum, label) => sum + label, 0) / labels.length;
  const interval = bootstrap(labels.length, aucOver(margins, labels), {
    rounds: BOOTSTRAP_ROUNDS,
    clusters: members,
  });
  const figures = {
    n: labels.length,
    baseRate,
    auc: auc(margins, labels),
    aucLow: interval.low,
    aucHigh: interval.high,
    prAuc: prAuc(margins, labels),
    lift10: liftAt(margins, labels, 0.1),
    logLoss: logLoss(probabilities, labels),
    /** Of saying the base rate for everyone. */
    baseLogLoss: logLoss(new Float64Array(labels.length).fill(baseRate), labels),
    ece: expectedCalibrationError(probabilities, labels),
  };
  return Object.fromEntries(
    Object.entries(figures).map(([name, value]) => [name, Number.isFinite(value) ? value : null]),
  );
}
