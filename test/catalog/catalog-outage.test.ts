import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { Catalog } from "../../src/catalog/catalog.js";
import { CatalogStore } from "../../src/catalog/catalog-store.js";
import { closeRedis, connectRedis, type RedisClient, whenReady } from "../../src/redis/clients.js";
import { startTestRedis, type TestRedis } from "../support/redis.js";

let redis: TestRedis;
let client: RedisClient;

beforeAll(async () => {
  redis = await startTestRedis();
  client = connectRedis(redis.target, "serve", { commandTimeoutMs: 200 });
  await whenReady(client, 10_000);
});
afterAll(async () => {
  closeRedis(client);
  await redis.stop();
});

it("keeps the last snapshot while the store stands still, and follows again after", async () => {
  const store = new CatalogStore(client);
  const warn = vi.fn();
  const catalog = new Catalog(client, { pollMs: 20, logger: { warn, error: vi.fn() } });
  await store.putProduct("p1", { name: "Tea", price: 10 });
  await catalog.start();
  expect(catalog.current().products).toHaveLength(1);

  process.kill(redis.pid, "SIGSTOP");
  try {
    await expect(catalog.refresh()).rejects.toMatchObject({ code: "store_unavailable" });
    await vi.waitFor(() => expect(warn).toHaveBeenCalledOnce(), { timeout: 5_000 });
    expect(catalog.current().products).toHaveLength(1);
  } finally {
    process.kill(redis.pid, "SIGCONT");
  }
  await vi.waitFor(() => store.putProduct("p2", { name: "Cup", price: 5 }), { timeout: 10_000 });
  await vi.waitFor(() => expect(catalog.current().products).toHaveLength(2), { timeout: 10_000 });
  catalog.close();
});

it("starts empty when the store cannot be reached", async () => {
  const late = connectRedis(`${redis.target}.nowhere`, "serve");
  const nowhere = new Catalog(late, { pollMs: 20 });
  await nowhere.start();
  expect(nowhere.current().products).toEqual([]);
  nowhere.close();
  closeRedis(late);
});
