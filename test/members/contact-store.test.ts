import fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import type { CapConfig } from "../../src/config.js";
import type { ContactStore } from "../../src/members/contact-store.js";
import {
  CONTACTS_MAX,
  type Contact,
  decodeContacts,
  encodeContacts,
  liveContacts,
  outcomeCode,
  unionContacts,
} from "../../src/members/contacts.js";
import type { ContactPolicy } from "../../src/policy/contact-policy.js";
import type { RedisClient } from "../../src/redis/clients.js";
import { memberKey, partitionOf, phoneContactsKey } from "../../src/redis/keys.js";
import { pack } from "../../src/redis/msgpack.js";
import { useClient } from "../support/client.js";
import { aPolicy, claim, onceADay, openContacts } from "../support/contacts.js";
import { flush, idElsewhere, openTestCore, type TestCore } from "../support/core.js";

const NOW = Date.now();
const DAY_MS = 86_400_000;
const PHONE = "+8613800138000";
let client: RedisClient;
let core: TestCore;
let contacts: ContactStore;

useClient((connected) => {
  client = connected;
});
beforeEach(async () => {
  await flush(client);
  core = openTestCore(client);
  contacts = openContacts(client, (from) => core.members.finishMerge(from));
  for (const id of ["m1", "m2"]) await core.members.put(id, { name: id });
});

const of = async (id: string): Promise<Contact[]> =>
  decodeContacts((await core.store.readThrough(id)).contacts);
const address = (token: string, over = {}) => ({
  member: "m1",
  phone: PHONE as string | null,
  token,
  channel: "phone",
  offer: null as string | null,
  ...over,
});

describe("reserving a contact", () => {
  it("lets one of 200 claims at once pass, at the number and at the member alike", async () => {
    const claims = Array.from({ length: 200 }, (_, i) =>
      claim(contacts, i % 2 === 0 ? "m1" : "m2", `d_${i}`, { phone: PHONE }),
    );
    const results = await Promise.all(claims);
    expect(results.filter(({ status }) => status === "ok")).toHaveLength(1);
    const bars = results.flatMap((one) => (one.status === "barred" ? [one.code] : []));
    expect(new Set(bars)).toEqual(new Set(["cap_phone"]));
    expect((await of("m1")).length + (await of("m2")).length).toBe(1);
    const [atPhone] = await contacts.phoneContacts([PHONE]);
    expect(atPhone).toHaveLength(1);
  });

  it("lets one of 200 pass at a member who is called on many numbers", async () => {
    const results = await Promise.all(
      Array.from({ length: 200 }, (_, i) =>
        claim(contacts, "m1", `d_${i}`, { phone: `+86138001380${String(i).padStart(2, "0")}` }),
      ),
    );
    expect(results.filter(({ status }) => status === "ok")).toHaveLength(1);
    // Places at the numbers of those who lost were given back.
    const phones = Array.from(
      { length: 100 },
      (_, i) => `+86138001380${String(i).padStart(2, "0")}`,
    );
    expect((await contacts.phoneContacts(phones)).flat()).toHaveLength(1);
  });

  it("answers the same for the same token, and holds one place", async () => {
    const same = await Promise.all(
      [1, 2, 3].map(() => claim(contacts, "m1", "d_1", { phone: PHONE })),
    );
    expect(same.map(({ status }) => status)).toEqual(["ok", "ok", "ok"]);
    expect(await of("m1")).toHaveLength(1);
    expect((await claim(contacts, "m1", "d_2", { phone: PHONE })).status).toBe("barred");
    expect((await claim(contacts, "m1", "d_1", { phone: PHONE })).status).toBe("ok");
  });

  it("says what bars it and until when, and the place comes back at that instant", async () => {
    await claim(contacts, "m1", "d_1", { phone: PHONE, now: NOW, seconds: 60 });
    const until = NOW + 60_000;
    expect(await claim(contacts, "m1", "d_2", { now: NOW + 1 })).toEqual({
      status: "barred",
      code: "cap_member",
      until,
    });
    expect((await claim(contacts, "m1", "d_2", { phone: PHONE, now: until - 1 })).status).toBe(
      "barred",
    );
    expect((await claim(contacts, "m1", "d_2", { phone: PHONE, now: until })).status).toBe("ok");
  });

  it("lets the place left at the number by a process that died come back by expiry", async () => {
    // As if killed between its two steps: the number's place is taken, the member's is not.
    const dying = openContacts(client);
    Object.assign(dying, { atMember: () => new Promise(() => undefined) });
    void claim(dying, "m1", "d_1", { phone: PHONE, now: NOW, seconds: 60 });
    await expect.poll(async () => (await contacts.phoneContacts([PHONE])).flat()).toHaveLength(1);
    expect(await of("m1")).toEqual([]);
    expect((await claim(contacts, "m2", "d_2", { phone: PHONE, now: NOW + 1 })).status).toBe(
      "barred",
    );
    const after = { phone: PHONE, now: NOW + 60_000 };
    expect((await claim(contacts, "m2", "d_2", after)).status).toBe("ok");
  });

  it("gives the number's place back when the member refuses", async () => {
    await core.members.erase("m2");
    await expect(claim(contacts, "m2", "d_1", { phone: PHONE })).rejects.toMatchObject({
      code: "member_erased",
    });
    await expect(
      contacts.confirm({ ...address("d_3", { member: "m2" }), at: NOW }),
    ).rejects.toMatchObject({ code: "member_erased" });
    await expect(claim(contacts, "nobody", "d_2", { phone: PHONE })).rejects.toMatchObject({
      code: "member_unknown",
    });
    expect(await client.exists(phoneContactsKey(PHONE))).toBe(0);
  });

  it("raises the version, so that a writer who read before writes again", async () => {
    const before = await core.store.read("m1");
    await claim(contacts, "m1", "d_1");
    const write = { id: "m1", expectedVersion: before.version, profile: null };
    const [stale] = await core.store.commit([
      { partition: partitionOf("m1"), members: [write], records: [], claims: [] },
    ]);
    expect(stale!.status).toBe("stale");
  });
});

/** As they were packed before, and may still stand. */
const eightValuesEach = (all: Contact[]): Buffer =>
  pack(
    all.flatMap((one) => [
      ...[one.token, one.at, one.until, one.channel, one.offer ?? ""],
      ...[outcomeCode(one.outcome), one.outcomeAt, one.again],
    ]),
  );

describe("the script", () => {
  const instant = fc.integer({ min: NOW - 9 * DAY_MS, max: NOW });
  const anyContact: fc.Arbitrary<Contact> = fc.record({
    token: fc.integer({ min: 0, max: 500 }).map((n) => `d_${n}`),
    at: instant,
    until: fc.oneof(fc.constant(0), fc.constant(1), instant, fc.constant(NOW + 60_000)),
    channel: fc.constantFrom("phone", "sms", "电话"),
    offer: fc.constantFrom("p1", "p2", null),
    outcome: fc.constantFrom<Contact["outcome"][]>(
      null,
      null,
      null,
      "accepted",
      "refused",
      "later",
    ),
    outcomeAt: instant,
    again: fc.oneof(instant, fc.constant(NOW + 60_000)),
  });
  const contactArbitrary = anyContact.map((one) =>
    one.outcome === null ? { ...one, outcomeAt: 0, again: 0 } : one,
  );
  const policyArbitrary = fc
    .array(
      fc.record({
        per: fc.constantFrom("member", "phone"),
        channel: fc.constantFrom("phone", "sms", undefined),
        offer: fc.boolean(),
        max: fc.integer({ min: 1, max: 6 }),
        window: fc.oneof(
          fc.constantFrom("1h", "24h", "7d").map((rolling) => ({ rolling })),
          fc.constantFrom("day", "week", "month").map((calendar) => ({ calendar })),
        ),
      }),
      { maxLength: 6 },
    )
    .map((caps) => aPolicy({ caps: caps as CapConfig[], coolDownDays: 1 }));

  it("counts as the code does, and keeps the same ones of too many", async () => {
    const key = memberKey("m1");
    const sets = fc.array(contactArbitrary, { maxLength: 90 });
    const channels = fc.constantFrom("phone", "sms");
    const offers = fc.constantFrom("p1", null);
    const run = async (
      all: Contact[],
      policy: ContactPolicy,
      channel: string,
      offer: string | null,
      form: (contacts: Contact[]) => Buffer | null,
    ): Promise<void> => {
      const known = unionContacts(all, []);
      await client.hset(key, "c", form(known) ?? pack([]));
      const bar = policy.capBar(known, [], channel, offer, NOW);
      const limits = policy.limits(channel, offer, NOW);
      const request = { ...address("new", { phone: null, channel, offer }), limits };
      const result = await contacts.reserve({ ...request, nowMs: NOW, untilMs: NOW + 1 });
      expect(result).toEqual(bar === null ? { status: "ok" } : { status: "barred", ...bar });
      if (bar !== null) return;
      const added = { ...known[0], token: "new", at: NOW, until: NOW + 1, channel, offer };
      const fresh = { ...added, outcome: null, outcomeAt: 0, again: 0 };
      const live = liveContacts(known, NOW, onceADay.keptMs);
      expect(await of("m1")).toEqual(unionContacts(live, [fresh]));
    };
    const forms = fc.constantFrom(encodeContacts, eightValuesEach);
    await fc.assert(fc.asyncProperty(sets, policyArbitrary, channels, offers, forms, run), {
      numRuns: 150,
    });
  });
});

describe("a contact made", () => {
  it("confirms its reservation and counts once, whatever is repeated", async () => {
    await claim(contacts, "m1", "d_1", { phone: PHONE, now: NOW });
    expect(await contacts.confirm({ ...address("d_1"), at: NOW + 5000 })).toBe(true);
    expect(await contacts.confirm({ ...address("d_1"), at: NOW + 5000 })).toBe(true);
    await contacts.release(address("d_1"));
    expect(await of("m1")).toMatchObject([{ token: "d_1", at: NOW + 5000, until: 0 }]);
    expect((await contacts.phoneContacts([PHONE]))[0]).toHaveLength(1);
  });

  it("is counted when its reservation expired, and says so", async () => {
    await claim(contacts, "m1", "d_1", { now: NOW - 10_000, seconds: 5 });
    expect(await contacts.confirm({ ...address("d_1"), at: NOW })).toBe(false);
    expect((await claim(contacts, "m1", "d_2")).status).toBe("barred");
  });

  it("that was only reserved is given back by a release", async () => {
    await claim(contacts, "m1", "d_1", { phone: PHONE });
    await contacts.release(address("d_1"));
    expect(await of("m1")).toEqual([]);
    expect((await claim(contacts, "m2", "d_2", { phone: PHONE })).status).toBe("ok");
  });

  it("is the one that was counted under the longer digest of an older form", async () => {
    const longer = ["e_ABCDEFGHIJKLMNOP", NOW - 5000, 0, "phone", "", "", 0, 0];
    await client.hset(memberKey("m1"), "c", pack(longer));
    const shorter = address("e_ABCDEFGHIJKL", { phone: null });
    expect(await contacts.confirm({ ...shorter, at: NOW - 5000 })).toBe(true);
    expect(await of("m1")).toMatchObject([{ token: shorter.token }]);
  });

  it("keeps at most 64, the calls among them under a flood of messages", async () => {
    await contacts.record({ ...address("call", { phone: null }), at: NOW - 3_600_000 });
    for (let i = 0; i < CONTACTS_MAX + 6; i++) {
      const push = address(`push_${i}`, { phone: null, channel: "app" });
      await contacts.record({ ...push, at: NOW - 1000 + i });
    }
    const kept = await of("m1");
    expect(kept).toHaveLength(CONTACTS_MAX);
    expect(kept[0]!.token).toBe("call");
  });
});

describe("an outcome", () => {
  const later = (token: string, outcomeAt: number, over = {}) => ({
    ...address(token, { offer: "p1", phone: null, ...over }),
    outcome: "later" as const,
    outcomeAt,
    again: outcomeAt + 1000,
    counts: true,
  });

  it("later twice is a refusal, in whichever order the two arrive", async () => {
    await contacts.outcome(later("d_2", NOW - 1000));
    await contacts.outcome(later("d_1", NOW - 9000));
    await contacts.outcome(later("d_2", NOW - 1000));
    expect(await of("m1")).toMatchObject([
      { token: "d_1", outcome: "later" },
      { token: "d_2", outcome: "refused", again: 0 },
    ]);
    await contacts.outcome({ ...later("d_3", NOW - 500), offer: "p2" });
    expect((await of("m1"))[2]).toMatchObject({ token: "d_3", outcome: "later" });
  });

  it("of a call that came in bars by its refusal, and takes no place", async () => {
    const refused = { outcome: "refused", outcomeAt: NOW, counts: false } as const;
    await contacts.outcome({ ...address("d_1", { offer: "p1" }), ...refused });
    expect((await contacts.phoneContacts([PHONE]))[0]).toEqual([]);
    const record = await of("m1");
    expect(onceADay.capBar(record, [], "sms", null, NOW + 1)).toBeNull();
    expect(onceADay.capBar(record, [], "sms", "p1", NOW + 1)?.code).toBe("cool_down");
    expect(await claim(contacts, "m1", "d_2", { now: NOW + 1 })).toMatchObject({
      status: "barred",
      code: "cool_down",
    });
  });

  it("counts a reservation as made, and of several the latest stands", async () => {
    await claim(contacts, "m1", "d_1", { phone: PHONE, now: NOW - 2000 });
    const base = { ...address("d_1"), counts: true };
    await contacts.outcome({ ...base, outcome: "accepted", outcomeAt: NOW });
    await contacts.outcome({ ...base, outcome: "refused", outcomeAt: NOW - 1000 });
    expect(await of("m1")).toMatchObject([{ until: 0, outcome: "accepted", outcomeAt: NOW }]);
    expect((await contacts.phoneContacts([PHONE]))[0]).toMatchObject([{ until: 0 }]);
  });
});

describe("members who are one", () => {
  it("share one cap once they are merged, across slots", async () => {
    const other = idElsewhere("x", "m1");
    await core.members.put(other, { name: "other" });
    await contacts.record({ ...address("d_1", { member: other, phone: null }), at: NOW });
    await core.members.merge("m1", other);
    expect(await of("m1")).toMatchObject([{ token: "d_1" }]);
    expect((await core.store.read(other)).contacts).toBeNull();
    for (const id of ["m1", other]) {
      expect(await claim(contacts, id, `d_${id}`)).toMatchObject({ code: "cap_member" });
    }
  });

  it("never lose or double a contact while claims, events and the merge go on at once", async () => {
    const other = idElsewhere("x", "m1");
    await core.members.put(other, { name: "other" });
    const tokens = Array.from({ length: 20 }, (_, i) => `d_${i}`);
    const made = tokens.map((token, i) =>
      contacts.record({
        ...address(token, { member: i % 2 === 0 ? "m1" : other, phone: null }),
        at: NOW - i,
      }),
    );
    await Promise.all([...made, core.members.merge("m1", other)]);
    expect((await of("m1")).map(({ token }) => token).sort()).toEqual(tokens.sort());
  });

  it("are not counted apart in a merge that was cut off", async () => {
    const other = idElsewhere("x", "m1");
    await core.members.put(other, { name: "other" });
    await contacts.record({ ...address("d_1", { member: other, phone: null }), at: NOW });
    const source = await core.store.read(other);
    await core.store.commit([
      {
        partition: partitionOf(other),
        members: [{ id: other, expectedVersion: source.version, redirect: "m1" }],
        records: [],
        claims: [],
      },
    ]);
    expect(await claim(contacts, other, "d_2")).toMatchObject({ code: "cap_member" });
  });
});
