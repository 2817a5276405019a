/**
 * The page a person reads after `train table`: what was found in the table, what was tried and
 * chosen, how good the model is beside plain ones, and how to get it again.
 */
import type { Interval } from "./bootstrap.js";
import { calibrationBins, gainCurve, qiniCurve, tenthsOf } from "./metrics.js";
import { calibrationSvg, gainSvg, liftSvg, qiniSvg } from "./plots.js";
import type { TableChecks } from "./table-checks.js";
import type { TableOptions } from "./table-data.js";
import type { TableEvaluation } from "./table-evaluate.js";
import type { HeldOut, MetricName } from "./table-held-out.js";
import type { TableManifest } from "./table-manifest.js";
import type { FittedTable } from "./table-model.js";
import { choiceSection, chosenText, driftSection } from "./table-report-choice.js";
import { cell, commandOf, percent } from "./table-report-text.js";

export interface ReportInput {
  readonly options: TableOptions;
  readonly manifest: TableManifest;
  readonly checks: TableChecks;
  readonly evaluation: TableEvaluation;
  readonly fitted: FittedTable;
  readonly importance: readonly { readonly column: string; readonly share: number }[];
  readonly notes: readonly string[];
}

const figure = (value: number): string => value.toFixed(4);
const listed = (names: readonly string[]): string =>
  names.length === 0 ? "none" : names.map(cell).join(", ");

const METRIC_NAMES: readonly (readonly [MetricName, string])[] = [
  ["auc", "AUC"],
  ["alift", "ALIFT"],
  ["prAuc", "PR-AUC"],
  ["topHalfCapture", "positives in the better half"],
  ["lift10", "lift of the best tenth"],
  ["logLoss", "log loss"],
  ["brier", "Brier score"],
  ["ece", "calibration error (ECE)"],
  ["qini", "Qini coefficient"],
  ["averageEffect", "average effect of the treatment"],
];

/** The page, and the pictures beside it by file name. */
export function tableReport(input: ReportInput): {
  readonly text: string;
  readonly pictures: Readonly<Record<string, string>>;
} {
  const { manifest, evaluation, checks, fitted, importance, notes } = input;
  const pictures = picturesOf(evaluation);
  const lines = [
    ...headSection(manifest, evaluation),
    "",
    "## Worth knowing",
    "",
    ...(notes.length === 0 ? ["Nothing stood out."] : notes.map((note) => `- ${cell(note)}`)),
    ...qualitySection(evaluation, Object.keys(pictures)),
    ...driftSection(fitted.drift, manifest.order),
    ...choiceSection(fitted),
    ...tableSection(checks, manifest),
    ...importanceSection(importance),
    ...againSection(input),
  ];
  const text = lines.join("\n").replace(/\n{3,}/g, "\n\n");
  return { text: `${text.trimEnd()}\n`, pictures };
}

function headSection(manifest: TableManifest, evaluation: TableEvaluation): string[] {
  const { source, label, treatment } = manifest;
  return [
    `# ${cell(label.column)} = ${cell(label.positive)}`,
    "",
    `${source.rows} rows, ${source.positives} positives (base rate ${percent(source.positives / source.rows)}), ` +
      `${manifest.features.length} features. Chosen: ${chosenText(evaluation.choices, manifest.chosen.name)}.`,
    ...(treatment
      ? [
          "",
          `Uplift of ${cell(treatment.column)} = ${cell(treatment.treated)} against ` +
            `${cell(treatment.control)}.`,
        ]
      : []),
    "",
    `Measured ${splitText(evaluation)} (\`${evaluation.split}\`, seed ${evaluation.seed}): ` +
      `${evaluation.heldOutRows} rows (${positivesOf(evaluation)} positives) that neither the choice, the fit nor the calibration saw. The model ` +
      "that was written was then fitted on all rows in the same way. Intervals: 95 %, bootstrap of the " +
      "held-out rows.",
  ];
}

const positivesOf = ({ heldOut }: TableEvaluation): number =>
  heldOut.reduce((sum, { labels }) => sum + labels.filter((label) => label === 1).length, 0);

function splitText({ split }: TableEvaluation): string {
  const [kind, size] = split.split(":");
  if (kind === "order")
    return `on the last ${percent(1 - Number(size))} of the rows in order of time`;
  return kind === "kfold" ? `in ${size} random folds` : `on a random ${percent(Number(size))}`;
}

/** The figure under the name, for the model or a plain one. */
function shown(
  name: MetricName,
  from: { readonly [key in MetricName]?: number } & {
    readonly intervals: Readonly<Record<string, Interval>>;
  },
): string {
  const value = from[name];
  if (value === undefined) return "";
  const interval = from.intervals[name];
  if (interval === undefined) return figure(value);
  return `${figure(value)} (${figure(interval.low)} … ${figure(interval.high)})`;
}

function qualitySection(evaluation: TableEvaluation, pictures: readonly string[]): string[] {
  const { baselines } = evaluation;
  const metrics = METRIC_NAMES.filter(([name]) => evaluation[name] !== undefined);
  const main: MetricName = evaluation.task === "uplift" ? "qini" : "auc";
  const ahead = baselines
    .filter(({ name }) => name !== "base rate")
    .map(({ name, ahead: differences }) => {
      const { low, high } = differences[main];
      return `${name}: ${figure(low)} … ${figure(high)}`;
    });
  return [
    "",
    "## Quality, beside plain models on the same rows",
    "",
    `| figure | this model | ${baselines.map(({ name }) => name).join(" | ")} |`,
    `|---|---|${baselines.map(() => "---|").join("")}`,
    ...metrics.map(
      ([name, text]) =>
        `| ${text} | ${[evaluation, ...baselines].map((one) => shown(name, one)).join(" | ")} |`,
    ),
    "",
    `Ahead in ${main === "qini" ? "Qini" : "AUC"}, interval of the difference on the same draws: ${ahead.join("; ")}.`,
    "",
    ...(evaluation.alift === undefined
      ? []
      : [
          "ALIFT is the area under the curve of positives reached by rows contacted, best score first: 0.5 is " +
            "what chance gives.",
          "",
        ]),
    "`base rate` says the same of everyone, `linear` is a ridge logistic regression whose penalty is " +
      "chosen inside the training rows, `XGBoost defaults` are 100 rounds as the library comes.",
    "",
    ...pictures.map((name) => `![${name.replace(".svg", "")}](${name})`),
    ...tenthsSection(evaluation),
  ];
}

function tenthsSection({ task, heldOut }: TableEvaluation): string[] {
  if (task === "uplift") return [];
  const { scores, labels } = pooled(heldOut);
  return [
    "",
    "| tenth | rows | came | lift | positives so far |",
    "|---|---|---|---|---|",
    ...tenthsOf(scores, labels).map(
      ({ rows, rate, lift, captured }, index) =>
        `| ${index + 1} | ${rows} | ${percent(rate)} | ${lift.toFixed(2)} | ${percent(captured)} |`,
    ),
    "",
    "| rows, by probability | said | came |",
    "|---|---|---|",
    ...calibrationBins(scores, labels).map(
      (bin) => `| ${bin.rows} | ${percent(bin.predicted)} | ${percent(bin.observed)} |`,
    ),
  ];
}

const pooled = (heldOut: readonly HeldOut[]) => ({
  scores: heldOut.flatMap(({ scores }) => [...scores]),
  labels: heldOut.flatMap(({ labels }) => [...labels]),
  treated: heldOut.flatMap(({ treated }) => [...(treated ?? [])]),
});

function picturesOf(evaluation: TableEvaluation): Record<string, string> {
  const model = { name: "this model", ...pooled(evaluation.heldOut) };
  const others = evaluation.baselines
    .filter(({ name }) => name !== "base rate")
    .map(({ name, heldOut }) => ({ name, ...pooled(heldOut) }));
  if (evaluation.task === "uplift") {
    const series = [model, ...others].map(({ name, scores, labels, treated }) => ({
      name,
      points: qiniCurve(scores, labels, treated),
    }));
    return { "qini.svg": qiniSvg(series) };
  }
  const series = [model, ...others].map(({ name, scores, labels }) => ({
    name,
    points: gainCurve(scores, labels),
  }));
  return {
    "calibration.svg": calibrationSvg(calibrationBins(model.scores, model.labels)),
    "gain.svg": gainSvg(series),
    "lift.svg": liftSvg(tenthsOf(model.scores, model.labels)),
  };
}

function tableSection(checks: TableChecks, manifest: TableManifest): string[] {
  const leaks = checks.suspectedLeaks.map((leak) => `${leak.column} (AUC ${leak.auc.toFixed(3)})`);
  const missing = checks.missing.map(({ column, share }) => `${column} (${percent(share)})`);
  const ofKind = (kind: string) =>
    manifest.encoder.filter((encoding) => encoding.kind === kind).map(({ column }) => column);
  return [
    "",
    "## The table",
    "",
    `- rows that repeat another in every cell: ${checks.duplicateRows}`,
    `- rows not used (no label, or another arm): ${checks.unusedRows}`,
    `- constant columns, left out: ${listed(checks.constantColumns)}`,
    `- columns that name the row, left out: ${listed(checks.identifierColumns)}`,
    `- suspected leaks (a single column with AUC above .95), kept; drop them if they are only known afterwards: ${listed(leaks)}`,
    `- missing cells: ${listed(missing)}; trees learn where to send them, the linear model counts them as average with a weight of their own`,
    `- numbers: ${listed(ofKind("number"))}`,
    `- dates, as day, month and weekday: ${listed(ofKind("date"))}`,
    `- two values: ${listed(ofKind("flag"))}`,
    `- levels, one feature each; those with fewer than ten rows, and unseen ones, share one: ${listed(ofKind("levels"))}`,
    `- many levels, by their rate of positives, shrunk to the average; of training rows from the other rows only: ${listed(ofKind("rate"))}`,
  ];
}

function importanceSection(importance: ReportInput["importance"]): string[] {
  return [
    "",
    "## What it goes by",
    "",
    "Share of the mean absolute contribution to the margin (SHAP of the trees, weight times distance " +
      "from the average of a linear part).",
    "",
    "| column | share |",
    "|---|---|",
    ...importance
      .slice(0, 15)
      .map(({ column, share }) => `| ${cell(column)} | ${percent(share)} |`),
  ];
}

function againSection({ options, manifest, evaluation }: ReportInput): string[] {
  const { library } = manifest;
  return [
    "",
    "## Again",
    "",
    "```sh",
    commandOf("train table", options, { out: "DIRECTORY" }),
    commandOf("evaluate table", options, { split: evaluation.split }),
    "```",
    "",
    `XGBoost ${library.version} on ${library.threads} thread${library.threads === 1 ? "" : "s"}, Node ${process.versions.node}, seed ` +
      `${manifest.seed}; with the same file, seed, threads and library the model is the same, byte for byte. ` +
      `Model \`${manifest.model.sha256.slice(0, 16)}\`, ${manifest.model.bytes} bytes.`,
  ];
}
