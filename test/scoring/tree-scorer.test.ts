import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { fasterOf } from "../../src/scoring/faster-scorer.js";
import { loadOnnxScorer } from "../../src/scoring/onnx-scorer.js";
import { readTrees } from "../../src/scoring/onnx-trees.js";
import { plantTrees } from "../../src/scoring/plant-trees.js";
import type { Scorer } from "../../src/scoring/scorer.js";
import { treeScorer } from "../../src/scoring/tree-scorer.js";
import { fuseHeads, type Head, rankerGraph } from "../../src/training/onnx.js";
import { encodeOnnx } from "../../src/training/onnx-proto.js";
import { seededRandom } from "../../src/training/random.js";
import type { ParsedModel, Tree } from "../../src/training/xgboost-json.js";
import { aHead } from "./a-model.js";

const FEATURES = 5;
/** Few values, so that rows stand exactly on thresholds. */
const VALUES = [-1.5, -0.1, 0, 0.1, 2, 1e6];

/** A tree as they come: uneven, some only a leaf, a missing value to either side. */
function aTree(random: () => number): Tree {
  const nodes: { left: number; right: number; feature: number; value: number }[] = [];
  const grow = (depth: number): number => {
    const at = nodes.length;
    const leaf = { left: -1, right: -1, feature: 0, value: random() - 0.5 };
    nodes.push(leaf);
    if (depth === 0 || random() < 0.2) return at;
    leaf.feature = Math.floor(random() * FEATURES);
    leaf.value = VALUES[Math.floor(random() * VALUES.length)]!;
    leaf.left = grow(depth - 1);
    leaf.right = grow(depth - 1);
    return at;
  };
  grow(6);
  return {
    left: Int32Array.from(nodes, ({ left }) => left),
    right: Int32Array.from(nodes, ({ right }) => right),
    feature: Int32Array.from(nodes, ({ feature }) => feature),
    value: Float32Array.from(nodes, ({ value }) => value),
    defaultLeft: Uint8Array.from(nodes, () => (random() < 0.5 ? 1 : 0)),
    cover: new Float32Array(nodes.length),
  };
}

const aForest = (random: () => number, trees: number): ParsedModel => ({
  objective: "test",
  baseMargin: random(),
  featureCount: FEATURES,
  trees: Array.from({ length: trees }, () => aTree(random)),
});

const rowsOf = (random: () => number, count: number): Float32Array =>
  Float32Array.from({ length: count * FEATURES }, () => {
    if (random() < 0.2) return Number.NaN;
    if (random() < 0.1) return random() < 0.5 ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
    return VALUES[Math.floor(random() * VALUES.length)]!;
  });

const treesOf = (bytes: Uint8Array): Scorer => treeScorer(plantTrees(readTrees(bytes)!)!);

async function expectSame(bytes: Uint8Array, rows: Float32Array): Promise<void> {
  const reference = await loadOnnxScorer(bytes);
  const trees = treesOf(bytes);
  expect([trees.featureCount, trees.width, trees.outputs]).toEqual([
    reference.featureCount,
    reference.width,
    reference.outputs,
  ]);
  const count = rows.length / reference.featureCount;
  const [ours, theirs] = [await trees.run(rows, count), await reference.run(rows, count)];
  expect(ours.margins).toHaveLength(theirs.margins.length);
  for (const [i, margin] of theirs.margins.entries())
    expect(ours.margins[i]).toBeCloseTo(margin, 5);
  for (const [i, value] of (theirs.probabilities ?? new Float32Array(0)).entries()) {
    expect(ours.probabilities![i]).toBeCloseTo(value, 6);
  }
  await reference.release();
}

describe("the tree scorer", () => {
  it("answers what onnxruntime answers, whatever the trees, missing and infinite values included", async () => {
    for (const seed of [1, 2, 3, 4, 5]) {
      const random = seededRandom(seed);
      const bytes = rankerGraph(aForest(random, 3 * seed));
      await expectSame(bytes, rowsOf(random, 257));
    }
  });

  it("keeps heads apart and calibrates each by its own", async () => {
    const random = seededRandom(7);
    const heads = ["a", "b", "c"].map(
      (name, i): Head => ({
        name,
        model: aForest(random, 5 + i),
        calibration: { slope: 1 + i, intercept: -i },
      }),
    );
    for (const rows of [1, 2, 3, 4, 5, 8, 131]) {
      await expectSame(fuseHeads(heads, FEATURES), rowsOf(random, rows));
    }
  });

  it("answers as onnxruntime does for the models that are shipped", async () => {
    for (const name of ["heads", "ranker"]) {
      const bytes = readFileSync(new URL(`../../models/demo-${name}.onnx`, import.meta.url));
      const { featureCount, trees } = readTrees(bytes)!;
      const random = seededRandom(3);
      const thresholds = trees.flatMap(({ value }) => value);
      const rows = Float32Array.from({ length: 40 * featureCount }, () =>
        random() < 0.2 ? Number.NaN : thresholds[Math.floor(random() * thresholds.length)]!,
      );
      await expectSame(bytes, rows);
    }
  });

  it("takes a reused buffer, refuses one too short, and refuses to run when released", async () => {
    const scorer = treesOf(fuseHeads([aHead()], 2));
    expect((await scorer.run(new Float32Array(64), 3)).margins).toHaveLength(3);
    await expect(scorer.run(new Float32Array(3), 2)).rejects.toThrow(RangeError);
    await scorer.release();
    await expect(scorer.run(new Float32Array(2), 1)).rejects.toThrow(/released/);
  });
});

describe("a graph that is served", () => {
  const sigmoidOnly = encodeOnnx({
    name: "other",
    nodes: [{ op_type: "Sigmoid", name: "s", input: ["features"], output: ["margins"] }],
    constants: [],
    inputs: [{ name: "features", columns: 2 }],
    outputs: [{ name: "margins", columns: 2 }],
  });

  it("is scored by trees where they agree with onnxruntime, which is let go", async () => {
    const bytes = fuseHeads([aHead()], 2);
    const reference = await loadOnnxScorer(bytes);
    const scorer = await fasterOf(bytes, reference);
    expect(scorer).not.toBe(reference);
    await expect(reference.run(new Float32Array(2), 1)).rejects.toThrow(/released/);
  });

  it("stays with onnxruntime where it is no ensemble of trees or too wide for a word", async () => {
    expect(readTrees(sigmoidOnly)).toBeNull();
    const reference = await loadOnnxScorer(sigmoidOnly);
    expect(await fasterOf(sigmoidOnly, reference)).toBe(reference);
    await reference.release();
    const wide = rankerGraph({ ...aForest(seededRandom(1), 2), featureCount: 600 });
    expect(plantTrees(readTrees(wide)!)).toBeNull();
  });

  it("stays with onnxruntime where the trees answer otherwise", async () => {
    const reference = await loadOnnxScorer(fuseHeads([aHead(1)], 2));
    expect(await fasterOf(fuseHeads([aHead(2)], 2), reference)).toBe(reference);
    await reference.release();
  });
});
