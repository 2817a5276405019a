import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { ApiKeys } from "../../src/redis/api-keys.js";
import { closeRedis, connectRedis, type RedisClient, whenReady } from "../../src/redis/clients.js";
import { apiKeysKey } from "../../src/redis/keys.js";
import { silentLogger, type TestStore, testTarget } from "../support/redis.js";

let store: TestStore;
let client: RedisClient;
beforeAll(async () => {
  store = await testTarget();
  client = connectRedis(store.target, "serve");
  await whenReady(client, 10_000);
});
afterAll(async () => {
  closeRedis(client);
  await store.stop();
});
beforeEach(async () => {
  await client.del(apiKeysKey);
});

async function keysWith(adminApiKey?: string): Promise<ApiKeys> {
  const keys = new ApiKeys({ client, adminApiKey, logger: silentLogger });
  await keys.refresh();
  return keys;
}

describe("API keys", () => {
  it("knows a key right after it was made, with its scopes and nothing more", async () => {
    const keys = await keysWith();
    const { key, record } = await keys.create({ name: "web shop", scopes: ["serve", "serve"] });
    expect(key).toMatch(/^ck_[A-Za-z0-9_-]{32}$/);
    expect(record).toMatchObject({ name: "web shop", scopes: ["serve"] });
    expect(keys.find(key)).toEqual({ name: "web shop", scopes: new Set(["serve"]) });
    expect(keys.find(`${key}x`)).toBeUndefined();
  });

  it("stores only a hash of the key", async () => {
    const keys = await keysWith();
    const { key } = await keys.create({ name: "one", scopes: ["serve"] });
    const stored = JSON.stringify(await client.hgetall(apiKeysKey));
    expect(stored).not.toContain(key);
    expect(JSON.stringify(await keys.list())).not.toContain(key.slice(3));
  });

  it("is known to other processes after their next refresh, and unknown after a revocation", async () => {
    const [mine, theirs] = [await keysWith(), await keysWith()];
    const { key, record } = await mine.create({ name: "one", scopes: ["ingest"] });
    await theirs.refresh();
    expect(theirs.find(key)?.scopes).toEqual(new Set(["ingest"]));
    await mine.revoke(record.id);
    expect(mine.find(key)).toBeUndefined();
    await theirs.refresh();
    expect(theirs.find(key)).toBeUndefined();
    await expect(mine.revoke(record.id)).rejects.toMatchObject({ code: "key_not_found" });
  });

  it("reads the keys again by itself", async () => {
    const mine = await keysWith();
    const theirs = new ApiKeys({ client, logger: silentLogger });
    await theirs.start();
    const { key } = await mine.create({ name: "one", scopes: ["ingest"] });
    await expect.poll(() => theirs.find(key)?.name, { timeout: 10_000 }).toBe("one");
    theirs.close();
  });

  it("gives the admin scope all scopes", async () => {
    const keys = await keysWith();
    const { key } = await keys.create({ name: "boss", scopes: ["admin"] });
    expect(keys.find(key)?.scopes.has("ingest")).toBe(true);
  });

  it("accepts ADMIN_API_KEY besides the stored keys and makes no other then", async () => {
    const keys = await keysWith("a-long-admin-key");
    expect(keys.find("a-long-admin-key")?.scopes.has("admin")).toBe(true);
    expect(keys.find("a-long-admin-keY")).toBeUndefined();
    expect(await keys.ensureAdminKey()).toBeUndefined();
    expect(await keys.list()).toEqual([]);
  });

  it("makes one admin key on the first start, however many start at once", async () => {
    const processes = await Promise.all([keysWith(), keysWith(), keysWith()]);
    const made = await Promise.all(processes.map((keys) => keys.ensureAdminKey()));
    const printed = made.filter((key) => key !== undefined);
    expect(printed).toHaveLength(1);
    await processes[0].refresh();
    expect(processes[0].find(printed[0]!)?.scopes.has("admin")).toBe(true);
    expect(await processes[0].ensureAdminKey()).toBeUndefined();
  });

  it("makes an admin key although keys of other scopes exist", async () => {
    const keys = await keysWith();
    await keys.create({ name: "one", scopes: ["serve"] });
    expect(await keys.ensureAdminKey()).toMatch(/^ck_/);
  });

  it("keeps the keys it read while the store is away, and says so when asked to change any", async () => {
    const own = connectRedis(store.target, "serve");
    await whenReady(own, 10_000);
    const keys = new ApiKeys({ client: own, logger: silentLogger });
    const { key, record } = await keys.create({ name: "one", scopes: ["serve"] });
    closeRedis(own);
    await keys.start();
    expect(keys.find(key)?.name).toBe("one");
    await expect(keys.revoke(record.id)).rejects.toMatchObject({ code: "store_unavailable" });
    await expect(keys.create({ name: "x", scopes: ["serve"] })).rejects.toMatchObject({
      code: "store_unavailable",
    });
    keys.close();
  });

  it("cannot tell good from bad before it read the keys once", async () => {
    const own = connectRedis(store.target, "serve");
    closeRedis(own);
    const keys = new ApiKeys({ client: own, logger: silentLogger });
    await keys.start();
    expect(keys.loaded).toBe(false);
    keys.close();
  });

  it("skips a record it cannot read", async () => {
    const keys = await keysWith();
    const { key } = await keys.create({ name: "one", scopes: ["serve"] });
    await client.hset(apiKeysKey, "abc", "{");
    await keys.refresh();
    expect(keys.find(key)?.name).toBe("one");
    expect(await keys.ensureAdminKey()).toMatch(/^ck_/);
  });
});
