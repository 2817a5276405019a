import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Contact, decodeContacts, encodeContacts } from "../../src/members/contacts.js";
import { closeRedis, connectRedis, type RedisClient, whenReady } from "../../src/redis/clients.js";
import { logKey, memberKey, PARTITIONS, phoneContactsKey } from "../../src/redis/keys.js";
import { idElsewhere } from "../support/core.js";
import { type TestStore, testTarget } from "../support/redis.js";
import { type Json, type Serving, startServing } from "../support/serving.js";

const settings = {
  callingWindows: [
    { jurisdiction: "*", from: "00:00", until: "24:00" },
    { jurisdiction: "CN", from: "00:00", until: "24:00" },
  ],
  contactPolicy: { caps: [] },
};

let store: TestStore;
let server: Serving;
let client: RedisClient;
let people = 0;

beforeAll(async () => {
  store = await testTarget();
  server = await startServing(store.target, { settings });
  client = connectRedis(store.target, "work");
  await whenReady(client, 10_000);
  for (const id of ["tea", "cup", "pot", "tray"]) {
    await server.ok("PUT", `/v1/products/${id}`, {
      name: `The ${id}`,
      price: 10_000,
      margin: 4_000,
    });
  }
});
afterAll(async () => {
  closeRedis(client);
  await server.close();
  await store.stop();
});

const phoneNumber = (n: number): string => `+86138${String(10_000_000 + n)}`;

async function aMember(more: Record<string, unknown> = {}): Promise<{ id: string; phone: string }> {
  const id = `m${++people}`;
  const phone = phoneNumber(people);
  const consents = ["phone", "sms", "email"].map((channel) => ({ channel, status: "granted" }));
  await server.ok("PUT", `/v1/members/${id}`, { phone, consents, ...more });
  return { id, phone };
}
const recommend = (member: unknown, placement = "outbound", channel?: string): Promise<Json> =>
  server.ok("POST", "/v1/recommendations", { member, placement, ...(channel && { channel }) });
const respond = (decisionId: string, outcome: string, more: Record<string, unknown> = {}) =>
  server.ok("POST", "/v1/responses", { decisionId, outcome, at: Date.now(), ...more });

async function contactsOf(member: string): Promise<Contact[]> {
  return decodeContacts(await client.hgetBuffer(memberKey(member), "c"));
}
const onNumber = async (phone: string): Promise<Contact[]> =>
  decodeContacts(await client.getBuffer(phoneContactsKey(phone)));
async function eventsOf(member: string): Promise<Json[]> {
  const { items } = await server.ok("GET", `/v1/members/${member}/timeline?limit=200`);
  return items.filter((one: Json) => one.type === "response");
}
const featuresOf = async (member: string) =>
  (await server.ok("POST", "/v1/scores", { members: [member] })).scores[0];

describe("a response", () => {
  it("is kept with all it says, once, and the answer tells a repeat", async () => {
    const { id } = await aMember();
    const { decisionId, suggestions } = await recommend(id);
    const said = {
      at: Date.now(),
      rank: 2,
      reason: "too expensive",
      agent: "a7",
      note: "call again in spring",
    };
    const first = await respond(decisionId, "reject", said);
    expect(first).toEqual({ accepted: true, duplicate: false, known: true });
    const again = await respond(decisionId, "reject", said);
    expect(again).toEqual({ accepted: true, duplicate: true, known: true });
    // What it says beside is not what tells it apart.
    expect(await respond(decisionId, "reject", { ...said, note: "other" })).toEqual(again);
    const [event, ...others] = await eventsOf(id);
    expect(others).toEqual([]);
    const { at, ...rest } = said;
    expect(event).toMatchObject({
      at,
      channel: suggestions[1].channel,
      properties: {
        ...rest,
        decision: decisionId,
        outcome: "reject",
        product: suggestions[1].product.id,
        offer: suggestions[0].product.id,
        outbound: true,
      },
    });
  });

  it("counts once when fifty come at once", async () => {
    const { id, phone } = await aMember();
    const { decisionId } = await recommend(id, "outbound", "phone");
    const at = Date.now();
    const answers = await Promise.all(
      Array.from({ length: 50 }, () => respond(decisionId, "accept", { at })),
    );
    expect(answers.filter(({ duplicate }) => !duplicate)).toHaveLength(1);
    expect(await eventsOf(id)).toHaveLength(1);
    expect(await contactsOf(id)).toMatchObject([{ token: decisionId, outcome: "accepted" }]);
    expect(await onNumber(phone)).toHaveLength(1);
  });

  it("leaves features and scores as they were", async () => {
    const { id } = await aMember();
    await server.ok("POST", "/v1/events", {
      events: [{ type: "view", member: id, product: "tea", at: Date.now() - 5_000 }],
    });
    const before = await featuresOf(id);
    const { decisionId } = await recommend(id);
    for (const outcome of ["impression", "accept", "convert"]) await respond(decisionId, outcome);
    expect(await featuresOf(id)).toEqual(before);
  });

  it.each([
    ["accept", "accepted", 0],
    ["reject", "refused", 0],
    ["later", "later", 0],
    ["no_contact", null, 0],
    ["bad_number", null, 0],
    ["abandoned", null, 0],
    ["wrong_person", null, 0],
    ["do_not_contact", null, 0],
    ["impression", undefined, undefined],
    ["convert", undefined, undefined],
    ["return", undefined, undefined],
    ["not_pitched", undefined, undefined],
    ["pending", undefined, undefined],
  ])("%s leaves its mark in the contacts", async (outcome, answer, until) => {
    const { id, phone } = await aMember();
    const { decisionId } = await recommend(id, "outbound", "phone");
    await respond(decisionId, outcome);
    const contacts = await contactsOf(id);
    if (until === undefined) expect(contacts).toEqual([]);
    else expect(contacts).toMatchObject([{ token: decisionId, outcome: answer, until }]);
    // The number counts every attempt, and knows nothing of what was answered.
    const counted = until === 0 ? [{ token: decisionId, outcome: null, until: 0 }] : [];
    expect(await onNumber(phone)).toMatchObject(counted);
  });

  it("to a call that came in takes no place, and a refusal there counts", async () => {
    const { id } = await aMember();
    const first = await recommend(id, "screen_pop");
    const refused = first.suggestions[0].product.id;
    await respond(first.decisionId, "reject");
    expect(await contactsOf(id)).toMatchObject([{ outcome: "refused", until: 1, offer: refused }]);
    const { suggestions } = await recommend(id, "screen_pop");
    expect(suggestions.map((one: Json) => one.product.id)).not.toContain(refused);
  });

  it("gives each suggestion its own answer, and the call one place", async () => {
    const { id } = await aMember();
    const { decisionId, suggestions } = await recommend(id);
    await respond(decisionId, "reject", { rank: 1 });
    await respond(decisionId, "reject", { rank: 3 });
    await respond(decisionId, "accept", { rank: 2 });
    const contacts = await contactsOf(id);
    const told = contacts.map(({ token, offer, outcome, until }) => [token, offer, outcome, until]);
    const product = (rank: number) => suggestions[rank - 1].product.id;
    expect(told.sort()).toEqual([
      [decisionId, product(1), "refused", 0],
      [`${decisionId}.2`, product(2), "accepted", 1],
      [`${decisionId}.3`, product(3), "refused", 1],
    ]);
    const barred = (await recommend(id, "screen_pop")).suggestions.map(
      (one: Json) => one.product.id,
    );
    expect(barred).not.toContain(product(1));
    expect(barred).not.toContain(product(3));
  });

  it("counts by its time, not by when it came", async () => {
    const orders = [
      ["accept", "no_contact", "reject"],
      ["reject", "accept", "no_contact"],
      ["no_contact", "reject", "accept"],
    ];
    const at = Date.now() - 60_000;
    const when: Record<string, number> = { no_contact: at, accept: at + 1_000, reject: at + 2_000 };
    for (const order of orders) {
      const { id } = await aMember();
      const { decisionId } = await recommend(id);
      for (const outcome of order) await respond(decisionId, outcome, { at: when[outcome] });
      expect(await contactsOf(id)).toMatchObject([
        { token: decisionId, until: 0, at: at + 2_000, outcome: "refused", outcomeAt: at + 2_000 },
      ]);
    }
  });

  it("later comes back at the time it names, else as configured; a second one is a refusal", async () => {
    const { id } = await aMember();
    const first = await recommend(id, "outbound", "phone");
    const at = Date.now() - 10_000;
    await respond(first.decisionId, "later", { at, again: new Date(at + 5_000).toISOString() });
    expect(await contactsOf(id)).toMatchObject([{ outcome: "later", again: at + 5_000 }]);
    const second = await recommend(id, "outbound", "phone");
    expect(second.suggestions[0].product.id).toBe(first.suggestions[0].product.id);
    await respond(second.decisionId, "later", { at: at + 6_000 });
    expect(await contactsOf(id)).toMatchObject([
      { outcome: "later" },
      { outcome: "refused", again: 0 },
    ]);
    const other = await aMember();
    const { decisionId } = await recommend(other.id, "outbound", "phone");
    await respond(decisionId, "later", { at });
    expect(await contactsOf(other.id)).toMatchObject([{ again: at + 7 * 86_400_000 }]);
    const { blocked, suggestions } = await recommend(other.id, "outbound", "phone");
    expect([blocked[0].code, suggestions]).toEqual(["later", []]);
  });

  it("later than any calendar knows is refused; kept from before it breaks no answer", async () => {
    const { id } = await aMember();
    const { decisionId } = await recommend(id, "outbound", "phone");
    const years = (n: number) => Date.now() + n * 365 * 86_400_000;
    for (const again of [Number.MAX_SAFE_INTEGER, years(6), "9999-01-01T00:00:00Z"]) {
      const body = { decisionId, outcome: "later", at: Date.now(), again };
      const { status, body: said } = await server.ask("POST", "/v1/responses", { body });
      expect([status, said.code, said.errors[0].path]).toEqual([400, "invalid_request", "again"]);
      const properties = { decision: decisionId, outcome: "later", again: years(6) };
      const event = { type: "response", member: id, at: Date.now(), properties };
      const { rejected } = await server.ok("POST", "/v1/events", { events: [event] });
      expect(rejected).toMatchObject([{ index: 0, code: "invalid_request" }]);
      expect(rejected[0].detail).toContain("properties.again: lies more than 5 years ahead");
    }
    expect(await contactsOf(id)).toEqual([]);
    await respond(decisionId, "later", { again: years(4) });
    const [contact] = await contactsOf(id);
    const far = { ...contact!, again: Number.MAX_SAFE_INTEGER };
    await client.hset(memberKey(id), "c", encodeContacts([far])!);
    const answer = await recommend(id, "outbound", "phone");
    expect([answer.suggestions, answer.blocked[0].code]).toEqual([[], "later"]);
    const other = await aMember();
    const members = [id, other.id];
    const ranked = await server.ok("POST", "/v1/leads/rank", {
      members,
      channel: "phone",
      limit: 9,
    });
    expect(ranked.leads.map(({ memberId }: Json) => memberId)).toEqual([other.id]);
  });

  it("do_not_contact bars from the next request on, at every door", async () => {
    const { id, phone } = await aMember({ email: "do-not@example.com" });
    const { decisionId } = await recommend(id, "outbound", "email");
    await respond(decisionId, "do_not_contact");
    for (const identity of [`member:${id}`, "email:do-not@example.com"]) {
      const path = `/v1/suppressions/${encodeURIComponent(identity)}`;
      expect(await server.ok("GET", path)).toMatchObject({
        reason: "do_not_contact",
        source: "response:email",
      });
    }
    // Only the address they were reached at; the member is barred whole.
    const number = await server.ask("GET", `/v1/suppressions/${encodeURIComponent(phone)}`);
    expect(number.status).toBe(404);
    for (const placement of ["outbound", "screen_pop"]) {
      const answer = await recommend(id, placement);
      expect(answer.suggestions.filter((one: Json) => one.kind === "sell")).toEqual([]);
      expect(answer.blocked[0].code).toBe("do_not_contact");
    }
    const called = await aMember();
    await respond((await recommend(called.id, "outbound", "phone")).decisionId, "do_not_contact");
    await server.ok("GET", `/v1/suppressions/${encodeURIComponent(called.phone)}`);
  });

  it.each(["bad_number", "wrong_person"])(
    "%s bars the number for this member alone",
    async (outcome) => {
      const { id, phone } = await aMember();
      const other = await aMember({ phone });
      await respond((await recommend(id, "outbound", "phone")).decisionId, outcome);
      const barred = await recommend(id, "outbound", "phone");
      expect(barred).toMatchObject({
        suggestions: [],
        blocked: [{ guard: 1, code: "wrong_number" }],
      });
      expect((await recommend(id, "outbound", "email")).suggestions).not.toEqual([]);
      expect((await recommend(other.id, "outbound", "phone")).suggestions).not.toEqual([]);
      expect((await recommend(id, "screen_pop")).suggestions).not.toEqual([]);
      // A record written anew keeps it; another number, or a later word on this one, is another matter.
      const consents = [{ channel: "phone", status: "granted" }];
      await server.ok("PUT", `/v1/members/${id}`, { phone, consents });
      expect((await recommend(id, "outbound", "phone")).suggestions).toEqual([]);
      await server.ok("PATCH", `/v1/members/${id}`, { phones: [phoneNumber(5_000_000 + people)] });
      expect((await recommend(id, "outbound", "phone")).suggestions).not.toEqual([]);
      const byNumber = await recommend(
        { phone: phoneNumber(5_000_000 + people) },
        "outbound",
        "phone",
      );
      expect(byNumber.suggestions).not.toEqual([]);
      await server.ok("PATCH", `/v1/members/${id}`, {
        phones: [],
        phoneMarks: [{ phone, status: "confirmed" }],
      });
      expect((await recommend(id, "outbound", "phone")).suggestions).not.toEqual([]);
    },
  );

  it("goes where the member went", async () => {
    const { id, phone } = await aMember();
    const { decisionId } = await recommend(id, "outbound", "phone");
    const target = idElsewhere("into", id);
    await server.ok("PUT", `/v1/members/${target}`, { phone: phoneNumber(7_000_000) });
    await server.ok("POST", `/v1/members/${target}/merge`, { from: id });
    const at = Date.now();
    await respond(decisionId, "do_not_contact", { at });
    expect(await respond(decisionId, "do_not_contact", { at })).toMatchObject({ duplicate: true });
    expect(await contactsOf(target)).toMatchObject([{ token: decisionId, until: 0 }]);
    await server.ok("GET", `/v1/suppressions/${encodeURIComponent(phone)}`);
    expect((await recommend(target)).blocked[0].code).toBe("do_not_contact");
    await server.ok("POST", `/v1/members/${target}/unmerge`, { from: id });
    expect(await contactsOf(id)).toMatchObject([{ token: decisionId, until: 0 }]);
    expect(await contactsOf(target)).toEqual([]);
  });

  it("to a decision nobody finds is kept without what it says of anybody", async () => {
    const texts = async () => {
      const found: string[] = [];
      for (let partition = 0; partition < PARTITIONS; partition++) {
        for (const [, fields] of await client.xrange(logKey(partition), "-", "+")) {
          if (fields[1]!.startsWith('{"k":"response"')) found.push(fields[1]!);
        }
      }
      return found;
    };
    const { id } = await aMember();
    const { decisionId: erased } = await recommend(id);
    const { decisionId: stranger } = await recommend({ phone: phoneNumber(8_000_000) });
    await server.ok("DELETE", `/v1/members/${id}`);
    const at = Date.now();
    const said = { at, note: "Lin called", reason: "moved", agent: "agent-7", rank: 2, amount: 5 };
    for (const decisionId of [erased, stranger, "d_1_1_000000000000", "what is this?"]) {
      const before = (await texts()).length;
      const answer = await respond(decisionId, "convert", said);
      expect(answer).toEqual({ accepted: true, duplicate: false, known: false });
      expect(await respond(decisionId, "convert", said)).toEqual({ ...answer, duplicate: true });
      const kept = await texts();
      expect(kept).toHaveLength(before + 1);
      expect(kept.join()).not.toMatch(/Lin called|moved|agent-7/);
      expect(kept.map((text) => JSON.parse(text))).toContainEqual(
        expect.objectContaining({ d: decisionId, o: "convert", r: 2, a: 5, at }),
      );
    }
    expect(await client.hgetall(memberKey(id))).toEqual({
      v: expect.any(String),
      x: expect.any(String),
    });
  });

  it("do_not_contact with a number stops the number, though nobody finds the decision", async () => {
    const { decisionId: stranger } = await recommend({ phone: phoneNumber(8_000_001) });
    for (const [i, decisionId] of ["d_1_1_000000000000", "no id of ours", stranger].entries()) {
      const phone = phoneNumber(8_100_000 + i);
      const said = { phone: phone.slice(3), at: Date.now() };
      for (const duplicate of [false, true]) {
        const answer = await respond(decisionId, "do_not_contact", said);
        expect(answer).toEqual({ accepted: true, duplicate, known: false });
      }
      expect(await server.ok("GET", `/v1/suppressions/${encodeURIComponent(phone)}`)).toMatchObject(
        { reason: "do_not_contact", source: "response:unknown" },
      );
      await respond(decisionId, "no_contact", { phone: phoneNumber(8_200_000 + i) });
      const other = encodeURIComponent(phoneNumber(8_200_000 + i));
      expect((await server.ask("GET", `/v1/suppressions/${other}`)).status).toBe(404);
    }
  });

  it("refuses what it cannot keep, and scopes that have no say", async () => {
    const codeOf = async (body: Json, key?: string): Promise<string> =>
      (await server.ask("POST", "/v1/responses", { body, key })).body.code;
    const good = { decisionId: "d", outcome: "accept", at: Date.now() };
    expect(await codeOf({ ...good, outcome: "maybe" })).toBe("invalid_request");
    expect(await codeOf({ ...good, rank: 0 })).toBe("invalid_request");
    expect(await codeOf({ ...good, note: "x".repeat(501) })).toBe("invalid_request");
    expect(await codeOf({ ...good, at: Date.now() + 3_600_000 })).toBe("time_in_future");
    expect(await codeOf({ ...good, at: 5 })).toBe("time_too_old");
    expect(await codeOf({ ...good, phone: "12" })).toBe("invalid_phone");
    for (const [scope, code] of [
      ["ingest", "scope_missing"],
      ["dialer", undefined],
      ["web", undefined],
      ["pop", undefined],
    ] as const) {
      const { key } = await server.ok("POST", "/v1/keys", { name: scope, scopes: [scope] });
      expect(await codeOf({ ...good, outcome: "pending" }, key), scope).toBe(code);
    }
  });
});

describe("a response as an event", () => {
  it("does the same, and is refused without an outcome we know", async () => {
    const { id } = await aMember();
    const event = { id: "r1", type: "response", member: id, channel: "phone", at: Date.now() };
    const properties = { decision: "theirs", outcome: "wrong_person", outbound: true };
    const send = (more: Json) =>
      server.ok("POST", "/v1/events", { events: [{ ...event, ...more }] });
    const bad = await send({ properties: { decision: "theirs", outcome: "maybe" } });
    expect(bad.rejected).toMatchObject([{ code: "invalid_request" }]);
    expect(await send({ properties })).toMatchObject({ accepted: 1 });
    expect(await contactsOf(id)).toMatchObject([{ token: "theirs", until: 0 }]);
    expect((await recommend(id, "outbound", "phone")).blocked[0].code).toBe("wrong_number");
  });
});
