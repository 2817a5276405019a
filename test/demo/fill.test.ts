import { afterAll, beforeAll, expect, it } from "vitest";
import { Catalog } from "../../src/catalog/catalog.js";
import { fillWorld } from "../../src/demo/fill.js";
import { createDemoWorld } from "../../src/demo/world.js";
import { decodeState } from "../../src/features/state.js";
import { closeRedis, connectRedis, type RedisClient, whenReady } from "../../src/redis/clients.js";
import { openTestCore } from "../support/core.js";
import { startTestRedis, type TestRedis } from "../support/redis.js";

let redis: TestRedis;
let client: RedisClient;
beforeAll(async () => {
  redis = await startTestRedis();
  client = connectRedis(redis.target, "work");
  await whenReady(client, 10_000);
});
afterAll(async () => {
  closeRedis(client);
  await redis.stop();
});

it("a fill that was cut off and repeated leaves every event of the world once", async () => {
  const core = openTestCore(client);
  const catalog = await new Catalog(client).start();
  const world = createDemoWorld({ members: 60, now: Date.now() });
  const target = {
    catalog: catalog.store,
    refreshCatalog: () => catalog.refresh(),
    putMember: core.members.put.bind(core.members),
    ingest: (events: readonly unknown[]) => core.ingest.ingest(events),
  };
  const half = [...world.events()].slice(0, 700);
  await core.ingest.ingest(half);
  await fillWorld(world, target, () => undefined);
  const orders = new Map<string, number>();
  for (const event of world.events()) {
    if (event.type !== "purchase" || typeof event.member !== "string") continue;
    orders.set(event.member, (orders.get(event.member) ?? 0) + 1);
  }
  for (const [member, count] of orders) {
    const { state } = await core.store.read(member);
    expect([member, decodeState(state).orders.count]).toEqual([member, count]);
  }
  catalog.close();
});

it("a fill goes on where a coupon was tried again, and ends with any other refusal", async () => {
  const world = createDemoWorld({ members: 10, now: Date.now() });
  const catalog = await new Catalog(client).start();
  const refusing = (code: "coupon_already_redeemed" | "invalid_phone") => ({
    catalog: catalog.store,
    refreshCatalog: () => catalog.refresh(),
    putMember: async () => undefined,
    ingest: async (events: readonly unknown[]) => ({
      ...{ accepted: events.length - 1, duplicates: 0 },
      rejected: [{ index: 0, code, detail: "" }],
    }),
  });
  const fill = (code: Parameters<typeof refusing>[0]) =>
    fillWorld(world, refusing(code), () => undefined);
  expect(await fill("coupon_already_redeemed")).toMatchObject({ members: 10 });
  await expect(fill("invalid_phone")).rejects.toThrow("invalid_phone");
  catalog.close();
});
