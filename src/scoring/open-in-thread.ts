/** Opens a model without holding up the thread that serves. */
import { askThread, shared } from "../thread.js";
import type { Manifest } from "./manifest.js";
import type { ModelAnswer, ModelQuestion } from "./model-thread.js";
import type { ExpectedModel } from "./open-model.js";
import type { Scorer } from "./scorer.js";
import { treeScorer } from "./tree-scorer.js";

/**
 * Like `openVerified`. A graph that only onnxruntime can serve is opened once more, on this thread,
 * which it holds up (about 30 ms for 2 MB). `urgent`: nothing serves yet; otherwise who serves comes
 * first.
 * @throws CuecardError `model_invalid`
 */
export async function openInThread(
  bytes: Uint8Array,
  manifest: Manifest,
  expected: ExpectedModel,
  { urgent = false } = {},
): Promise<Scorer> {
  const trees = await askThread<ModelQuestion, ModelAnswer>(
    "scoring/model-thread.js",
    { bytes: shared(bytes), manifest, expected },
    { urgent },
  );
  if (trees !== null) return treeScorer(trees);
  // Serving does without onnxruntime until it needs it.
  const { loadOnnxScorer } = await import("./onnx-scorer.js");
  return loadOnnxScorer(bytes);
}
