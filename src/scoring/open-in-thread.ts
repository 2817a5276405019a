/** Opens a model without holding up the thread that serves. */
import { Worker } from "node:worker_threads";
import { CuecardError } from "../errors.js";
import type { Manifest } from "./manifest.js";
import type { ThreadAnswer, ThreadQuestion } from "./model-thread.js";
import type { ExpectedModel } from "./open-model.js";
import type { Scorer } from "./scorer.js";
import { treeScorer } from "./tree-scorer.js";

/** A thread reads JavaScript only: where this is source, as in tests, it gets what was compiled of it. */
const THREAD = new URL(
  import.meta.url.endsWith(".ts") ? "../../dist/scoring/model-thread.js" : "./model-thread.js",
  import.meta.url,
);

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
  const answer = await ask({ bytes: new Uint8Array(bytes), manifest, expected, urgent });
  if ("refusal" in answer) throw new CuecardError("model_invalid", answer.refusal);
  if (answer.trees !== null) return treeScorer(answer.trees);
  // Serving does without onnxruntime until it needs it.
  const { loadOnnxScorer } = await import("./onnx-scorer.js");
  return loadOnnxScorer(bytes);
}

function ask(workerData: ThreadQuestion): Promise<ThreadAnswer> {
  const thread = new Worker(THREAD, {
    workerData,
    transferList: [workerData.bytes.buffer as ArrayBuffer],
  });
  return new Promise((resolve, reject) => {
    thread.once("message", resolve);
    thread.once("error", reject);
    thread.once("exit", () => reject(new Error("the thread that opens models ended too early")));
  });
}
