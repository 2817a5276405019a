import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { decodeArtifacts } from "../../src/candidates/artifacts-codec.js";
import { closeRedis, connectRedis, type RedisClient, whenReady } from "../../src/redis/clients.js";
import { ArtifactRegistry } from "../../src/scoring/artifact-registry.js";
import { ModelRegistry } from "../../src/scoring/model-registry.js";
import { ModelSlot } from "../../src/scoring/model-slot.js";
import { HEAD_NAMES } from "../../src/training/dataset.js";
import { evaluateModels, formatReports } from "../../src/training/evaluate.js";
import { fitArtifacts, type TrainAllResult, trainAll } from "../../src/training/train-command.js";
import { loadXgboost } from "../../src/training/xgboost.js";
import { startTestRedis, type TestStore } from "../support/redis.js";
import { aShop, dataDeps, schema } from "./a-shop.js";

const xgboost = loadXgboost();
let store: TestStore;
let client: RedisClient;
const deps = (options: Parameters<typeof aShop>[0]) => ({
  ...dataDeps(aShop(options)),
  models: new ModelRegistry(client),
  artifacts: new ArtifactRegistry(client),
  xgboost,
});
const code = (name: string) => expect.objectContaining({ code: name });
const progress: [number, string][] = [];
let first: TrainAllResult;
const lease = "job:train";

beforeAll(async () => {
  store = await startTestRedis();
  client = connectRedis(store.target, "work");
  await whenReady(client, 10_000);
  first = await trainAll(deps({ members: 350, days: 330 }), {
    rounds: 40,
    baselines: false,
    fence: { lease, token: 5 },
    onProgress: (percent, text) => progress.push([percent, text]),
  });
}, 180_000);
afterAll(async () => {
  closeRedis(client);
  await store.stop();
});

describe("train", () => {
  it("fits artifacts, trains heads and ranker, and lets the first good models serve", async () => {
    expect(Object.keys(first.artifacts).sort()).toEqual(["alive", "candidates"]);
    expect(first.models.map(({ name, promoted }) => [name, promoted])).toEqual([
      ["heads", true],
      ["ranker", true],
    ]);
    expect(first.skipped).toEqual([]);
    const models = new ModelRegistry(client);
    const options = { schema, outputs: HEAD_NAMES, probabilities: true };
    const slot = await new ModelSlot("heads", models, options).start();
    expect(slot.manifest()?.version).toBe(first.models[0].version);
    expect(slot.manifest()?.promotion?.reason).toMatch(/first model/);
    await slot.close();
  });

  it("tells how far it is, never backwards", () => {
    const percents = progress.map(([percent]) => percent);
    expect(percents).toEqual([...percents].sort((a, b) => a - b));
    expect(percents.at(-1)).toBe(100);
    expect(progress.some(([, text]) => /^churn: tree/.test(text))).toBe(true);
  });

  it("publishes artifacts that serving can read", async () => {
    const artifacts = new ArtifactRegistry(client);
    const candidates = decodeArtifacts((await artifacts.load("candidates"))!.bytes);
    expect(candidates.products.length).toBe(60);
    const alive = JSON.parse((await artifacts.load("alive"))!.bytes.toString());
    expect(Object.keys(alive).sort()).toEqual(["a", "alpha", "b", "r"]);
  });

  it("judges the next model against the champion, and an equal one may follow it", async () => {
    const { models } = await trainAll(deps({ members: 350, days: 330 }), {
      names: ["heads"],
      rounds: 40,
      baselines: false,
      fence: { lease, token: 6 },
    });
    expect(models[0]).toMatchObject({ promoted: true, reason: expect.stringMatching(/champion/) });
  });

  it("lets no run publish after a later one, and stops before it when told", async () => {
    const shop = { members: 350, days: 330 };
    const stale = trainAll(deps(shop), { names: ["alive"], fence: { lease, token: 4 } });
    await expect(stale).rejects.toThrow(code("conflict"));
    const stopped = trainAll(deps(shop), { signal: AbortSignal.abort(new Error("stop")) });
    await expect(stopped).rejects.toThrow("stop");
  });

  it("reports of the models that serve, at training and now", async () => {
    const reports = await evaluateModels(deps({ members: 350, days: 330 }));
    expect(reports.map(({ name }) => name)).toEqual(["heads", "ranker"]);
    const [heads] = reports;
    expect(heads.now?.purchase.report.auc).toBeCloseTo(
      heads.atTraining.purchase.report.auc as number,
      6,
    );
    expect(formatReports(reports)).toMatch(/purchase\.auc +0\.\d{4} +0\.\d{4}/);
  });

  it("says not_enough_data when nothing asked for can be trained, and still fits artifacts", async () => {
    const tiny = deps({ members: 40, days: 60 });
    await expect(trainAll(tiny, { names: ["heads", "ranker"] })).rejects.toThrow(
      code("not_enough_data"),
    );
    expect(Object.keys(await fitArtifacts(tiny))).toEqual(["candidates", "alive"]);
  });
});
