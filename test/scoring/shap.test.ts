import { describe, expect, it } from "vitest";
import { shapValues } from "../../src/scoring/shap.js";
import { seededRandom } from "../../src/training/random.js";
import { loadXgboost } from "../../src/training/xgboost.js";

const xgboost = loadXgboost();
const COLUMNS = 6;

function someRows(rowCount: number, seed: number): Float32Array {
  const random = seededRandom(seed);
  return Float32Array.from({ length: rowCount * COLUMNS }, () =>
    random() < 0.2 ? Number.NaN : random() * 2 - 1,
  );
}

describe("SHAP values in TypeScript", () => {
  it.each([1, 3, 6, 8])("add up to the margin and equal XGBoost's, depth %i", (depth) => {
    const rows = someRows(2000, depth);
    const labels = Float32Array.from({ length: 2000 }, (_, row) => {
      const [a, b, c] = rows.subarray(row * COLUMNS);
      return (a || 0) + (b || 0) * (c || 0.5) > 0.1 ? 1 : 0;
    });
    const model = xgboost.trainTrees({
      rows,
      rowCount: 2000,
      columnCount: COLUMNS,
      labels,
      objective: "binary:logistic",
      rounds: 25,
      threads: 1,
      params: { max_depth: depth, min_child_weight: 0.1 },
    });
    const unseen = someRows(200, 100 + depth);
    const margins = xgboost.predictMargins(model, unseen, 200);
    const expected = xgboost.predictContributions(model, unseen, 200);
    for (let row = 0; row < 200; row++) {
      const values = shapValues(model, unseen.subarray(row * COLUMNS, (row + 1) * COLUMNS));
      const sum = values.reduce((total, value) => total + value, 0);
      expect(Math.abs(sum - margins[row])).toBeLessThanOrEqual(1e-5);
      for (const [feature, value] of values.entries()) {
        expect(value).toBeCloseTo(expected[row * (COLUMNS + 1) + feature], 3);
      }
    }
  });
});
