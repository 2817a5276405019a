import { describe, expect, it } from "vitest";
import { bootstrap, pick } from "../../src/training/bootstrap.js";
import { auc, brier, qini } from "../../src/training/metrics.js";
import { seededRandom } from "../../src/training/random.js";
import {
  differencesOf,
  drawsOf,
  intervalsOf,
  pooledMetrics,
} from "../../src/training/table-held-out.js";

const random = seededRandom(2);
const scores = Float64Array.from({ length: 400 }, () => random());
const labels = Float32Array.from(scores, (score) => (random() < score ? 1 : 0));
const treated = Uint8Array.from(scores, () => (random() < 0.5 ? 1 : 0));
const noisy = scores.map((score) => score * 0.3 + random() * 0.7);

describe("intervals of held-out figures", () => {
  it("are those of a plain bootstrap", () => {
    const quick = intervalsOf(drawsOf([{ labels, scores }], 0));
    const plain = (figure: typeof auc) =>
      bootstrap(400, (rows) => figure(pick(scores, rows), pick(labels, rows)), { rounds: 300 });
    for (const [name, figure] of [
      ["auc", auc],
      ["brier", brier],
    ] as const) {
      expect(quick[name].low).toBeCloseTo(plain(figure).low, 2);
      expect(quick[name].high).toBeCloseTo(plain(figure).high, 2);
    }
    const uplift = intervalsOf(drawsOf([{ labels, scores, treated }], 0));
    const byHand = bootstrap(
      400,
      (rows) => qini(pick(scores, rows), pick(labels, rows), pick(treated, rows)),
      { rounds: 300 },
    );
    expect(uplift.qini.low).toBeCloseTo(byHand.low, 1);
  });

  it("of a difference are drawn in pairs, so that equal models differ by nothing", () => {
    const [one, same, worse] = [scores, scores, noisy].map((own) =>
      drawsOf([{ labels, scores: own }], 0),
    );
    expect(differencesOf(one, same).auc).toEqual({ low: 0, high: 0 });
    const ahead = differencesOf(one, worse).auc;
    expect(ahead.low).toBeGreaterThan(0);
    const { low, high } = intervalsOf(one).auc;
    expect(ahead.low).toBeGreaterThan(low - intervalsOf(worse).auc.high);
    expect(high).toBeGreaterThan(low);
  });

  it("take the mean over folds, the calibration error over all rows", () => {
    const folds = [0, 200].map((from) => ({
      labels: labels.slice(from, from + 200),
      scores: scores.slice(from, from + 200),
    }));
    const areas = folds.map((fold) => auc(fold.scores, fold.labels));
    const pooled = pooledMetrics(folds);
    expect(pooled.auc).toBeCloseTo((areas[0] + areas[1]) / 2, 12);
    expect(pooled.ece).toBeCloseTo(pooledMetrics([{ labels, scores }]).ece ?? 0, 12);
  });
});
