/** The background jobs over the core: each a few lines, the work in the module it names. */
import type { Config } from "./config.js";
import { type Core, decodeAlive } from "./core.js";
import { HEADS } from "./decision/member-scores.js";
import { archiveLog } from "./events/archive.js";
import { eraseBytes } from "./events/erase.js";
import type { JobContext, JobFunction, JobFunctions, JobResult } from "./jobs/job.js";
import { type JobName, jobLeaseName } from "./jobs/job.js";
import { type RankingModel, scoreEveryone } from "./jobs/score-everyone.js";
import { placeMembers } from "./jobs/stage-index.js";
import { stageSweep } from "./jobs/stage-sweep.js";
import { RankedSets } from "./leads/ranked-sets.js";
import { openVerified } from "./scoring/open-model.js";
import {
  type FitDeps,
  type FitOptions,
  fitArtifacts,
  MODEL_NAMES,
  type TrainAllOptions,
  trainAll,
} from "./training/train-command.js";
import { loadXgboost } from "./training/xgboost.js";

/** What training reads: the log through the core, the catalog as it is now. */
export const fitDeps = (core: Core): FitDeps => ({
  reader: core.log,
  schema: core.schema,
  snapshot: core.catalog.current(),
  stages: core.config.stages,
  timezone: core.config.timezone,
  artifacts: core.artifacts,
});

export function train(core: Core, options: TrainAllOptions): ReturnType<typeof trainAll> {
  const xgboost = loadXgboost(core.config.xgboostLibrary);
  return trainAll({ ...fitDeps(core), models: core.models, xgboost }, options);
}

/** How a job's context reads to those who fit and train. */
const fitOptions = (name: JobName, context: JobContext): FitOptions => ({
  signal: context.signal,
  onProgress: (percent, text) => context.progress(percent, text),
  fence: { lease: jobLeaseName(name), token: context.token, assertHeld: () => context.fence() },
});

async function trainJob(core: Core, demo: boolean, context: JobContext): Promise<JobResult> {
  const { model } = context.input;
  const names = MODEL_NAMES.filter((name) => model === undefined || name === model);
  const { models, skipped } = await train(core, { ...fitOptions("train", context), names, demo });
  return {
    models: models.map(({ name, version, promoted }) => ({ name, version, promoted })),
    skipped,
  };
}

/** What serves now, opened once more for one walk over everyone. */
async function openRankingModel(core: Core, allowDemo: boolean): Promise<RankingModel | null> {
  const { models, artifacts, schema } = core;
  const version = await models.champion("heads");
  if (version === null) return null;
  const alive = await artifacts.load("alive");
  const { bytes, manifest } = await models.get("heads", version);
  const expected = { schema, outputs: HEADS, probabilities: true, allowDemo };
  return {
    scorer: await openVerified(bytes, manifest, expected),
    outputs: manifest.outputs,
    version,
    alive: alive === null ? null : decodeAlive(alive.bytes),
    aliveVersion: alive?.meta.version ?? null,
  };
}

const scoringJob = (core: Core, demo: boolean): JobFunction =>
  scoreEveryone({
    client: core.client,
    schema: core.schema,
    timezone: core.config.timezone,
    openModel: () => openRankingModel(core, demo),
  });

/**
 * The job `score` once, here and now: for a store nobody else works on yet. Its token is below that of
 * every run of the job itself.
 */
export async function rankEveryone(
  core: Core,
  demo: boolean,
  progress: JobContext["progress"],
): Promise<void> {
  const { logger } = core;
  const { signal } = new AbortController();
  const fence = async (): Promise<void> => undefined;
  const context = { jobId: "score-first", input: {}, token: 0, signal, logger, progress, fence };
  await scoringJob(core, demo)(context);
}

/** What indexes and lists of other tiers say of erased members. */
async function forgetErased({ client, couponLedger }: Core, ids: readonly string[]): Promise<void> {
  await placeMembers(
    client,
    ids.map((id) => ({ id, stage: null })),
  );
  await new RankedSets(client).forget(ids);
  await couponLedger.forget(ids);
}

/** `demo`: the store holds the demo world, and models trained on it serve nothing else. */
export function jobFunctions(core: Core, config: Config, demo: boolean): JobFunctions {
  const { client, store, suppressions } = core;
  const { dataDir } = config;
  const progressOf = (context: JobContext, text: string) => (share: number) =>
    context.progress(share * 100, text);
  return {
    archive: async (context) => {
      const { signal } = context;
      const onProgress = progressOf(context, "copying the log");
      const fence = () => context.fence();
      return { ...(await archiveLog({ client, dataDir, signal, fence, onProgress })) };
    },
    compact: async (context) => {
      const { signal } = context;
      const onProgress = progressOf(context, "joining files, removing erased members");
      const fence = () => context.fence();
      const forget = (ids: readonly string[]) => forgetErased(core, ids);
      const options = { client, dataDir, suppressions, forget, signal, fence, onProgress };
      return { ...(await eraseBytes(options)) };
    },
    candidates: async (context) => ({
      ...(await fitArtifacts(fitDeps(core), ["candidates"], fitOptions("candidates", context))),
    }),
    artifacts: async (context) => ({
      ...(await fitArtifacts(fitDeps(core), ["alive"], fitOptions("artifacts", context))),
    }),
    train: (context) => trainJob(core, demo, context),
    stages: stageSweep({ client, members: store, stages: config.stages }),
    score: scoringJob(core, demo),
  };
}
