/** Evaluation reports as lines for a terminal. */
import type { Interval } from "./bootstrap.js";
import type { SequencesReport } from "./sequences.js";
import { SEQUENCE_METRICS } from "./sequences-report.js";
import type { TableEvaluation } from "./table.js";

const figure = (value: unknown): string =>
  typeof value === "number" && !Number.isInteger(value) ? value.toFixed(4) : String(value);

/** Figures in which a plain model is compared, and which way is better. */
const COMPARED = [
  { name: "auc", less: false },
  { name: "alift", less: false },
  { name: "logLoss", less: true },
  { name: "qini", less: false },
] as const;

/** Of a figure of which less is better, how far ours lies below. */
const turned = (interval: Interval | undefined): Interval | undefined =>
  interval && { low: -interval.high, high: -interval.low };

/** One figure a line, with its interval where there is one, the plain models, then the notes. */
export function tableReportLines(report: TableEvaluation): string {
  const { intervals, baselines, notes } = report;
  const range = (interval: { low: number; high: number } | undefined) =>
    interval === undefined ? "" : ` (${figure(interval.low)} … ${figure(interval.high)})`;
  const lines = Object.entries(report)
    .filter(([, value]) => typeof value === "number" || typeof value === "string")
    .map(([name, value]) => `${name.padEnd(16)} ${figure(value)}${range(intervals[name])}`);
  const plain = baselines.flatMap((baseline) =>
    COMPARED.filter(({ name }) => baseline[name] !== undefined).map(({ name, less }) => {
      const ahead = less ? turned(baseline.ahead[name]) : baseline.ahead[name];
      return `${baseline.name} ${name} ${figure(baseline[name])}, ours ahead by${range(ahead)}`;
    }),
  );
  const counts = new Map<string, number>();
  for (const { chosen } of report.choices) counts.set(chosen, (counts.get(chosen) ?? 0) + 1);
  const chosen = [...counts].map(
    ([name, count]) => `chosen in ${count} of ${report.choices.length}: ${name}`,
  );
  return [...lines, ...plain, ...chosen, ...notes.map((note) => `note: ${note}`)].join("\n");
}

/** A row a method and cut-off, then the differences with their intervals. */
export function sequencesReport(report: SequencesReport): string {
  const { protocol, users, items, cases, candidateRecall, seconds } = report;
  const { all, repeat, explore } = candidateRecall;
  const head = `${protocol}: ${users} users, ${items} items, ${cases} cases, candidate recall ${figure(all)} (repeat ${figure(repeat)}, explore ${figure(explore)}), ${seconds.toFixed(0)} s`;
  const range = ({ low, high }: Interval) => `(${figure(low)} … ${figure(high)})`;
  const has = (value: number) => Number.isFinite(value);
  const rows = report.figures.map((each) => {
    const shown = SEQUENCE_METRICS.filter((metric) => has(each[metric])).map(
      (metric) => `${metric} ${figure(each[metric])} ${range(each.intervals[metric])}`,
    );
    return `${each.method.padEnd(18)} @${each.k}  ${shown.join("  ")}`;
  });
  const differences = report.differences
    .filter(({ difference }) => has(difference))
    .map(
      ({ against, k, metric, difference, interval }) =>
        `cuecard − ${against} ${metric}@${k}: ${figure(difference)} ${range(interval)}`,
    );
  return [head, ...rows, ...differences, ...report.notes.map((note) => `note: ${note}`)].join("\n");
}
