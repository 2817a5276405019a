/** Whether the members of now are still those a model learnt from, and whether it is still right. */
import type { Manifest } from "../scoring/manifest.js";
import { type Dataset, HEAD_NAMES, type HeadName } from "./dataset.js";
import { DRIFT_PSI, numberDrift } from "./drift.js";
import { scoreRows, scoreSlice } from "./head-figures.js";
import { type CalibrationBin, calibrationBins } from "./metrics.js";
import { populationStability } from "./promote.js";
import { DAY_MS } from "./survey.js";

/** PSI from which a look is due. */
export const WARN_PSI = 0.1;
/** `moved`: PSI from .1, a look is due. `drifted`: from .25, train anew before trusting it. */
export type DriftLevel = "steady" | "moved" | "drifted";

export interface HeadDrift {
  /** Of the scores the model gives the members of then and of now. */
  readonly psi: number;
  readonly level: DriftLevel;
  /** On the newest rows whose labels are known: tenths of rising probability. */
  readonly deciles: readonly CalibrationBin[];
}

export interface FeatureDrift {
  readonly feature: string;
  readonly psi: number;
  readonly level: DriftLevel;
  /** Shares of members without a value, then and now. */
  readonly missingThen: number;
  readonly missingNow: number;
}

export interface DriftReport {
  /** Epoch milliseconds: the snapshot nearest to what the model learnt last, and the newest. */
  readonly learntAt: number;
  readonly newestAt: number;
  /** Days since the last order of the log, and since the last instant the model learnt from. */
  readonly logAgeDays: number;
  readonly modelAgeDays: number;
  readonly heads: Readonly<Record<HeadName, HeadDrift>>;
  /** Those that moved or drifted, furthest first. */
  readonly features: readonly FeatureDrift[];
}

export const driftLevel = (psi: number): DriftLevel =>
  psi >= DRIFT_PSI ? "drifted" : psi >= WARN_PSI ? "moved" : "steady";

/** `end`: the log's last order; `at`: the present; both in epoch milliseconds. */
export async function reportDrift(
  graph: Uint8Array,
  { trainedWindow }: Pick<Manifest, "trainedWindow">,
  data: Dataset,
  { end, at = Date.now() }: { readonly end: number; readonly at?: number },
): Promise<DriftReport> {
  const { snapshots } = data;
  const last = snapshots.length - 1;
  const learnt = Math.max(
    0,
    snapshots.findLastIndex((instant) => instant <= trainedWindow.to),
  );
  const [before, after] = [rowsAt(data, learnt), rowsAt(data, last)];
  const headDrift = async (head: HeadName): Promise<HeadDrift> => {
    const said = async (rows: Uint32Array) =>
      (await scoreRows(graph, data, head, rows)).probabilities;
    const psi = populationStability(await said(before), await said(after));
    const { probabilities, labels } = await scoreSlice(graph, data, head, "report");
    return { psi, level: driftLevel(psi), deciles: calibrationBins(probabilities, labels) };
  };
  const [purchase, purchase7, churn] = await Promise.all(HEAD_NAMES.map(headDrift));
  return {
    learntAt: snapshots[learnt],
    newestAt: snapshots[last],
    logAgeDays: (at - end) / DAY_MS,
    modelAgeDays: (at - trainedWindow.to) / DAY_MS,
    heads: { purchase, purchase7, churn },
    features: data.names
      .map((_, column) => featureDrift(data, column, before, after))
      .filter(({ level }) => level !== "steady")
      .sort((a, b) => b.psi - a.psi),
  };
}

function featureDrift(
  { names, rows }: Dataset,
  column: number,
  before: Uint32Array,
  after: Uint32Array,
): FeatureDrift {
  const valuesOf = (chosen: Uint32Array) =>
    Float32Array.from(chosen, (row) => rows[row * names.length + column]);
  const [then, now] = [valuesOf(before), valuesOf(after)];
  const missing = (values: Float32Array) => values.filter(Number.isNaN).length / values.length;
  const { psi } = numberDrift(names[column], then, now);
  return {
    feature: names[column],
    psi,
    level: driftLevel(psi),
    missingThen: missing(then),
    missingNow: missing(now),
  };
}

/** Everyone known at that snapshot, whether or not a label is known. */
function rowsAt({ snapshot, rowCount }: Dataset, index: number): Uint32Array {
  const rows: number[] = [];
  for (let row = 0; row < rowCount; row++) if (snapshot[row] === index) rows.push(row);
  return Uint32Array.from(rows);
}

const percent = (share: number): string => `${(100 * share).toFixed(0)} %`;
const day = (at: number): string => new Date(at).toISOString().slice(0, 10);

/** As lines for a terminal. */
export function driftLines(report: DriftReport): string[] {
  const { heads, features, logAgeDays, modelAgeDays } = report;
  return [
    `  last order ${logAgeDays.toFixed(1)} days ago, last learnt from ${modelAgeDays.toFixed(1)} days ago`,
    `  drift from ${day(report.learntAt)} to ${day(report.newestAt)} (PSI: .1 moved, .25 drifted)`,
    ...HEAD_NAMES.map((head) => {
      const { psi, level, deciles } = heads[head];
      const said = deciles.map(
        ({ predicted, observed }) => `${percent(predicted)}→${percent(observed)}`,
      );
      return `    ${head}: scores ${psi.toFixed(3)} ${level}; said→came by tenths ${said.join(" ")}`;
    }),
    ...features.map(
      ({ feature, psi, level, missingThen, missingNow }) =>
        `    ${feature}: ${psi.toFixed(3)} ${level}; missing ${percent(missingThen)}→${percent(missingNow)}`,
    ),
  ];
}
