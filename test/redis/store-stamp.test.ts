import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type Contact, decodeContacts, encodeContacts } from "../../src/members/contacts.js";
import { CONTACTS_RENAMED, renameContacts } from "../../src/members/rename-contacts.js";
import {
  closeRedis,
  connectRedis,
  mastersOf,
  type RedisClient,
  whenReady,
} from "../../src/redis/clients.js";
import { memberKey, PARTITIONS, phoneContactsKey, storeStampKey } from "../../src/redis/keys.js";
import { pack } from "../../src/redis/msgpack.js";
import { openStore, readStamp, writeStamp } from "../../src/redis/store-stamp.js";
import { type TestStore, testTarget } from "../support/redis.js";

const LAYOUT = 1;
let target: TestStore;
let client: RedisClient;

const open = (world: "own" | "demo" | "any", layout: number) =>
  openStore(client, world, layout, renameContacts);

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
    const first = await open("any", LAYOUT);
    expect(first).toMatchObject({ partitions: PARTITIONS, layout: LAYOUT, world: "own" });
    expect(await open("any", LAYOUT)).toEqual(first);
  });

  it("keeps the demo world out of a shop's own store, and out of one with strange keys", async () => {
    await open("any", LAYOUT);
    await expect(open("demo", LAYOUT)).rejects.toThrow(/store_not_empty/);
    await client.del(storeStampKey);
    await client.set(memberKey("somebody"), "else");
    await expect(open("demo", LAYOUT)).rejects.toThrow(/store_not_empty/);
    expect(await readStamp(client)).toBeNull();
  });

  it("lets the demo world be opened again, also without asking for it", async () => {
    await open("demo", LAYOUT);
    expect((await open("demo", LAYOUT)).world).toBe("demo");
    expect((await open("any", LAYOUT)).world).toBe("demo");
  });

  it("raises the stamp to a newer server's layout, so that an older one refuses from then on", async () => {
    const first = await open("any", LAYOUT);
    expect(await open("any", LAYOUT + 1)).toEqual({ ...first, layout: LAYOUT + 1 });
    await expect(open("any", LAYOUT)).rejects.toThrow(/store_incompatible/);
  });

  it("lets contacts of numbers count on under the name the newer layout has for them", async () => {
    const phones = Array.from({ length: 50 }, (_, i) => `+86138001380${10 + i}`);
    const stamp = await open("any", CONTACTS_RENAMED - 1);
    for (const phone of phones) await client.set(`contacts:{phone:${phone}}`, phone, "EX", 1_000);
    await open("any", CONTACTS_RENAMED);
    for (const phone of phones) {
      expect(await client.get(phoneContactsKey(phone))).toBe(phone);
      expect(await client.ttl(phoneContactsKey(phone))).toBeGreaterThan(900);
      expect(await client.exists(`contacts:{phone:${phone}}`)).toBe(0);
    }
    expect(await readStamp(client)).toEqual({ ...stamp, layout: CONTACTS_RENAMED });
  });

  it("lets contacts under both names count, where an older server went on after a cut-off start", async () => {
    const phone = "+8613800138000";
    const one = (token: string, at: number): Contact => ({
      ...{ token, at, until: 0, channel: "phone", offer: null },
      ...{ outcome: null, outcomeAt: 0, again: 0 },
    });
    await open("any", CONTACTS_RENAMED - 1);
    await client.set(phoneContactsKey(phone), encodeContacts([one("a", 1)])!, "EX", 1_000);
    const older = pack(["b", 2, 0, "phone", "", "", 0, 0]);
    await client.set(`contacts:{phone:${phone}}`, older, "EX", 5_000);
    await Promise.all([open("any", CONTACTS_RENAMED), open("any", CONTACTS_RENAMED)]);
    const found = decodeContacts(await client.getBuffer(phoneContactsKey(phone)));
    expect(found).toEqual([one("a", 1), one("b", 2)]);
    expect(await client.ttl(phoneContactsKey(phone))).toBeGreaterThan(4_900);
    expect(await client.exists(`contacts:{phone:${phone}}`)).toBe(0);
  });

  it("refuses another number of partitions and a newer layout", async () => {
    const stamp = await open("any", LAYOUT);
    await writeStamp(client, { ...stamp, layout: LAYOUT + 1 });
    await expect(open("any", LAYOUT)).rejects.toThrow(/store_incompatible/);
    await writeStamp(client, { ...stamp, partitions: 16 });
    await expect(open("any", LAYOUT)).rejects.toThrow(/store_incompatible/);
  });
});
