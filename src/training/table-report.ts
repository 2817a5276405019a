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

const PLOT = 320;
const MARGIN = 40;

/**
 * Said against came, one point a bin; on the diagonal is right. The axes reach to the largest
 * value.
 */
export function calibrationSvg(bins: readonly CalibrationBin[]): string {
  const largest = Math.max(...bins.map((bin) => Math.max(bin.predicted, bin.observed)));
  const top = Math.min(1, Math.max(0.1, Math.ceil(largest * 10) / 10));
  const x = (value: number) => (MARGIN + (value / top) * PLOT).toFixed(1);
  const y = (value: number) => (MARGIN + PLOT - (value / top) * PLOT).toFixed(1);
  const size = PLOT + 2 * MARGIN;
  const points = bins.map((bin) => `${x(bin.predicted)},${y(bin.observed)}`);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${size} ${size}" font-family="sans-serif" font-size="12">`,
    `<rect width="${size}" height="${size}" fill="#fff"/>`,
    `<rect x="${MARGIN}" y="${MARGIN}" width="${PLOT}" height="${PLOT}" fill="none" stroke="#999"/>`,
    `<line x1="${x(0)}" y1="${y(0)}" x2="${x(top)}" y2="${y(top)}" stroke="#999" stroke-dasharray="4"/>`,
    `<polyline points="${points.join(" ")}" fill="none" stroke="#1668b5" stroke-width="2"/>`,
    ...bins.map(
      (bin) => `<circle cx="${x(bin.predicted)}" cy="${y(bin.observed)}" r="3" fill="#1668b5"/>`,
    ),
    `<text x="${size / 2}" y="${size - 12}" text-anchor="middle">said (to ${top})</text>`,
    `<text x="14" y="${size / 2}" text-anchor="middle" transform="rotate(-90 14 ${size / 2})">came</text>`,
    "</svg>",
    "",
  ].join("\n");
}
