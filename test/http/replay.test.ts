import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CANDIDATE_FEATURES } from "../../src/candidates/features.js";
import { HEADS } from "../../src/decision/member-scores.js";
import { schemaHashOf } from "../../src/features/feature-schema.js";
import { closeRedis, connectRedis, type RedisClient, whenReady } from "../../src/redis/clients.js";
import { modelKey } from "../../src/redis/keys.js";
import { manifestFor } from "../../src/scoring/manifest.js";
import { ModelRegistry } from "../../src/scoring/model-registry.js";
import { graphs, schema } from "../decision/a-decider.js";
import { type TestStore, testTarget } from "../support/redis.js";
import { aPurchaseOf, type Json, type Serving, startServing } from "../support/serving.js";

let store: TestStore;
let server: Serving;
let client: RedisClient;
let registry: ModelRegistry;

const EVEN = { slope: 1, intercept: 0 };

/** Publishes heads and ranker, and makes them serve; answers their versions. */
async function publish(leaf: number): Promise<Record<"heads" | "ranker", string>> {
  const bytes = graphs(leaf);
  const of = {
    heads: { features: [...schema.names], schemaHash: schema.hash, outputs: [...HEADS] },
    ranker: {
      features: [...CANDIDATE_FEATURES],
      schemaHash: schemaHashOf(CANDIDATE_FEATURES),
      outputs: ["ranker"],
    },
  };
  const versions = { heads: "", ranker: "" };
  for (const name of ["heads", "ranker"] as const) {
    const manifest = manifestFor(bytes[name], {
      name,
      createdAt: Date.UTC(2026, 0, 1) + leaf * 1000,
      ...of[name],
      trainedWindow: { from: 0, to: 1 },
      rows: 1,
      metrics: {},
      calibration: name === "heads" ? { purchase: EVEN } : { ranker: EVEN },
      libraryVersion: "1.6.1",
      threads: 1,
      seed: 1,
    });
    await registry.publish(name, bytes[name], manifest, { alias: "challenger" });
    await server.ok("POST", `/v1/models/${name}/promote`, { version: manifest.version });
    versions[name] = manifest.version;
  }
  return versions;
}

beforeAll(async () => {
  store = await testTarget();
  server = await startServing(store.target);
  client = connectRedis(store.target, "work");
  await whenReady(client, 10_000);
  registry = new ModelRegistry(client);
  for (const [id, price] of [
    ["cheap", 20],
    ["dear", 200],
    ["thin", 90],
  ] as const) {
    const record = { name: `The ${id}`, price, margin: price / 3, active: true };
    await server.ok("PUT", `/v1/products/${id}`, record);
  }
});
afterAll(async () => {
  closeRedis(client);
  await server.close();
  await store.stop();
});

const withoutTime = ({ tookMs, ...answer }: Json): string => JSON.stringify(answer);

describe("a decision replayed after other models took over", () => {
  it("is the same bytes as long as the models of then are kept, and says which is not", async () => {
    const first = await publish(1);
    const events = [aPurchaseOf("m", "cheap"), aPurchaseOf("m", "dear")];
    await server.ok("POST", "/v1/events", { events });
    const request = { member: "m", placement: "screen_pop", explain: true };
    const before = await server.ok("POST", "/v1/recommendations", request);
    expect(before.models).toEqual(first);
    expect(before.explanation.contributions.purchase.order_count).toBeGreaterThan(0);
    expect(before.suggestions[0].propensity).toBeGreaterThan(0);
    const second = await publish(0.25);
    const now = await server.ok("POST", "/v1/recommendations", request);
    expect(now.models).toEqual(second);
    expect(now.suggestions[0].propensity).not.toBe(before.suggestions[0].propensity);
    const replay = () => server.ask("POST", `/v1/decisions/${before.decisionId}/replay`);
    expect(withoutTime((await replay()).body)).toBe(withoutTime(before));
    const { fate } = await server.ok("GET", `/v1/decisions/${before.decisionId}?product=thin`);
    expect(fate).toMatchObject({ fate: "shown", margin: 1 });
    expect(fate.expectedValue).toBe(
      before.suggestions.find((one: Json) => one.product.id === "thin").expectedValue,
    );
    for (const part of ["meta", "bytes"])
      await client.hdel(modelKey(`${part}:ranker`), first.ranker);
    const gone = await replay();
    expect([gone.status, gone.body.code]).toEqual([409, "replay_unavailable"]);
    expect(gone.body.detail).toContain(`ranker ${first.ranker}`);
  });
});
