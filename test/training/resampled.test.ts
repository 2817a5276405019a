import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { pick } from "../../src/training/bootstrap.js";
import { auc, expectedCalibrationError, prAuc } from "../../src/training/metrics.js";
import {
  aucOver,
  calibrationErrorOver,
  meanOver,
  prAucOver,
} from "../../src/training/resampled.js";

const draw = fc.integer({ min: 1, max: 60 }).chain((count) =>
  fc.record({
    scores: fc.array(fc.integer({ min: 0, max: 12 }), { minLength: count, maxLength: count }),
    labels: fc.array(fc.integer({ min: 0, max: 1 }), { minLength: count, maxLength: count }),
    rows: fc.array(fc.integer({ min: 0, max: count - 1 }), { minLength: 1, maxLength: 80 }),
  }),
);

describe("figures over drawn rows", () => {
  it("equal the AUC of the rows themselves, ties and repeats included", () => {
    fc.assert(
      fc.property(draw, ({ scores, labels, rows }) => {
        const expected = auc(pick(scores, rows), pick(labels, rows));
        const answered = aucOver(scores, labels)(rows);
        if (Number.isNaN(expected)) expect(answered).toBeNaN();
        else expect(answered).toBeCloseTo(expected, 9);
      }),
    );
  });

  it("equal the average precision and the mean of the rows themselves", () => {
    fc.assert(
      fc.property(draw, ({ scores, labels, rows }) => {
        const expected = prAuc(pick(scores, rows), pick(labels, rows));
        const answered = prAucOver(scores, labels)(rows);
        if (Number.isNaN(expected)) expect(answered).toBeNaN();
        else expect(answered).toBeCloseTo(expected, 9);
        const sum = rows.reduce((total, row) => total + scores[row], 0);
        expect(meanOver(scores)(rows)).toBeCloseTo(sum / rows.length, 9);
      }),
    );
  });

  it("equal the calibration error of the rows themselves where no two probabilities tie", () => {
    fc.assert(
      fc.property(draw, ({ scores, labels, rows }) => {
        const probabilities = scores.map((score, row) => (score + row / 100) / 14);
        const expected = expectedCalibrationError(pick(probabilities, rows), pick(labels, rows));
        expect(calibrationErrorOver(probabilities, labels)(rows)).toBeCloseTo(expected, 9);
      }),
    );
  });
});
