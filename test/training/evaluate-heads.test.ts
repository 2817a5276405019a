import { beforeAll, describe, expect, it } from "vitest";
import { HEAD_NAMES } from "../../src/training/dataset.js";
import { evaluateHeads, type HeadsEvaluation } from "../../src/training/evaluate-heads.js";
import { auc } from "../../src/training/metrics.js";
import { loadXgboost } from "../../src/training/xgboost.js";
import { aShop, DAY, dataDeps, START } from "./a-shop.js";

const shop = aShop({ members: 200, days: 330 });
const trainUntil = START + 240 * DAY;
const options = { trainUntil, xgboost: loadXgboost(), rounds: 20, bootstrapRounds: 60 };
let evaluation: HeadsEvaluation;

beforeAll(async () => {
  evaluation = await evaluateHeads(dataDeps(shop), options);
}, 120_000);

describe("an evaluation from a day on", () => {
  it("learns only from what was known on that day and asks only about later instants", () => {
    const { data, heads, model } = evaluation;
    for (const head of HEAD_NAMES) {
      const last = data.snapshots.at(-1)! + 7 * DAY;
      expect(last).toBeLessThanOrEqual(trainUntil);
      expect(Math.min(...heads[head].instants)).toBe(trainUntil);
      expect(heads[head].horizonDays).toBe(data.heads[head].horizonDays);
      const end = Math.max(...heads[head].instants) + heads[head].horizonDays * DAY;
      expect(end).toBeLessThanOrEqual(evaluation.end);
    }
    expect(model.manifest.trainedWindow.to).toBeLessThan(trainUntil);
  });

  it("gives labels and scores of every method, ours first, and figures that are theirs", () => {
    const { labels, members, methods, figures, differences, rows, baseRate } =
      evaluation.heads.purchase;
    const names = ["recency", "frequency", "alive", "linear", "xgboost_defaults"];
    expect(Object.keys(methods)).toEqual(["cuecard", ...names]);
    expect(differences.map(({ against }) => against)).toEqual(names);
    expect([labels.length, members.length, methods.linear.margins.length]).toEqual(
      Array(3).fill(rows),
    );
    expect(baseRate).toBeGreaterThan(0.1);
    const area = (name: string) => auc(methods[name].margins, labels);
    expect(figures[0].auc.value).toBeCloseTo(area("cuecard"), 12);
    expect(differences[0].auc.value).toBeCloseTo(area("cuecard") - area("recency"), 12);
    for (const { auc: figure } of [...figures, ...differences]) {
      expect(figure.low).toBeLessThanOrEqual(figure.value + 0.02);
      expect(figure.high).toBeGreaterThanOrEqual(figure.value - 0.02);
    }
    expect(figures[0].auc.value).toBeGreaterThan(0.7);
  });
});
