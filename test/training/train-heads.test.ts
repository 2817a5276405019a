import { beforeAll, describe, expect, it } from "vitest";
import { replayMembers } from "../../src/events/replay.js";
import { openVerified } from "../../src/scoring/open-model.js";
import {
  buildDataset,
  type Dataset,
  HEAD_NAMES,
  type HeadName,
} from "../../src/training/dataset.js";
import { scoreSlice } from "../../src/training/head-figures.js";
import { labelledRows, rowsOf } from "../../src/training/head-rows.js";
import { fuseHeads } from "../../src/training/onnx.js";
import { checkParity, PARITY_ROWS, parityRows } from "../../src/training/parity.js";
import { surveyLog } from "../../src/training/survey.js";
import { type TrainedModel, trainHeads } from "../../src/training/train-heads.js";
import { loadXgboost } from "../../src/training/xgboost.js";
import { aShop, config, dataDeps, schema } from "./a-shop.js";

const xgboost = loadXgboost();
let data: Dataset;
let trained: TrainedModel;

const datasetOf = async (options: { members: number; days?: number }): Promise<Dataset> => {
  const deps = dataDeps(aShop(options));
  const survey = await surveyLog(deps.reader, { stages: config.stages });
  return buildDataset(replayMembers(deps.reader), survey, deps);
};

beforeAll(async () => {
  data = await datasetOf({ members: 300, days: 330 });
  trained = await trainHeads(data, schema.hash, {
    baselines: false,
    xgboost,
    rounds: 30,
    now: 1_700_000_000_000,
  });
}, 180_000);

const refusal = (code: string, detail: RegExp) =>
  expect.objectContaining({ code, detail: expect.stringMatching(detail) });

describe("training the heads", () => {
  it("learns each head well enough to rank a later slice", () => {
    for (const head of HEAD_NAMES) {
      const { report } = trained.manifest.metrics[head];
      expect(report.aucLow, head).toBeGreaterThan(0.55);
      expect(report.logLoss, head).toBeLessThan(report.baseLogLoss as number);
      expect(report.lift10, head).toBeGreaterThan(1);
    }
  });

  it("says on what it was trained and how, and fits the server it was trained for", async () => {
    const { manifest, bytes } = trained;
    expect(manifest).toMatchObject({
      name: "heads",
      features: [...schema.names],
      schemaHash: schema.hash,
      outputs: ["purchase", "purchase7", "churn"],
      rows: rowsOf(data, "purchase", "train").length,
      threads: 1,
      libraryVersion: xgboost.version,
      bytes: bytes.length,
    });
    const { from, to } = manifest.trainedWindow;
    expect(from).toBe(data.snapshots[0]);
    expect(to).toBeLessThan(data.snapshots[data.heads.purchase7.slices.calibrate]);
    const expected = { schema, outputs: HEAD_NAMES, probabilities: true };
    await (await openVerified(bytes, manifest, expected)).release();
  });

  it("gives the same bytes for the same seed and threads", async () => {
    const again = await trainHeads(data, schema.hash, { baselines: false, xgboost, rounds: 30 });
    expect(again.manifest.sha256).toBe(trained.manifest.sha256);
    const other = await trainHeads(data, schema.hash, {
      baselines: false,
      xgboost,
      rounds: 30,
      seed: 2,
    });
    expect(other.manifest.sha256).not.toBe(trained.manifest.sha256);
  }, 90_000);

  it("stops, calibrates and promotes on members of their own, and reports on a later snapshot", () => {
    for (const head of HEAD_NAMES) {
      const members = (["stop", "calibrate", "promote"] as const).flatMap((slice) => [
        ...new Set(Array.from(rowsOf(data, head, slice), (row) => data.member[row])),
      ]);
      expect(new Set(members).size).toBe(members.length);
      const { calibrate, report } = data.heads[head].slices;
      expect(data.snapshots[report]).toBeGreaterThan(data.snapshots[calibrate]);
      const slices = ["train", "stop", "calibrate", "promote", "report"] as const;
      const rows = slices.flatMap((slice) => [...rowsOf(data, head, slice)]);
      expect(new Set(rows).size).toBe(rows.length);
    }
  });

  it("refuses a head with too few of one class, naming what is short", async () => {
    const one: HeadName = "purchase";
    const labels = new Float32Array(data.rowCount);
    const none = { ...data, heads: { ...data.heads, [one]: { ...data.heads[one], labels } } };
    await expect(trainHeads(none, schema.hash, { baselines: false, xgboost })).rejects.toThrow(
      refusal("not_enough_data", /^purchase: 0 of \d+ rows to train on have the label/),
    );
  });

  it("says everyone's base rate for another head the log is too short for, and says so", async () => {
    const labels = new Float32Array(data.rowCount);
    const none = { ...data, heads: { ...data.heads, churn: { ...data.heads.churn, labels } } };
    const { bytes, manifest } = await trainHeads(none, schema.hash, {
      baselines: false,
      xgboost,
      rounds: 5,
    });
    const { probabilities } = await scoreSlice(bytes, data, "churn", "report");
    expect(new Set(probabilities).size).toBe(1);
    expect(
      new Set((await scoreSlice(bytes, data, "purchase", "report")).margins).size,
    ).toBeGreaterThan(9);
    expect(manifest.notes?.join()).toMatch(/churn: 0 of \d+ rows to train on have the label/);
  });

  it("tells in notes what it noticed of the data and what it chose", () => {
    const notes = trained.manifest.notes?.join("\n");
    expect(notes).toMatch(/\d+ rows of 81 features; \d+ \(\d+\.\d %\) repeat another member's/);
    expect(notes).toMatch(/the same for everyone: .*attribute_income/);
    expect(notes).toMatch(/purchase: depth \d.*, \d+ trees, of log losses/);
    expect(notes).toMatch(/purchase: the strongest single column is \w+ \(AUC 0\.\d+\)/);
    expect(notes).toMatch(/churn: between early and late training rows drift .*tenure_days/);
  });

  it("ends when it is told to", async () => {
    const stop = new AbortController();
    const attempt = trainHeads(data, schema.hash, {
      baselines: false,
      xgboost,
      signal: stop.signal,
      onRound: (_, { round }) => round === 3 && stop.abort(new Error("enough")),
    });
    await expect(attempt).rejects.toThrow("enough");
  });
});

describe("the parity check", () => {
  it("draws ten thousand rows of which a fifth is missing", () => {
    const full = new Float32Array(50).fill(1);
    const drawn = parityRows(full, 5, 1);
    expect(drawn).toHaveLength(PARITY_ROWS * 5);
    const missing = drawn.filter(Number.isNaN).length / drawn.length;
    expect(missing).toBeGreaterThan(0.19);
    expect(missing).toBeLessThan(0.21);
  });

  it("refuses a graph that answers otherwise than XGBoost, in margin or in probability", async () => {
    const columns = data.names.length;
    const { rows, rowCount, labels } = labelledRows(
      data,
      "purchase",
      rowsOf(data, "purchase", "stop"),
    );
    const model = xgboost.trainTrees({
      rows,
      rowCount,
      labels,
      columnCount: columns,
      objective: "binary:logistic",
      rounds: 3,
      threads: 1,
    });
    const head = { name: "purchase", model, calibration: { slope: 1, intercept: 0 } };
    const drawn = parityRows(rows, columns, 1);
    const check = (graph: Uint8Array) => checkParity(graph, [head], xgboost, drawn);
    await check(fuseHeads([head], columns));
    const raised = { ...model, baseMargin: model.baseMargin + 1e-3 };
    await expect(check(fuseHeads([{ ...head, model: raised }], columns))).rejects.toThrow(
      refusal("model_invalid", /margin of purchase/),
    );
    const tilted = { slope: 1, intercept: 1e-4 };
    await expect(check(fuseHeads([{ ...head, calibration: tilted }], columns))).rejects.toThrow(
      refusal("model_invalid", /probability of purchase/),
    );
  });
});
