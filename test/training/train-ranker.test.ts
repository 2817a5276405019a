import { beforeAll, describe, expect, it } from "vitest";
import { CANDIDATE_FEATURES } from "../../src/candidates/features.js";
import { buildSnapshot } from "../../src/catalog/build-snapshot.js";
import { schemaHashOf } from "../../src/features/feature-schema.js";
import { fingerprint40 } from "../../src/redis/keys.js";
import { loadOnnxScorer } from "../../src/scoring/onnx-scorer.js";
import { openVerified } from "../../src/scoring/open-model.js";
import { calibrated } from "../../src/training/calibrate.js";
import { catalogAsOf, cleanRows, firstSales } from "../../src/training/ranker-examples.js";
import { rankerRows } from "../../src/training/ranker-rows.js";
import { surveyLog } from "../../src/training/survey.js";
import {
  planRanker,
  type RankerData,
  rankerSlice,
  type TrainedRanker,
  trainRanker,
} from "../../src/training/train-ranker.js";
import { gatherData, survey } from "../../src/training/training-data.js";
import { loadXgboost } from "../../src/training/xgboost.js";
import { anEvent, aShop, config, DAY, dataDeps, eventRecord, logOf, START } from "./a-shop.js";

const xgboost = loadXgboost();
const deps = dataDeps(aShop({ members: 350, days: 330 }));
let data: RankerData;
let trained: TrainedRanker;

beforeAll(async () => {
  const surveyed = await survey(deps, {});
  data = (await gatherData(deps, surveyed, ["ranker"], {})).ranker!;
  trained = await trainRanker(data, { xgboost, rounds: 60 });
});

describe("the ranker's examples", () => {
  it("hold only what came before their instant, and an order that came after it", () => {
    data.examples.forEach((examples, index) => {
      const instant = data.plan.instants[index];
      expect(examples.length).toBeGreaterThan(20);
      for (const { request, bought } of examples) {
        expect(request.history.now).toBe(instant);
        expect(request.history.lines.every(({ at }) => at * 1000 <= instant)).toBe(true);
        expect(bought.size).toBeGreaterThan(0);
      }
    });
  });

  it("are joined by artifacts built before their instant", () => {
    const first = firstSales(data.survey.purchases, data.snapshot);
    const slice = rankerSlice(data, 0, first);
    expect(slice.artifacts.asOf).toBe(data.plan.instants[0]);
    const later = rankerSlice(data, data.plan.instants.length - 1, first);
    expect(later.artifacts.popularity).not.toEqual(slice.artifacts.popularity);
  });

  it("take later parts of one order together", async () => {
    const { instants } = data.plan;
    const at = instants.at(-1)!;
    const line = (product: string) => ({ product, quantity: 1, amount: 5 });
    const part = (product: string, hours: number, over = {}) =>
      eventRecord(
        "parts",
        anEvent({ at: at + hours * 3_600_000, order: "o1", lines: [line(product)], ...over }),
      );
    const more = [
      eventRecord("parts", anEvent({ at: at - DAY, order: "o0", lines: [line("p9")] })),
      part("p1", 1),
      part("p2", 2, { continuation: true }),
      part("p3", 30, { order: "o2" }),
    ];
    const own = { ...deps, reader: logOf(more) };
    const { ranker } = await gatherData(own, data.survey, ["ranker"], {});
    const bought = ranker!.examples.at(-1)![0].bought;
    expect([...bought].map((index) => deps.snapshot.products[index].id)).toEqual(["p1", "p2"]);
  });
});

describe("the catalog at an instant", () => {
  const product = (id: string, over: object) => ({
    id,
    name: id,
    price: 5,
    active: true,
    createdAt: START,
    updatedAt: START,
    source: "record" as const,
    ...over,
  });

  it("holds what existed then, whatever its stock is now, and knows no age of what came by import", async () => {
    const snapshot = buildSnapshot(1, [
      product("sold out", { stock: 0 }),
      product("to come", { createdAt: START + 100 * DAY }),
      product("imported", { createdAt: START + 1000 * DAY }),
      product("free", { price: 0 }),
    ]);
    const records = [
      eventRecord(
        "a",
        anEvent({ at: START + DAY, lines: [{ product: "imported", quantity: 1, amount: 5 }] }),
      ),
    ];
    const { purchases } = await surveyLog(logOf(records), { stages: config.stages });
    const then = catalogAsOf(snapshot, firstSales(purchases, snapshot), START + 50 * DAY);
    expect([...then.offerable]).toEqual([1, 0, 1, 0]);
    expect(then.stock[0]).toBe(Number.POSITIVE_INFINITY);
    expect([...then.launchedAt.subarray(0, 3)]).toEqual([START, START + 100 * DAY, 0]);
    expect(then.indexOfFingerprint.get(fingerprint40("imported"))).toBe(2);
  });

  it("leaves no infinite value and no age of fifty years in a row", () => {
    const rows = Float32Array.of(1, 20_000, Number.NEGATIVE_INFINITY, 300);
    cleanRows(rows, 2, 1);
    expect([...rows]).toEqual([1, Number.NaN, Number.NaN, 300]);
  });
});

describe("training the ranker", () => {
  it("foretells the next order of a later slice better than popularity", () => {
    const { report } = trained.manifest.metrics.ranker;
    expect(report.ndcg10Low).toBeGreaterThan(report.ndcg10Popular as number);
    expect(report.recall10).toBeGreaterThan(report.recall10Popular as number);
    expect(report.n).toBeGreaterThan(50);
  });

  it("names the candidate features as its schema and opens under it", async () => {
    const { manifest, bytes } = trained;
    const hash = schemaHashOf(CANDIDATE_FEATURES);
    expect(manifest).toMatchObject({ name: "ranker", schemaHash: hash, outputs: ["ranker"] });
    const names = CANDIDATE_FEATURES;
    const expected = { schema: { names, hash }, outputs: ["ranker"], probabilities: false };
    await (await openVerified(bytes, manifest, expected)).release();
  });

  it("says how likely the next order holds a product: right on average in a later slice", async () => {
    const { slices } = data.plan;
    const first = firstSales(data.survey.purchases, data.snapshot);
    const { examples, artifacts, snapshot } = rankerSlice(data, slices.report, first);
    const later = rankerRows(examples, artifacts, snapshot, { keepMisses: true });
    cleanRows(later.rows, CANDIDATE_FEATURES.length, CANDIDATE_FEATURES.indexOf("age_days"));
    const scorer = await loadOnnxScorer(trained.bytes);
    const { margins } = await scorer.run(later.rows, later.rowCount);
    await scorer.release();
    const probabilities = calibrated(margins, trained.manifest.calibration!.ranker);
    const mean = (values: ArrayLike<number>): number =>
      Array.from(values).reduce((sum, value) => sum + value, 0) / values.length;
    expect(mean(probabilities) / mean(later.labels)).toBeGreaterThan(0.8);
    expect(mean(probabilities) / mean(later.labels)).toBeLessThan(1.25);
  });

  it("refuses a log that is too short or has too few orders, saying so", async () => {
    const short = await surveyLog(logOf(aShop({ members: 50, days: 100 })), {
      stages: config.stages,
    });
    expect(() => planRanker(short)).toThrow(expect.objectContaining({ code: "not_enough_data" }));
    const few = { ...data, examples: data.examples.map((examples) => examples.slice(0, 5)) };
    await expect(trainRanker(few, { xgboost })).rejects.toThrow(
      expect.objectContaining({
        code: "not_enough_data",
        detail: expect.stringMatching(/orders to train on; at least 100/),
      }),
    );
  });
});
