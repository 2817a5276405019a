/** Models for the demo world: trained on this machine, or the shipped ones where XGBoost is missing. */
import { readFile } from "node:fs/promises";
import type { Core } from "./core.js";
import { isCuecardError } from "./errors.js";
import { fitDeps, rankEveryone, train } from "./job-functions.js";
import { startProgress } from "./progress.js";
import { parseManifest } from "./scoring/manifest.js";
import { fitArtifacts } from "./training/train-command.js";

const MODELS = ["heads", "ranker"] as const;
const SHIPPED = new URL("../models/", import.meta.url);

/** Publishes the models shipped in `models/`: they serve the demo world and nothing else. */
async function publishShipped(core: Core): Promise<void> {
  for (const name of MODELS) {
    const bytes = await readFile(new URL(`demo-${name}.onnx`, SHIPPED));
    const manifest = parseManifest(await readFile(new URL(`demo-${name}.json`, SHIPPED), "utf8"));
    await core.models.publish(name, bytes, manifest, { alias: "champion" });
  }
}

/** Trains, then scores everyone, so that lead lists can be asked for at once. */
export async function trainDemo(core: Core): Promise<void> {
  await trainModels(core);
  const progress = startProgress("Scoring");
  try {
    await rankEveryone(core, true, (percent, text) => progress.update(percent / 100, text));
  } finally {
    progress.stop();
  }
}

async function trainModels(core: Core): Promise<void> {
  const progress = startProgress("Training");
  const onProgress = (percent: number, text: string): void => progress.update(percent / 100, text);
  try {
    const { models, skipped } = await train(core, { demo: true, threads: 2, onProgress });
    for (const { name, reason } of skipped) core.logger.warn({ name, reason }, "not trained");
    for (const { name, version, promoted } of models)
      core.logger.info({ name, version, promoted }, "trained");
  } catch (error) {
    if (!isCuecardError(error) || error.code !== "xgboost_missing") throw error;
    core.logger.warn("XGBoost is not on this machine: the shipped demo models serve");
    await fitArtifacts(fitDeps(core), undefined, { onProgress });
    await publishShipped(core);
  } finally {
    progress.stop();
  }
}
