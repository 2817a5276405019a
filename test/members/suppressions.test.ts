import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { decodeRecord, encodeRecord } from "../../src/events/log-record.js";
import { MemberStore } from "../../src/members/member-store.js";
import { suppressionIdentityOf } from "../../src/members/suppression-identity.js";
import { type SuppressionOptions, Suppressions } from "../../src/members/suppressions.js";
import type { RedisClient } from "../../src/redis/clients.js";
import {
  logKey,
  partitionOf,
  suppressionsChangesKey,
  suppressionsKey,
} from "../../src/redis/keys.js";
import { useClient } from "../support/client.js";
import { dump, flush } from "../support/core.js";

let client: RedisClient;
const opened: Suppressions[] = [];

useClient((connected) => {
  client = connected;
});
beforeEach(() => flush(client));
afterEach(() => {
  for (const one of opened.splice(0)) one.close();
});

/** One process's view of the list; it looks by itself hardly ever, unless the test says so. */
async function open(over: Partial<SuppressionOptions> = {}): Promise<Suppressions> {
  const store = new MemberStore(client, 7, encodeRecord);
  const list = new Suppressions({ client, store, secret: undefined, pollMs: 60_000, ...over });
  opened.push(list);
  return list.start();
}

const PHONE = { kind: "phone", value: "+8613900001111" } as const;
const at = Date.UTC(2026, 5, 1);
const asked = { source: "dialer", reason: "do_not_contact", at } as const;
const erased = { source: "erasure", reason: "erasure", at } as const;

const phones = (from: number, count: number) =>
  Array.from({ length: count }, (_, i) => ({
    kind: "phone" as const,
    value: `+86139${String(from + i).padStart(8, "0")}`,
  }));

describe("the suppression list", () => {
  it("counts in another process from its next refresh on, and so does letting in again", async () => {
    const [one, other] = [await open(), await open()];
    expect(other.reasonFor("phone", PHONE.value)).toBeNull();
    await one.put(PHONE, asked);
    expect(one.reasonFor("phone", PHONE.value)).toBe("do_not_contact");
    await other.refresh();
    expect(other.reasonFor("phone", PHONE.value)).toBe("do_not_contact");
    expect(other.version).toBe(one.version);
    expect(await other.get(PHONE)).toMatchObject({ kind: "phone", ...asked });
    expect(await other.remove(PHONE, "letter")).toBe(true);
    expect(await other.remove(PHONE, "letter")).toBe(false);
    await one.refresh();
    expect(one.reasonFor("phone", PHONE.value)).toBeNull();
  });

  it("hears of changes by itself when nobody asks", async () => {
    const [one, other] = [await open(), await open({ pollMs: 20 })];
    await one.put(PHONE, asked);
    while (other.reasonFor("phone", PHONE.value) === null) await sleep(10);
  });

  it("keeps the first word and its time; only an erasure outweighs it, and nothing an erasure", async () => {
    const list = await open();
    await list.put(PHONE, asked);
    const { version } = list;
    await list.put(PHONE, { ...asked, source: "web", at: at + 1 });
    expect(list.version).toBe(version);
    expect(await list.get(PHONE)).toMatchObject(asked);
    await list.put(PHONE, erased);
    await list.put(PHONE, asked);
    expect(await list.get(PHONE)).toMatchObject(erased);
    expect(list.isErased("phone", PHONE.value)).toBe(true);
  });

  it("knows of erasures as they come and go, one by one and all at once", async () => {
    const [one, other] = [await open(), await open()];
    await one.put(PHONE, asked);
    await other.refresh();
    for (let round = 0; round < 2; round++) {
      await one.put(PHONE, erased);
      await other.refresh();
      expect(other.isErased("phone", PHONE.value)).toBe(true);
      expect((await open()).isErased("phone", PHONE.value)).toBe(true);
      await one.remove(PHONE, "test");
      await other.refresh();
      expect(other.isErased("phone", PHONE.value)).toBe(false);
    }
  });

  it("reads everything again when the changes it missed were trimmed, or the store was lost", async () => {
    const [one, other] = [await open(), await open()];
    await one.put(PHONE, asked);
    await other.refresh();
    await one.putAll(phones(0, 300), asked);
    await client.xtrim(suppressionsChangesKey, "MAXLEN", 1);
    await other.refresh();
    for (const { kind, value } of phones(0, 300)) {
      expect(other.reasonFor(kind, value)).toBe("do_not_contact");
    }
    await flush(client);
    await other.refresh();
    expect(other.reasonFor("phone", PHONE.value)).toBeNull();
    await other.put(PHONE, asked);
    await one.refresh();
    expect(one.reasonFor("phone", PHONE.value)).toBe("do_not_contact");
  });

  it("follows many changes at once in their order", async () => {
    const [one, other] = [await open(), await open()];
    await one.put(PHONE, asked);
    await other.refresh();
    await one.putAll(phones(0, 1500), asked);
    for (const identity of phones(0, 40)) await one.remove(identity, "test");
    await Promise.all([other.refresh(), other.refresh()]);
    const listed = phones(0, 1500).filter(
      ({ kind, value }) => other.reasonFor(kind, value) !== null,
    );
    expect(listed).toEqual(phones(40, 1460));
  });

  it("is shown page by page, as hashes and never whom they name", async () => {
    const list = await open();
    await list.putAll(phones(0, 700), asked);
    const hashes = new Set<string>();
    let cursor: string | undefined;
    do {
      const page = await list.list(cursor === undefined ? { limit: 50 } : { limit: 50, cursor });
      for (const { hash, kind, source } of page.items) {
        expect([hash.length, kind, source]).toEqual([22, "phone", "dialer"]);
        hashes.add(hash);
      }
      cursor = page.nextCursor ?? undefined;
    } while (cursor !== undefined);
    expect(hashes.size).toBe(700);
    await expect(list.list({ limit: 5, cursor: "x" })).rejects.toMatchObject({
      code: "invalid_request",
    });
    expect(await dump(client)).not.toContain("86139");
  });

  it("refuses what goes beyond its room, and then nothing of it is listed", async () => {
    const list = await open({ maxEntries: 3 });
    await list.putAll(phones(0, 2), asked);
    await expect(list.putAll(phones(10, 2), asked)).rejects.toMatchObject({ code: "store_full" });
    expect(list.reasonFor("phone", phones(10, 1)[0]!.value)).toBeNull();
    await list.putAll(phones(1, 2), asked);
    expect(await client.hlen(suppressionsKey)).toBe(3);
  });

  it("writes each change to the log, from which another list is made with the same secret", async () => {
    const secret = "a secret of sixteen";
    const list = await open({ secret });
    await list.put(PHONE, asked);
    const hash = list.hashOf(PHONE);
    const entries = await client.xrange(logKey(partitionOf(hash)), "-", "+");
    const record = decodeRecord(entries[0]![1][1]!);
    if (record.kind !== "suppression") throw new Error("a suppression is expected");
    expect(record).toMatchObject({ hash, on: true, of: "phone", ...asked });
    await flush(client);
    const stranger = await open();
    expect(stranger.isOurs(record)).toBe(false);
    await flush(client);
    const next = await open({ secret });
    expect(next.isOurs(record)).toBe(true);
    await next.restore([{ ...asked, hash, kind: "phone" }]);
    expect(next.reasonFor("phone", PHONE.value)).toBe("do_not_contact");
    await list.remove(PHONE, "test");
    const last = (await client.xrange(logKey(partitionOf(hash)), "-", "+")).at(-1)!;
    expect(decodeRecord(last[1][1]!)).toMatchObject({ hash, on: false, source: "test" });
  });

  it("does not start with a secret that is not the one it was made with", async () => {
    await open({ secret: "a secret of sixteen" });
    await expect(open({ secret: "another of sixteen" })).rejects.toMatchObject({
      code: "config_invalid",
    });
    await open();
  });

  it("answers nobody before it was read once", () => {
    const store = new MemberStore(client, 7, encodeRecord);
    const list = new Suppressions({ client, store, secret: undefined });
    expect(() => list.reasonFor("phone", PHONE.value)).toThrow("store_unavailable");
    expect(list.isErased("phone", PHONE.value)).toBe(false);
  });
});

describe("an identity", () => {
  it.each([
    ["phone:+86 139 0000 1111", "phone", "+8613900001111"],
    ["+8613900001111", "phone", "+8613900001111"],
    ["phone:139 0000 1111", "phone", "+8613900001111"],
    ["email:Lin@Example.com", "email", "lin@example.com"],
    ["Lin@Example.com", "email", "lin@example.com"],
    ["member:m:1@x", "member", "m:1@x"],
    ["account:A-1", "account", "A-1"],
  ])("is recognised in %s", (text, kind, value) => {
    expect(suppressionIdentityOf(text, "CN")).toEqual({ kind, value });
  });

  it.each(["m_1", "phone:", "email:none", "visitor:v1", "@", "phone:12", "+12"])(
    "is not guessed from %s",
    (text) => {
      expect(() => suppressionIdentityOf(text, "CN")).toThrow(/invalid_(request|phone)/);
    },
  );
});
