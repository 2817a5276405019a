import { beforeEach, describe, expect, it } from "vitest";
import { EventLog } from "../../src/events/event-log.js";
import { Ingest } from "../../src/events/ingest.js";
import { rebuild } from "../../src/events/rebuild.js";
import { followComponent, readComponent } from "../../src/events/replay.js";
import { combineProfiles } from "../../src/members/combine-profiles.js";
import { type Contact, decodeContacts } from "../../src/members/contacts.js";
import { unmerge } from "../../src/members/unmerge.js";
import type { RedisClient } from "../../src/redis/clients.js";
import { memberKey, phoneContactsKey } from "../../src/redis/keys.js";
import { useClient } from "../support/client.js";
import { claim } from "../support/contacts.js";
import { flush, idElsewhere, openTestCore, type TestCore } from "../support/core.js";
import { temporaryDir } from "../support/redis.js";
import { codec } from "../support/world.js";

const NOW = Date.now();
const PHONE = "+8613800138000";
let client: RedisClient;
let core: TestCore;

useClient((connected) => {
  client = connected;
});
beforeEach(async () => {
  await flush(client);
  core = openTestCore(client);
  await core.members.put("m1", { name: "m1", phone: PHONE });
});

const of = async (id: string): Promise<Contact[]> =>
  decodeContacts((await core.store.readThrough(id)).contacts);
const onNumber = async (phone = PHONE): Promise<Contact[]> =>
  (await core.contacts.phoneContacts([phone]))[0]!;
const call = (id: string, over = {}) => ({
  id,
  type: "call_outbound",
  member: "m1",
  at: NOW - 1000,
  ...over,
});
const rebuildAll = () =>
  rebuild({
    reader: new EventLog(client, temporaryDir()),
    store: core.store,
    client,
    codec,
    combineProfiles,
    contactEvents: core.contactEvents,
    suppressions: core.suppressions,
  });

describe("a call we made", () => {
  it("counts with the member and on the number once, however often it is sent", async () => {
    await core.ingest.ingest([call("e1")]);
    await core.ingest.ingest([call("e1"), call("e1")]);
    expect(await of("m1")).toMatchObject([{ at: NOW - 1000, until: 0, channel: "phone" }]);
    expect(await onNumber()).toHaveLength(1);
    expect(await claim(core.contacts, "m1", "d_1", { phone: PHONE })).toMatchObject({
      status: "barred",
    });
  });

  it("confirms the reservation of the decision it names", async () => {
    await claim(core.contacts, "m1", "d_1", { phone: PHONE, now: NOW });
    await core.ingest.ingest([call("e1", { at: NOW, properties: { decision: "d_1" } })]);
    expect(await of("m1")).toMatchObject([{ token: "d_1", until: 0 }]);
    expect(await onNumber()).toMatchObject([{ token: "d_1", until: 0 }]);
  });

  it("counts on the number when its first writer died before that", async () => {
    await core.ingest.ingest([call("e1")]);
    await client.del(phoneContactsKey(PHONE));
    expect((await core.ingest.ingest([call("e1")])).duplicates).toBe(1);
    expect(await onNumber()).toHaveLength(1);
  });

  it("counts on the number it names, and a mail on none", async () => {
    const properties = { phone: "139 0013 9000" };
    await core.ingest.ingest([
      call("e1", { properties }),
      call("e2", { type: "message_sent", channel: "email" }),
      call("e3", { type: "call_inbound" }),
    ]);
    expect(await onNumber()).toEqual([]);
    expect(await onNumber("+8613900139000")).toHaveLength(1);
    expect((await of("m1")).map(({ channel }) => channel).sort()).toEqual(["email", "phone"]);
  });

  it("of long ago counts for nothing", async () => {
    await core.ingest.ingest([call("e1", { at: NOW - 400 * 86_400_000 })]);
    expect((await core.store.read("m1")).contacts).toBeNull();
    expect(await onNumber()).toEqual([]);
  });

  it("with a number two members share counts for both, also under the same event id", async () => {
    await core.members.put("m2", { name: "m2", phone: PHONE });
    await core.ingest.ingest([call("e1"), call("e1", { member: "m2" })]);
    expect(await onNumber()).toHaveLength(2);
    expect([await of("m1"), await of("m2")].map(({ length }) => length)).toEqual([1, 1]);
  });

  it("is neither lost nor doubled beside claims on the same member", async () => {
    const events = Array.from({ length: 20 }, (_, i) => call(`e${i}`, { channel: "sms" }));
    const claims = Array.from({ length: 20 }, (_, i) => claim(core.contacts, "m1", `d_${i}`));
    const [results] = await Promise.all([
      Promise.all(claims),
      ...events.map((event) => core.ingest.ingest([event])),
    ]);
    const granted = results.filter(({ status }) => status === "ok").length;
    expect(granted).toBeLessThanOrEqual(1);
    expect(await of("m1")).toHaveLength(20 + granted);
  });
});

const response = (outcome: string, at: number, over: Record<string, unknown> = {}) => ({
  id: `r-${outcome}-${at}-${JSON.stringify(over)}`,
  type: "response",
  member: "m1",
  at,
  channel: "phone",
  properties: { decision: "d_1", outcome, product: "tea", outbound: true, ...over },
});

describe("a response", () => {
  it("makes the reservation of its decision a contact made, with what was answered", async () => {
    await claim(core.contacts, "m1", "d_1", { phone: PHONE, now: NOW });
    await core.ingest.ingest([response("reject", NOW)]);
    expect(await of("m1")).toMatchObject([{ token: "d_1", until: 0, outcome: "refused" }]);
    expect(await onNumber()).toMatchObject([{ token: "d_1", until: 0, outcome: null }]);
  });

  it("gives the same contacts in any order, with calls and reservations among them", async () => {
    const steps = [
      () => core.ingest.ingest([response("no_contact", NOW - 3_000)]),
      () =>
        core.ingest.ingest([
          response("accept", NOW - 2_000, { rank: 2, product: "cup", offer: "tea" }),
        ]),
      () => core.ingest.ingest([response("reject", NOW - 1_000)]),
      () =>
        core.ingest.ingest([
          call("e1", { at: NOW - 4_000, properties: { decision: "d_1", offer: "tea" } }),
        ]),
    ];
    const seen = new Set<string>();
    for (let start = 0; start < steps.length; start++) {
      await flush(client);
      core = openTestCore(client);
      await core.members.put("m1", { name: "m1", phone: PHONE });
      for (let i = 0; i < steps.length; i++) await steps[(start + i) % steps.length]!();
      seen.add(JSON.stringify([await of("m1"), await onNumber()]));
    }
    expect([...seen]).toHaveLength(1);
    expect(await of("m1")).toMatchObject([
      { token: "d_1.2", until: 1, offer: "cup", outcome: "accepted" },
      { token: "d_1", until: 0, outcome: "refused" },
    ]);
  });

  it("of long ago bars nothing, unless it asks for a later that is still to come", async () => {
    const longAgo = NOW - 40 * 86_400_000;
    await core.ingest.ingest([response("reject", longAgo)]);
    expect((await core.store.read("m1")).contacts).toBeNull();
    await core.ingest.ingest([response("later", longAgo, { again: NOW + 86_400_000 })]);
    expect(await of("m1")).toMatchObject([{ outcome: "later", again: NOW + 86_400_000 }]);
  });

  it("bars a number from its repeat when its first writer died before that", async () => {
    const { ingest } = core;
    const died = { ...response("wrong_person", NOW), id: "r1" };
    const without = new Ingest(
      core.writer,
      core.members,
      core.products,
      { maxEventAgeYears: 30, maxFutureSeconds: 300 },
      async () => {},
    );
    await without.ingest([died]);
    expect((await core.members.get("m1")).profile?.phoneMarks).toBeUndefined();
    expect((await ingest.ingest([died])).duplicates).toBe(1);
    expect((await core.members.get("m1")).profile?.phoneMarks).toMatchObject([
      { phone: PHONE, status: "wrong_person", at: NOW },
    ]);
    const { version } = await core.store.read("m1");
    await ingest.ingest([died]);
    expect((await core.store.read("m1")).version).toBe(version);
  });
});

describe("contacts after", () => {
  it("a rebuild have the answers again, also those of members merged", async () => {
    const other = idElsewhere("y", "m1");
    await core.ingest.ingest([
      response("later", NOW - 2_000, { again: NOW - 1_000 }),
      response("later", NOW - 500, { decision: "d_2", again: NOW + 60_000 }),
      { ...response("reject", NOW, { decision: "d_3", rank: 2 }), member: other },
    ]);
    await core.members.merge("m1", other);
    const before = [await of("m1"), await onNumber()];
    expect(before[0]!.map(({ outcome }) => outcome)).toEqual(["later", "refused", null, "refused"]);
    await client.hdel(memberKey("m1"), "c");
    await client.del(phoneContactsKey(PHONE));
    await rebuildAll();
    expect(await of("m1")).toEqual(before[0]);
    expect(await onNumber()).toEqual(expect.arrayContaining(before[1]!));
    const dependencies = { ...core, codec, log: new EventLog(client, temporaryDir()) };
    await unmerge({ ...dependencies, readComponent, followComponent }, "m1", other);
    expect((await of("m1")).map(({ outcome }) => outcome)).toEqual(["later", "refused"]);
    expect((await of(other)).map(({ token }) => token)).toEqual(["d_3", "d_3.2"]);
  });

  it("a rebuild of a store that was emptied come from the log, reservations apart", async () => {
    await core.ingest.ingest([call("e1"), call("e2", { channel: "sms" })]);
    const before = [await of("m1"), await onNumber()];
    const { version } = await core.store.read("m1");
    await rebuildAll();
    expect((await core.store.read("m1")).version).toBe(version);
    await client.hdel(memberKey("m1"), "c");
    await client.del(phoneContactsKey(PHONE));
    await rebuildAll();
    expect([await of("m1"), await onNumber()]).toEqual(before);
  });

  it("a rebuild keep what no log has", async () => {
    await claim(core.contacts, "m1", "d_1", { phone: PHONE });
    await core.ingest.ingest([call("e1", { channel: "sms" })]);
    await rebuildAll();
    expect((await of("m1")).map(({ token }) => token)).toContain("d_1");
    expect(await of("m1")).toHaveLength(2);
  });

  it("an un-merge are each one's own again; what no log has both keep", async () => {
    const other = idElsewhere("x", "m1");
    await core.ingest.ingest([call("e1")]);
    await core.ingest.ingest([call("e2", { member: other }), call("e3", { member: other })]);
    const [mine, theirs] = [await of("m1"), await of(other)];
    await core.members.merge("m1", other);
    expect(await of("m1")).toHaveLength(3);
    await core.contacts.record({
      member: "m1",
      phone: null,
      token: "d_9",
      channel: "app",
      offer: null,
      at: NOW,
    });
    const dependencies = { ...core, codec, log: new EventLog(client, temporaryDir()) };
    await unmerge({ ...dependencies, readComponent, followComponent }, "m1", other);
    const kept = expect.objectContaining({ token: "d_9" });
    expect(await of("m1")).toEqual([...mine, kept]);
    expect(await of(other)).toEqual([...theirs, kept]);
  });
});
