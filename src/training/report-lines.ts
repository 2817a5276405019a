/** Evaluation reports as lines for a terminal. */
import type { SequencesReport } from "./sequences.js";
import type { TableEvaluation } from "./table.js";

const figure = (value: unknown): string =>
  typeof value === "number" && !Number.isInteger(value) ? value.toFixed(4) : String(value);

/** One figure a line, with its interval where there is one, then the notes. */
export function tableReportLines(report: TableEvaluation): string {
  const { notes, folds, intervals, ...figures } = report as unknown as Record<string, unknown> & {
    notes: readonly string[];
    folds?: unknown;
    intervals?: Record<string, { low: number; high: number }>;
  };
  void folds;
  const lines = Object.entries(figures)
    .filter(([, value]) => typeof value === "number" || typeof value === "string")
    .map(([name, value]) => {
      const interval = intervals?.[name];
      const range =
        interval === undefined ? "" : ` (${figure(interval.low)} … ${figure(interval.high)})`;
      return `${name.padEnd(16)} ${figure(value)}${range}`;
    });
  return [...lines, ...notes.map((note) => `note: ${note}`)].join("\n");
}

/** A row a method and cut-off, then the differences with their intervals. */
export function sequencesReport(report: SequencesReport): string {
  const { protocol, users, items, cases, candidateRecall, seconds } = report;
  const head = `${protocol}: ${users} users, ${items} items, ${cases} cases, candidate recall ${figure(candidateRecall)}, ${seconds.toFixed(0)} s`;
  const rows = report.figures.map(
    ({ method, k, recall, ndcg, phr }) =>
      `${method.padEnd(20)} @${k}  recall ${figure(recall)}  ndcg ${figure(ndcg)}  phr ${figure(phr)}`,
  );
  const differences = report.differences.map(
    ({ against, k, metric, difference, interval }) =>
      `cuecard − ${against} ${metric}@${k}: ${figure(difference)} (${figure(interval.low)} … ${figure(interval.high)})`,
  );
  return [head, ...rows, ...differences, ...report.notes.map((note) => `note: ${note}`)].join("\n");
}
