/** Trains the ranker: boosted trees over candidate rows of several past instants. */
import { buildArtifacts } from "../candidates/build-artifacts.js";
import { CANDIDATE_FEATURES } from "../candidates/features.js";
import type { CatalogSnapshot } from "../catalog/snapshot.js";
import { CuecardError } from "../errors.js";
import { schemaHashOf } from "../features/feature-schema.js";
import { manifestFor } from "../scoring/manifest.js";
import { fitPlatt } from "./calibrate.js";
import { type Calibration, rankerGraph } from "./onnx.js";
import { checkParity, parityRows } from "./parity.js";
import { catalogAsOf, cleanRows, firstSales, type MemberExample } from "./ranker-examples.js";
import { measureRanker, type RankerSlice } from "./ranker-figures.js";
import { RANKER_OBJECTIVE, RANKER_PARAMS } from "./ranker-params.js";
import {
  joinRankerRows,
  type RankerRows,
  type RankerRowsOptions,
  rankerRows,
} from "./ranker-rows.js";
import { type Slices, sliceSnapshots } from "./slices.js";
import { DAY_MS, type Survey } from "./survey.js";
import type { TrainedModel, TrainSettings } from "./train-heads.js";
import type { TreeModel } from "./xgboost.js";

export const RANKER_OUTPUT = "ranker";
export const RANKER_HORIZON_DAYS = 30;
/** Instants learnt from; earlier ones tell of a catalog that is gone. */
const TRAIN_INSTANTS = 4;
const GROUPS_MIN = 100;
const LATER_GROUPS_MIN = 20;
const EARLY_STOPPING_ROUNDS = 20;
/** Members whose baskets make the neighbours of one instant. */
const ARTIFACT_MEMBERS = 50_000;
const AGE_COLUMN = CANDIDATE_FEATURES.indexOf("age_days");

export interface RankerPlan {
  /** Epoch milliseconds, ascending. */
  readonly instants: readonly number[];
  /** Over `instants`; half the members of `calibrate` serve early stopping. */
  readonly slices: Slices;
}

/** @throws CuecardError `not_enough_data` */
export function planRanker({ from, to }: Survey): RankerPlan {
  const horizonMs = RANKER_HORIZON_DAYS * DAY_MS;
  const all: number[] = [];
  for (let at = to - horizonMs; at > from + horizonMs; at -= horizonMs) all.unshift(at);
  // A report, a promotion and a stopping slice beside those learnt from.
  const instants = all.slice(-TRAIN_INSTANTS - 3);
  for (const shared of [false, true]) {
    const slices = sliceSnapshots(instants, to, horizonMs, { shared });
    if (slices !== null) return { instants, slices };
  }
  const days = Math.floor((to - from) / DAY_MS);
  throw new CuecardError("not_enough_data", `orders over ${days} days; about 150 are needed`);
}

export interface RankerData {
  readonly plan: RankerPlan;
  /** Of each instant. */
  readonly examples: readonly (readonly MemberExample[])[];
  readonly survey: Survey;
  readonly snapshot: CatalogSnapshot;
}

export function rankerSlice(data: RankerData, index: number, first: Float64Array): RankerSlice {
  const instant = data.plan.instants[index];
  const { purchases, sessions } = data.survey;
  return {
    instant,
    artifacts: buildArtifacts(purchases.before(instant), sessions.before(instant), {
      asOf: instant,
      maxMembers: ARTIFACT_MEMBERS,
    }),
    snapshot: catalogAsOf(data.snapshot, first, instant),
    examples: data.examples[index],
  };
}

export interface TrainedRanker extends TrainedModel {
  /** On which it is judged. */
  readonly promote: RankerSlice;
}

/** @throws CuecardError `not_enough_data` or `model_invalid` */
export async function trainRanker(
  data: RankerData,
  settings: TrainSettings,
): Promise<TrainedRanker> {
  if (!data.snapshot.offerable.includes(1)) {
    const remedy = "import products, or map name and price with the events";
    throw new CuecardError(
      "not_enough_data",
      `ranker: no product has a name and a price: ${remedy}`,
    );
  }
  const { slices, instants } = data.plan;
  const first = firstSales(data.survey.purchases, data.snapshot);
  const rowsAt = (index: number): RankerRows => {
    settings.signal?.throwIfAborted();
    return rowsOf(rankerSlice(data, index, first), { keepMisses: true });
  };
  const train = joinRankerRows(slices.train.map(rowsAt));
  const later = rankerSlice(data, slices.calibrate, first);
  const stop = rowsOf(halfOf(later, 0), { keepMisses: true });
  requireGroups(train, GROUPS_MIN, "train");
  requireGroups(stop, LATER_GROUPS_MIN, "stop");
  const seed = settings.seed ?? 1;
  const model = settings.xgboost.trainTrees({
    ...train,
    objective: RANKER_OBJECTIVE,
    params: RANKER_PARAMS,
    rounds: settings.rounds ?? 80,
    threads: settings.threads ?? 1,
    seed,
    evaluation: stop,
    earlyStoppingRounds: EARLY_STOPPING_ROUNDS,
    onRound: (progress) => {
      settings.signal?.throwIfAborted();
      settings.onRound?.(RANKER_OUTPUT, progress);
    },
  });
  const calibration = calibrateRanker(model, halfOf(later, 1), settings);
  const bytes = rankerGraph(model, CANDIDATE_FEATURES.length);
  const drawn = parityRows(stop.rows, CANDIDATE_FEATURES.length, seed);
  await checkParity(bytes, [{ name: RANKER_OUTPUT, model }], settings.xgboost, drawn);
  const report = rankerSlice(data, slices.report, first);
  const promote =
    slices.promote === slices.report ? report : rankerSlice(data, slices.promote, first);
  const manifest = manifestFor(bytes, {
    name: "ranker",
    createdAt: settings.now ?? Date.now(),
    features: [...CANDIDATE_FEATURES],
    schemaHash: schemaHashOf(CANDIDATE_FEATURES),
    outputs: [RANKER_OUTPUT],
    trainedWindow: { from: instants[0], to: instants[slices.train.at(-1) ?? 0] },
    rows: train.rowCount,
    metrics: {
      [RANKER_OUTPUT]: {
        label: { horizonDays: RANKER_HORIZON_DAYS, sharedSlices: slices.shared ? 1 : 0 },
        train: { groups: train.groups.length, candidateRecall: finite(train.candidateRecall) },
        promote: await measureRanker(bytes, promote),
        report: await measureRanker(bytes, report),
      },
    },
    calibration: { [RANKER_OUTPUT]: calibration },
    libraryVersion: settings.xgboost.version,
    threads: model.threads,
    seed,
    ...(settings.demo === true ? { demo: true } : {}),
  });
  return { bytes, manifest, promote };
}

/** Members parted by hash, so that what stops the training does not calibrate it as well. */
const halfOf = (slice: RankerSlice, half: 0 | 1): RankerSlice => ({
  ...slice,
  examples: slice.examples.filter(({ member }) => (member & 1) === half),
});

/**
 * P(the next order holds the product) by its margin, over every example, so also those whose order
 * held none of the candidates.
 */
function calibrateRanker(
  model: TreeModel,
  slice: RankerSlice,
  { xgboost }: TrainSettings,
): Calibration {
  const all = rowsOf(slice, { keepMisses: true });
  return fitPlatt(xgboost.predictMargins(model, all.rows, all.rowCount), all.labels);
}

function rowsOf(
  { examples, artifacts, snapshot }: RankerSlice,
  options: RankerRowsOptions = {},
): RankerRows {
  const made = rankerRows(examples, artifacts, snapshot, options);
  cleanRows(made.rows, CANDIDATE_FEATURES.length, AGE_COLUMN);
  return made;
}

const finite = (value: number): number | null => (Number.isFinite(value) ? value : null);

function requireGroups({ groups, labels }: RankerRows, minimum: number, what: string): void {
  if (groups.length >= minimum && labels.includes(1)) return;
  throw new CuecardError(
    "not_enough_data",
    `ranker: ${groups.length} orders to ${what} on; at least ${minimum} are needed`,
  );
}
