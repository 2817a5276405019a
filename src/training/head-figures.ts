/** How good the heads are, on slices nobody was fitted on: their figures, and those of plain methods. */
import type { Manifest } from "../scoring/manifest.js";
import { loadOnnxScorer } from "../scoring/onnx-scorer.js";
import { BASELINE_NAMES, type BaselineSettings, fitBaselines, type Scored } from "./baselines.js";
import { bootstrap } from "./bootstrap.js";
import { type Comparison, compareMethods, type Difference } from "./compare-methods.js";
import { type Dataset, HEAD_NAMES, type HeadName } from "./dataset.js";
import { labelledRows, membersOf, rowsOf, type SliceName, sliceOf } from "./head-rows.js";
import { auc, expectedCalibrationError, liftAt, logLoss, prAuc } from "./metrics.js";
import { finiteOrNull } from "./ranker-figures.js";
import { aucOver } from "./resampled.js";
import type { LabelledRows } from "./xgboost.js";

export const OURS = "cuecard";
const BOOTSTRAP_ROUNDS = 100;

export interface HeadScores extends Scored {
  readonly labels: Float64Array;
  /** hash32 of each row's member. */
  readonly members: Float64Array;
}

/** What the graph itself answers on a slice: figures are about what serves, not about its maker. */
export function scoreSlice(
  graph: Uint8Array,
  data: Dataset,
  head: HeadName,
  slice: SliceName,
): Promise<HeadScores> {
  return scoreRows(graph, data, head, rowsOf(data, head, slice));
}

export async function scoreRows(
  graph: Uint8Array,
  data: Dataset,
  head: HeadName,
  rows: Uint32Array,
): Promise<HeadScores> {
  const gathered = labelledRows(data, head, rows);
  return {
    ...(await scoreHead(graph, head, gathered)),
    labels: Float64Array.from(gathered.labels),
    members: membersOf(data, rows),
  };
}

async function scoreHead(
  graph: Uint8Array,
  head: HeadName,
  gathered: LabelledRows,
): Promise<Scored> {
  if (gathered.rowCount === 0) {
    return { margins: new Float64Array(0), probabilities: new Float64Array(0) };
  }
  const scorer = await loadOnnxScorer(graph);
  try {
    const scores = await scorer.run(gathered.rows, gathered.rowCount);
    const column = HEAD_NAMES.indexOf(head);
    const of = (values: Float32Array | undefined) =>
      Float64Array.from(
        { length: gathered.rowCount },
        (_, row) => values?.[row * scorer.width + column] ?? Number.NaN,
      );
    return { margins: of(scores.margins), probabilities: of(scores.probabilities) };
  } finally {
    await scorer.release();
  }
}

/** Head → slice → figures. */
export async function measureHeads(graph: Uint8Array, data: Dataset): Promise<Manifest["metrics"]> {
  const metrics: Manifest["metrics"] = {};
  for (const head of HEAD_NAMES) {
    metrics[head] = {
      label: { horizonDays: data.heads[head].horizonDays },
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
  return finiteOrNull({
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
  });
}

/** Ours and every baseline on the same rows: scores, for plots, and what they come to. */
export interface HeadComparison extends Comparison {
  readonly labels: Float64Array;
  readonly members: Float64Array;
  /** `cuecard` first. */
  readonly methods: Readonly<Record<string, Scored>>;
}

/** Fits the baselines on `data`'s own slices and asks all methods about `rows` of `test`. */
export async function compareHead(
  graph: Uint8Array,
  data: Dataset,
  test: Dataset,
  head: HeadName,
  rows: Uint32Array,
  settings: BaselineSettings & { readonly rounds?: number },
): Promise<HeadComparison> {
  const ours = await scoreRows(graph, test, head, rows);
  const { labels, members } = ours;
  const baselines = fitBaselines(
    head,
    {
      names: data.names,
      train: sliceOf(data, head, "train"),
      stop: sliceOf(data, head, "stop"),
      calibrate: sliceOf(data, head, "calibrate"),
    },
    settings,
  );
  const gathered = labelledRows(test, head, rows);
  const methods: Record<string, Scored> = {
    [OURS]: { margins: ours.margins, probabilities: ours.probabilities },
  };
  for (const name of BASELINE_NAMES) methods[name] = baselines[name](gathered);
  const { rounds, seed } = settings;
  return {
    labels,
    members,
    methods,
    ...compareMethods(methods, { labels, members }, { rounds, seed }),
  };
}

/**
 * Baseline → its figures on the report's slice, and ours less its (`…Lead`), for the manifest. Of log
 * loss a negative lead is the better one.
 */
export async function baselineFigures(
  graph: Uint8Array,
  data: Dataset,
  head: HeadName,
  settings: BaselineSettings,
): Promise<Manifest["metrics"][string]> {
  const rows = rowsOf(data, head, "report");
  const { figures, differences } = await compareHead(graph, data, data, head, rows, {
    ...settings,
    rounds: BOOTSTRAP_ROUNDS,
  });
  const byName: Manifest["metrics"][string] = {};
  for (const lead of differences) {
    const own = figures.find(({ method }) => method === lead.against)!;
    byName[lead.against] = finiteOrNull({
      auc: own.auc.value,
      prAuc: own.prAuc.value,
      logLoss: own.logLoss.value,
      ece: own.ece,
      ...leadFigures(lead),
    });
  }
  return byName;
}

const leadFigures = ({ auc: area, prAuc: precision, logLoss: loss }: Difference) => ({
  aucLead: area.value,
  aucLeadLow: area.low,
  aucLeadHigh: area.high,
  prAucLead: precision.value,
  prAucLeadLow: precision.low,
  prAucLeadHigh: precision.high,
  logLossLead: loss.value,
  logLossLeadLow: loss.low,
  logLossLeadHigh: loss.high,
});
