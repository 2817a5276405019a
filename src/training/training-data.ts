/** From the log to what models learn from and are judged on: two passes, whatever is asked for. */
import { buildArtifacts } from "../candidates/build-artifacts.js";
import type { CatalogSnapshot } from "../catalog/snapshot.js";
import type { StagesConfig } from "../config.js";
import type { LogReader } from "../events/log-reader.js";
import { replayMembers } from "../events/replay.js";
import type { FeatureSchema } from "../features/feature-schema.js";
import { type Dataset, DatasetBuilder, type DatasetOptions, planSnapshots } from "./dataset.js";
import { ExampleCollector } from "./ranker-examples.js";
import { type Survey, surveyLog } from "./survey.js";
import { planRanker, RANKER_HORIZON_DAYS, type RankerData } from "./train-ranker.js";

export type ModelName = "heads" | "ranker";

export interface DataDeps {
  readonly reader: LogReader;
  readonly schema: FeatureSchema;
  /** The catalog of now. */
  readonly snapshot: CatalogSnapshot;
  readonly stages: StagesConfig;
  readonly timezone: string;
}

export interface DataOptions extends DatasetOptions {
  /** Examples of one instant the ranker sees at most. Default 1,500 (about 25 MB). */
  readonly examplesMax?: number;
  readonly signal?: AbortSignal;
  /** `share` 0 … 1 of this step. */
  readonly onStep?: (share: number, text: string) => void;
}

export interface TrainingData {
  /** Absent: not asked for, or the reason in `short`. */
  readonly heads?: Dataset;
  readonly ranker?: RankerData;
  /** Why a model asked for cannot be trained: what the log lacks. */
  readonly short: Partial<Record<ModelName, Error>>;
}

/** First pass. `onStep` cannot know how many members there are. */
export function survey(deps: DataDeps, { signal, onStep }: DataOptions): Promise<Survey> {
  return surveyLog(deps.reader, {
    stages: deps.stages,
    signal,
    onMember: (done) => {
      if (done % 500 === 0) onStep?.(done / (done + 10_000), `reading the log: ${done} members`);
    },
  });
}

/** Second pass: every member once, for all models asked for. */
export async function gatherData(
  deps: DataDeps,
  surveyed: Survey,
  names: readonly ModelName[],
  options: DataOptions,
): Promise<TrainingData> {
  const short: TrainingData["short"] = {};
  const attempt = <T>(name: ModelName, make: () => T): T | undefined => {
    if (!names.includes(name)) return undefined;
    try {
      return make();
    } catch (error) {
      short[name] = error as Error;
      return undefined;
    }
  };
  const builder = attempt("heads", () => {
    const plan = planSnapshots(surveyed, options);
    return new DatasetBuilder(surveyed, plan, deps, options);
  });
  const plan = attempt("ranker", () => planRanker(surveyed));
  const collector =
    plan &&
    new ExampleCollector(plan.instants, deps.snapshot, deps.stages, {
      horizonDays: RANKER_HORIZON_DAYS,
      perInstantMax: options.examplesMax ?? 1_500,
    });
  if (builder === undefined && collector === undefined) return { short };
  let done = 0;
  for await (const member of replayMembers(deps.reader)) {
    options.signal?.throwIfAborted();
    builder?.add(member);
    collector?.add(member);
    if (++done % 200 !== 0) continue;
    const share = Math.min(1, done / Math.max(1, surveyed.memberCount));
    options.onStep?.(share, `replaying members: ${done} of ${surveyed.memberCount}`);
  }
  return {
    short,
    heads: builder?.finish(),
    ranker: plan &&
      collector && {
        plan,
        examples: collector.finish(),
        survey: surveyed,
        snapshot: deps.snapshot,
      },
  };
}

/** Candidate artifacts as of the log's end. */
export function currentCandidates({ purchases, sessions, to }: Survey) {
  const asOf = to + 1;
  return buildArtifacts(purchases.before(asOf), sessions.before(asOf), { asOf });
}
