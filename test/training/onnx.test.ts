import { describe, expect, it } from "vitest";
import { loadOnnxScorer } from "../../src/scoring/onnx-scorer.js";
import { sigmoid } from "../../src/training/calibrate.js";
import { fuseHeads, rankerGraph } from "../../src/training/onnx.js";
import { seededRandom } from "../../src/training/random.js";
import { loadXgboost, type TreeModel } from "../../src/training/xgboost.js";

const xgboost = loadXgboost();
const ROWS = 10_000;
const COLUMNS = 12;

/**
 * 20 % missing; half of the columns hold few distinct values, so that many of them equal a
 * threshold exactly, which is where `<` and `≤` differ.
 */
function someRows(seed: number): Float32Array {
  const random = seededRandom(seed);
  return Float32Array.from({ length: ROWS * COLUMNS }, (_, index) => {
    if (random() < 0.2) return Number.NaN;
    return index % 2 === 0 ? random() * 2e3 - 1e3 : Math.floor(random() * 8) / 10;
  });
}

function randomLabels(rows: Float32Array, seed: number): Float32Array {
  const random = seededRandom(seed);
  return Float32Array.from({ length: ROWS }, (_, row) => {
    const base = row * COLUMNS;
    const signal = (rows[base] || 0) / 1e3 + (rows[base + 1] || 0) * (rows[base + 3] || 0.5);
    return signal + random() - 0.5 > 0.2 ? 1 : 0;
  });
}

const rows = someRows(1);

const trained = (depth: number, seed: number, extra = {}): TreeModel =>
  xgboost.trainTrees({
    rows,
    rowCount: ROWS,
    columnCount: COLUMNS,
    labels: randomLabels(rows, seed),
    objective: "binary:logistic",
    rounds: 30,
    threads: 1,
    seed,
    params: { max_depth: depth, min_child_weight: 0, subsample: 0.5 },
    ...extra,
  });

const unseen = someRows(99);

function expectMargins(
  actual: Float32Array,
  width: number,
  column: number,
  expected: Float32Array,
) {
  let worst = 0;
  for (let row = 0; row < ROWS; row++) {
    const difference = Math.abs(actual[row * width + column] - expected[row]);
    worst = Math.max(worst, difference / Math.max(1, Math.abs(expected[row])));
  }
  expect(worst).toBeLessThanOrEqual(1e-5);
}

describe("ONNX graphs against XGBoost, 10,000 unseen rows with 20 % missing", () => {
  it.each([
    [1, 2],
    [3, 4],
    [5, 6],
    [7, 8],
  ])(
    "fused heads of depth %i and %i give the same margins and probabilities",
    async (...depths) => {
      const heads = depths.map((depth, index) => ({
        name: `depth${depth}`,
        model: trained(depth, depth),
        calibration: { slope: 0.7 + index, intercept: 0.3 - index },
      }));
      const scorer = await loadOnnxScorer(fuseHeads(heads, COLUMNS));
      const { margins, probabilities } = await scorer.run(unseen, ROWS);
      for (const [column, { model, calibration }] of heads.entries()) {
        const expected = xgboost.predictMargins(model, unseen, ROWS);
        expectMargins(margins, heads.length, column, expected);
        let worst = 0;
        for (let row = 0; row < ROWS; row++) {
          const probability = sigmoid(calibration.slope * expected[row] + calibration.intercept);
          const actual = probabilities?.[row * heads.length + column] ?? Number.NaN;
          worst = Math.max(worst, Math.abs(actual - probability));
        }
        expect(worst).toBeLessThanOrEqual(1e-6);
      }
      await scorer.release();
    },
  );

  it("a ranker gives the same margins and no probabilities", async () => {
    const groups = new Uint32Array(ROWS / 20).fill(20);
    const model = trained(6, 3, { objective: "rank:ndcg", groups });
    const scorer = await loadOnnxScorer(rankerGraph(model));
    const { margins, probabilities } = await scorer.run(unseen, ROWS);
    expect(probabilities).toBeUndefined();
    expectMargins(margins, 1, 0, xgboost.predictMargins(model, unseen, ROWS));
    await scorer.release();
  });

  it("a regression keeps its base value", async () => {
    const labels = randomLabels(rows, 5).map((label) => 100 + label);
    const model = trained(4, 5, { objective: "reg:squarederror", labels });
    const scorer = await loadOnnxScorer(rankerGraph(model));
    const { margins } = await scorer.run(unseen, ROWS);
    expectMargins(margins, 1, 0, xgboost.predictMargins(model, unseen, ROWS));
    await scorer.release();
  });

  it("trees that found nothing to split on are single leaves and still score", async () => {
    const labels = new Float32Array(ROWS).fill(1);
    const model = trained(3, 1, { labels, rounds: 3 });
    expect(model.trees.every((tree) => tree.left.length === 1)).toBe(true);
    const calibration = { slope: 1, intercept: 0 };
    const scorer = await loadOnnxScorer(fuseHeads([{ name: "one", model, calibration }], COLUMNS));
    const { margins } = await scorer.run(unseen, ROWS);
    expectMargins(margins, 1, 0, xgboost.predictMargins(model, unseen, ROWS));
    await scorer.release();
  });

  it("a head trained on other features is refused", () => {
    const head = { name: "one", model: trained(1, 1), calibration: { slope: 1, intercept: 0 } };
    expect(() => fuseHeads([head], COLUMNS + 1)).toThrow(
      expect.objectContaining({ code: "model_invalid" }),
    );
  });
});
