/**
 * A thread that opens one model and ends: reads, verifies and compares, and hands over trees that only
 * need to be walked.
 */
import { constants, setPriority } from "node:os";
import { parentPort, workerData } from "node:worker_threads";
import { isCuecardError } from "../errors.js";
import type { Manifest } from "./manifest.js";
import { type ExpectedModel, examine } from "./open-model.js";
import type { PlantedTrees } from "./plant-trees.js";

export interface ThreadQuestion {
  readonly bytes: Uint8Array;
  readonly manifest: Manifest;
  readonly expected: ExpectedModel;
  /** false: whoever serves comes first. */
  readonly urgent: boolean;
}

/** `trees` null: onnxruntime has to serve it. `refusal`: what is wrong with the model. */
export type ThreadAnswer = { readonly trees: PlantedTrees | null } | { readonly refusal: string };

async function answer({ bytes, manifest, expected }: ThreadQuestion): Promise<ThreadAnswer> {
  try {
    const { reference, trees } = await examine(bytes, manifest, expected);
    await reference.release();
    return { trees };
  } catch (error) {
    // Anything else is no news of the model, and ends the thread.
    if (isCuecardError(error) && error.code === "model_invalid") return { refusal: error.detail };
    throw error;
  }
}

const question = workerData as ThreadQuestion;
// Elsewhere priority belongs to the whole process, not to a thread.
const alone = process.platform === "linux";
if (alone && !question.urgent) setPriority(constants.priority.PRIORITY_BELOW_NORMAL);
const answered = await answer(question);
const trees = "trees" in answered ? answered.trees : null;
const arrays = trees === null ? [] : [trees.words, trees.roots, trees.steps, trees.targets];
parentPort!.postMessage(
  answered,
  arrays.map(({ buffer }) => buffer),
);
