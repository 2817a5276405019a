import { beforeAll, describe, expect, it } from "vitest";
import { replayMembers } from "../../src/events/replay.js";
import { buildDataset, type Dataset, HEAD_NAMES } from "../../src/training/dataset.js";
import { scoreSlice } from "../../src/training/head-figures.js";
import { fuseHeads } from "../../src/training/onnx.js";
import { readHeads } from "../../src/training/onnx-read.js";
import { settleHeads } from "../../src/training/settle-heads.js";
import { surveyLog } from "../../src/training/survey.js";
import { type TrainedHeads, trainHeads } from "../../src/training/train-heads.js";
import { loadXgboost } from "../../src/training/xgboost.js";
import { aShop, config, dataDeps, schema } from "./a-shop.js";

const xgboost = loadXgboost();
let data: Dataset;
let good: TrainedHeads;

beforeAll(async () => {
  const deps = dataDeps(aShop({ members: 300, days: 330 }));
  const survey = await surveyLog(deps.reader, { stages: config.stages });
  data = await buildDataset(replayMembers(deps.reader), survey, deps);
  good = await trainHeads(data, schema.hash, { xgboost, rounds: 25, baselines: false });
}, 120_000);

/** The same model with a churn head turned upside down. */
function upsideDown(): TrainedHeads {
  const heads = good.heads.map((head) => {
    if (head.name !== "churn") return head;
    const trees = head.model.trees.map((tree) => ({
      ...tree,
      value: tree.value.map((value, node) => (tree.left[node] === -1 ? -value : value)),
    }));
    return { ...head, model: { ...head.model, trees } };
  });
  return { ...good, heads, bytes: fuseHeads(heads, data.names.length) };
}

const scores = async (graph: Uint8Array, head: (typeof HEAD_NAMES)[number]) =>
  (await scoreSlice(graph, data, head, "report")).probabilities;

describe("a graph taken apart", () => {
  it("gives the heads that make the same graph again", () => {
    const heads = readHeads(good.bytes, HEAD_NAMES, data.names.length);
    expect(Buffer.from(fuseHeads(heads, data.names.length)).equals(good.bytes)).toBe(true);
  });

  it("is refused when it is none of fused heads", () => {
    expect(() => readHeads(good.bytes, ["purchase"], data.names.length)).toThrow(
      expect.objectContaining({ code: "model_invalid" }),
    );
  });
});

describe("freshly trained heads", () => {
  it("serve as they are when all are good", async () => {
    const { model, verdict } = await settleHeads(good, data, null, true);
    expect(verdict.promoted).toBe(true);
    expect(model.bytes).toBe(good.bytes);
  });

  it("serve with the champion's head in place of one that is worse", async () => {
    const champion = { bytes: Buffer.from(good.bytes), manifest: good.manifest };
    const { model, verdict } = await settleHeads(upsideDown(), data, champion, true);
    expect(verdict).toMatchObject({
      promoted: true,
      reason: expect.stringMatching(/churn stays the champion's/),
    });
    for (const head of HEAD_NAMES) {
      expect(await scores(model.bytes, head), head).toEqual(await scores(good.bytes, head));
    }
    expect(model.manifest.notes?.at(-1)).toMatch(/^churn: the champion's, AUC -0\.\d+/);
    expect(model.manifest.metrics.churn.report.auc).toBeGreaterThan(0.5);
  });

  it("say everyone's base rate in place of a weak head without a champion", async () => {
    const { model, verdict } = await settleHeads(upsideDown(), data, null, true);
    expect(verdict).toMatchObject({
      promoted: true,
      reason: expect.stringMatching(/churn is withheld/),
    });
    expect(new Set(await scores(model.bytes, "churn")).size).toBe(1);
    expect(await scores(model.bytes, "purchase")).toEqual(await scores(good.bytes, "purchase"));
    const { report } = model.manifest.metrics.churn;
    expect(report.auc).toBe(0.5);
    expect(report.logLoss).toBeLessThan((report.baseLogLoss as number) + 0.1);
  });
});
