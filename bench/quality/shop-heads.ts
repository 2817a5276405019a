/** Purchase and churn after the cut, by the heads trained before it, beside simple and stock models. */
import { replayMembers } from "../../src/events/replay.js";
import type { StoredModel } from "../../src/scoring/model-registry.js";
import {
  type Dataset,
  DatasetBuilder,
  HEAD_NAMES,
  type HeadName,
  type Plan,
} from "../../src/training/dataset.js";
import { compareHead, type HeadComparison, OURS } from "../../src/training/head-figures.js";
import { calibrationBins, gainCurve, liftAt, tenthsOf } from "../../src/training/metrics.js";
import { calibrationSvg, gainSvg, liftSvg } from "../../src/training/plots.js";
import { DAY_MS, fitAliveAsOf, type Survey } from "../../src/training/survey.js";
import type { DataDeps } from "../../src/training/training-data.js";
import { bestOf } from "./baselines.js";
import { counted, type Plot, type QualityRow, range, type SetFigures, shown } from "./result.js";
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
const TITLES: Record<HeadName, string> = {
  purchase: "purchase in 30 days",
  purchase7: "purchase in 7 days",
  churn: "churn",
};
const NAMES: Readonly<Record<string, string>> = {
  recency: "recency only",
  frequency: "personal frequency",
  alive: "P(alive) only",
  linear: "linear, ridge",
  xgboost_defaults: "XGBoost defaults",
};
/** What a head is judged by: of churn, whether those named first do leave. */
const METRICS: Record<HeadName, { key: "auc" | "prAuc"; name: string }> = {
  purchase: { key: "auc", name: "AUC" },
  purchase7: { key: "auc", name: "AUC" },
  churn: { key: "prAuc", name: "PR-AUC" },
};
const nameOf = (method: string): string => NAMES[method] ?? method;

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

/** `training`: what the heads learned from, and so do the baselines. */
export async function measureHeads(
  { model, rows: data }: LaterHeads,
  training: Dataset,
  context: SetContext,
): Promise<Omit<SetFigures, "protocol">> {
  const { xgboost, threads, seed } = context;
  const compared: [HeadName, HeadComparison][] = [];
  for (const [index, head] of HEAD_NAMES.entries()) {
    context.onProgress(0.7 + index * 0.05, `${head}: baselines`);
    const known = Uint32Array.from({ length: data.rowCount }, (_, row) => row).filter(
      (row) => data.heads[head].weights[row] === 1,
    );
    const settings = { xgboost, threads, seed, rounds: BOOTSTRAP_ROUNDS };
    compared.push([head, await compareHead(model.bytes, training, data, head, known, settings)]);
  }
  const from = new Date(data.snapshots[0]).toISOString().slice(0, 10);
  return {
    rows: compared.flatMap(([head, one]) => rowsOf(head, one)),
    tables: compared.map(([head, one]) => methodTable(head, one)),
    text: [
      `Asked every ${STEP_DAYS} days from ${from} as long as the label's window ends within the log. Churn means no order within the ` +
        `customer's own silence threshold, ${data.heads.churn.horizonDays} days at most, among customers active at the time. Baselines learn ` +
        "from the same rows of the same features as our heads, and are calibrated on the same.",
      ...notesOf(model),
    ],
    plots: compared.flatMap(([head, one]) => plotsOf(head, one, context)),
  };
}

const notesOf = ({ manifest }: StoredModel): string[] =>
  (manifest.notes ?? []).length === 0
    ? []
    : [`What training noted:\n\n${manifest.notes!.map((note) => `- ${note}`).join("\n")}`];

function rowsOf(head: HeadName, { figures, differences }: HeadComparison): QualityRow[] {
  const row = `online-retail, ${TITLES[head]}`;
  const { key, name: metric } = METRICS[head];
  const [own, ...others] = figures;
  const baselines = Object.fromEntries(others.map((one) => [nameOf(one.method), one[key].value]));
  const leadOver = (name: string) =>
    differences.find(({ against }) => nameOf(against) === name)![key];
  const over = bestOf(baselines);
  const best = leadOver(over);
  const margin = leadOver(NAMES.frequency);
  return [
    {
      row,
      metric,
      ours: own[key].value,
      interval: { low: own[key].low, high: own[key].high },
      baselines,
      lead: { over, difference: best.value, low: best.low, high: best.high },
      floor: { text: "beats personal frequency", reached: margin.value > 0 },
      target: { text: `by a margin (${range(margin)})`, reached: margin.low > 0 },
    },
    { row, metric: "calibration error (ECE)", ours: own.ece },
  ];
}

function methodTable(
  head: HeadName,
  { figures, differences, labels, methods }: HeadComparison,
): SetFigures["tables"][number] {
  const { key, name: metric } = METRICS[head];
  const positives = labels.reduce((sum, label) => sum + label, 0);
  const share = ((100 * positives) / labels.length).toFixed(1);
  const lead = (method: string): string => {
    const found = differences.find(({ against }) => against === method)?.[key];
    return found === undefined ? "" : `${shown(found.value)} (${range(found)})`;
  };
  return {
    caption: `${TITLES[head][0].toUpperCase()}${TITLES[head].slice(1)}: ${counted(labels.length)} rows, ${share} % of them positive.`,
    rows: [
      [
        "method",
        "AUC",
        "PR-AUC",
        "lift of the best tenth",
        "log loss",
        "ECE",
        `our lead, ${metric}`,
      ],
      ...figures.map((one) => [
        nameOf(one.method),
        shown(one.auc.value),
        shown(one.prAuc.value),
        shown(liftAt(methods[one.method].margins, labels, 0.1), 2),
        shown(one.logLoss.value),
        shown(one.ece),
        lead(one.method),
      ]),
    ],
  };
}

function plotsOf(
  head: HeadName,
  { labels, methods }: HeadComparison,
  { plot }: SetContext,
): Plot[] {
  const name = TITLES[head];
  const own = methods[OURS];
  // Five curves can be told apart.
  const gains = Object.entries(methods)
    .filter(([method]) => method !== "alive")
    .map(([method, { margins }]) => ({ name: nameOf(method), points: gainCurve(margins, labels) }));
  const bins = calibrationBins(own.probabilities, labels);
  const pictures: [string, string][] = [
    ["Calibration", calibrationSvg(bins, `Calibration: ${name}`)],
    ["Gain", gainSvg(gains, `Gain: ${name}`)],
    ["Lift", liftSvg(tenthsOf(own.margins, labels), `Lift: ${name}`)],
  ];
  return pictures.map(([kind, svg]) => ({
    file: plot(`${head}-${kind.toLowerCase()}`, svg),
    title: `${kind}: ${name}`,
  }));
}
