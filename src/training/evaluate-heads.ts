/**
 * How good the member heads would have been: trained on the log up to a day, with every choice made
 * before it, and asked about what came after. Beside them the plain methods, fitted on the same rows.
 */

import { CuecardError } from "../errors.js";
import { replayMembers } from "../events/replay.js";
import {
  buildDataset,
  type Dataset,
  DatasetBuilder,
  HEAD_NAMES,
  type HeadName,
  type Plan,
} from "./dataset.js";
import { compareHead, type HeadComparison, OURS } from "./head-figures.js";
import { type CalibrationBin, calibrationBins } from "./metrics.js";
import { DAY_MS, fitAliveAsOf, type Survey, surveyLog } from "./survey.js";
import { type TrainedHeads, type TrainSettings, trainHeads } from "./train-heads.js";
import type { DataDeps } from "./training-data.js";

export interface EvaluateHeadsOptions extends TrainSettings {
  /** Epoch milliseconds: nothing that happened later is trained, stopped, calibrated or chosen on. */
  readonly trainUntil: number;
  /** Bootstrap rounds of the intervals. Default 500. */
  readonly bootstrapRounds?: number;
  /** Days between test instants, the first of which is `trainUntil`. Default 30. */
  readonly testStepDays?: number;
}

export interface HeadEvaluation extends HeadComparison {
  readonly head: HeadName;
  /** The label looks so many days ahead at most. */
  readonly horizonDays: number;
  /** Epoch milliseconds: the instants asked about. */
  readonly instants: readonly number[];
  readonly rows: number;
  readonly baseRate: number;
  /** Ours, tenths of rising probability. */
  readonly calibration: readonly CalibrationBin[];
}

export interface HeadsEvaluation {
  readonly trainUntil: number;
  /** Epoch milliseconds of the log's last order. */
  readonly end: number;
  readonly seed: number;
  readonly model: TrainedHeads;
  /** The data set trained on: its snapshots, slices and horizons. */
  readonly data: Dataset;
  readonly heads: Readonly<Record<HeadName, HeadEvaluation>>;
}

/** @throws CuecardError `not_enough_data`, `model_invalid` */
export async function evaluateHeads(
  deps: Pick<DataDeps, "reader" | "schema" | "stages" | "timezone">,
  options: EvaluateHeadsOptions,
): Promise<HeadsEvaluation> {
  const { trainUntil, seed = 1 } = options;
  const { reader, stages } = deps;
  const known = await surveyLog(reader, { stages, until: trainUntil });
  const data = await buildDataset(replayMembers(reader, { until: trainUntil }), known, deps);
  const model = await trainHeads(data, deps.schema.hash, { ...options, baselines: false });
  const whole = await surveyLog(reader, { stages });
  const test = await testData(deps, known, whole, data, options);
  const evaluated: Partial<Record<HeadName, HeadEvaluation>> = {};
  for (const head of HEAD_NAMES) {
    const rows = knownRows(test, head);
    if (rows.length === 0) throw new CuecardError("not_enough_data", `${head}: nothing to test on`);
    const settings = { ...options, seed, rounds: options.bootstrapRounds ?? 500 };
    const comparison = await compareHead(model.bytes, data, test, head, rows, settings);
    const { labels, methods } = comparison;
    const asked = new Set(Array.from(rows, (row) => test.snapshots[test.snapshot[row]]));
    evaluated[head] = {
      ...comparison,
      head,
      horizonDays: data.heads[head].horizonDays,
      instants: [...asked].sort((a, b) => a - b),
      rows: rows.length,
      baseRate: labels.reduce((sum, label) => sum + label, 0) / labels.length,
      calibration: calibrationBins(methods[OURS].probabilities, labels),
    };
  }
  const heads = evaluated as HeadsEvaluation["heads"];
  return { trainUntil, end: whole.to, seed, model, data, heads };
}

/** Every member known by then, at each instant, as serving would have seen them. */
async function testData(
  deps: Pick<DataDeps, "reader" | "schema" | "stages" | "timezone">,
  known: Survey,
  whole: Survey,
  data: Dataset,
  { trainUntil, testStepDays = 30 }: EvaluateHeadsOptions,
): Promise<Dataset> {
  const snapshots: number[] = [];
  for (let at = trainUntil; at + 7 * DAY_MS <= whole.to; at += testStepDays * DAY_MS) {
    snapshots.push(at);
  }
  const alive = fitAliveAsOf(known, trainUntil);
  const plan: Plan = {
    snapshots,
    alive: snapshots.map(() => alive),
    end: whole.to,
    heads: {
      purchase: planOf(data, "purchase"),
      purchase7: planOf(data, "purchase7"),
      churn: planOf(data, "churn"),
    },
  };
  const builder = new DatasetBuilder(whole, plan, deps, { rowsMax: Number.POSITIVE_INFINITY });
  for await (const member of replayMembers(deps.reader)) builder.add(member);
  return builder.finish();
}

/** The horizon trained for; without the training rows' own labels. */
const planOf = ({ heads }: Dataset, head: HeadName) => {
  const { horizonDays, slices } = heads[head];
  return { horizonDays, slices };
};

/** Rows whose label is defined and known. */
function knownRows({ heads, rowCount }: Dataset, head: HeadName): Uint32Array {
  const { weights } = heads[head];
  return Uint32Array.from(Array.from({ length: rowCount }, (_, row) => row)).filter(
    (row) => weights[row] === 1,
  );
}
