/** Builds small real models for registry and slot tests. */
import { type Manifest, manifestFor } from "../../src/scoring/manifest.js";
import { fuseHeads, type Head } from "../../src/training/onnx.js";

export const schema = { names: ["orders", "silence"], hash: "0123456789abcdef" };

/** One split on the first of two features; leaves ∓`leaf`. */
export const aHead = (leaf = 1, over: Partial<Head> = {}): Head => ({
  name: "purchase",
  model: {
    objective: "binary:logistic",
    baseMargin: 0,
    featureCount: 2,
    trees: [
      {
        left: Int32Array.of(1, -1, -1),
        right: Int32Array.of(2, -1, -1),
        feature: Int32Array.of(0, 0, 0),
        value: Float32Array.of(0.5, -leaf, leaf),
        defaultLeft: Uint8Array.of(1, 0, 0),
        cover: Float32Array.of(2, 1, 1),
      },
    ],
  },
  calibration: { slope: 1, intercept: 0 },
  ...over,
});

export interface Model {
  readonly bytes: Uint8Array;
  readonly manifest: Manifest;
}

/** A publishable model whose margin for a row above the split is `leaf`. */
export function aModel(leaf = 1, over: Partial<Manifest> = {}, head: Partial<Head> = {}): Model {
  const bytes = fuseHeads([aHead(leaf, head)], 2);
  const manifest = manifestFor(bytes, {
    name: "heads",
    createdAt: Date.UTC(2026, 0, 1) + leaf * 1000,
    features: [...schema.names],
    schemaHash: schema.hash,
    outputs: ["purchase"],
    trainedWindow: { from: 0, to: 1 },
    rows: 100,
    metrics: { purchase: { report: { auc: 0.8 } } },
    calibration: { purchase: { slope: 1, intercept: 0 } },
    libraryVersion: "1.6.1",
    threads: 1,
    seed: 1,
  });
  return { bytes, manifest: { ...manifest, ...over } };
}
