/** `train table`: fits, checks, measures and writes a model directory from one flat table. */
import { mkdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { CuecardError } from "../errors.js";
import { loadOnnxScorer, warm } from "../scoring/onnx-scorer.js";
import { calibrated } from "./calibrate.js";
import { type CalibrationBin, calibrationBins } from "./metrics.js";
import { fuseHeads } from "./onnx.js";
import { calibrationSvg } from "./plots.js";
import { checkTable, type TableChecks } from "./table-checks.js";
import { labelsOf, loadTableData, type TableData, type TableOptions } from "./table-data.js";
import { encodeRows, featureNames } from "./table-encoder.js";
import { evaluateData } from "./table-evaluate.js";
import { probabilityMetrics } from "./table-held-out.js";
import {
  MANIFEST_FILE,
  MODEL_FILE,
  REPORT_FILE,
  schemaHashOf,
  sha256,
  type TableManifest,
} from "./table-manifest.js";
import { type FitSettings, type FittedTable, fitTable } from "./table-model.js";
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

const CALIBRATION_FILE = "calibration.svg";
const PARITY_ROWS = 10_000;
const PARITY_LIMIT = 1e-6;
const SHAP_ROWS = 1000;
/** Share of the rows an uplift model's report is measured on. */
const UPLIFT_SPLIT = "random:0.3";

/**
 * @throws CuecardError `usage`, `file_invalid`, `not_enough_data`, `xgboost_missing`,
 * `model_invalid`
 */
export async function trainTable(options: TrainTableOptions): Promise<TrainedTable> {
  const xgboost = loadXgboost(options.xgboostLibrary);
  const data = await loadTableData(options);
  const checks = checkTable(data);
  const settings: FitSettings = {
    seed: options.seed ?? 0,
    threads: options.threads,
    onFit: (done, total) => options.onProgress?.({ stage: "fit", done, total }),
  };
  const fitted = fitTable(xgboost, data, data.rows, settings);
  const graph = fuseHeads(fitted.heads, featureNames(fitted.encoder).length);
  await checkParity(xgboost, data, fitted, graph);
  const quality = measure(xgboost, data, fitted, settings);
  const manifest = describe(options, data, fitted, graph, quality.metrics);
  const notes = [...leakNotes(checks), ...quality.notes];
  const importance = importanceOf(xgboost, data, fitted);
  await writeModel(options.out, {
    [MODEL_FILE]: graph,
    [REPORT_FILE]: tableReport({ manifest, checks, bins: quality.bins, importance, notes }),
    ...(quality.bins.length > 0 && { [CALIBRATION_FILE]: calibrationSvg(quality.bins) }),
    [MANIFEST_FILE]: `${JSON.stringify(manifest, null, 2)}\n`,
  });
  return { directory: options.out, manifest, checks, notes };
}

const leakNotes = (checks: TableChecks): string[] =>
  checks.suspectedLeaks.map(
    ({ column, auc }) =>
      `suspected leak: ${column} alone reaches AUC ${auc.toFixed(3)}; drop it if it is only known ` +
      "after the outcome",
  );

/** The graph that will serve is held to XGBoost's own answers before it is written. */
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
    for (const [column, head] of fitted.heads.entries()) {
      const margins = xgboost.predictMargins(head.model, features, rows.length);
      const wrong = calibrated(margins, head.calibration).some((expected, row) => {
        const actual = probabilities?.[row * fitted.heads.length + column] ?? Number.NaN;
        return !(Math.abs(actual - expected) <= PARITY_LIMIT);
      });
      if (wrong) throw new CuecardError("model_invalid", "the ONNX graph differs from XGBoost");
    }
  } finally {
    await scorer.release();
  }
}

interface Quality {
  readonly metrics: Record<string, number>;
  readonly bins: readonly CalibrationBin[];
  readonly notes: readonly string[];
}

/**
 * Out-of-fold figures of the fit itself; uplift needs both arms on the same rows, so a fit of its
 * own.
 */
function measure(
  xgboost: Xgboost,
  data: TableData,
  fitted: FittedTable,
  settings: FitSettings,
): Quality {
  if (data.treated !== undefined) {
    const evaluation = evaluateData(xgboost, data, UPLIFT_SPLIT, settings);
    const { qini = 0, averageEffect = 0, intervals, notes } = evaluation;
    const { low, high } = intervals.qini;
    return { metrics: { qini, qiniLow: low, qiniHigh: high, averageEffect }, bins: [], notes };
  }
  const { crossFit, calibration } = fitted.heads[0];
  const labels = labelsOf(data, crossFit.rows);
  const probabilities = calibrated(crossFit.margins, calibration);
  return {
    metrics: { ...probabilityMetrics(probabilities, labels) },
    bins: calibrationBins(probabilities, labels),
    notes: [],
  };
}

function describe(
  options: TrainTableOptions,
  data: TableData,
  fitted: FittedTable,
  graph: Uint8Array,
  metrics: Record<string, number>,
): TableManifest {
  const { libraryVersion, threads } = fitted.heads[0].model;
  return {
    format: "cuecard-table/1",
    task: data.treated === undefined ? "probability" : "uplift",
    createdAt: new Date().toISOString(),
    label: data.label,
    treatment: data.treatment,
    source: {
      separator: options.separator ?? ",",
      header: options.header ?? true,
      encoding: options.encoding ?? "utf8",
      rows: data.rows.length,
      positives: labelsOf(data, data.rows).reduce((sum, label) => sum + label, 0),
    },
    encoder: [...fitted.encoder],
    features: featureNames(fitted.encoder),
    schemaHash: schemaHashOf(fitted.encoder),
    heads: fitted.heads.map(({ name, calibration, model }) => ({
      name,
      calibration,
      rounds: model.trees.length,
    })),
    metrics,
    library: { name: "xgboost", version: libraryVersion, threads },
    seed: options.seed ?? 0,
    model: { file: MODEL_FILE, bytes: graph.length, sha256: sha256(graph) },
  };
}

/**
 * Mean absolute SHAP contribution a column, over all heads, as a share of the sum; largest first.
 */
function importanceOf(xgboost: Xgboost, data: TableData, fitted: FittedTable) {
  const stride = Math.max(1, Math.ceil(data.rows.length / SHAP_ROWS));
  const rows = data.rows.filter((_, index) => index % stride === 0);
  const features = encodeRows(fitted.encoder, data.table, rows);
  const owners = fitted.encoder.flatMap((encoding) =>
    featureNames([encoding]).map(() => encoding.column),
  );
  const byColumn = new Map<string, number>();
  let total = 0;
  for (const { model } of fitted.heads) {
    const contributions = xgboost.predictContributions(model, features, rows.length);
    for (let index = 0; index < contributions.length; index++) {
      const feature = index % (owners.length + 1);
      // The last column is the bias, which belongs to no feature.
      if (feature === owners.length) continue;
      const size = Math.abs(contributions[index]);
      byColumn.set(owners[feature], (byColumn.get(owners[feature]) ?? 0) + size);
      total += size;
    }
  }
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
