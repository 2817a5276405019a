/** `train table`: fits, checks, measures and writes a model directory from one flat table. */
import { mkdir, rename, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { CuecardError } from "../errors.js";
import { loadOnnxScorer, warm } from "../scoring/onnx-scorer.js";
import { checkTable, type TableChecks } from "./table-checks.js";
import { labelsOf, loadTableData, type TableData, type TableOptions } from "./table-data.js";
import { encodeRows, featureNames, fitEncoder } from "./table-encoder.js";
import { evaluateData, type TableEvaluation } from "./table-evaluate.js";
import { tableGraph } from "./table-graph.js";
import {
  MANIFEST_FILE,
  MODEL_FILE,
  REPORT_FILE,
  schemaHashOf,
  sha256,
  type TableManifest,
} from "./table-manifest.js";
import {
  type FitSettings,
  type FittedTable,
  findDrift,
  fitTable,
  headProbabilities,
} from "./table-model.js";
import { leakNotes } from "./table-notes.js";
import { partImportance } from "./table-parts.js";
import { tableReport } from "./table-report.js";
import { loadXgboost, type Xgboost } from "./xgboost.js";

export interface TrainTableOptions extends TableOptions {
  /** Directory the model is written to; made when it is not there. */
  readonly out: string;
}

export interface TrainedTable {
  readonly directory: string;
  readonly manifest: TableManifest;
  readonly checks: TableChecks;
  /** Warnings for the person who trains, e.g. suspected leaks. */
  readonly notes: readonly string[];
}

const PARITY_ROWS = 10_000;
/** Times the slope of a calibration steeper than 1: it stretches the rounding of the margin. */
const PARITY_LIMIT = 1e-6;
const SHAP_ROWS = 1000;
/** What the report is measured on: later rows, folds of a small table, a part of a large one. */
const LATER = "order:0.8";
const FOLDS = "kfold:3";
const PART = "random:0.3";
const FOLDS_ROWS = 2000;
/** A part of fewer rows of the rarer class says little; in folds each of them is held out once. */
const FOLDS_CLASS_ROWS = 500;

/**
 * @throws CuecardError `usage`, `file_invalid`, `not_enough_data`, `xgboost_missing`,
 * `model_invalid`
 */
export async function trainTable(options: TrainTableOptions): Promise<TrainedTable> {
  const xgboost = loadXgboost(options.xgboostLibrary);
  await requireNoFile(options.out);
  const data = await loadTableData(options);
  const checks = checkTable(data);
  const settings: FitSettings = {
    seed: options.seed ?? 0,
    threads: options.threads,
    isOrdered: data.order !== undefined,
  };
  const staged = (stage: string): FitSettings => ({
    ...settings,
    onFit: (done, total) => options.onProgress?.({ stage, done, total }),
  });
  const fitted = fitTable(xgboost, data, data.rows, staged("fit"));
  const graph = tableGraph(fitted.heads, featureNames(fitted.encoder).length);
  await checkParity(xgboost, data, fitted, graph);
  const isSmall =
    data.treated === undefined &&
    (data.rows.length < FOLDS_ROWS || rarerRows(data) < FOLDS_CLASS_ROWS);
  const split = fitted.drift !== undefined ? LATER : isSmall ? FOLDS : PART;
  const evaluation = evaluateData(xgboost, data, split, staged("measure"));
  const manifest = describe(options, data, fitted, graph, evaluation);
  const importance = importanceOf(xgboost, data, fitted);
  const goesBy = importance.map(({ column }) => column);
  const leaks = leakNotes(checks.suspectedLeaks, evaluation.auc, goesBy);
  const notes = [...leaks, ...orderNotes(data), ...evaluation.notes];
  const report = { options, manifest, checks, evaluation, fitted, importance, notes };
  const { text, pictures } = tableReport(report);
  await writeModel(options.out, {
    [MODEL_FILE]: graph,
    ...pictures,
    [REPORT_FILE]: text,
    [MANIFEST_FILE]: `${JSON.stringify(manifest, null, 2)}\n`,
  });
  return { directory: options.out, manifest, checks, notes };
}

/** Before the work, not behind it. @throws CuecardError `usage` */
async function requireNoFile(out: string): Promise<void> {
  const found = await stat(out).catch(() => undefined);
  if (found?.isDirectory() === false) {
    throw new CuecardError("usage", `--out ${out}: there is a file of that name`);
  }
}

/** Rows of the rarer class. */
function rarerRows(data: TableData): number {
  const positives = labelsOf(data, data.rows).reduce((sum, label) => sum + label, 0);
  return Math.min(positives, data.rows.length - positives);
}

/** Above this a file in no stated order looks like one in order of time. */
const ORDER_AUC = 0.75;

/** A file whose early and late rows differ is probably in order of time, and nobody said so. */
function orderNotes(data: TableData): string[] {
  if (data.order !== undefined) return [];
  const encoder = fitEncoder(data.table, data.kinds, data.labels, data.rows);
  const { adversarialAuc } = findDrift(data, encoder, data.rows);
  if (adversarialAuc < ORDER_AUC) return [];
  return [
    `the first and the last rows of the file differ (told apart with AUC ${adversarialAuc.toFixed(3)}); if ` +
      "they are in order of time, say so with --ordered (or --time COLUMN): the figures here come from " +
      "random rows, and later ones may be harder",
  ];
}

/** The graph that will serve is held to our own answers and XGBoost's before it is written. */
async function checkParity(
  xgboost: Xgboost,
  data: TableData,
  fitted: FittedTable,
  graph: Uint8Array,
): Promise<void> {
  const rows = data.rows.slice(0, PARITY_ROWS);
  const features = encodeRows(fitted.encoder, data.table, rows);
  const scorer = await loadOnnxScorer(graph);
  try {
    await warm(scorer, features);
    const { probabilities } = await scorer.run(features, rows.length);
    headProbabilities(xgboost, fitted, features, rows.length).forEach((own, column, heads) => {
      const limit = PARITY_LIMIT * Math.max(1, fitted.heads[column].calibration.slope);
      const wrong = own.some((expected, row) => {
        const actual = probabilities?.[row * heads.length + column] ?? Number.NaN;
        return !(Math.abs(actual - expected) <= limit);
      });
      if (wrong) throw new CuecardError("model_invalid", "the ONNX graph differs from the model");
    });
  } finally {
    await scorer.release();
  }
}

function describe(
  options: TrainTableOptions,
  data: TableData,
  fitted: FittedTable,
  graph: Uint8Array,
  evaluation: TableEvaluation,
): TableManifest {
  const { name, criterion, why } = { ...fitted.choice, name: fitted.choice.chosen };
  const { version, threads } = evaluation.library;
  return {
    format: "cuecard-table/1",
    task: data.treated === undefined ? "probability" : "uplift",
    createdAt: new Date().toISOString(),
    label: data.label,
    treatment: data.treatment,
    source: {
      ...data.table.format,
      rows: data.rows.length,
      positives: labelsOf(data, data.rows).reduce((sum, label) => sum + label, 0),
    },
    encoder: [...fitted.encoder],
    features: featureNames(fitted.encoder),
    schemaHash: schemaHashOf(fitted.encoder),
    heads: fitted.heads.map(({ name: head, calibration, parts }) => ({
      name: head,
      parts: parts.map(({ recipe, weight, trees }) => ({
        recipe: recipe.name,
        learner: recipe.learner,
        weight,
        rounds: trees?.trees.length,
      })),
      calibration,
    })),
    order: fitted.drift && data.order?.by,
    chosen: { name, criterion, why },
    measured: evaluation.split,
    metrics: figuresOf(evaluation),
    library: { name: "xgboost", version, threads },
    seed: options.seed ?? 0,
    model: { file: MODEL_FILE, bytes: graph.length, sha256: sha256(graph) },
  };
}

/** Every figure of the evaluation, and the interval of the one that decides about uplift. */
function figuresOf(evaluation: TableEvaluation): Record<string, number> {
  const figures = Object.fromEntries(
    METRICS.flatMap((name) => {
      const value = evaluation[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );
  const { qini } = evaluation.intervals;
  return qini === undefined ? figures : { ...figures, qiniLow: qini.low, qiniHigh: qini.high };
}

const METRICS = [
  "auc",
  "prAuc",
  "logLoss",
  "brier",
  "ece",
  "alift",
  "topHalfCapture",
  "lift10",
  "qini",
  "averageEffect",
] as const;

/** Mean absolute contribution a column, over all heads, as a share of the sum; largest first. */
function importanceOf(xgboost: Xgboost, data: TableData, fitted: FittedTable) {
  const stride = Math.max(1, Math.ceil(data.rows.length / SHAP_ROWS));
  const rows = data.rows.filter((_, index) => index % stride === 0);
  const features = encodeRows(fitted.encoder, data.table, rows);
  const owners = fitted.encoder.flatMap((encoding) =>
    featureNames([encoding]).map(() => encoding.column),
  );
  const byColumn = new Map<string, number>();
  for (const part of fitted.heads.flatMap(({ parts }) => parts)) {
    partImportance(xgboost, part, features, rows.length).forEach((size, feature) => {
      const before = byColumn.get(owners[feature]) ?? 0;
      byColumn.set(owners[feature], before + part.weight * size);
    });
  }
  const total = [...byColumn.values()].reduce((sum, size) => sum + size, 0);
  return [...byColumn]
    .map(([column, size]) => ({ column, share: total === 0 ? 0 : size / total }))
    .sort((a, b) => b.share - a.share);
}

/** The manifest goes last, and every file appears whole: a reader never meets half a model. */
async function writeModel(
  directory: string,
  files: Record<string, Uint8Array | string>,
): Promise<void> {
  await mkdir(directory, { recursive: true });
  for (const [name, content] of Object.entries(files)) {
    const path = join(directory, name);
    await writeFile(`${path}.part`, content);
    await rename(`${path}.part`, path);
  }
}
