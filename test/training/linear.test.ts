import { describe, expect, it } from "vitest";
import { sigmoid } from "../../src/training/calibrate.js";
import { fitLinear, linearMargins } from "../../src/training/linear.js";
import { auc, logLoss } from "../../src/training/metrics.js";
import { seededRandom } from "../../src/training/random.js";

/** Rows of `columns` normal numbers, labelled by chance with the margin given. */
function rowsWith(rowCount: number, columns: number, marginOf: (row: Float32Array) => number) {
  const random = seededRandom(7);
  const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  const rows = Float32Array.from({ length: rowCount * columns }, normal);
  const labels = Uint8Array.from({ length: rowCount }, (_, row) =>
    random() < sigmoid(marginOf(rows.subarray(row * columns, (row + 1) * columns))) ? 1 : 0,
  );
  return { rows, rowCount, columnCount: columns, labels };
}

describe("ridge logistic regression", () => {
  const data = rowsWith(8000, 3, ([a, b]) => 1 + 2 * a - b);

  it("finds the weights the labels were drawn with", () => {
    const { intercept, weights, scaling } = fitLinear(data, { l2: 1e-5 });
    const slope = (column: number) => weights[column] * scaling.scale[column];
    expect(slope(0)).toBeCloseTo(2, 0.7);
    expect(slope(1)).toBeCloseTo(-1, 0.7);
    expect(Math.abs(slope(2))).toBeLessThan(0.1);
    const atZero = intercept - slope(0) * scaling.centre[0] - slope(1) * scaling.centre[1];
    expect(atZero).toBeCloseTo(1, 0.7);
  });

  it("is where the gradient vanishes: no nearby weights have a smaller loss", () => {
    const l2 = 0.05;
    const model = fitLinear(data, { l2 });
    const lossOf = (moved: typeof model) => {
      const margins = linearMargins(moved, data.rows, data.rowCount);
      const penalty = moved.weights.reduce((sum, weight) => sum + weight ** 2, 0);
      return logLoss(margins.map(sigmoid), data.labels) + (l2 / 2) * penalty;
    };
    const best = lossOf(model);
    for (const [column, step] of [
      [0, 0.01],
      [0, -0.01],
      [1, 0.01],
      [2, -0.01],
    ]) {
      const weights = model.weights.slice();
      weights[column] += step;
      expect(lossOf({ ...model, weights })).toBeGreaterThan(best);
    }
    expect(lossOf({ ...model, intercept: model.intercept + 0.01 })).toBeGreaterThan(best);
  });

  it("shrinks with the penalty, and starts from another fit to the same end", () => {
    const loose = fitLinear(data, { l2: 1e-4 });
    const tight = fitLinear(data, { l2: 1 });
    expect(Math.abs(tight.weights[0])).toBeLessThan(Math.abs(loose.weights[0]) / 3);
    const again = fitLinear(data, { l2: 1, start: loose });
    expect(again.weights[0]).toBeCloseTo(tight.weights[0], 3);
  });

  it("counts a missing value as average, with a weight of its own", () => {
    const holes = { ...data, rows: data.rows.slice(), labels: data.labels.slice() };
    for (let row = 0; row < holes.rowCount; row += 4) {
      holes.rows[row * 3] = Number.NaN;
      holes.labels[row] = 1;
    }
    const model = fitLinear(holes, { l2: 1e-3 });
    const [missing, average] = linearMargins(
      model,
      Float32Array.from([Number.NaN, 0, 0, model.scaling.centre[0], 0, 0]),
      2,
    );
    expect(missing - average).toBeCloseTo(model.flags[0], 5);
    expect(model.flags[0]).toBeGreaterThan(1);
    expect(model.flags[1]).toBe(0);
  });

  it("bends where asked: a valley is out of reach of a straight line", () => {
    const valley = rowsWith(4000, 1, ([a]) => 3 * Math.abs(a) - 2);
    const areaOf = (bends: boolean) => {
      const model = fitLinear(valley, { l2: 1e-3, bends });
      return auc(linearMargins(model, valley.rows, valley.rowCount), valley.labels);
    };
    expect(areaOf(false)).toBeLessThan(0.6);
    expect(areaOf(true)).toBeGreaterThan(0.75);
  });

  it("clips what lies far beyond the rows it was fitted on", () => {
    const model = fitLinear(data, { l2: 1e-3 });
    const far = linearMargins(model, Float32Array.from([100, 0, 0, 1e9, 0, 0]), 2);
    expect(far[0]).toBe(far[1]);
    expect(far[0]).toBeLessThan(40);
  });

  it("takes constants, empty columns and perfect separation without harm", () => {
    const rows = Float32Array.from({ length: 300 }, (_, index) =>
      index % 3 === 0 ? 5 : index % 3 === 1 ? Number.NaN : index,
    );
    const labels = Uint8Array.from({ length: 100 }, (_, row) => (row >= 50 ? 1 : 0));
    const model = fitLinear({ rows, rowCount: 100, columnCount: 3, labels }, { l2: 1e-6 });
    const margins = linearMargins(model, rows, 100);
    expect(margins.every(Number.isFinite)).toBe(true);
    expect(auc(margins, labels)).toBe(1);
    expect(model.weights[0]).toBe(0);
  });

  it("leaves out the features it is told to, and heeds row weights", () => {
    expect(fitLinear(data, { l2: 1e-3, without: new Set([0]) }).weights[0]).toBe(0);
    const half = Float64Array.from(data.labels, (label) => (label === 1 ? 1 : 0.5));
    const weighted = fitLinear({ ...data, weights: half }, { l2: 1e-3 });
    const plain = fitLinear(data, { l2: 1e-3 });
    expect(weighted.intercept - plain.intercept).toBeCloseTo(Math.log(2), 0.7);
  });
});

describe("ridge logistic regression with hundreds of terms", () => {
  const columns = 300;
  const data = rowsWith(600, columns, ([a, b]) => 1.5 * a - b);

  it("ends where the gradient vanishes, though no Hessian is formed", () => {
    const l2 = 0.01;
    const model = fitLinear(data, { l2 });
    const margins = linearMargins(model, data.rows, data.rowCount);
    for (let column = 0; column < columns; column += 7) {
      let gradient = l2 * model.weights[column];
      for (let row = 0; row < data.rowCount; row++) {
        const { centre, scale, low, high } = model.scaling;
        const value = data.rows[row * columns + column];
        const clipped = Math.min(Math.max(value, low[column]), high[column]);
        const z = (clipped - centre[column]) * scale[column];
        gradient += ((sigmoid(margins[row]) - data.labels[row]) * z) / data.rowCount;
      }
      expect(Math.abs(gradient)).toBeLessThan(2e-4);
    }
  });
});
