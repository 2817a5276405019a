import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import {
  closeRedis,
  connectRedis,
  mastersOf,
  type RedisClient,
  whenReady,
} from "../../src/redis/clients.js";
import { memberKey, PARTITIONS, phoneContactsKey, storeStampKey } from "../../src/redis/keys.js";
import { CONTACTS_RENAMED } from "../../src/redis/rename-contacts.js";
import { openStore, readStamp, writeStamp } from "../../src/redis/store-stamp.js";
import { type TestStore, testTarget } from "../support/redis.js";

const LAYOUT = 1;
let target: TestStore;
let client: RedisClient;

beforeAll(async () => {
  target = await testTarget();
  client = connectRedis(target.target, "work");
  await whenReady(client, 10_000);
});
beforeEach(() => Promise.all(mastersOf(client).map((node) => node.flushall())));
afterAll(async () => {
  closeRedis(client);
  await target.stop();
});

describe("the store's stamp", () => {
  it("is written into an empty store and found again", async () => {
    const first = await openStore(client, "any", LAYOUT);
    expect(first).toMatchObject({ partitions: PARTITIONS, layout: LAYOUT, world: "own" });
    expect(await openStore(client, "any", LAYOUT)).toEqual(first);
  });

  it("keeps the demo world out of a shop's own store, and out of one with strange keys", async () => {
    await openStore(client, "any", LAYOUT);
    await expect(openStore(client, "demo", LAYOUT)).rejects.toThrow(/store_not_empty/);
    await client.del(storeStampKey);
    await client.set(memberKey("somebody"), "else");
    await expect(openStore(client, "demo", LAYOUT)).rejects.toThrow(/store_not_empty/);
    expect(await readStamp(client)).toBeNull();
  });

  it("lets the demo world be opened again, also without asking for it", async () => {
    await openStore(client, "demo", LAYOUT);
    expect((await openStore(client, "demo", LAYOUT)).world).toBe("demo");
    expect((await openStore(client, "any", LAYOUT)).world).toBe("demo");
  });

  it("raises the stamp to a newer server's layout, so that an older one refuses from then on", async () => {
    const first = await openStore(client, "any", LAYOUT);
    expect(await openStore(client, "any", LAYOUT + 1)).toEqual({ ...first, layout: LAYOUT + 1 });
    await expect(openStore(client, "any", LAYOUT)).rejects.toThrow(/store_incompatible/);
  });

  it("lets contacts of numbers count on under the name the newer layout has for them", async () => {
    const phones = Array.from({ length: 50 }, (_, i) => `+86138001380${10 + i}`);
    const stamp = await openStore(client, "any", CONTACTS_RENAMED - 1);
    for (const phone of phones) await client.set(`contacts:{phone:${phone}}`, phone, "EX", 1_000);
    await openStore(client, "any", CONTACTS_RENAMED);
    for (const phone of phones) {
      expect(await client.get(phoneContactsKey(phone))).toBe(phone);
      expect(await client.ttl(phoneContactsKey(phone))).toBeGreaterThan(900);
      expect(await client.exists(`contacts:{phone:${phone}}`)).toBe(0);
    }
    expect(await readStamp(client)).toEqual({ ...stamp, layout: CONTACTS_RENAMED });
  });

  it("refuses another number of partitions and a newer layout", async () => {
    const stamp = await openStore(client, "any", LAYOUT);
    await writeStamp(client, { ...stamp, layout: LAYOUT + 1 });
    await expect(openStore(client, "any", LAYOUT)).rejects.toThrow(/store_incompatible/);
    await writeStamp(client, { ...stamp, partitions: 16 });
    await expect(openStore(client, "any", LAYOUT)).rejects.toThrow(/store_incompatible/);
  });
});
