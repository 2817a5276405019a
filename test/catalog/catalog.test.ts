import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { Catalog } from "../../src/catalog/catalog.js";
import { CatalogStore } from "../../src/catalog/catalog-store.js";
import { canOffer } from "../../src/catalog/snapshot.js";
import {
  closeRedis,
  connectRedis,
  mastersOf,
  type RedisClient,
  whenReady,
} from "../../src/redis/clients.js";
import { catalogKey, fingerprint40 } from "../../src/redis/keys.js";
import { type TestStore, testTarget } from "../support/redis.js";

let redis: TestStore;
let client: RedisClient;
let store: CatalogStore;
const opened: Catalog[] = [];

const clients: RedisClient[] = [];

async function connect(): Promise<RedisClient> {
  const connection = connectRedis(redis.target, "serve");
  clients.push(connection);
  await whenReady(connection, 10_000);
  return connection;
}

/** A catalog on its own connection: what another process holds. */
async function openCatalog(pollMs = 20): Promise<Catalog> {
  const catalog = new Catalog(await connect(), { pollMs });
  opened.push(catalog);
  return catalog.start();
}

const flush = () => Promise.all(mastersOf(client).map((node) => node.flushall()));

beforeAll(async () => {
  redis = await testTarget();
  client = await connect();
});
afterAll(async () => {
  for (const connection of clients) closeRedis(connection);
  await redis.stop();
});
beforeEach(async () => {
  await flush();
  store = new CatalogStore(client);
});
afterEach(() => {
  for (const catalog of opened.splice(0)) catalog.close();
});

describe("the catalog store", () => {
  it("keeps the first createdAt and replaces everything else", async () => {
    let now = 1_000;
    store = new CatalogStore(client, () => now);
    await store.putProduct("p1", {
      name: "Tea",
      price: 10,
      tags: [],
      attributes: { createdAt: 5 },
    });
    now = 2_000;
    const product = await store.putProduct("p1", { name: "Green tea" });
    expect(product).toEqual({
      id: "p1",
      name: "Green tea",
      active: true,
      createdAt: 1_000,
      updatedAt: 2_000,
      source: "record",
    });
    await store.putProduct("p2", { tags: [], name: "茶 🍵" });
    expect(await store.get("products", "p2")).toMatchObject({ tags: [], name: "茶 🍵" });
    expect(await store.get("products", "nobody")).toBeNull();
  });

  it("bumps the version once per batch, and once per delete of what was there", async () => {
    await store.putProducts([{ id: "a" }, { id: "b" }, { id: "c" }]);
    expect(await store.version()).toBe(1);
    expect(await store.delete("products", "b")).toBe(true);
    expect(await store.delete("products", "b")).toBe(false);
    expect(await store.version()).toBe(2);
  });

  it("pages by id, each record once, while others are written and deleted", async () => {
    await store.putProducts(["d", "b", "a", "c", "{x}*"].map((id) => ({ id })));
    const first = await store.list("products", 2);
    expect(first.items.map(({ id }) => id)).toEqual(["a", "b"]);
    await store.putProduct("aa", {});
    await store.delete("products", "b");
    const second = await store.list("products", 2, first.nextCursor);
    expect(second.items.map(({ id }) => id)).toEqual(["c", "d"]);
    const third = await store.list("products", 2, second.nextCursor);
    expect(third).toMatchObject({ items: [{ id: "{x}*" }], nextCursor: null });
  });

  it("refuses a product whose fingerprint belongs to another and writes the rest", async () => {
    await client.hset(catalogKey("fingerprints"), fingerprint40("twin").toString(36), "other");
    const refused = await store.putProducts([{ id: "a" }, { id: "twin" }, { id: "b" }]);
    expect(refused.map(({ index, error }) => [index, error.code])).toEqual([
      [1, "product_id_collision"],
    ]);
    expect((await store.list("products", 10)).items.map(({ id }) => id)).toEqual(["a", "b"]);
    await expect(store.putProduct("twin", {})).rejects.toMatchObject({
      code: "product_id_collision",
      detail: expect.stringContaining("other"),
    });
    await expect(store.registerSeen([{ id: "twin" }])).rejects.toThrow("product_id_collision");
  });

  it("registers products seen in events, completes them, and leaves written ones alone", async () => {
    await store.putProduct("written", { name: "Mine" });
    await store.registerSeen([
      { id: "seen" },
      { id: "seen", unitPrice: 3 },
      { id: "written", unitPrice: 9 },
    ]);
    expect(await store.get("products", "seen")).toMatchObject({
      source: "event",
      price: 3,
      active: true,
    });
    expect(await store.get("products", "written")).not.toHaveProperty("price");
    await store.registerSeen([{ id: "seen", name: "Cup", category: "kitchen", unitPrice: 4 }]);
    expect(await store.get("products", "seen")).toMatchObject({
      name: "Cup",
      category: "kitchen",
      price: 3,
    });
    const version = await store.version();
    await store.registerSeen([{ id: "seen", name: "Other", unitPrice: 0 }]);
    expect(await store.version()).toBe(version);
  });

  it("takes the earliest day a product was seen as its first on sale, in whatever order", async () => {
    const day = (text: string) => Date.parse(`${text}T15:00:00Z`);
    await store.registerSeen([{ id: "p", at: day("2026-03-02") }]);
    await store.registerSeen([{ id: "p", at: day("2026-03-05") }]);
    expect(await store.get("products", "p")).toMatchObject({ launchedAt: "2026-03-02" });
    const catalog = await openCatalog(60_000);
    await catalog.registerSeen([
      { id: "p", at: day("2026-03-01") },
      { id: "p", at: day("2026-02-01") },
    ]);
    expect(catalog.current().launchedAt[0]).toBe(Date.parse("2026-02-01"));
    const asked = vi.spyOn(catalog.store, "registerSeen");
    await catalog.registerSeen([{ id: "p", at: day("2026-02-01") }]);
    expect(asked).not.toHaveBeenCalled();
  });

  it("keeps coupons apart from products", async () => {
    await store.put("coupons", "c1", { label: "5 off", amountOff: 5 });
    await store.putProduct("c1", { name: "Tea" });
    expect(await store.get("coupons", "c1")).toMatchObject({ label: "5 off", active: true });
    expect(await store.delete("coupons", "c1")).toBe(true);
    expect((await store.list("coupons", 10)).items).toEqual([]);
    expect(await store.get("products", "c1")).not.toBeNull();
  });
});

describe("the catalog in memory", () => {
  it("holds every kind of record, and follows each by itself", async () => {
    const catalog = await openCatalog();
    await store.put("coupons", "c1", { label: "5 off", amountOff: 5 });
    await store.put("experiments", "e1", { arms: [], holdout: 0.1, period: "always" });
    await vi.waitFor(() => expect(catalog.current().experiments).toHaveLength(1));
    await store.put("experiments", "e2", { arms: [], holdout: 0.1, period: "always" });
    await vi.waitFor(() => expect(catalog.current().experiments).toHaveLength(2));
    expect(catalog.current().coupons).toHaveLength(1);
    expect((await openCatalog()).current()).toMatchObject({
      coupons: [{ id: "c1" }],
      experiments: [{ id: "e1" }, { id: "e2" }],
    });
    await store.delete("experiments", "e1");
    await vi.waitFor(() => expect(catalog.current().experiments).toHaveLength(1));
  });

  it("sees a change made by another process", async () => {
    const catalog = await openCatalog();
    await store.putProduct("p1", { name: "Tea", price: 10 });
    await vi.waitFor(() => expect(catalog.current().indexOf.get("p1")).toBe(0));
    await store.putProduct("p1", { name: "Tea", price: 12, category: "drinks" });
    await store.put("coupons", "c1", { label: "5 off", amountOff: 5 });
    await vi.waitFor(() => expect(catalog.current().coupons).toHaveLength(1));
    const snapshot = catalog.current();
    expect([...snapshot.price]).toEqual([12]);
    expect(snapshot.margin[0]).toBeCloseTo(3.6);
    expect(snapshot.categories[snapshot.category[0]]).toBe("drinks");
    await store.delete("products", "p1");
    await vi.waitFor(() => expect(catalog.current().products).toHaveLength(0));
  });

  it("shows its own write as soon as refresh resolves", async () => {
    const catalog = await openCatalog(60_000);
    const before = catalog.current();
    const underWay = catalog.refresh();
    await store.putProduct("p1", { name: "Tea", price: 10 });
    await catalog.refresh();
    await underWay;
    expect(catalog.current().indexOf.has("p1")).toBe(true);
    expect(before.products).toHaveLength(0);
  });

  it("reads only what changed, and shares the index while no product comes or goes", async () => {
    const catalog = await openCatalog(60_000);
    await store.putProducts([{ id: "a" }, { id: "b", name: "B", price: 1 }]);
    await catalog.refresh();
    const before = catalog.current();
    const everything = vi.spyOn(catalog.store, "getAll");
    await store.putProduct("b", { name: "B", price: 2 });
    await catalog.refresh();
    expect(catalog.current().indexOf).toBe(before.indexOf);
    expect(before.price[1]).toBe(1);
    expect(catalog.current().price[1]).toBe(2);
    await store.putProduct("c", { name: "C", price: 3 });
    await catalog.refresh();
    expect(catalog.current().indexOf.get("c")).toBe(2);
    expect(before.indexOf.has("c")).toBe(false);
    expect(everything).not.toHaveBeenCalled();
  });

  it("loads everything when it is too far behind, or when the store began anew", async () => {
    const catalog = await openCatalog(60_000);
    await store.putProduct("p0", {});
    await catalog.refresh();
    for (let i = 1; i < 600; i++) await store.putProduct(`p${i}`, {});
    await catalog.refresh();
    expect(catalog.current().products).toHaveLength(600);
    await flush();
    await store.putProduct("only", {});
    await catalog.refresh();
    expect(catalog.current().products.map(({ id }) => id)).toEqual(["only"]);
  });

  it("offers only what is active, named, priced, in stock and in season", async () => {
    const catalog = await openCatalog(60_000);
    const season = { from: "2026-03-01", to: "2026-03-31" };
    await store.putProducts([
      { id: "good", name: "Good", price: 1 },
      { id: "free", name: "Free", price: 0 },
      { id: "nameless", price: 1 },
      { id: "off", name: "Off", price: 1, active: false },
      { id: "sold-out", name: "Sold out", price: 1, stock: 0 },
      { id: "spring", name: "Spring", price: 1, season },
    ]);
    await catalog.refresh();
    const snapshot = catalog.current();
    const offered = (day: string) =>
      snapshot.products
        .filter((_, i) => canOffer(snapshot, i, Date.parse(day)))
        .map(({ id }) => id);
    expect(offered("2026-02-28T23:59:59Z")).toEqual(["good"]);
    expect(offered("2026-03-01T00:00:00Z")).toEqual(["good", "spring"]);
    expect(offered("2026-03-31T23:59:59Z")).toEqual(["good", "spring"]);
  });

  it("asks the store nothing for products of which events say nothing new", async () => {
    const catalog = await openCatalog(60_000);
    await catalog.registerSeen([{ id: "p1", name: "Tea", category: "drinks", unitPrice: 2 }]);
    expect(catalog.current().products).toMatchObject([{ id: "p1", source: "event" }]);
    const asked = vi.spyOn(catalog.store, "registerSeen");
    await catalog.registerSeen([{ id: "p1", name: "Other", unitPrice: 3 }]);
    expect(asked).not.toHaveBeenCalled();
  });
});
