import { describe, expect, it } from "vitest";
import { loadOnnxScorer } from "../../src/scoring/onnx-scorer.js";
import { calibrated, sigmoid } from "../../src/training/calibrate.js";
import { seededRandom } from "../../src/training/random.js";
import { tableGraph } from "../../src/training/table-graph.js";
import {
  fitPart,
  mixedMargins,
  type Prepared,
  partImportance,
  type Recipe,
} from "../../src/training/table-parts.js";
import { LEAVES } from "../../src/training/table-recipes.js";
import { loadXgboost } from "../../src/training/xgboost.js";

const xgboost = loadXgboost();
const COLUMNS = 3;
const ROWS = 1200;
const random = seededRandom(9);
/** A number that climbs, a number, a flag; a tenth of the numbers missing. */
const features = Float32Array.from({ length: ROWS * COLUMNS }, (_, index) => {
  const column = index % COLUMNS;
  if (column === 2) return random() < 0.3 ? 1 : 0;
  if (random() < 0.1) return Number.NaN;
  return column === 0 ? 5000 + index / 30 + random() * 20 : random() * 4 - 2;
});
const labels = Float32Array.from({ length: ROWS }, (_, row) => {
  const [, x, flag] = features.subarray(row * COLUMNS, (row + 1) * COLUMNS);
  return random() < sigmoid((Number.isNaN(x) ? 1 : Math.abs(x)) + flag - 1.5) ? 1 : 0;
});
const prepared: Prepared = {
  encoder: [],
  features,
  width: COLUMNS,
  rowCount: ROWS,
  labels,
  drifting: new Set([0]),
  levelled: new Set([0]),
};
const partOf = (recipe: Omit<Recipe, "name">) =>
  fitPart(xgboost, prepared, { name: "a recipe", ...recipe }, { seed: 0, threads: 1, rounds: 20 });

describe("a table model as a graph", () => {
  it("answers what its parts answer, missing values, bends, shifts and mixtures included", async () => {
    const treated = {
      name: "treated",
      calibration: { slope: 1.3, intercept: -0.2 },
      parts: [
        {
          ...partOf({ learner: "linear", columns: "relative", l2: 1e-2, bends: true }),
          weight: 0.4,
        },
        { ...partOf({ learner: "trees", columns: "relative" }), weight: 0.9 },
        { ...partOf({ learner: "trees", columns: "steady" }), weight: 0.3 },
      ],
    };
    const control = {
      name: "control",
      calibration: { slope: 0.8, intercept: 0.1 },
      parts: [{ ...partOf({ learner: "linear", columns: "steady", l2: 1e-3 }), weight: 1 }],
    };
    const scorer = await loadOnnxScorer(tableGraph([treated, control], COLUMNS));
    const { margins, probabilities } = await scorer.run(features, ROWS);
    await scorer.release();
    [treated, control].forEach((head, column) => {
      const own = mixedMargins(xgboost, head.parts, features, ROWS);
      const expected = calibrated(own, head.calibration);
      for (let row = 0; row < ROWS; row++) {
        expect(Math.abs(margins[row * 2 + column] - own[row])).toBeLessThan(1e-5);
        const answered = probabilities?.[row * 2 + column] ?? Number.NaN;
        expect(Math.abs(answered - expected[row])).toBeLessThan(1e-6);
      }
    });
  });

  it("answers alike for trees that grow leaf by leaf, however deep they get", async () => {
    const parts = LEAVES.map((recipe) => ({ ...partOf(recipe), weight: 0.5 }));
    const head = { name: "probability", parts, calibration: { slope: 1, intercept: 0 } };
    parts.forEach(({ trees, recipe }) => {
      const leaves = trees?.trees.map(({ left }) => left.filter((child) => child === -1).length);
      expect(Math.max(...(leaves ?? []))).toBe(recipe.params?.max_leaves);
    });
    const scorer = await loadOnnxScorer(tableGraph([head], COLUMNS));
    const { margins } = await scorer.run(features, ROWS);
    await scorer.release();
    mixedMargins(xgboost, parts, features, ROWS).forEach((own, row) => {
      expect(Math.abs(margins[row] - own)).toBeLessThan(1e-5);
    });
  });

  it("leaves what drifts out of every part that is told to", () => {
    const moved = features.map((value, index) => (index % COLUMNS === 0 ? value + 1000 : value));
    for (const learner of ["trees", "linear"] as const) {
      const parts = [{ ...partOf({ learner, columns: "steady" }), weight: 1 }];
      expect(mixedMargins(xgboost, parts, moved, ROWS)).toEqual(
        mixedMargins(xgboost, parts, features, ROWS),
      );
      expect(partImportance(xgboost, parts[0], features, ROWS)[0]).toBeCloseTo(0, 9);
      expect(partImportance(xgboost, parts[0], features, ROWS)[1]).toBeGreaterThan(0);
    }
  });

  it("subtracts the level of the last tenth of the rows from those that come", () => {
    const { shift } = partOf({ learner: "linear", columns: "relative" });
    const last = Array.from(features.subarray((ROWS - ROWS / 10) * COLUMNS)).filter(
      (value, index) => index % COLUMNS === 0 && !Number.isNaN(value),
    );
    const level = last.reduce((sum, value) => sum + value, 0) / last.length;
    expect(shift?.[0]).toBeCloseTo(level, 1);
    expect(shift?.[1]).toBe(0);
  });
});
