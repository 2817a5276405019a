import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { closeRedis, connectRedis, type RedisClient, whenReady } from "../../src/redis/clients.js";
import { modelKey } from "../../src/redis/keys.js";
import { manifestFor } from "../../src/scoring/manifest.js";
import { ModelRegistry } from "../../src/scoring/model-registry.js";
import { ModelSlot, type ModelSlotOptions } from "../../src/scoring/model-slot.js";
import { metrics } from "../../src/telemetry.js";
import { type TestStore, testTarget } from "../support/redis.js";
import { aModel, type Model, schema } from "./a-model.js";

let store: TestStore;
let client: RedisClient;
let registry: ModelRegistry;
let name: string;
let suffix = 0;
let errors: { reason: string }[];
const slots: ModelSlot[] = [];

beforeAll(async () => {
  store = await testTarget();
  client = connectRedis(store.target, "work");
  await whenReady(client, 10_000);
  registry = new ModelRegistry(client);
});
afterAll(async () => {
  await Promise.all(slots.map((slot) => slot.close()));
  closeRedis(client);
  await store.stop();
});
beforeEach(() => {
  name = `heads${suffix++}`;
  errors = [];
});

function startSlot(over: Partial<ModelSlotOptions> = {}): Promise<ModelSlot> {
  const logger = {
    info: () => {},
    warn: () => {},
    error: (fields: unknown) => errors.push(fields as { reason: string }),
  };
  const options = { schema, outputs: ["purchase"], probabilities: true, pollMs: 10_000, logger };
  const slot = new ModelSlot(name, registry, { ...options, ...over });
  slots.push(slot);
  return slot.start();
}

const publish = ({ bytes, manifest }: Model) =>
  registry.publish(name, bytes, { ...manifest, name }, { alias: "champion" });

/** Margin of a row above the split: which model answered. */
async function answer(slot: ModelSlot): Promise<number> {
  const lease = slot.lease()!;
  try {
    return (await lease.scorer.run(Float32Array.of(1, 0), 1)).margins[0];
  } finally {
    lease.release();
  }
}

describe("a model slot", () => {
  it("leases nothing before a model is published, then the champion", async () => {
    const slot = await startSlot({ pollMs: 10 });
    expect(slot.lease()).toBeNull();
    await publish(aModel(2));
    await expect
      .poll(() => slot.lease()?.manifest.version, { timeout: 10_000 })
      .toBe(aModel(2).manifest.version);
    expect(await answer(slot)).toBe(2);
  });

  it("swaps under constant leasing without a single failed run", async () => {
    await publish(aModel(1));
    const slot = await startSlot({ pollMs: 5, staggerMs: 5 });
    const seen = new Set<number>();
    let done = false;
    const callers = Array.from({ length: 8 }, async () => {
      while (!done) {
        seen.add(await answer(slot));
        // Requests come through the event loop; trees answer without it.
        await new Promise(setImmediate);
      }
    });
    for (let leaf = 2; leaf <= 8; leaf++) {
      await publish(aModel(leaf));
      await expect.poll(() => seen.has(leaf), { interval: 5, timeout: 10_000 }).toBe(true);
    }
    done = true;
    await Promise.all(callers);
    expect([...seen]).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(errors).toEqual([]);
  });

  it("frees an old model only when its last lease is back, and a lease counts once", async () => {
    await publish(aModel(1));
    const slot = await startSlot();
    const [first, second] = [slot.lease()!, slot.lease()!];
    await publish(aModel(2));
    await slot.refresh();
    first.release();
    first.release();
    const row = Float32Array.of(1, 0);
    expect((await second.scorer.run(row, 1)).margins[0]).toBe(1);
    second.release();
    await expect(second.scorer.run(row, 1)).rejects.toThrow(/released/);
    expect(await answer(slot)).toBe(2);
  });

  const bad: [string, () => Model, RegExp][] = [
    ["with other features", () => aModel(3, { features: ["orders", "age"] }), /features/],
    [
      "with its features in another order",
      () => aModel(3, { features: ["silence", "orders"] }),
      /features/,
    ],
    ["of another schema", () => aModel(3, { schemaHash: "feedfeedfeedfeed" }), /schema/],
    ["with other outputs", () => aModel(3, { outputs: ["churn"] }), /outputs/],
    [
      "that answers NaN",
      () => aModel(3, {}, { calibration: { slope: Number.NaN, intercept: 0 } }),
      /probabilities/,
    ],
    ["of the demo world in another store", () => aModel(3, { demo: true }), /demo/],
  ];
  it.each(bad)(
    "refuses a model %s once, and the one before keeps serving",
    async (_, model, why) => {
      await publish(aModel(1));
      const slot = await startSlot();
      const refusals = async () =>
        (await metrics.modelSwaps.get()).values.find(
          ({ labels }) => labels.model === name && labels.result === "refused",
        )?.value;
      await publish(model());
      await slot.refresh();
      await slot.refresh();
      expect(errors).toEqual([expect.objectContaining({ reason: expect.stringMatching(why) })]);
      expect(await refusals()).toBe(1);
      expect(await answer(slot)).toBe(1);
      await publish(aModel(4));
      await slot.refresh();
      expect(await answer(slot)).toBe(4);
    },
  );

  it("refuses truncated bytes and bytes changed in the store", async () => {
    await publish(aModel(1));
    const slot = await startSlot();
    for (const [leaf, damage] of [
      [2, (bytes: Buffer) => bytes.subarray(0, bytes.length / 2)],
      [3, (bytes: Buffer) => bytes.map((byte, index) => (index === 40 ? byte ^ 1 : byte))],
    ] as const) {
      const { bytes, manifest } = aModel(leaf);
      await publish({ bytes, manifest });
      await client.hset(
        modelKey(`bytes:${name}`),
        manifest.version,
        Buffer.from(damage(Buffer.from(bytes))),
      );
      await slot.refresh();
      expect(errors.at(-1)?.reason).toMatch(/bytes/);
      expect(await answer(slot)).toBe(1);
    }
  });

  it("refuses a truncated graph that was published as such", async () => {
    await publish(aModel(1));
    const slot = await startSlot();
    const { bytes, manifest } = aModel(2);
    const half = bytes.slice(0, bytes.length / 2);
    await publish({ bytes: half, manifest: manifestFor(half, manifest) });
    await slot.refresh();
    expect(errors.at(-1)?.reason).toMatch(/ONNX/);
    expect(await answer(slot)).toBe(1);
  });

  it("tries a version again after a rollback and a second promotion, but not before", async () => {
    await publish(aModel(1));
    const slot = await startSlot();
    await publish(aModel(2, { schemaHash: "feedfeedfeedfeed" }));
    await slot.refresh();
    await slot.refresh();
    expect(errors).toHaveLength(1);
    await registry.rollback(name);
    await slot.refresh();
    await registry.promote(name, aModel(2).manifest.version);
    await slot.refresh();
    expect(errors).toHaveLength(2);
  });

  it("serves on without Redis, and starts without it", async () => {
    await publish(aModel(1));
    const own = connectRedis(store.target, "serve");
    await whenReady(own, 10_000);
    const options = { schema, outputs: ["purchase"], probabilities: true, pollMs: 5 };
    const slot = await new ModelSlot(name, new ModelRegistry(own), options).start();
    closeRedis(own);
    await expect(slot.refresh()).rejects.toThrow(
      expect.objectContaining({ code: "store_unavailable" }),
    );
    expect(await answer(slot)).toBe(1);
    const late = await new ModelSlot(name, new ModelRegistry(own), options).start();
    expect(late.lease()).toBeNull();
    slots.push(slot, late);
  });
});
