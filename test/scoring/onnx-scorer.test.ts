import { describe, expect, it } from "vitest";
import { loadOnnxScorer, warm } from "../../src/scoring/onnx-scorer.js";
import { fuseHeads, type Head } from "../../src/training/onnx.js";
import { encodeOnnx } from "../../src/training/onnx-proto.js";

/** One split on the first of two features: −1 below 0.5, else +1. */
const aHead = (over: Partial<Head> = {}): Head => ({
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
        value: Float32Array.of(0.5, -1, 1),
        defaultLeft: Uint8Array.of(1, 0, 0),
        cover: Float32Array.of(2, 1, 1),
      },
    ],
  },
  calibration: { slope: 2, intercept: 0 },
  ...over,
});

const invalid = (detail: RegExp) =>
  expect.objectContaining({ code: "model_invalid", detail: expect.stringMatching(detail) });

describe("the ONNX scorer", () => {
  it("scores several rows, sending a missing value the way the tree says", async () => {
    const scorer = await loadOnnxScorer(fuseHeads([aHead()], 2));
    expect(scorer.featureCount).toBe(2);
    expect(scorer.outputs).toEqual(["margins", "probabilities"]);
    const scores = await scorer.run(Float32Array.of(0.4, 0, 0.5, 0, Number.NaN, 0), 3);
    expect([...scores.margins]).toEqual([-1, 1, -1]);
    expect(scores.probabilities?.[1]).toBeCloseTo(1 / (1 + Math.exp(-2)), 6);
    await scorer.release();
  });

  it("takes a reused buffer that is longer than the rows, and refuses one that is shorter", async () => {
    const scorer = await loadOnnxScorer(fuseHeads([aHead()], 2));
    const { margins } = await scorer.run(new Float32Array(64), 2);
    expect(margins).toHaveLength(2);
    await expect(scorer.run(new Float32Array(3), 2)).rejects.toThrow(RangeError);
    await scorer.release();
  });

  it("can be released twice and refuses to run afterwards", async () => {
    const scorer = await loadOnnxScorer(fuseHeads([aHead()], 2));
    await scorer.release();
    await scorer.release();
    await expect(scorer.run(new Float32Array(2), 1)).rejects.toThrow(/released/);
  });

  it("refuses a truncated file and a file of another kind", async () => {
    const bytes = fuseHeads([aHead()], 2);
    const unreadable = invalid(/not a readable ONNX graph/);
    await expect(loadOnnxScorer(bytes.slice(0, bytes.length / 2))).rejects.toThrow(unreadable);
    await expect(loadOnnxScorer(Buffer.from("{}"))).rejects.toThrow(unreadable);
    await expect(loadOnnxScorer(new Uint8Array(0))).rejects.toThrow(invalid(/./));
  });

  it("refuses a graph with other inputs or outputs, naming them", async () => {
    const graph = (input: string, output: string) =>
      encodeOnnx({
        name: "other",
        nodes: [{ op_type: "Sigmoid", name: "s", input: [input], output: [output] }],
        constants: [],
        inputs: [{ name: input, columns: 2 }],
        outputs: [{ name: output, columns: 2 }],
      });
    await expect(loadOnnxScorer(graph("x", "margins"))).rejects.toThrow(invalid(/no features/));
    await expect(loadOnnxScorer(graph("features", "y"))).rejects.toThrow(invalid(/no margins/));
  });
});

describe("warming a model", () => {
  it("passes a model whose outputs are finite", async () => {
    const scorer = await loadOnnxScorer(fuseHeads([aHead()], 2));
    await expect(warm(scorer, Float32Array.of(0, 0, 1, 1))).resolves.toBeUndefined();
    await scorer.release();
  });

  it("refuses a model that answers NaN or infinity", async () => {
    const nan = aHead({ calibration: { slope: Number.NaN, intercept: 0 } });
    const infinite = aHead({ model: { ...aHead().model, baseMargin: Number.POSITIVE_INFINITY } });
    for (const head of [nan, infinite]) {
      const scorer = await loadOnnxScorer(fuseHeads([head], 2));
      await expect(warm(scorer, new Float32Array(2))).rejects.toThrow(invalid(/answers/));
      await scorer.release();
    }
  });

  it("refuses rows of another number of features", async () => {
    const scorer = await loadOnnxScorer(fuseHeads([aHead()], 2));
    await expect(warm(scorer, new Float32Array(3))).rejects.toThrow(invalid(/2 features/));
    await scorer.release();
  });
});
