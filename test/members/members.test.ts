import fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import { encodeRecord } from "../../src/events/log-record.js";
import { encodeState } from "../../src/features/state.js";
import { isUnfinished, MemberStore } from "../../src/members/member-store.js";
import type { Consent, MemberInput } from "../../src/members/profile.js";
import { consentOf } from "../../src/policy/consent.js";
import type { RedisClient } from "../../src/redis/clients.js";
import { aPurchase } from "../support/builders.js";
import { useClient } from "../support/client.js";
import {
  DEDUPE_DAYS,
  dump,
  dyingStore,
  flush,
  foldAll,
  idElsewhere,
  logOf,
  openTestCore,
  pendingOf,
  stateOf,
  type TestCore,
} from "../support/core.js";

let client: RedisClient;
let core: TestCore;

useClient((connected) => {
  client = connected;
});
beforeEach(async () => {
  await flush(client);
  core = openTestCore(client);
});

const PHONE = "+8613812345678";
const OTHER = "+8613900000000";
const a = "a";
const b = idElsewhere("b", a);
const c = idElsewhere("c", a, b);

const put = (id: string, input: MemberInput = {}) => core.members.put(id, input);
const patch = (id: string, input: MemberInput) => core.members.patch(id, input);
const profileOf = async (id: string) => (await core.members.get(id)).profile!;
const idBy = async (phone: string) => (await core.members.resolve({ phone }))?.record.id;
const buy = (id: string, n: number) =>
  core.writer.write([
    { events: [pendingOf(id, aPurchase(n, [`p${n}`], { id: `e${n}`, order: `o${n}` }))] },
  ]);
const bought = async (id: string) => (await stateOf(core, id)).orders.count;
const identityKeys = async () =>
  (await dump(client)).split("\n").filter((line) => line.startsWith("i:"));

describe("a member's record", () => {
  it("is replaced by PUT, changed by PATCH, and keeps when it was made", async () => {
    const first = await put(a, {
      name: "Ann",
      tags: ["vip"],
      attributes: { plan: "gold", age: 3 },
    });
    await patch(a, { email: " Ann@Example.com ", attributes: { age: 4 } });
    expect(await profileOf(a)).toMatchObject({
      id: a,
      name: "Ann",
      email: "ann@example.com",
      tags: ["vip"],
      attributes: { plan: "gold", age: 4 },
      createdAt: first.createdAt,
    });
    const replaced = await put(a, { name: "Anna" });
    expect(Object.keys(replaced).sort()).toEqual(["createdAt", "id", "name", "updatedAt"]);
    expect(replaced.createdAt).toBe(first.createdAt);
  });

  it("is protected until a word against it, however often it is replaced without one", async () => {
    const protection = {
      doNotContact: true,
      vulnerable: true,
      personalization: "off" as const,
    };
    await put(a, { name: "Ann", ...protection });
    expect(await put(a, { name: "Anna" })).toMatchObject({ name: "Anna", ...protection });
    expect(await patch(a, { doNotContact: false })).toMatchObject({
      ...protection,
      doNotContact: false,
    });
    const lifted = { vulnerable: false, personalization: "on" as const };
    expect(await put(a, { name: "Ann", ...lifted })).toMatchObject(lifted);
    expect(await put(a, { name: "Ann" })).not.toHaveProperty("doNotContact");
  });

  it("is unknown until something is written, and known from an event alone", async () => {
    await expect(core.members.get(a)).rejects.toMatchObject({ code: "member_unknown" });
    expect(await core.members.resolve(a)).toBeNull();
    await buy(a, 1);
    expect(await core.members.get(a)).toMatchObject({ id: a, profile: null });
  });

  it("refuses a phone nobody can dial and writes nothing", async () => {
    await expect(put(a, { phone: "12" })).rejects.toMatchObject({ code: "invalid_phone" });
    await expect(put(a, { phones: [PHONE, "x"] })).rejects.toMatchObject({ code: "invalid_phone" });
    expect(await dump(client)).toBe("");
  });

  it("keeps every write of many who patch at once", async () => {
    await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        openTestCore(client).members.patch(a, { attributes: { [`n${i}`]: i } }),
      ),
    );
    expect(Object.keys((await profileOf(a)).attributes!)).toHaveLength(20);
  });

  it("leaves one log record for each write, saying the same as the store", async () => {
    await put(a, { name: "Ann" });
    await patch(a, { locale: "zh" });
    const log = await logOf(client, a);
    expect(log.map(({ kind }) => kind)).toEqual(["profile", "profile"]);
    expect(log[1]).toMatchObject({ member: a, subject: a, profile: await profileOf(a) });
  });
});

describe("identities", () => {
  it("find a member by any spelling of the phone", async () => {
    expect((await put(a, { phone: "138-1234-5678" })).phone).toBe(PHONE);
    for (const spelling of [
      "13812345678",
      "0086 138 1234 5678",
      "+86 138 1234 5678",
      "１３８１２３４５６７８",
    ]) {
      expect(await idBy(spelling)).toBe(a);
    }
  });

  it("move with the profile: the old phone no longer leads to the member", async () => {
    await put(a, { phone: PHONE, email: "a@x.org" });
    await patch(a, { phone: OTHER });
    expect([await idBy(PHONE), await idBy(OTHER)]).toEqual([undefined, a]);
    await put(b, { phone: PHONE });
    expect(await idBy(PHONE)).toBe(b);
    await put(a, { name: "Ann" });
    expect(await idBy(OTHER)).toBeUndefined();
    expect(await identityKeys()).toHaveLength(1);
  });

  it("lead nobody astray when the record stands but no profile names it", async () => {
    await put(a, { phone: OTHER });
    await core.identities.link({ kind: "phone", value: PHONE }, a);
    await core.identities.link({ kind: "phone", value: PHONE }, "nobody");
    expect(await core.members.resolve({ phone: PHONE })).toBeNull();
  });

  it("shared by two name both, the latest first", async () => {
    await put(a, { phone: PHONE });
    await new Promise((resolve) => setTimeout(resolve, 2));
    await put(b, { phone: PHONE });
    expect((await core.members.resolve({ phone: PHONE }))?.candidates).toEqual([b, a]);
  });

  it("survive writers who give and take the same phone at once", async () => {
    for (let round = 0; round < 5; round++) {
      await Promise.all(
        Array.from({ length: 8 }, (_, i) =>
          openTestCore(client).members.put(a, { phone: i % 2 === 0 ? PHONE : OTHER }),
        ),
      );
      const { phone } = await profileOf(a);
      expect(await idBy(phone!)).toBe(a);
      expect(await identityKeys()).toHaveLength(1);
    }
  });

  it("of nobody are nobody, and no error", async () => {
    expect(await core.members.resolve({ phone: "anonymous" })).toBeNull();
    expect(await core.members.resolve({ phone: "not a phone" })).toBeNull();
    expect(await core.members.resolve({ visitor: "never seen" })).toBeNull();
  });
});

describe("consents", () => {
  const word = (status: Consent["status"], at: number, channel = "sms"): Consent => ({
    channel,
    purpose: "marketing",
    status,
    at,
  });
  const statusOf = async (channel = "sms") =>
    (await profileOf(a)).consents
      ?.filter((one) => one.channel === channel)
      .map((one) => one.status);

  it("are replaced by PUT", async () => {
    await put(a, { consents: [word("granted", 1), word("granted", 1, "phone")] });
    await put(a, { consents: [word("denied", 2)] });
    expect(await profileOf(a)).toMatchObject({ consents: [word("denied", 2)] });
  });

  it("refused stay refused under a PUT that says nothing of them, or something older", async () => {
    await put(a, { consents: [word("revoked", 1000), word("granted", 1000, "phone")] });
    await put(a, { name: "Ann" });
    expect((await profileOf(a)).consents).toEqual([word("revoked", 1000)]);
    await put(a, { consents: [word("granted", 0)] });
    expect(await statusOf()).toEqual(["revoked"]);
    await put(a, { consents: [word("granted", 1001)] });
    expect(await statusOf()).toEqual(["granted"]);
  });

  it("are joined by PATCH, channel and purpose by themselves", async () => {
    await put(a, { consents: [word("granted", 1), word("granted", 1, "phone")] });
    await patch(a, {
      consents: [word("revoked", 2), { ...word("denied", 2), purpose: "service" }],
    });
    expect((await profileOf(a)).consents).toHaveLength(3);
    expect(await statusOf("phone")).toEqual(["granted"]);
    expect(await statusOf()).toEqual(["revoked", "denied"]);
  });

  it("follow the latest word, also when an older one arrives later", async () => {
    await put(a, { consents: [word("revoked", 1000)] });
    await patch(a, { consents: [word("granted", 500)] });
    expect(await statusOf()).toEqual(["revoked"]);
    await patch(a, { consents: [word("granted", 2000)] });
    expect(await statusOf()).toEqual(["granted"]);
  });

  it("refuse when two words come at one time, in either order", async () => {
    for (const consents of [
      [word("granted", 5), word("denied", 5)],
      [word("denied", 5), word("granted", 5)],
    ]) {
      await put(a, { consents });
      expect(await statusOf()).toEqual(["denied"]);
    }
  });

  it("that say yes in every night's list, without a time, lift no refusal told since", async () => {
    const yes = { channel: "sms", purpose: "marketing", status: "granted" as const };
    await put(a, { consents: [{ ...yes, at: 1 }] });
    for (const [i, channel] of ["sms", "SMS", "all"].entries()) {
      await patch(a, { consents: [{ ...yes, channel, status: "revoked", at: 1000 * i + 10 }] });
      await put(a, { consents: [yes] });
      await patch(a, { consents: [yes] });
      expect(consentOf(await profileOf(a), "sms", "marketing")!.status).toBe("revoked");
      await patch(a, { consents: [{ ...yes, at: 1000 * i + 11 }] });
      expect(consentOf(await profileOf(a), "sms", "marketing")!.status).toBe("granted");
    }
  });

  it("said again without a time keep the time they had", async () => {
    const yes = { channel: "sms", purpose: "marketing", status: "granted" as const };
    await put(a, { consents: [{ ...yes, at: 1000 }] });
    await put(a, { consents: [yes] });
    expect((await profileOf(a)).consents).toEqual([word("granted", 1000)]);
  });

  it("from the future count as of now, so that a refusal tomorrow still counts", async () => {
    await put(a, { consents: [word("granted", Date.now() + 1e12)] });
    await patch(a, { consents: [{ channel: "sms", purpose: "marketing", status: "revoked" }] });
    expect(await statusOf()).toEqual(["revoked"]);
  });
});

describe("merging", () => {
  it("unites history and profile, and leads reads and writes by the old id to the target", async () => {
    await put(a, { name: "A", phone: PHONE, vulnerable: true });
    await put(b, { name: "B", phone: OTHER, email: "b@x.org" });
    await buy(a, 1);
    await buy(b, 2);
    await core.members.merge(b, a);
    expect(await core.members.get(a)).toMatchObject({ id: b });
    expect(await profileOf(a)).toMatchObject({ id: b, name: "B", vulnerable: true });
    expect((await profileOf(a)).phones).toEqual([PHONE, OTHER]);
    expect([await idBy(PHONE), await idBy(OTHER), await bought(a)]).toEqual([b, b, 2]);
    await patch(a, { name: "A2", phone: "+8613700000000" });
    await buy(a, 3);
    expect(await profileOf(b)).toMatchObject({ id: b, name: "A2" });
    expect([await idBy("+8613700000000"), await idBy(PHONE), await bought(b)]).toEqual([
      b,
      undefined,
      3,
    ]);
  });

  it("PUT on one part leaves the other part alone", async () => {
    await put(a, { tags: ["a"], accounts: ["A"] });
    await put(b, { tags: ["b"] });
    await core.members.merge(b, a);
    await put(b, { tags: ["c"] });
    expect(await profileOf(b)).toMatchObject({ tags: ["a", "c"], accounts: ["A"] });
  });

  it("of three members comes to the same in any order", async () => {
    const ids = [a, b, c];
    const inputs: MemberInput[] = [
      { name: "A", phone: PHONE, tags: ["x"], attributes: { k: 1 } },
      { email: "b@x.org", tags: ["y"], doNotContact: true, attributes: { k: 2, l: 1 } },
      { phone: OTHER, accounts: ["C"], personalization: "off" },
    ];
    const results: unknown[] = [];
    // Each pair is (target, source); the third says where all ends up.
    const orders: [string, string][][] = [
      [
        [a, b],
        [a, c],
      ],
      [
        [a, c],
        [a, b],
      ],
      [
        [b, c],
        [a, b],
      ],
      [
        [c, b],
        [a, c],
      ],
    ];
    for (const order of orders) {
      await flush(client);
      for (const [i, id] of ids.entries()) {
        await put(id, inputs[i]!);
        await buy(id, i + 1);
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
      for (const [target, source] of order) await core.members.merge(target, source);
      const { merged, createdAt: _, updatedAt: __, ...profile } = await profileOf(a);
      const { decays, ...state } = await stateOf(core, a);
      const sums = decays.sums.map((sum) => sum.toFixed(6));
      results.push({ profile, state, sums, parts: merged!.map(({ id }) => id).sort() });
      for (const id of ids) expect(await core.members.get(id)).toMatchObject({ id: a });
    }
    for (const result of results) expect(result).toEqual(results[0]);
  });

  it("follows a chain, and flattens it", async () => {
    for (const [n, id] of [a, b, c].entries()) await buy(id, n);
    await core.members.merge(b, a);
    await core.members.merge(c, b);
    expect((await core.store.read(a)).redirect).toBe(c);
    expect([await bought(a), await bought(b), await bought(c)]).toEqual([3, 3, 3]);
  });

  it("holds for members without a profile and for members without events", async () => {
    await buy(a, 1);
    await put(b, { name: "B" });
    await core.members.merge(b, a);
    expect([(await profileOf(a)).name, await bought(b)]).toEqual(["B", 1]);
    await put(c, {});
    await core.members.merge(c, b);
    expect([(await profileOf(a)).name, await bought(c)]).toEqual(["B", 1]);
  });

  it("is refused with oneself, twice, and with the unknown and the erased", async () => {
    const merge = (target: string, source: string) =>
      expect(core.members.merge(target, source)).rejects;
    await put(a);
    await put(b);
    await put(c);
    await merge(a, a).toMatchObject({ code: "merge_invalid" });
    await merge(a, "nobody").toMatchObject({ code: "member_unknown" });
    await merge("nobody", a).toMatchObject({ code: "member_unknown" });
    await core.members.merge(b, a);
    await merge(b, a).toMatchObject({ code: "merge_invalid" });
    await merge(c, a).toMatchObject({ code: "merge_invalid" });
    await merge(a, b).toMatchObject({ code: "merge_invalid" });
    await core.members.erase(c);
    await merge(c, b).toMatchObject({ code: "member_erased" });
    await merge(b, c).toMatchObject({ code: "member_erased" });
  });

  const finishers: [name: string, finish: () => Promise<unknown>][] = [
    ["an event to the source", () => buy(a, 3)],
    ["a profile written to the source", () => patch(a, { locale: "zh" })],
    ["the merge again", () => core.members.merge(b, a).catch(() => undefined)],
    [
      "a merge of the target",
      async () => {
        await put(c, {});
        await core.members.merge(c, b);
        await patch(a, { locale: "zh" });
      },
    ],
  ];
  for (const [name, finish] of finishers) {
    it.each([1, 2])(`cut off after step %i is finished by ${name}`, async (commits) => {
      await put(a, { name: "A", phone: PHONE });
      await put(b, { name: "B" });
      await buy(a, 1);
      await buy(b, 2);
      const store = dyingStore(client);
      store.commitsLeft = commits;
      const dying = openTestCore(client, undefined, store);
      await expect(dying.members.merge(b, a)).rejects.toThrow("died");
      expect(isUnfinished(await core.store.read(a))).toBe(true);
      await finish();
      expect(isUnfinished(await core.store.read(a))).toBe(false);
      const { record } = (await core.members.resolve(a))!;
      expect(record.profile?.merged?.map((part) => part.id)).toEqual(
        expect.arrayContaining([a, b]),
      );
      expect((await stateOf(core, a)).orders.lineCount).toBe(name.startsWith("an event") ? 3 : 2);
      expect(await idBy(PHONE)).toBe(record.id);
    });
  }

  it("of two into each other at once ends as one member or as two, never as none", async () => {
    for (let round = 0; round < 15; round++) {
      await flush(client);
      await put(a, { phone: PHONE });
      await put(b, { phone: OTHER });
      await put(c, { email: "c@x.org" });
      for (const [n, id] of [a, b, c].entries()) await buy(id, n);
      const pairs =
        round % 3 === 0
          ? [
              [a, b],
              [b, c],
              [c, a],
            ]
          : [
              [a, b],
              [b, a],
            ];
      await Promise.allSettled(pairs.map(([x, y]) => openTestCore(client).members.merge(x!, y!)));
      for (const [n, id] of [a, b, c].entries()) await buy(id, 10 + n);
      const holders = new Set<string>();
      let orders = 0;
      for (const id of [a, b, c]) {
        const { record } = (await core.members.resolve(id))!;
        expect(record.redirect).toBeNull();
        if (!holders.has(record.id)) orders += await bought(id);
        holders.add(record.id);
      }
      expect(orders).toBe(6);
      expect([await idBy(PHONE), await idBy(OTHER)]).toEqual([
        (await core.members.get(a)).id,
        (await core.members.get(b)).id,
      ]);
    }
  });

  it("in a ring left behind by processes that died is undone by the next write", async () => {
    await put(a, { phone: PHONE });
    await put(b, { phone: OTHER });
    await buy(a, 1);
    await buy(b, 2);
    for (const [from, to] of [
      [a, b],
      [b, a],
    ] as const) {
      const { version } = await core.store.read(from);
      const members = [{ id: from, expectedVersion: version, redirect: to }];
      const { partitionOf } = await import("../../src/redis/keys.js");
      await core.store.commit([{ partition: partitionOf(from), members, records: [], claims: [] }]);
    }
    await patch(a, { name: "A" }).catch(() => undefined);
    await buy(a, 3);
    await buy(b, 4);
    const holders = new Set([(await core.members.get(a)).id, (await core.members.get(b)).id]);
    let orders = 0;
    for (const id of holders) orders += await bought(id);
    expect(orders).toBe(4);
  });
});

describe("merging, whatever the histories", () => {
  it("gives the state of one who did everything", async () => {
    let run = 0;
    const parts = fc.tuple(
      fc.array(fc.integer({ min: 0, max: 700 }), { maxLength: 6 }),
      fc.array(fc.integer({ min: 0, max: 700 }), { maxLength: 6 }),
      fc.array(fc.integer({ min: 0, max: 700 }), { maxLength: 6 }),
      fc.shuffledSubarray([0, 1, 2], { minLength: 3 }),
    );
    await fc.assert(
      fc.asyncProperty(parts, async ([x, y, z, order]) => {
        const ids = [0, 1, 2].map((n) => `run ${run} ${n}`);
        run++;
        const events = [x, y, z].map((days, n) =>
          days.map((day, i) =>
            aPurchase(day, [`p${day % 9}`], { id: `${n} ${i}`, order: `${n} ${i}` }),
          ),
        );
        for (const [n, list] of events.entries()) {
          await put(ids[n]!, {});
          await core.writer.write([{ events: list.map((event) => pendingOf(ids[n]!, event)) }]);
        }
        const [first, second, third] = order.map((n) => ids[n]!);
        await core.members.merge(second!, first!);
        await core.members.merge(third!, second!);
        const { decays: _, ...found } = await stateOf(core, first!);
        const { decays: __, ...wanted } = foldAll(events.flat());
        expect(found).toEqual(wanted);
      }),
      { numRuns: 15 },
    );
  });
});

describe("erasing", () => {
  it("leaves a tombstone and nothing of the person, merged parts included", async () => {
    await put(a, { name: "SecretName", phone: PHONE, email: "secret@x.org" });
    await put(b, { phone: OTHER, accounts: ["secret-account"] });
    await buy(a, 1);
    await core.members.merge(b, a);
    const { id, erasedAt } = await core.members.erase(a);
    expect(id).toBe(b);
    expect(Date.now() - erasedAt).toBeLessThan(60_000);
    for (const gone of [a, b]) {
      expect(await core.store.read(gone)).toMatchObject({
        state: null,
        profile: null,
        redirect: null,
        erased: true,
      });
      await expect(core.members.get(gone)).rejects.toMatchObject({ code: "member_erased" });
      expect((await logOf(client, gone)).at(-1)).toMatchObject({ kind: "erasure", member: gone });
    }
    expect(await identityKeys()).toEqual([]);
    expect([await idBy(PHONE), await idBy(OTHER)]).toEqual([undefined, undefined]);
  });

  it("refuses every later write, by either id and by every way in", async () => {
    await put(a, { phone: PHONE });
    await put(b);
    await core.members.merge(b, a);
    await core.members.erase(b);
    for (const id of [a, b]) {
      const erased = { code: "member_erased" };
      await expect(put(id, { phone: PHONE })).rejects.toMatchObject(erased);
      await expect(patch(id, {})).rejects.toMatchObject(erased);
      await expect(core.members.erase(id)).rejects.toMatchObject(erased);
      const pending = pendingOf(id, aPurchase(1));
      await core.writer.write([{ events: [pending] }]);
      expect(pending.outcome).toBe("member_erased");
    }
    expect(await identityKeys()).toEqual([]);
  });

  it("refuses whoever names an identity of theirs, but not one that another member shares", async () => {
    await put(a, { phone: PHONE, email: "own@x.org" });
    await put(b, { phone: PHONE });
    await core.members.erase(a);
    const erased = { code: "member_erased" };
    await expect(put(c, { email: "own@x.org" })).rejects.toMatchObject(erased);
    await expect(core.members.resolveOrCreate({ email: "own@x.org" })).rejects.toMatchObject(
      erased,
    );
    expect(await idBy(PHONE)).toBe(b);
    await put(b, { phone: PHONE, name: "Still here" });
    await core.members.erase(b);
    await expect(core.members.resolveOrCreate({ phone: PHONE })).rejects.toMatchObject(erased);
  });

  it("keeps their number out of what was found out of another member's numbers", async () => {
    await put(a, { phone: PHONE });
    await put(b, { name: "Another" });
    await core.members.erase(a);
    for (const status of ["bad_number", "confirmed"] as const) {
      const marks = { phoneMarks: [{ phone: PHONE.slice(3), status }] };
      const erased = { code: "member_erased", status: 410 };
      for (const id of [b, c]) await expect(put(id, marks)).rejects.toMatchObject(erased);
      await expect(patch(b, marks)).rejects.toMatchObject(erased);
    }
    expect((await core.members.get(b)).profile?.phoneMarks).toBeUndefined();
    await patch(b, { phoneMarks: [{ phone: "+8613900009998", status: "bad_number" }] });
  });

  it("lets an identity in again as somebody new", async () => {
    const first = await core.members.resolveOrCreate({ phone: PHONE });
    await core.members.erase(first);
    const identity = { kind: "phone", value: PHONE } as const;
    await core.suppressions.remove(identity, "test");
    const second = await core.members.resolveOrCreate({ phone: PHONE });
    expect(second).not.toBe(first);
    expect(await idBy(PHONE)).toBe(second);
  });

  it("takes with it a member whose merge into the erased one was cut off", async () => {
    await put(a, { phone: PHONE });
    await buy(a, 1);
    await put(b);
    const store = dyingStore(client);
    store.commitsLeft = 1;
    const dying = openTestCore(client, undefined, store);
    await expect(dying.members.merge(b, a)).rejects.toThrow("died");
    await core.members.erase(b);
    const pending = pendingOf(a, aPurchase(2));
    await core.writer.write([{ events: [pending] }]);
    expect(pending.outcome).toBe("member_erased");
    for (const id of [a, b]) {
      expect(await core.store.read(id)).toMatchObject({ state: null, profile: null, erased: true });
    }
    expect(await identityKeys()).toEqual([]);
  });

  it("cut off before the tombstone can be repeated", async () => {
    await put(a, { phone: PHONE });
    const store = dyingStore(client);
    store.commitsLeft = 0;
    await expect(openTestCore(client, undefined, store).members.erase(a)).rejects.toThrow("died");
    await core.members.erase(a);
    expect(await identityKeys()).toEqual([]);
  });

  it("takes away what a slow writer linked between the look and the tombstone", async () => {
    await put(a, { phone: PHONE });
    class SlowedStore extends MemberStore {
      override async commit(...[commits]: Parameters<MemberStore["commit"]>) {
        await core.identities.link({ kind: "phone", value: PHONE }, a);
        return super.commit(commits);
      }
    }
    const store = new SlowedStore(client, DEDUPE_DAYS, encodeRecord);
    await openTestCore(client, undefined, store).members.erase(a);
    expect(await identityKeys()).toEqual([]);
  });

  it("of somebody unknown is refused", async () => {
    await expect(core.members.erase("nobody")).rejects.toMatchObject({ code: "member_unknown" });
  });

  it("wins or loses against writers, but nothing of them stays behind it", async () => {
    await put(a, { phone: PHONE });
    await Promise.allSettled([
      ...Array.from({ length: 10 }, (_, i) =>
        openTestCore(client).members.patch(a, { phone: `+86138123456${10 + i}` }),
      ),
      ...Array.from({ length: 5 }, (_, i) => buy(a, i)),
      openTestCore(client).members.erase(a),
    ]);
    expect(await core.store.read(a)).toMatchObject({ state: null, profile: null, erased: true });
    expect(await identityKeys()).toEqual([]);
  });
});

describe("the packed state of a merge", () => {
  it("is what the algebra says, byte for byte", async () => {
    await buy(a, 1);
    await buy(b, 2);
    const [x, y] = [(await core.store.read(a)).state!, (await core.store.read(b)).state!];
    await core.members.merge(b, a);
    const { decodeState, merge } = await import("../../src/features/state.js");
    expect((await core.store.read(b)).state).toEqual(
      encodeState(merge(decodeState(y), decodeState(x))),
    );
  });
});
