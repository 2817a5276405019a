import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { closeRedis, connectRedis, type RedisClient, whenReady } from "../../src/redis/clients.js";
import { modelKey } from "../../src/redis/keys.js";
import { ArtifactRegistry, ArtifactSlot } from "../../src/scoring/artifact-registry.js";
import { ModelRegistry } from "../../src/scoring/model-registry.js";
import { type TestStore, testTarget } from "../support/redis.js";
import { aModel } from "./a-model.js";

let store: TestStore;
let client: RedisClient;
let registry: ModelRegistry;
let name: string;
let suffix = 0;

beforeAll(async () => {
  store = await testTarget();
  client = connectRedis(store.target, "work");
  await whenReady(client, 10_000);
  registry = new ModelRegistry(client);
});
afterAll(async () => {
  closeRedis(client);
  await store.stop();
});
beforeEach(() => {
  name = `heads${suffix++}`;
});

const publish = async (
  leaf: number,
  alias: "champion" | "challenger" = "champion",
  token?: number,
) => {
  const { bytes, manifest } = aModel(leaf, { name });
  await registry.publish(name, bytes, manifest, {
    alias,
    fence: token === undefined ? undefined : { lease: "job:train", token },
  });
  return manifest.version;
};
const withCode = (code: string) => expect.objectContaining({ code });

describe("the model registry", () => {
  it("gives back the bytes and the manifest it was given", async () => {
    const { bytes, manifest } = aModel(1, { name });
    await registry.publish(name, bytes, manifest, { alias: "champion" });
    const stored = await registry.get(name, manifest.version);
    expect(stored.manifest).toEqual(manifest);
    expect(Buffer.compare(stored.bytes, Buffer.from(bytes))).toBe(0);
    expect(await registry.champion(name)).toBe(manifest.version);
  });

  it("does not let a challenger serve, and promotes it in one call", async () => {
    const first = await publish(1);
    const second = await publish(2, "challenger");
    expect(await registry.champion(name)).toBe(first);
    expect(await registry.challenger(name)).toBe(second);
    expect(await registry.promote(name)).toBe(second);
    expect(await registry.champion(name)).toBe(second);
    expect(await registry.challenger(name)).toBeNull();
  });

  it("goes back to the version that served before, further with each call", async () => {
    const versions = [await publish(1), await publish(2), await publish(3)];
    expect(await registry.rollback(name)).toBe(versions[1]);
    expect(await registry.rollback(name)).toBe(versions[0]);
    expect(await registry.champion(name)).toBe(versions[0]);
    await expect(registry.rollback(name)).rejects.toThrow(withCode("conflict"));
  });

  it("keeps five versions, among them the champion however old, and no bytes of the rest", async () => {
    const champion = await publish(1);
    const later: string[] = [];
    for (let leaf = 2; leaf <= 8; leaf++) later.push(await publish(leaf, "challenger"));
    const kept = (await registry.list(name)).map((entry) => entry.manifest.version);
    expect(kept).toEqual([...later.slice(-4).reverse(), champion]);
    expect(await client.hlen(modelKey(`bytes:${name}`))).toBe(5);
    await expect(registry.get(name, later[0])).rejects.toThrow(withCode("model_unknown"));
  });

  it("refuses a run whose fencing token is lower than one seen, leaving nothing behind", async () => {
    const served = await publish(1, "champion", 7);
    await expect(publish(2, "champion", 6)).rejects.toThrow(withCode("conflict"));
    expect(await registry.champion(name)).toBe(served);
    expect(await client.hlen(modelKey(`bytes:${name}`))).toBe(1);
    const next = await publish(3, "champion", 7);
    expect(await registry.champion(name)).toBe(next);
  });

  it("removes bytes that a crashed publish left without a manifest", async () => {
    await client.hset(modelKey(`bytes:${name}`), "orphan", "bytes");
    await publish(1);
    expect(await client.hkeys(modelKey(`bytes:${name}`))).toHaveLength(1);
  });

  it("publishing the same version twice changes nothing", async () => {
    expect(await publish(1)).toBe(await publish(1));
    expect(await registry.list(name)).toHaveLength(1);
    await expect(registry.rollback(name)).rejects.toThrow(withCode("conflict"));
  });

  it("refuses a manifest that belongs to other bytes", async () => {
    const { manifest } = aModel(1, { name });
    const attempt = registry.publish(name, aModel(2).bytes, manifest, { alias: "champion" });
    await expect(attempt).rejects.toThrow(withCode("model_invalid"));
  });

  it("says store_unavailable when Redis is out of reach", async () => {
    const lost = connectRedis("127.0.0.1:1", "serve");
    try {
      const attempt = new ModelRegistry(lost).champion(name);
      await expect(attempt).rejects.toThrow(withCode("store_unavailable"));
    } finally {
      closeRedis(lost);
    }
  });
});

describe("artifacts", () => {
  it("reach every follower by version and keep serving when the next one cannot be read", async () => {
    let now = Date.UTC(2026, 0, 1);
    const artifacts = new ArtifactRegistry(client, () => (now += 1000));
    const errors: unknown[] = [];
    const logger = { info: () => {}, warn: () => {}, error: (line: unknown) => errors.push(line) };
    const decode = (bytes: Buffer): { r: number } => JSON.parse(bytes.toString());
    const slot = await new ArtifactSlot("alive", artifacts, decode, { logger }).start();
    expect(slot.current()).toBeNull();
    await artifacts.publish("alive", Buffer.from('{"r":1}'));
    await slot.refresh();
    expect(slot.current()).toEqual({ r: 1 });
    await artifacts.publish("alive", Buffer.from('{"r":'));
    await slot.refresh();
    await slot.refresh();
    expect(slot.current()).toEqual({ r: 1 });
    expect(errors).toHaveLength(1);
    await artifacts.publish("alive", Buffer.from('{"r":3}'));
    await slot.refresh();
    expect(slot.current()).toEqual({ r: 3 });
    await slot.close();
  });
});
