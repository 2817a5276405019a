/** Flat tables: a bank's calls at random and in order of time, and subscribers who leave. */
import type { Interval } from "../../src/training/bootstrap.js";
import { calibrationBins, gainCurve, tenthsOf } from "../../src/training/metrics.js";
import { calibrationSvg, gainSvg, liftSvg } from "../../src/training/plots.js";
import { evaluateTable, type TableEvaluation } from "../../src/training/table.js";
import type { EvaluateTableOptions } from "../../src/training/table-evaluate.js";
import type { ProbabilityMetrics } from "../../src/training/table-held-out.js";
import { bestOf } from "./baselines.js";
import { atLeast, counted, type Plot, type QualityRow, type SetFigures, shown } from "./result.js";
import type { QualitySet, SetContext } from "./set.js";

type Metric = keyof ProbabilityMetrics;

interface TableSet extends Omit<QualitySet, "measure"> {
  readonly row: string;
  readonly options: Omit<EvaluateTableOptions, "file">;
  readonly bars: readonly { metric: Metric; floor: number; target?: number }[];
  readonly protocol: string;
  readonly text: readonly string[];
}

const OWN = "cuecard";
const NAMES: Partial<Record<Metric, string>> = {
  auc: "AUC",
  prAuc: "PR-AUC",
  alift: "ALIFT",
  topHalfCapture: "positives in the better half",
  lift10: "lift of the best tenth",
  logLoss: "log loss",
  ece: "ECE",
};
const COLUMNS = Object.keys(NAMES) as Metric[];

const tableSet = (set: TableSet): QualitySet => ({
  ...set,
  measure: (context) => measure(set, context),
});

async function measure(set: TableSet, context: SetContext): Promise<SetFigures> {
  const { seed, threads, xgboostLibrary, onProgress } = context;
  const report = await evaluateTable({
    ...set.options,
    file: context.path(set.files[0]),
    seed,
    threads,
    xgboostLibrary,
    onProgress: ({ stage, done, total }) =>
      onProgress(stage === "fit" && total !== undefined ? done / total : 0, `${stage} ${done}`),
  });
  const share = ((100 * report.positives) / report.rows).toFixed(1);
  return {
    protocol:
      `${set.protocol} ${counted(report.rows)} rows, ${share} % positive, ${counted(report.heldOutRows)} held out; seed ${seed}; ` +
      "intervals resample the held-out rows within folds.",
    rows: set.bars.map((bar) => rowOf(set.row, report, bar)),
    tables: [
      { caption: "All methods, on the same rows:", rows: methodTable(report) },
      ...triedTable(report),
    ],
    text: [...set.text, ...noteList(report.notes)],
    plots: plotsOf(set.row, report, context),
  };
}

export const noteList = (notes: readonly string[]): string[] =>
  notes.length === 0
    ? []
    : [`What the product's own report says:\n\n${notes.map((note) => `- ${note}`).join("\n")}`];

function rowOf(
  row: string,
  report: TableEvaluation,
  { metric, floor, target }: TableSet["bars"][number],
): QualityRow {
  const ours = report[metric] ?? Number.NaN;
  const baselines = Object.fromEntries(
    report.baselines.map((one) => [one.name, one[metric] ?? Number.NaN]),
  );
  const over = bestOf(baselines);
  const ahead: Interval | undefined = report.baselines.find(({ name }) => name === over)?.ahead[
    metric
  ];
  return {
    row,
    metric: NAMES[metric] ?? metric,
    ours,
    interval: report.intervals[metric],
    baselines,
    ...(ahead !== undefined && { lead: { over, difference: ours - baselines[over], ...ahead } }),
    floor: atLeast(ours, floor),
    ...(target !== undefined && { target: atLeast(ours, target) }),
  };
}

function methodTable(report: TableEvaluation): string[][] {
  const row = (name: string, metrics: Partial<ProbabilityMetrics>): string[] => [
    name,
    ...COLUMNS.map((metric) => shown(metrics[metric] ?? Number.NaN, metric === "lift10" ? 2 : 4)),
  ];
  return [
    ["method", ...COLUMNS.map((metric) => NAMES[metric] ?? metric)],
    row(OWN, report),
    ...report.baselines.map((one) => row(one.name, one)),
  ];
}

/** What was tried to choose the learner; of one split only, as folds differ in what they tried. */
function triedTable({ choices }: TableEvaluation): SetFigures["tables"] {
  if (choices.length > 1) return [];
  const [{ criterion, tried, chosen, why }] = choices;
  const rows = tried.map(({ name, figure }) => [name, shown(figure), name === chosen ? why : ""]);
  return [
    {
      caption: `Tried inside the training rows, by ${criterion}:`,
      rows: [["learner", "figure", "chosen"], ...rows],
    },
  ];
}

function plotsOf(name: string, report: TableEvaluation, { plot }: SetContext): Plot[] {
  const pooled = (folds: TableEvaluation["heldOut"]) => ({
    scores: folds.flatMap(({ scores }) => Array.from(scores)),
    labels: folds.flatMap(({ labels }) => Array.from(labels)),
  });
  const own = pooled(report.heldOut);
  const gains = [
    { name: OWN, ...own },
    ...report.baselines.map((one) => ({ name: one.name, ...pooled(one.heldOut) })),
  ]
    .filter((one) => new Set(one.scores).size > report.folds.length)
    .map(({ name: method, scores, labels }) => ({
      name: method,
      points: gainCurve(scores, labels),
    }));
  const pictures: [string, string][] = [
    [
      "Calibration",
      calibrationSvg(calibrationBins(own.scores, own.labels), `Calibration: ${name}`),
    ],
    ["Gain", gainSvg(gains, `Gain: ${name}`)],
    ["Lift", liftSvg(tenthsOf(own.scores, own.labels), `Lift: ${name}`)],
  ];
  return pictures.map(([kind, svg]) => ({
    file: plot(kind.toLowerCase(), svg),
    title: `${kind}: ${name}`,
  }));
}

const bankCalls = { label: "y", separator: ";", drop: ["duration"] };

export const bankRandom = tableSet({
  id: "bank",
  title: "Bank Marketing: who says yes, calls at random",
  row: "bank-marketing, random 5-fold",
  folder: "bank-marketing",
  files: ["bank-additional-full.csv.gz"],
  options: { ...bankCalls, split: "kfold:5" },
  bars: [
    { metric: "auc", floor: 0.79, target: 0.805 },
    { metric: "alift", floor: 0.75, target: 0.77 },
  ],
  protocol:
    "Outbound calls of a bank, stratified 5-fold. The call's duration is left out: it is known only after the call.",
  text: [
    "A random split asks about calls of days it has seen other calls of. That flatters every model here; the next " +
      "set asks what a bank would.",
  ],
});

export const bankOrder = tableSet({
  id: "bank-order",
  title: "Bank Marketing: who says yes, calls to come",
  row: "bank-marketing, time order",
  folder: "bank-marketing",
  files: ["bank-additional-full.csv.gz"],
  options: { ...bankCalls, split: "order:0.8" },
  bars: [
    { metric: "auc", floor: 0.74, target: 0.76 },
    { metric: "alift", floor: 0.66, target: 0.68 },
    { metric: "topHalfCapture", floor: 0.75 },
  ],
  protocol: "The first 80 % of the calls are learned from, the last 20 % asked.",
  text: [
    "Between May 2008 and November 2010 the crisis came: interest and employment moved out of the range the first calls saw, and the share " +
      "of yes rose fivefold. Trees cannot extrapolate, and XGBoost as it comes falls far behind a straight line. What was chosen instead, on " +
      "the later part of the training rows alone, and what drifts, stands below.",
  ],
});

export const telco = tableSet({
  id: "telco",
  title: "Telco: who leaves",
  row: "telco-churn, 10-fold",
  folder: "telco-churn",
  files: ["Telco-Customer-Churn.csv.gz"],
  options: { label: "Churn", split: "kfold:10" },
  bars: [{ metric: "auc", floor: 0.84, target: 0.85 }],
  protocol: "IBM's fictional subscribers, stratified 10-fold.",
  text: [
    "Published figures far above .85 on this set resample before they split and ask about copies of rows they learned from.",
  ],
});
