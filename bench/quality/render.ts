/** results.json → QUALITY.md. */
import {
  type Bar,
  type Measured,
  type QualityRow,
  type Results,
  range,
  type SetResult,
  shown,
  withInterval,
} from "./result.js";

const HEAD = [
  "# Quality",
  "",
  "Written by `npm run bench quality`, with `CUECARD_DATASETS` naming the folder of public data sets; " +
    "`-- --only bank` measures one set again and keeps the others. Nothing here was typed by hand.",
  "",
  "Every figure is of rows, baskets or customers that nothing was fitted or chosen on; baselines are " +
    "run by the same command on the same rows. Brackets hold 95 % intervals. The floor is what must be " +
    "reached, the target what should be. The lead is ours less the best baseline, drawn in pairs.",
  "",
  "AUC: chance that a positive row stands above a negative one. ALIFT: area under the curve of positives reached by rows " +
    "contacted, 0.5 at random. ECE: mean distance between the probability said and the share that came, over ten bins. Qini: extra " +
    "positives by treating in order of uplift instead of at random, per treated row. Of ten suggestions, Recall: share of the " +
    "basket among them; NDCG: the same with the first places counting more; PHR: share of customers with any hit.",
].join("\n");

const mark = (bar: Bar | undefined): string =>
  bar === undefined ? "" : `${bar.text} ${bar.reached ? "✓" : "✗"}`;

function bestBaseline({ baselines, decimals }: QualityRow): string {
  const [best] = Object.entries(baselines ?? {}).sort((a, b) => b[1] - a[1]);
  return best === undefined ? "" : `${best[0]} ${shown(best[1], decimals)}`;
}

const leadOf = ({ lead, decimals }: QualityRow): string =>
  lead === undefined
    ? ""
    : `${lead.difference >= 0 ? "+" : ""}${shown(lead.difference, decimals)} (${range(lead, decimals)})`;

/** Markdown that reads as a table in a terminal too; the first `texts` columns are aligned left. */
function tableOf(rows: readonly (readonly string[])[], texts: number): string {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  const pad = (cell: string, i: number): string =>
    i < texts ? cell.padEnd(widths[i]) : cell.padStart(widths[i]);
  const line = (row: readonly string[]): string => `| ${row.map(pad).join(" | ")} |`;
  const rule = widths.map((width, i) =>
    i < texts ? "-".repeat(width + 2) : `${"-".repeat(width + 1)}:`,
  );
  return [line(rows[0]), `|${rule.join("|")}|`, ...rows.slice(1).map(line)].join("\n");
}

function summary(results: readonly SetResult[]): string {
  const rows = results.flatMap((result) =>
    result.rows.map((row) => [
      row.row,
      row.metric,
      withInterval(row.ours, row.interval, row.decimals),
      bestBaseline(row),
      leadOf(row),
      mark(row.floor),
      mark(row.target),
    ]),
  );
  const head = ["row", "metric", "ours", "best baseline", "lead, paired", "floor", "target"];
  return tableOf([head, ...rows], 2);
}

function counts(results: readonly SetResult[], bar: "floor" | "target"): string {
  const bars = results.flatMap(({ rows }) => rows.flatMap((row) => row[bar] ?? []));
  return `${bars.filter(({ reached }) => reached).length} of ${bars.length} ${bar}s reached`;
}

const measuredLine = (measured: Measured): string => {
  const { at, commit, machine, node, xgboost, threads, seconds, cpuSeconds } = measured;
  const took = `${Math.round(seconds)} s (${Math.round(cpuSeconds)} s of processor time)`;
  return `Measured ${at}, commit ${commit}, in ${took}. ${machine}; Node ${node}; XGBoost ${xgboost}, ${threads} threads.`;
};

function section(title: string, result: SetResult): string {
  const tables = result.tables.map(({ caption, rows }) => `${caption}\n\n${tableOf(rows, 1)}`);
  const plots = result.plots.map(({ file, title: name }) => `![${name}](quality/${file})`);
  const parts = [`## ${title}`, result.protocol, ...tables, ...result.text];
  if (plots.length > 0) parts.push(plots.join("\n"));
  return [...parts, measuredLine(result.measured)].join("\n\n");
}

/** `sets`: id and title in the order they are shown; what has no result yet is named. */
export function renderQuality(
  sets: readonly { readonly id: string; readonly title: string }[],
  results: Results,
): string {
  const measured = sets.filter(({ id }) => results[id] !== undefined);
  const missing = sets.filter(({ id }) => results[id] === undefined).map(({ title }) => title);
  const own = measured.map(({ id }) => results[id]);
  const parts = [HEAD, `${counts(own, "floor")}, ${counts(own, "target")}.`, summary(own)];
  if (missing.length > 0) parts.push(`Not measured: ${missing.join(", ")}.`);
  parts.push(...measured.map(({ id, title }) => section(title, results[id])));
  return `${parts.join("\n\n")}\n`;
}
