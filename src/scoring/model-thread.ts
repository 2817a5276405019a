/** A thread that opens one model: it verifies, compares, and hands over trees that need only be walked. */
import { answerAsked } from "../thread.js";
import type { Manifest } from "./manifest.js";
import { type ExpectedModel, examine } from "./open-model.js";
import type { PlantedTrees } from "./plant-trees.js";

export interface ModelQuestion {
  readonly bytes: Uint8Array;
  readonly manifest: Manifest;
  readonly expected: ExpectedModel;
}

/** null: onnxruntime has to serve it. */
export type ModelAnswer = PlantedTrees | null;

await answerAsked<ModelQuestion, ModelAnswer>(async ({ bytes, manifest, expected }) => {
  // onnxruntime takes no shared memory.
  const { reference, trees } = await examine(new Uint8Array(bytes), manifest, expected);
  await reference.release();
  const arrays = trees === null ? [] : [trees.words, trees.roots, trees.steps, trees.targets];
  return { answer: trees, transfer: arrays.map(({ buffer }) => buffer) };
});
