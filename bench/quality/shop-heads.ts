/** Purchase and churn after the cut, by the heads trained before it, beside simple and stock models. */
import { replayMembers } from "../../src/events/replay.js";
import type { StoredModel } from "../../src/scoring/model-registry.js";
import { loadOnnxScorer } from "../../src/scoring/onnx-scorer.js";
import { bootstrap, type Interval } from "../../src/training/bootstrap.js";
import {
  type Dataset,
  DatasetBuilder,
  HEAD_NAMES,
  type HeadName,
  type Plan,
} from "../../src/training/dataset.js";
import { fitLinear, linearMargins } from "../../src/training/linear.js";
import {
  auc,
  calibrationBins,
  expectedCalibrationError,
  gainCurve,
  liftAt,
  logLoss,
  prAuc,
  tenthsOf,
} from "../../src/training/metrics.js";
import { calibrationSvg, gainSvg, liftSvg } from "../../src/training/plots.js";
import { aucOver } from "../../src/training/resampled.js";
import { DAY_MS, fitAliveAsOf, type Survey } from "../../src/training/survey.js";
import { labelledRows, rowsOf } from "../../src/training/train-heads.js";
import type { DataDeps } from "../../src/training/training-data.js";
import { bestOf } from "./baselines.js";
import { type QualityRow, range, type SetFigures, shown } from "./result.js";
import type { SetContext } from "./set.js";

/** The log after the second import. */
export interface Shop {
  readonly deps: DataDeps;
  /** Of the whole log. */
  readonly survey: Survey;
  /** Epoch milliseconds. */
  readonly cut: number;
}

export interface LaterHeads {
  readonly model: StoredModel;
  readonly rows: Dataset;
}

/** Half of the purchase horizon, as in training. */
const STEP_DAYS = 15;
const BOOTSTRAP_ROUNDS = 200;
const L2 = 0.01;
const OWN = "cuecard";
const FREQUENCY = "personal frequency";
const TITLES: Record<HeadName, string> = {
  purchase: "purchase in 30 days",
  purchase7: "purchase in 7 days",
  churn: "churn",
};

interface Asked {
  readonly head: HeadName;
  readonly labels: Float32Array;
  /** hash32 of each row's member. */
  readonly members: readonly number[];
  readonly probabilities: Float64Array;
  /** Method → one score a row, higher for likelier; ours first. */
  readonly scores: Readonly<Record<string, ArrayLike<number>>>;
}

export async function measureHeads(
  { model, rows: data }: LaterHeads,
  training: Dataset,
  context: SetContext,
): Promise<Omit<SetFigures, "protocol">> {
  const scorer = await loadOnnxScorer(model.bytes);
  const asked: Asked[] = [];
  for (const [index, head] of HEAD_NAMES.entries()) {
    context.onProgress(0.7 + index * 0.05, `${head}: baselines`);
    const rows = Uint32Array.from({ length: data.rowCount }, (_, row) => row).filter(
      (row) => data.heads[head].weights[row] === 1,
    );
    const later = labelledRows(data, head, rows);
    const { margins, probabilities } = await scorer.run(later.rows, rows.length);
    const column = HEAD_NAMES.indexOf(head);
    const of = (values: Float32Array | undefined) =>
      Float64Array.from(rows, (_, row) => values![row * scorer.width + column]);
    asked.push({
      head,
      labels: later.labels,
      members: Array.from(rows, (row) => data.member[row]),
      probabilities: of(probabilities),
      scores: { cuecard: of(margins), ...baselineScores(training, head, later.rows, context) },
    });
  }
  await scorer.release();
  return report(asked, data, context);
}

/** Rows after the cut, hydrated as serving would have at each instant; horizons are the model's. */
export async function laterRows(
  { deps, survey, cut }: Shop,
  { metrics }: StoredModel["manifest"],
): Promise<Dataset> {
  const snapshots: number[] = [];
  for (let at = cut; at + 7 * DAY_MS <= survey.to; at += STEP_DAYS * DAY_MS) snapshots.push(at);
  const last = snapshots.length - 1;
  const slices = { train: [], calibrate: last, promote: last, report: last, shared: false };
  const head = (name: HeadName) => ({
    horizonDays: metrics[name]?.label?.horizonDays ?? 30,
    slices,
  });
  const plan: Plan = {
    snapshots,
    alive: snapshots.map((at) => fitAliveAsOf(survey, at)),
    end: survey.to,
    heads: { purchase: head("purchase"), purchase7: head("purchase7"), churn: head("churn") },
  };
  const builder = new DatasetBuilder(survey, plan, deps);
  for await (const member of replayMembers(deps.reader)) builder.add(member);
  return builder.finish();
}

/** Fitted on the very rows the head learned from. */
function baselineScores(
  training: Dataset,
  head: HeadName,
  later: Float32Array,
  { xgboost, seed, threads }: SetContext,
): Record<string, ArrayLike<number>> {
  const columnCount = training.names.length;
  const rowCount = later.length / columnCount;
  const learned = labelledRows(training, head, rowsOf(training, head, "train"));
  const feature = (name: string): Float64Array => {
    const column = training.names.indexOf(name);
    const sign = head === "churn" ? -1 : 1;
    // Whoever never ordered has neither recency nor frequency: last in both orders.
    const value = (row: number) => later[row * columnCount + column];
    return Float64Array.from({ length: rowCount }, (_, row) =>
      Number.isNaN(value(row)) ? -1e9 : sign * value(row),
    );
  };
  const stock = xgboost.trainTrees({
    ...learned,
    columnCount,
    objective: "binary:logistic",
    rounds: 100,
    seed,
    threads,
  });
  const linear = fitLinear({ ...learned, columnCount }, { l2: L2 });
  return {
    "recency only": feature("days_since_order").map((value) => (value === -1e9 ? value : -value)),
    [FREQUENCY]: feature("orders_per_year"),
    "linear, ridge": linearMargins(linear, later, rowCount),
    "XGBoost, defaults": xgboost.predictMargins(stock, later, rowCount),
  };
}

function report(
  asked: readonly Asked[],
  { snapshots, heads }: Dataset,
  context: SetContext,
): Omit<SetFigures, "protocol"> {
  const days = snapshots.map((at) => new Date(at).toISOString().slice(0, 10));
  return {
    rows: asked.flatMap((one) => rowsFor(one, context.seed)),
    tables: asked.map((one) => ({
      caption: `${title(one.head)}: ${one.labels.length} rows, ${percent(rateOf(one))} of them positive.`,
      rows: methodTable(one),
    })),
    text: [
      `Asked every ${STEP_DAYS} days from ${days[0]} as long as the label's window ends within the log. Churn means no order within the ` +
        `customer's own silence threshold, ${heads.churn.horizonDays} days at most, among customers active at the time. Baselines learn from the same ` +
        "rows of the same features as our heads.",
    ],
    plots: asked.flatMap((one) => plotsOf(one, context)),
  };
}

const title = (head: HeadName): string => TITLES[head][0].toUpperCase() + TITLES[head].slice(1);
const rateOf = ({ labels }: Asked): number =>
  labels.reduce((sum, label) => sum + label, 0) / labels.length;
const percent = (share: number): string => `${(share * 100).toFixed(1)} %`;

function rowsFor(
  { head, labels, members, scores, probabilities }: Asked,
  seed: number,
): QualityRow[] {
  const row = `online-retail, ${TITLES[head]}`;
  const { cuecard: ours, ...others } = scores;
  const resample = (figure: (rows: readonly number[]) => number): Interval =>
    bootstrap(labels.length, figure, { rounds: BOOTSTRAP_ROUNDS, clusters: members, seed });
  const baselines = mapValues(others, (values) => auc(values, labels));
  const over = bestOf(baselines);
  const [own, rival] = [aucOver(ours, labels), aucOver(others[over], labels)];
  const difference = auc(ours, labels) - baselines[over];
  const frequency = aucOver(others[FREQUENCY], labels);
  const ahead = auc(ours, labels) - baselines[FREQUENCY];
  const margin = resample((rows) => own(rows) - frequency(rows));
  const lead = { over, difference, ...resample((rows) => own(rows) - rival(rows)) };
  return [
    {
      row,
      metric: "AUC",
      ours: auc(ours, labels),
      interval: resample(own),
      baselines,
      lead,
      floor: { text: "beats personal frequency", reached: ahead > 0 },
      target: { text: `by a margin (${range(margin)})`, reached: margin.low > 0 },
    },
    {
      row,
      metric: "calibration error (ECE)",
      ours: expectedCalibrationError(probabilities, labels),
    },
  ];
}

function methodTable({ labels, scores, probabilities }: Asked): string[][] {
  const rows = Object.entries(scores).map(([method, values]) => [
    method,
    shown(auc(values, labels)),
    shown(prAuc(values, labels)),
    shown(liftAt(values, labels, 0.1), 2),
    method === OWN ? shown(logLoss(probabilities, labels)) : "",
    method === OWN ? shown(expectedCalibrationError(probabilities, labels)) : "",
  ]);
  return [["method", "AUC", "PR-AUC", "lift of the best tenth", "log loss", "ECE"], ...rows];
}

function plotsOf({ head, labels, scores, probabilities }: Asked, { plot }: SetContext) {
  const name = TITLES[head];
  const gains = Object.entries(scores).map(([method, values]) => ({
    name: method,
    points: gainCurve(values, labels),
  }));
  const bins = calibrationBins(probabilities, labels);
  return [
    {
      file: plot(`${head}-calibration`, calibrationSvg(bins, `Calibration: ${name}`)),
      title: `Calibration: ${name}`,
    },
    { file: plot(`${head}-gain`, gainSvg(gains, `Gain: ${name}`)), title: `Gain: ${name}` },
    {
      file: plot(`${head}-lift`, liftSvg(tenthsOf(scores.cuecard, labels), `Lift: ${name}`)),
      title: `Lift: ${name}`,
    },
  ];
}

const mapValues = <T, R>(record: Readonly<Record<string, T>>, change: (value: T) => R) =>
  Object.fromEntries(Object.entries(record).map(([name, value]) => [name, change(value)]));
