import { beforeAll, describe, expect, it } from "vitest";
import { replayMembers } from "../../src/events/replay.js";
import { buildDataset, type Dataset } from "../../src/training/dataset.js";
import { type DriftReport, driftLines, reportDrift } from "../../src/training/drift-report.js";
import { fuseHeads } from "../../src/training/onnx.js";
import { surveyLog } from "../../src/training/survey.js";
import { aShop, config, DAY, dataDeps } from "./a-shop.js";

let data: Dataset;
let end: number;
let graph: Uint8Array;

/** Scores by the last order's age alone: older than 20 days, or never, is worth less. */
function aGraph({ names }: Dataset): Uint8Array {
  const feature = names.indexOf("days_since_order");
  const tree = {
    left: Int32Array.of(1, -1, -1),
    right: Int32Array.of(2, -1, -1),
    feature: Int32Array.of(feature, 0, 0),
    value: Float32Array.of(20, 1, -1),
    defaultLeft: new Uint8Array(3),
    cover: new Float32Array(3),
  };
  const model = {
    objective: "binary:logistic",
    trees: [tree],
    baseMargin: 0,
    featureCount: names.length,
  };
  const calibration = { slope: 1, intercept: 0 };
  const heads = ["purchase", "purchase7", "churn"].map((name) => ({ name, model, calibration }));
  return fuseHeads(heads, names.length);
}

const report = (set: Dataset): Promise<DriftReport> =>
  reportDrift(graph, { trainedWindow: { from: 0, to: set.snapshots.at(-5)! } }, set, {
    end,
    at: end + 2 * DAY,
  });

beforeAll(async () => {
  const deps = dataDeps(aShop({ members: 250, days: 330 }));
  const survey = await surveyLog(deps.reader, { stages: config.stages });
  data = await buildDataset(replayMembers(deps.reader), survey, deps);
  end = survey.to;
  graph = aGraph(data);
});

describe("the drift report", () => {
  it("compares the snapshot last learnt from with the newest, and tells their ages", async () => {
    const { learntAt, newestAt, logAgeDays, modelAgeDays } = await report(data);
    expect(learntAt).toBe(data.snapshots.at(-5));
    expect(newestAt).toBe(data.snapshots.at(-1));
    expect(logAgeDays).toBeCloseTo(2, 6);
    expect(modelAgeDays).toBeCloseTo((end + 2 * DAY - learntAt) / DAY, 6);
  });

  it("names features that moved or went missing, and none that did not", async () => {
    const before = await report(data);
    const column = data.names.indexOf("views_decayed_3d");
    const last = data.snapshots.length - 1;
    const rows = data.rows.slice();
    for (let row = 0; row < data.rowCount; row++) {
      if (data.snapshot[row] === last) rows[row * data.names.length + column] = Number.NaN;
    }
    const after = await report({ ...data, rows });
    const of = ({ features }: DriftReport) =>
      features.find(({ feature }) => feature === "views_decayed_3d");
    expect(of(before)?.missingNow ?? 0).toBe(0);
    expect(of(after)).toMatchObject({ level: "drifted", missingThen: 0, missingNow: 1 });
    expect(after.features.map(({ psi }) => psi)).toEqual(
      after.features.map(({ psi }) => psi).sort((a, b) => b - a),
    );
    expect(after.features.every(({ psi }) => psi >= 0.1)).toBe(true);
    expect(before.features.map(({ feature }) => feature)).not.toContain("carts_decayed_7d");
  });

  it("tells when scores drift, and how right they are by tenths", async () => {
    const steady = await report(data);
    expect(steady.heads.purchase.level).not.toBe("drifted");
    expect(steady.heads.purchase.deciles).toHaveLength(10);
    const column = data.names.indexOf("days_since_order");
    const rows = data.rows.slice();
    for (let row = 0; row < data.rowCount; row++) {
      if (data.snapshot[row] === data.snapshots.length - 1)
        rows[row * data.names.length + column] = 300;
    }
    const silent = await report({ ...data, rows });
    expect(silent.heads.purchase).toMatchObject({ level: "drifted" });
    expect(driftLines(silent).join("\n")).toMatch(/purchase: scores \d\.\d+ drifted; said→came/);
  });
});
