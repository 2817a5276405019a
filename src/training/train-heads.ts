/** Trains the member heads: purchase, purchase7 and churn, calibrated and fused into one graph. */

import { CuecardError } from "../errors.js";
import { type Manifest, manifestFor } from "../scoring/manifest.js";
import { type Dataset, HEAD_NAMES } from "./dataset.js";
import { checkDataset } from "./dataset-checks.js";
import { type FitSettings, fitHead, levelHead } from "./fit-head.js";
import { baselineFigures, measureHeads } from "./head-figures.js";
import { rowsOf, shortageOf } from "./head-rows.js";
import { fuseHeads, type Head } from "./onnx.js";
import { checkParity, parityRows } from "./parity.js";

export { labelledRows, rowsOf } from "./head-rows.js";

export interface TrainSettings extends FitSettings {
  readonly now?: number;
  /** Marks the manifest: trained on the demo world. */
  readonly demo?: boolean;
  /** Fits the plain methods beside it, for the report. Default true. */
  readonly baselines?: boolean;
}

export interface TrainedModel {
  readonly bytes: Uint8Array;
  readonly manifest: Manifest;
}

export interface TrainedHeads extends TrainedModel {
  /** In the order of HEAD_NAMES. */
  readonly heads: readonly Head[];
}

/**
 * A head the log is too short for says everyone's base rate, but without the first there is no model.
 * @throws CuecardError `not_enough_data` naming what is short; `model_invalid` when a feature tells the
 * label or the graph does not answer as XGBoost does.
 */
export async function trainHeads(
  data: Dataset,
  schemaHash: string,
  settings: TrainSettings,
): Promise<TrainedHeads> {
  const short = new Map(HEAD_NAMES.map((name) => [name, shortageOf(data, name)]));
  const first = short.get(HEAD_NAMES[0]);
  if (typeof first === "string") throw new CuecardError("not_enough_data", first);
  const fitted = HEAD_NAMES.filter((name) => short.get(name) === null).map((name) => {
    settings.signal?.throwIfAborted();
    return fitHead(data, name, settings);
  });
  const width = data.names.length;
  const seed = settings.seed ?? 1;
  const drawn = parityRows(data.rows, width, seed);
  await checkParity(fuseHeads(fitted, width), fitted, settings.xgboost, drawn);
  const heads = HEAD_NAMES.map(
    (name) => fitted.find((head) => head.name === name) ?? levelHead(data, name),
  );
  const bytes = fuseHeads(heads, width);
  const metrics = await measureHeads(bytes, data);
  if (settings.baselines ?? true) {
    for (const { name } of fitted) {
      settings.signal?.throwIfAborted();
      Object.assign(metrics[name], await baselineFigures(bytes, data, name, settings));
    }
  }
  const manifest = manifestFor(bytes, {
    name: "heads",
    createdAt: settings.now ?? Date.now(),
    features: [...data.names],
    schemaHash,
    outputs: [...HEAD_NAMES],
    trainedWindow: windowOf(data),
    rows: rowsOf(data, "purchase", "train").length,
    metrics,
    calibration: Object.fromEntries(heads.map((head) => [head.name, head.calibration])),
    notes: [
      ...checkDataset(data).notes,
      ...fitted.flatMap(({ notes }) => notes),
      ...HEAD_NAMES.flatMap((name) => short.get(name) ?? []),
    ],
    libraryVersion: settings.xgboost.version,
    threads: fitted[0].model.threads,
    seed,
    ...(settings.demo === true ? { demo: true } : {}),
  });
  return { bytes, manifest, heads };
}

function windowOf({ snapshots, heads }: Dataset): Manifest["trainedWindow"] {
  const latest = HEAD_NAMES.map((name) => heads[name].slices.train.at(-1) ?? 0);
  return { from: snapshots[0], to: snapshots[Math.max(...latest)] };
}
