/**
 * Fits artifacts, trains models, judges them and publishes: what `cuecard train` and the jobs call.
 * Blocks its thread for seconds at a time, so a process of its own runs it (niced, one thread, while
 * the machine serves); nothing in here knows about that.
 */
import { encodeArtifacts } from "../candidates/artifacts-codec.js";
import { CANDIDATE_FEATURES } from "../candidates/features.js";
import { CuecardError, isCuecardError } from "../errors.js";
import { schemaHashOf } from "../features/feature-schema.js";
import type { ArtifactMeta, ArtifactRegistry } from "../scoring/artifact-registry.js";
import type { Manifest } from "../scoring/manifest.js";
import type { ModelRegistry, StoredModel } from "../scoring/model-registry.js";
import { openVerified } from "../scoring/open-model.js";
import type { Fence } from "../scoring/versioned-store.js";
import { type Dataset, HEAD_NAMES } from "./dataset.js";
import { measureLatency, recording, type ScoreRequest, servedScorer } from "./latency.js";
import { aliasOf, judgeRanker, latencyFault, type Verdict } from "./promote.js";
import { byGraph, byPopularity, figuresOfMethod, type Method } from "./ranker-figures.js";
import { settleHeads } from "./settle-heads.js";
import { fitAliveAsOf, type Survey } from "./survey.js";
import { type TrainedModel, trainHeads } from "./train-heads.js";
import { RANKER_OUTPUT, type TrainedRanker, trainRanker } from "./train-ranker.js";
import {
  currentCandidates,
  type DataDeps,
  type DataOptions,
  gatherData,
  type ModelName,
  survey,
  type TrainingData,
} from "./training-data.js";
import type { RoundProgress, Xgboost } from "./xgboost.js";

export const ARTIFACT_NAMES = ["candidates", "alive"] as const;
export type ArtifactName = (typeof ARTIFACT_NAMES)[number];
export const MODEL_NAMES: readonly ModelName[] = ["heads", "ranker"];

export interface FitDeps extends DataDeps {
  readonly artifacts: ArtifactRegistry;
}

export interface TrainDeps extends FitDeps {
  readonly models: ModelRegistry;
  readonly xgboost: Xgboost;
}

export interface FitOptions extends Omit<DataOptions, "onStep"> {
  readonly onProgress?: (percent: number, text: string) => void;
  /** Of the lease this run holds; a later run's publication is never overwritten. */
  readonly fence?: Fence & { assertHeld?(): Promise<void> };
}

export interface TrainAllOptions extends FitOptions {
  /** Default: everything. */
  readonly names?: readonly (ModelName | ArtifactName)[];
  /** XGBoost's; one while the machine serves. Default 1. */
  readonly threads?: number;
  /** Trees at most, of a head and of the ranker. */
  readonly rounds?: number;
  /** A scheduled training on newer data: within 0.002 of the champion is enough. Default true. */
  readonly refresh?: boolean;
  /** Fits the plain methods beside the heads, for their report. Default true. */
  readonly baselines?: boolean;
  /** Trained on the demo world: such models serve no other store. */
  readonly demo?: boolean;
}

export interface TrainedOutcome extends Verdict {
  readonly name: ModelName;
  readonly version: string;
  readonly metrics: Manifest["metrics"];
}

export interface TrainAllResult {
  readonly artifacts: Partial<Record<ArtifactName, ArtifactMeta>>;
  readonly models: readonly TrainedOutcome[];
  /** Asked for and not trained: what the log lacks. */
  readonly skipped: readonly { readonly name: string; readonly reason: string }[];
}

/**
 * Candidate lists and P(alive) parameters from all orders; an artifact the log has no orders for is
 * left out. One pass.
 */
export async function fitArtifacts(
  deps: FitDeps,
  names: readonly ArtifactName[] = ARTIFACT_NAMES,
  options: FitOptions = {},
): Promise<Partial<Record<ArtifactName, ArtifactMeta>>> {
  const { onProgress } = options;
  const surveyed = await survey(deps, {
    signal: options.signal,
    onStep: (share, text) => onProgress?.(Math.round(share * 70), text),
  });
  return publishArtifacts(deps, surveyed, names, options, (text) => onProgress?.(75, text));
}

async function publishArtifacts(
  { artifacts }: FitDeps,
  surveyed: Survey,
  names: readonly ArtifactName[],
  { fence }: FitOptions,
  onText: (text: string) => void,
): Promise<Partial<Record<ArtifactName, ArtifactMeta>>> {
  const published: Partial<Record<ArtifactName, ArtifactMeta>> = {};
  const publish = async (name: ArtifactName, bytes: Uint8Array): Promise<void> => {
    await fence?.assertHeld?.();
    published[name] = await artifacts.publish(name, bytes, { fence });
  };
  if (names.includes("candidates") && surveyed.purchases.count > 0) {
    onText("building candidates");
    await publish("candidates", encodeArtifacts(currentCandidates(surveyed)));
  }
  if (names.includes("alive")) {
    onText("fitting P(alive)");
    const model = fitAliveAsOf(surveyed, surveyed.to + 1);
    if (model !== null) await publish("alive", Buffer.from(JSON.stringify(model)));
  }
  return published;
}

/**
 * Everything named, artifacts first. A model the log is too short for is skipped and named; when
 * nothing at all can be trained that was asked for, its error is thrown.
 * @throws CuecardError `not_enough_data`, `model_invalid`, `conflict` (a later run published)
 */
export async function trainAll(
  deps: TrainDeps,
  options: TrainAllOptions = {},
): Promise<TrainAllResult> {
  const names = options.names ?? [...ARTIFACT_NAMES, ...MODEL_NAMES];
  const step = (from: number, to: number) => (share: number, text: string) =>
    options.onProgress?.(Math.round(from + (to - from) * share), text);
  const surveyed = await survey(deps, { ...options, onStep: step(0, 15) });
  const wanted = ARTIFACT_NAMES.filter((name) => names.includes(name));
  const artifacts = await publishArtifacts(deps, surveyed, wanted, options, (text) =>
    step(15, 25)(0.5, text),
  );
  const modelNames = MODEL_NAMES.filter((name) => names.includes(name));
  const data = await gatherData(deps, surveyed, modelNames, { ...options, onStep: step(25, 45) });
  const models: TrainedOutcome[] = [];
  const failures: { name: ModelName; error: Error }[] = [];
  for (const name of modelNames) {
    const onStep = name === "heads" ? step(45, 75) : step(75, 98);
    try {
      models.push(await trainOne(name, deps, data, options, onStep));
    } catch (error) {
      if (!isCuecardError(error) || error.code !== "not_enough_data") throw error;
      failures.push({ name, error });
    }
  }
  if (failures.length > 0 && models.length === 0) throw failures[0].error;
  const skipped = failures.map(({ name, error }) => ({ name, reason: error.message }));
  options.onProgress?.(100, "done");
  return { artifacts, models, skipped };
}

type OnStep = (share: number, text: string) => void;

async function trainOne(
  name: ModelName,
  deps: TrainDeps,
  data: TrainingData,
  options: TrainAllOptions,
  onStep: OnStep,
): Promise<TrainedOutcome> {
  if (data.short[name] !== undefined) throw data.short[name];
  const settings = {
    ...options,
    xgboost: deps.xgboost,
    onRound: (output: string, progress: RoundProgress) => onStep(...roundStep(output, progress)),
  };
  const champion = await loadChampion(name, deps);
  let model: TrainedModel;
  let verdict: Verdict;
  if (name === "heads") {
    const heads = data.heads as Dataset;
    const trained = await trainHeads(heads, deps.schema.hash, settings);
    onStep(0.95, "heads: against the champion");
    ({ model, verdict } = await settleHeads(trained, heads, champion, options.refresh ?? true));
  } else {
    const ranker = await trainRanker(data.ranker!, settings);
    onStep(0.95, "ranker: against the champion");
    model = ranker;
    verdict = await judgeTrainedRanker(ranker, champion, options.refresh ?? true);
  }
  const manifest: Manifest = { ...model.manifest, promotion: { ...verdict } };
  options.signal?.throwIfAborted();
  await options.fence?.assertHeld?.();
  const { fence } = options;
  await deps.models.publish(name, model.bytes, manifest, { alias: aliasOf(verdict), fence });
  return { name, version: manifest.version, metrics: manifest.metrics, ...verdict };
}

/** Each head takes its third of the time; the ranker all of it. */
function roundStep(output: string, { round, rounds }: RoundProgress): [number, string] {
  const head = (HEAD_NAMES as readonly string[]).indexOf(output);
  const done = round / rounds;
  const share = head === -1 ? done : (head + done) / HEAD_NAMES.length;
  return [share * 0.9, `${output}: tree ${round} of at most ${rounds}`];
}

/** The champion, when it fits this server; one of another schema serves nobody and judges nobody. */
async function loadChampion(name: ModelName, deps: TrainDeps): Promise<StoredModel | null> {
  const version = await deps.models.champion(name);
  if (version === null) return null;
  try {
    const stored = await deps.models.get(name, version);
    const scorer = await openVerified(stored.bytes, stored.manifest, expectedOf(name, deps));
    await scorer.release();
    return stored;
  } catch (error) {
    if (isCuecardError(error) && /^model_/.test(error.code)) return null;
    throw error;
  }
}

/** What a slot of this name asks of a model. */
export const expectedOf = (name: ModelName, { schema }: Pick<DataDeps, "schema">) =>
  name === "heads"
    ? { schema, outputs: HEAD_NAMES, probabilities: true, allowDemo: true }
    : {
        schema: { names: CANDIDATE_FEATURES, hash: schemaHashOf(CANDIDATE_FEATURES) },
        outputs: [RANKER_OUTPUT],
        probabilities: false,
        allowDemo: true,
      };

async function judgeTrainedRanker(
  { bytes, promote }: TrainedRanker,
  champion: StoredModel | null,
  refresh: boolean,
): Promise<Verdict> {
  const requests: ScoreRequest[] = [];
  const own = await servedScorer(bytes);
  const before = champion && (await servedScorer(champion.bytes));
  try {
    const ndcgOf = async (method: Method) => (await figuresOfMethod(promote, method)).ndcg;
    const ours = await ndcgOf(byGraph(recording(own, requests), promote));
    const rival = await ndcgOf(before === null ? byPopularity(promote) : byGraph(before, promote));
    const members = promote.examples.slice(0, ours.length).map(({ member }) => member);
    if (members.length === 0)
      throw new CuecardError("not_enough_data", "ranker: nothing to judge on");
    const against = before === null ? "popularity" : "champion";
    const verdict = judgeRanker(ours, rival, members, against, refresh);
    if (!verdict.promoted || before === null || requests.length === 0) return verdict;
    const slow = latencyFault(await measureLatency(own, before, requests));
    return slow === null ? verdict : { promoted: false, reason: slow };
  } finally {
    await own.release();
    await before?.release();
  }
}
