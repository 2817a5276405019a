import { describe, expect, it } from "vitest";
import {
  calibrated,
  fitPlatt,
  MAX_SLOPE,
  MIN_SLOPE,
  sigmoid,
} from "../../src/training/calibrate.js";
import { expectedCalibrationError } from "../../src/training/metrics.js";
import { seededRandom } from "../../src/training/random.js";

/** Margins and labels drawn with P(1) = sigmoid(slope · margin + intercept). */
function drawn(count: number, slope: number, intercept: number) {
  const random = seededRandom(3);
  const margins = Array.from({ length: count }, () => random() * 8 - 4);
  const labels = margins.map((margin) => (random() < sigmoid(slope * margin + intercept) ? 1 : 0));
  return { margins, labels };
}

describe("Platt calibration", () => {
  it("finds the slope and intercept that the labels were drawn with", () => {
    const { margins, labels } = drawn(40_000, 0.6, -1.2);
    const fit = fitPlatt(margins, labels);
    expect(fit.slope).toBeCloseTo(0.6, 1);
    expect(fit.intercept).toBeCloseTo(-1.2, 1);
    expect(expectedCalibrationError(calibrated(margins, fit), labels)).toBeLessThan(0.01);
  });

  it("keeps the level of margins far from 0, which say nothing of the labels", () => {
    const random = seededRandom(5);
    const margins = Array.from({ length: 3000 }, () => -43 + random());
    const labels = margins.map(() => (random() < 0.2 ? 1 : 0));
    const said = calibrated(margins, fitPlatt(margins, labels));
    expect(expectedCalibrationError(said, labels)).toBeLessThan(0.03);
  });

  it("matches the closed form on two margins: the smoothed targets themselves", () => {
    const margins = [-1, -1, -1, 1, 1];
    const labels = [0, 0, 0, 1, 1];
    const [low, , , high] = calibrated(margins, fitPlatt(margins, labels));
    expect(low).toBeCloseTo(1 / 5, 5);
    expect(high).toBeCloseTo(3 / 4, 5);
  });

  it("stays increasing even when the margins run against the labels", () => {
    const { margins, labels } = drawn(2000, -1, 0);
    const fit = fitPlatt(margins, labels);
    expect(fit.slope).toBe(MIN_SLOPE);
    const mean = labels.reduce<number>((a, b) => a + b, 0) / labels.length;
    const predicted = calibrated(margins, fit).reduce((a, b) => a + b) / labels.length;
    expect(predicted).toBeCloseTo(mean, 2);
  });

  it("never grows steeper than its bound", () => {
    const margins = Array.from({ length: 5000 }, (_, row) => (row < 2500 ? -1e-4 : 1e-4));
    const labels = margins.map((margin) => (margin > 0 ? 1 : 0));
    expect(fitPlatt(margins, labels).slope).toBe(MAX_SLOPE);
  });

  it("gives the base rate where margins are all equal, and finite answers for a single class", () => {
    const equal = fitPlatt(
      new Array<number>(100).fill(0.3),
      Array.from({ length: 100 }, (_, i) => Number(i < 20)),
    );
    expect(calibrated([0.3], equal)[0]).toBeCloseTo(0.2, 1);
    const single = fitPlatt([0, 1, 2], [1, 1, 1]);
    expect(Number.isFinite(single.slope) && Number.isFinite(single.intercept)).toBe(true);
  });

  it("refuses to calibrate on nothing", () => {
    expect(() => fitPlatt([], [])).toThrow(expect.objectContaining({ code: "not_enough_data" }));
  });
});
