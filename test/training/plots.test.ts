import { describe, expect, it } from "vitest";
import { gainCurve, qiniCurve, tenthsOf } from "../../src/training/metrics.js";
import { calibrationSvg, gainSvg, liftSvg, qiniSvg } from "../../src/training/plots.js";

const scores = Array.from({ length: 100 }, (_, row) => row);
const labels = scores.map((score) => (score >= 80 ? 1 : 0));

/** Every opened tag is closed, and no number went wrong. */
function expectPicture(svg: string): void {
  expect(svg).toMatch(/^<svg [^>]*viewBox="0 0 480 340"/);
  expect(svg.match(/<text/g)?.length).toBe(svg.match(/<\/text>/g)?.length);
  expect(svg).not.toMatch(/NaN|Infinity|undefined/);
}

describe("plots", () => {
  it("draw the gain curve where its points are, the first series boldest, names escaped", () => {
    const svg = gainSvg([
      { name: "model", points: gainCurve(scores, labels) },
      {
        name: "a < b & c",
        points: [
          [0, 0],
          [1, 1],
        ],
      },
    ]);
    expectPicture(svg);
    // From the lower left corner straight to every positive at a fifth of the rows.
    expect(svg).toMatch(
      /points="58\.0,294\.0 .*137\.2,34\.0 .*454\.0,34\.0" fill="none" stroke="#0072b2" stroke-width="2\.5"/,
    );
    expect(svg).toContain("a &lt; b &amp; c");
  });

  it("draw lift as ten bars with their figures", () => {
    const svg = liftSvg(tenthsOf(scores, labels));
    expectPicture(svg);
    expect(svg.match(/>5\.00</g)).toHaveLength(2);
    expect(svg.match(/>0\.00</g)).toHaveLength(8);
  });

  it("draw calibration up to the largest value, and one bin or none without harm", () => {
    const bins = [
      { rows: 50, predicted: 0.02, observed: 0.01 },
      { rows: 50, predicted: 0.11, observed: 0.13 },
    ];
    expectPicture(calibrationSvg(bins));
    expect(calibrationSvg(bins)).toContain(">15 %<");
    expect(calibrationSvg(bins).match(/<circle/g)).toHaveLength(2);
    expectPicture(calibrationSvg([{ rows: 9, predicted: 1, observed: 1 }]));
    expectPicture(calibrationSvg([]));
  });

  it("draw a Qini curve that falls below zero inside the frame", () => {
    const treated = scores.map((_, row) => row % 2);
    const harmed = scores.map((_, row) => (row % 2 === 0 && row > 40 ? 1 : 0));
    const points = qiniCurve(scores, harmed, treated);
    expect(Math.min(...points.map(([, gain]) => gain))).toBeLessThan(0);
    const svg = qiniSvg([{ name: "uplift", points }]);
    expectPicture(svg);
    const heights = [...svg.matchAll(/,(\d+\.\d)[ "]/g)].map(([, y]) => Number(y));
    expect(Math.max(...heights)).toBeLessThanOrEqual(294);
  });
});
