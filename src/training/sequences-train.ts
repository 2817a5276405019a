/** The ranker of `evaluate sequences`: learnt from rounds before what the test asks for. */
import type { CandidateArtifacts } from "../candidates/artifacts.js";
import { buildArtifacts } from "../candidates/build-artifacts.js";
import type { CatalogSnapshot } from "../catalog/snapshot.js";
import { CuecardError } from "../errors.js";
import { seededRandom, shuffle } from "./random.js";
import { RANKER_OBJECTIVE, RANKER_PARAMS } from "./ranker-params.js";
import { joinRankerRows, type RankerRows, rankerRows } from "./ranker-rows.js";
import type { SequencesOptions, SequencesProgress } from "./sequences.js";
import type { SequenceRound, SequenceSplit } from "./sequences-protocol.js";
import { requestOf } from "./sequences-recommend.js";
import type { TreeModel, Xgboost } from "./xgboost.js";

const MAX_TRAINING_CASES = 14_000;
const ROUNDS = 150;
const VALIDATION_SHARE = 0.15;
const EARLY_STOPPING_ROUNDS = 20;

export const artifactsOf = (round: SequenceRound): CandidateArtifacts =>
  buildArtifacts(round.purchases, round.sessions, { asOf: round.asOf });

export function trainSequenceRanker(
  xgboost: Xgboost,
  split: SequenceSplit,
  snapshot: CatalogSnapshot,
  options: SequencesOptions,
  onProgress: (progress: SequencesProgress) => void,
): { model: TreeModel; groups: number } {
  const random = seededRandom(options.seed ?? 0);
  const perRound = (options.maxTrainingCases ?? MAX_TRAINING_CASES) / split.training.length;
  const training: RankerRows[] = [];
  const validation: RankerRows[] = [];
  for (const [done, round] of split.training.entries()) {
    const order = shuffle(
      Array.from(round.cases, (_, i) => i),
      random,
    ).slice(0, perRound);
    const examples = order.map((i) => ({
      request: requestOf(round.cases[i], snapshot),
      bought: new Set(round.cases[i].target),
    }));
    const held = Math.floor(examples.length * VALIDATION_SHARE);
    const artifacts = artifactsOf(round);
    const rows = (part: typeof examples) =>
      rankerRows(part, artifacts, snapshot, {
        heldOutByPosition: split.byPosition,
        keepMisses: true,
      });
    validation.push(rows(examples.slice(0, held)));
    training.push(rows(examples.slice(held)));
    onProgress({ step: "learn", done: done + 1, total: split.training.length });
  }
  const train = joinRankerRows(training);
  const evaluation = joinRankerRows(validation);
  if (!train.labels.includes(1)) {
    throw new CuecardError("not_enough_data", "no candidate was bought in any training case");
  }
  const model = xgboost.trainTrees({
    ...train,
    objective: RANKER_OBJECTIVE,
    params: RANKER_PARAMS,
    rounds: options.rounds ?? ROUNDS,
    threads: options.threads,
    seed: options.seed,
    ...(evaluation.rowCount > 0 ? { evaluation, earlyStoppingRounds: EARLY_STOPPING_ROUNDS } : {}),
    onRound: ({ round, rounds }) => onProgress({ step: "train", done: round, total: rounds }),
  });
  return { model, groups: train.groups.length };
}
