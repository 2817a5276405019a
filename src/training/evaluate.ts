/** The held-out report of the models that serve: what was said at training, and what is true now. */
import { CuecardError } from "../errors.js";
import type { Manifest } from "../scoring/manifest.js";
import { openVerified } from "../scoring/open-model.js";
import { BASELINE_NAMES } from "./baselines.js";
import { type DriftReport, driftLines, reportDrift } from "./drift-report.js";
import { measureHeads } from "./head-figures.js";
import { firstSales } from "./ranker-examples.js";
import { measureRanker } from "./ranker-figures.js";
import { expectedOf, MODEL_NAMES, type TrainDeps } from "./train-command.js";
import { RANKER_OUTPUT, rankerSlice } from "./train-ranker.js";
import {
  type DataOptions,
  gatherData,
  type ModelName,
  survey,
  type TrainingData,
} from "./training-data.js";

export interface ModelReport {
  readonly name: ModelName;
  readonly version: string;
  readonly createdAt: number;
  readonly trainedWindow: Manifest["trainedWindow"];
  readonly promotion?: Manifest["promotion"];
  /** On the last slice of the log as it was when the model was trained. */
  readonly atTraining: Manifest["metrics"];
  /** On the last slice of the log of now; null when the log is too short, or the model does not fit. */
  readonly now: Manifest["metrics"] | null;
  readonly why?: string;
  /** What the trainer noticed and chose. */
  readonly notes: readonly string[];
  /** Of the heads, where they could be measured now. */
  readonly drift?: DriftReport;
}

export type EvaluateDeps = Omit<TrainDeps, "artifacts" | "xgboost">;

/**
 * Reports of the champions there are; names without one are left out.
 * @throws CuecardError `model_unknown` when nothing is trained yet
 */
export async function evaluateModels(
  deps: EvaluateDeps,
  options: DataOptions = {},
): Promise<ModelReport[]> {
  const listed = await Promise.all(
    MODEL_NAMES.map(async (name) => ({ name, version: await deps.models.champion(name) })),
  );
  const serving = listed.flatMap(({ name, version }) =>
    version === null ? [] : [{ name, version }],
  );
  if (serving.length === 0) throw new CuecardError("model_unknown", "no model serves yet");
  const surveyed = await survey(deps, options);
  const names = serving.map(({ name }) => name);
  const data = await gatherData(deps, surveyed, names, options);
  const reports: ModelReport[] = [];
  for (const { name, version } of serving) {
    const { bytes, manifest } = await deps.models.get(name, version);
    const { createdAt, trainedWindow, promotion, metrics } = manifest;
    const { notes = [] } = manifest;
    const base = { name, version, createdAt, trainedWindow, promotion, notes, atTraining: metrics };
    try {
      await (await openVerified(bytes, manifest, expectedOf(name, deps))).release();
      const now = await measureNow(name, bytes, data);
      const drift =
        name === "heads"
          ? await reportDrift(bytes, manifest, data.heads!, { end: surveyed.to })
          : undefined;
      reports.push({ ...base, now, drift });
    } catch (error) {
      if (!(error instanceof CuecardError)) throw error;
      reports.push({ ...base, now: null, why: error.detail });
    }
  }
  return reports;
}

async function measureNow(
  name: ModelName,
  bytes: Uint8Array,
  data: TrainingData,
): Promise<Manifest["metrics"]> {
  if (data.short[name] !== undefined) throw data.short[name];
  if (name === "heads") return measureHeads(bytes, data.heads!);
  const { survey: surveyed, snapshot, plan } = data.ranker!;
  const first = firstSales(surveyed.purchases, snapshot);
  const slice = rankerSlice(data.ranker!, plan.slices.report, first);
  return { [RANKER_OUTPUT]: { report: await measureRanker(bytes, slice) } };
}

const day = (at: number): string => new Date(at).toISOString().slice(0, 10);
const show = (value: number | null | undefined): string =>
  value === null || value === undefined
    ? "–"
    : Number.isInteger(value)
      ? `${value}`
      : value.toFixed(4);

/** As tables for a terminal: figures of the last slice, at training and now, then everything noticed. */
export function formatReports(reports: readonly ModelReport[]): string {
  return reports
    .flatMap((report) => {
      const { name, version, trainedWindow, promotion, now, why, drift, notes } = report;
      const head = [
        `${name} ${version}, trained on ${day(trainedWindow.from)} to ${day(trainedWindow.to)}`,
        ...(promotion === undefined ? [] : [`  serves because: ${promotion.reason}`]),
        ...(now === null ? [`  not measured now: ${why}`] : []),
      ];
      const lines = Object.entries(report.atTraining).flatMap(([output, slices]) => [
        ...Object.entries(slices.report ?? {}).map(([figure, value]) => {
          const label = `${output}.${figure}`.padEnd(36);
          return `  ${label} ${show(value).padStart(10)} ${show(now?.[output]?.report?.[figure]).padStart(10)}`;
        }),
        ...baselineLines(output, slices),
      ]);
      const columns = `  ${"last slice".padEnd(36)} ${"at training".padStart(10)} ${"now".padStart(9)}`;
      return [
        ...head,
        columns,
        ...lines,
        ...(drift === undefined ? [] : driftLines(drift)),
        ...notes.map((note) => `  note: ${note}`),
        "",
      ];
    })
    .join("\n");
}

/** Each plain method's figures, and how far ours are ahead, with the interval of that. */
function baselineLines(output: string, slices: Manifest["metrics"][string]): string[] {
  return BASELINE_NAMES.flatMap((baseline) => {
    const figures = slices[baseline];
    if (figures === undefined) return [];
    const lead = (metric: string) =>
      `${show(figures[metric])} (ours ${show(figures[`${metric}Lead`])}, ` +
      `${show(figures[`${metric}LeadLow`])} … ${show(figures[`${metric}LeadHigh`])})`;
    const label = `${output} beside ${baseline}`.padEnd(36);
    return [`  ${label} AUC ${lead("auc")}; PR-AUC ${lead("prAuc")}; log loss ${lead("logLoss")}`];
  });
}
