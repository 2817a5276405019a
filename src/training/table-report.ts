/**
 * The page a person reads after `train table`: what was found in the table, and how good the model
 * is.
 */
import type { CalibrationBin } from "./metrics.js";
import type { TableChecks } from "./table-checks.js";
import type { TableManifest } from "./table-manifest.js";

export interface ReportInput {
  readonly manifest: TableManifest;
  readonly checks: TableChecks;
  readonly bins: readonly CalibrationBin[];
  readonly importance: readonly { readonly column: string; readonly share: number }[];
  readonly notes: readonly string[];
}

const percent = (value: number): string => `${(value * 100).toFixed(1)} %`;
const listed = (names: readonly string[]): string =>
  names.length === 0 ? "none" : names.join(", ");

const METRIC_NAMES: Record<string, string> = {
  auc: "AUC",
  prAuc: "PR-AUC",
  logLoss: "log loss",
  brier: "Brier score",
  ece: "calibration error (ECE)",
  alift: "ALIFT",
  topHalfCapture: "positives in the better half",
  lift10: "lift of the best tenth",
  qini: "Qini coefficient",
  qiniLow: "Qini, 95 % interval from",
  qiniHigh: "Qini, 95 % interval to",
  averageEffect: "average effect of the treatment",
};

export function tableReport({ manifest, checks, bins, importance, notes }: ReportInput): string {
  const { source, label, treatment, library } = manifest;
  const how =
    manifest.task === "uplift"
      ? "Measured on a random 30 % held out from another fit."
      : "Measured on rows each model had not seen (five folds; rounds and the two calibration " +
        "parameters were chosen on the same folds).";
  const lines = [
    `# ${label.column} = ${label.positive}`,
    "",
    `${source.rows} rows, ${source.positives} positives (${percent(source.positives / source.rows)}), ` +
      `${manifest.features.length} features, XGBoost ${library.version} on ${library.threads} threads, ` +
      `seed ${manifest.seed}.`,
    ...(treatment
      ? ["", `Uplift of ${treatment.column} = ${treatment.treated} against ${treatment.control}.`]
      : []),
    "",
    "## Quality",
    "",
    how,
    "",
    "| figure | value |",
    "|---|---|",
    ...Object.entries(manifest.metrics).map(
      ([name, value]) => `| ${METRIC_NAMES[name] ?? name} | ${value.toFixed(4)} |`,
    ),
    "",
    ...notes.map((note) => `- ${note}`),
    ...tableSection(checks),
    ...importanceSection(importance),
    ...calibrationSection(bins),
  ];
  const text = lines.join("\n").replace(/\n{3,}/g, "\n\n");
  return `${text.trimEnd()}\n`;
}

function tableSection(checks: TableChecks): string[] {
  const leaks = checks.suspectedLeaks.map((leak) => `${leak.column} (AUC ${leak.auc.toFixed(3)})`);
  const missing = checks.missing.map(({ column, share }) => `${column} (${percent(share)})`);
  return [
    "",
    "## The table",
    "",
    `- duplicate rows: ${checks.duplicateRows}`,
    `- rows not used (no label, or another arm): ${checks.unusedRows}`,
    `- constant columns, left out: ${listed(checks.constantColumns)}`,
    `- columns that name the row, left out: ${listed(checks.identifierColumns)}`,
    `- suspected leaks, kept; drop them if they are only known afterwards: ${listed(leaks)}`,
    `- missing cells: ${listed(missing)}`,
  ];
}

function importanceSection(importance: ReportInput["importance"]): string[] {
  return [
    "",
    "## What it goes by",
    "",
    "Share of the mean absolute SHAP contribution.",
    "",
    "| column | share |",
    "|---|---|",
    ...importance.slice(0, 15).map(({ column, share }) => `| ${column} | ${percent(share)} |`),
  ];
}

function calibrationSection(bins: readonly CalibrationBin[]): string[] {
  if (bins.length === 0) return [];
  return [
    "",
    "## Calibration",
    "",
    "![calibration](calibration.svg)",
    "",
    "| rows | said | came |",
    "|---|---|---|",
    ...bins.map((bin) => `| ${bin.rows} | ${percent(bin.predicted)} | ${percent(bin.observed)} |`),
  ];
}
