import { describe, expect, it } from "vitest";
import { bootstrap, quantile } from "../../src/training/bootstrap.js";
import {
  alift,
  auc,
  brier,
  calibrationBins,
  captureAt,
  expectedCalibrationError,
  gainCurve,
  liftAt,
  logLoss,
  meanNdcg,
  ndcgAt,
  prAuc,
  qini,
  qiniCurve,
  tenthsOf,
} from "../../src/training/metrics.js";
import { seededRandom, stratifiedFolds } from "../../src/training/random.js";

const scores = [0.9, 0.8, 0.7, 0.6, 0.5];
const labels = [1, 0, 1, 0, 0];

describe("ranking figures, against values worked out by hand", () => {
  it("AUC counts the pairs in the right order, ties as half", () => {
    expect(auc(scores, labels)).toBeCloseTo(5 / 6, 12);
    expect(auc([1, 1, 1, 1], [1, 0, 1, 0])).toBe(0.5);
    expect(auc([1, 2], [1, 1])).toBeNaN();
  });

  it("average precision adds precision at each positive", () => {
    expect(prAuc(scores, labels)).toBeCloseTo((1 + 2 / 3) / 2, 12);
  });

  it("the area under the lift curve is AUC·(1 − rate) + rate/2", () => {
    expect(alift(scores, labels)).toBeCloseTo((5 / 6) * 0.6 + 0.2, 12);
    expect(alift([1, 1, 1, 1], [1, 0, 0, 0])).toBe(0.5);
  });

  it("capture and lift share out a tie at the edge", () => {
    expect(captureAt(scores, labels, 0.4)).toBe(0.5);
    expect(captureAt([2, 1, 1, 1], [1, 1, 0, 0], 0.5)).toBeCloseTo((1 + 1 / 3) / 2, 12);
    expect(liftAt(scores, labels, 0.2)).toBeCloseTo(2.5, 12);
  });

  it("NDCG uses exponential gains and skips lists without relevant items", () => {
    const expected = (3 + 1 / Math.log2(4)) / (3 + 1 / Math.log2(3));
    expect(ndcgAt([2, 0, 1], 10)).toBeCloseTo(expected, 12);
    expect(ndcgAt([0, 1], 1)).toBe(0);
    expect(meanNdcg([1, 2, 5, 4], [0, 1, 0, 0], [2, 2], 10)).toBe(1);
  });
});

describe("probability figures", () => {
  it("log loss and Brier score match their definitions and survive certainty", () => {
    expect(logLoss([0.8, 0.4], [1, 0])).toBeCloseTo(-(Math.log(0.8) + Math.log(0.6)) / 2, 12);
    expect(logLoss([0], [1])).toBeCloseTo(-Math.log(1e-7), 6);
    expect(brier([0.8, 0.4], [1, 0])).toBeCloseTo((0.04 + 0.16) / 2, 12);
  });

  it("calibration error is the gap between what was said and what came", () => {
    const said = new Array(1000).fill(0.3);
    const came = said.map((_, row) => +(row % 2 === 0));
    expect(expectedCalibrationError(said, came)).toBeCloseTo(0.2, 6);
    expect(calibrationBins(said, came).map((bin) => bin.rows)).toEqual(new Array(10).fill(100));
  });
});

describe("the Qini coefficient", () => {
  it("is positive when those with an effect come first, negative the other way round, 0 for ties", () => {
    const treated = Array.from({ length: 400 }, (_, row) => row % 2);
    // In the first half treatment always works, in the second never.
    const outcome = treated.map((arm, row) => (row < 200 && arm === 1 ? 1 : 0));
    const right = treated.map((_, row) => (row < 200 ? 1 : 0));
    const wrong = right.map((value) => -value);
    // Gain rises to 100 at half and stays: the curve lies 50/2 above the line on average, per 200
    // treated.
    expect(qini(right, outcome, treated)).toBeCloseTo(25 / 200, 6);
    expect(qini(wrong, outcome, treated)).toBeCloseTo(-25 / 200, 6);
    expect(qini(new Array(400).fill(0), outcome, treated)).toBeCloseTo(0, 12);
  });
});

describe("resampling", () => {
  it("covers the mean with an interval of about ± 2 standard errors", () => {
    const random = seededRandom(1);
    const values = Array.from({ length: 1000 }, () => random());
    const mean = (rows: readonly number[]) =>
      rows.reduce((s, row) => s + values[row], 0) / rows.length;
    const { low, high } = bootstrap(values.length, mean, { rounds: 500 });
    expect(low).toBeLessThan(0.5);
    expect(high).toBeGreaterThan(0.5);
    expect(high - low).toBeCloseTo(4 * Math.sqrt(1 / 12 / 1000), 2);
  });

  it("draws clusters whole", () => {
    const clusters = ["a", "a", "b", "b", "b"];
    bootstrap(
      5,
      (rows) => {
        const ofA = rows.filter((row) => row < 2).length;
        expect(ofA % 2).toBe(0);
        return 0;
      },
      { clusters },
    );
  });

  it("interpolates quantiles", () => {
    expect(quantile([1, 2, 3, 4], 0.5)).toBe(2.5);
    expect(quantile([], 0.5)).toBeNaN();
  });

  it("spreads every class evenly over the folds, the same way for the same seed", () => {
    const classes = Array.from({ length: 103 }, (_, row) => +(row < 13));
    const folds = stratifiedFolds(classes, 5, 1);
    for (let fold = 0; fold < 5; fold++) {
      const rare = classes.filter((value, row) => value === 1 && folds[row] === fold).length;
      expect([2, 3]).toContain(rare);
    }
    expect(stratifiedFolds(classes, 5, 1)).toEqual(folds);
    expect(stratifiedFolds(classes, 5, 2)).not.toEqual(folds);
  });
});

describe("curves", () => {
  const areaUnder = (points: readonly (readonly [number, number])[]) =>
    points
      .slice(1)
      .reduce((sum, [x, y], i) => sum + ((x - points[i][0]) * (y + points[i][1])) / 2, 0);

  it("the area under the gain curve is ALIFT", () => {
    expect(gainCurve(scores, labels)[0]).toEqual([0, 0]);
    expect(gainCurve(scores, labels).at(-1)).toEqual([1, 1]);
    expect(areaUnder(gainCurve(scores, labels))).toBeCloseTo(alift(scores, labels), 12);
  });

  it("the area between Qini curve and its chord is the Qini coefficient", () => {
    const [uplift, treated, came] = [
      [5, 4, 3, 2, 1, 0],
      [1, 0, 1, 0, 1, 0],
      [1, 0, 0, 1, 0, 0],
    ];
    const points = qiniCurve(uplift, came, treated);
    const [, end] = points[points.length - 1];
    expect(areaUnder(points) - end / 2).toBeCloseTo(qini(uplift, came, treated), 12);
  });

  it("stays short however many rows there are", () => {
    const many = Array.from({ length: 5000 }, (_, row) => row);
    const odd = many.map((row) => row % 2);
    expect(gainCurve(many, odd).length).toBeLessThanOrEqual(102);
  });

  it("tenths share a tie over their edge, and add up to every positive", () => {
    const tied = tenthsOf(new Array(20).fill(1), [1, 1, ...new Array(18).fill(0)]);
    for (const tenth of tied) expect(tenth.lift).toBeCloseTo(1, 12);
    const best = tenthsOf([9, 8, 7, 6, 5, 4, 3, 2, 1, 0], [1, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
    expect(best.map(({ lift }) => lift).slice(0, 4)).toEqual([5, 0, 5, 0]);
    expect(best[9].captured).toBeCloseTo(1, 12);
    expect(tenthsOf([1, 2, 3], [1, 0, 1]).reduce((sum, { rows }) => sum + rows, 0)).toBe(3);
  });
});
