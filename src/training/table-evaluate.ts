/** Measures the table trainer on rows held out from everything: encoder, choice and calibration. */
import { availableParallelism } from "node:os";
import { CuecardError } from "../errors.js";
import type { Interval } from "./bootstrap.js";
import { type BaselineName, fitBaselines } from "./table-baselines.js";
import { findLeaks } from "./table-checks.js";
import type { Choice } from "./table-choice.js";
import {
  groupsOf,
  labelsOf,
  loadTableData,
  type TableData,
  type TableOptions,
} from "./table-data.js";
import {
  type Draws,
  differencesOf,
  drawsOf,
  type HeldOut,
  intervalsOf,
  type Metrics,
  mean,
  metricsOf,
  pooledMetrics,
} from "./table-held-out.js";
import {
  type DriftFinding,
  type FitSettings,
  type FittedTable,
  fitTable,
  predictTable,
} from "./table-model.js";
import { assignmentNotes, driftNotes, leakNotes, notesOn } from "./table-notes.js";
import { parseSplit, splitRows } from "./table-split.js";
import { loadXgboost, type Xgboost } from "./xgboost.js";

export interface EvaluateTableOptions extends TableOptions {
  /**
   * `kfold:5` stratified, `random:0.2` held out, `order:0.8` of the file first, the rest held out.
   */
  readonly split: string;
}

/** A plain model on the same held-out rows. */
export interface BaselineEvaluation extends Metrics {
  readonly name: BaselineName;
  readonly intervals: Readonly<Record<string, Interval>>;
  /** Intervals of the trained model's figure less this one's, drawn in pairs. */
  readonly ahead: Readonly<Record<string, Interval>>;
  readonly heldOut: readonly HeldOut[];
}

export interface TableEvaluation extends Metrics {
  readonly task: "probability" | "uplift";
  readonly rows: number;
  readonly positives: number;
  readonly heldOutRows: number;
  readonly split: string;
  readonly seed: number;
  readonly folds: readonly (Metrics & { readonly rows: number; readonly baseRate: number })[];
  /** 95 % intervals by bootstrap of the held-out rows, within folds. */
  readonly intervals: Readonly<Record<string, Interval>>;
  readonly baselines: readonly BaselineEvaluation[];
  /** Rows by fold, for curves and further figures; `evaluationJson` leaves them out. */
  readonly heldOut: readonly HeldOut[];
  /** What was tried inside the training rows of each fold, and what was chosen. */
  readonly choices: readonly Choice[];
  /** Of rows in order of time: how the late training rows differ from the early ones. */
  readonly drift?: DriftFinding;
  readonly library: { readonly version: string; readonly threads: number };
  /** What a reader of the figures has to know. */
  readonly notes: readonly string[];
}

/** @throws CuecardError `usage`, `file_invalid`, `not_enough_data`, `xgboost_missing` */
export async function evaluateTable(options: EvaluateTableOptions): Promise<TableEvaluation> {
  if (parseSplit(options.split).kind === "order" && options.group !== undefined) {
    throw new CuecardError("usage", "rows are split by group or by order: give one of the two");
  }
  const xgboost = loadXgboost(options.xgboostLibrary);
  const data = await loadTableData(options);
  const evaluation = evaluateData(xgboost, data, options.split, {
    seed: options.seed ?? 0,
    threads: options.threads,
    isOrdered: data.order?.isStated,
    onFit: (done, total) => options.onProgress?.({ stage: "fit", done, total }),
  });
  const leaks = leakNotes(findLeaks(data), evaluation.auc);
  return { ...evaluation, notes: [...leaks, ...evaluation.notes] };
}

/** Everything but the rows themselves, as JSON. */
export const evaluationJson = (evaluation: TableEvaluation): string =>
  JSON.stringify(
    evaluation,
    (key, value) => (key === "heldOut" || key === "crossFit" ? undefined : value),
    2,
  );

export function evaluateData(
  xgboost: Xgboost,
  data: TableData,
  split: string,
  settings: FitSettings,
): TableEvaluation {
  const strata = Array.from(data.rows, (row) => data.labels[row] + 2 * (data.treated?.[row] ?? 0));
  const splits = splitRows(data.rows, strata, split, settings.seed, groupsOf(data, data.rows));
  const isOrdered = parseSplit(split).kind === "order" || settings.isOrdered === true;
  const fits: FittedTable[] = [];
  const heldOut: HeldOut[] = [];
  const plain = new Map<BaselineName, HeldOut[]>();
  splits.forEach(({ train, test }, fold) => {
    const fitted = fitTable(xgboost, data, train, {
      ...settings,
      isOrdered,
      onFit: (done, total) => settings.onFit?.(fold * total + done, splits.length * total),
    });
    fits.push(fitted);
    heldOut.push(heldOutOf(data, test, predictTable(xgboost, data, fitted, test)));
    for (const { name, predict } of fitBaselines(xgboost, data, train, {
      ...settings,
      isOrdered,
    })) {
      plain.set(name, [...(plain.get(name) ?? []), heldOutOf(data, test, predict(test))]);
    }
  });
  const draws = drawsOf(heldOut, settings.seed);
  const intervals = intervalsOf(draws);
  const metrics = pooledMetrics(heldOut);
  const baselines = [...plain].map(([name, rows]) => compared(name, rows, draws, settings.seed));
  const measured = { metrics, intervals, heldOut, baselines };
  return {
    task: data.treated === undefined ? "probability" : "uplift",
    rows: data.rows.length,
    positives: labelsOf(data, data.rows).reduce((sum, label) => sum + label, 0),
    heldOutRows: heldOut.reduce((sum, { labels }) => sum + labels.length, 0),
    split,
    seed: settings.seed,
    ...metrics,
    intervals,
    folds: heldOut.map((fold) => ({
      rows: fold.labels.length,
      baseRate: mean(fold.labels),
      ...metricsOf(fold),
    })),
    baselines,
    heldOut,
    choices: fits.map(({ choice }) => choice),
    drift: fits[0].drift,
    library: { version: xgboost.version, threads: settings.threads ?? availableParallelism() },
    notes: [
      ...assignmentNotes(data, fits[0].encoder),
      ...notesOn(data, splits, measured, isOrdered),
      ...driftNotes(fits[0]),
    ],
  };
}

const heldOutOf = (data: TableData, rows: Uint32Array, scores: Float64Array): HeldOut => {
  const { treated } = data;
  return {
    labels: labelsOf(data, rows),
    scores,
    treated: treated && Uint8Array.from(rows, (row) => treated[row]),
  };
};

function compared(
  name: BaselineName,
  heldOut: readonly HeldOut[],
  model: Draws,
  seed: number,
): BaselineEvaluation {
  const draws = drawsOf(heldOut, seed);
  return {
    name,
    ...pooledMetrics(heldOut),
    intervals: intervalsOf(draws),
    ahead: differencesOf(model, draws),
    heldOut,
  };
}
