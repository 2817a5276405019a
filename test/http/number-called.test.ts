/** Which number is meant where somebody has several, or calls from another: the guards see that one. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type TestStore, testTarget } from "../support/redis.js";
import { type Json, type Serving, startServing } from "../support/serving.js";

let store: TestStore;
let server: Serving;
let people = 0;

beforeAll(async () => {
  store = await testTarget();
  const always = { from: "00:00", until: "24:00" };
  const callingWindows = ["*", "CN"].map((jurisdiction) => ({ jurisdiction, ...always }));
  const caps = [{ per: "phone", max: 1, window: { rolling: "7d" } }];
  const settings = { callingWindows, contactPolicy: { caps } };
  server = await startServing(store.target, { settings });
  // Worth a call.
  await server.ok("PUT", "/v1/products/tea", { name: "Tea", price: 10_000, margin: 4_000 });
});
afterAll(async () => {
  await server.close();
  await store.stop();
});

const list = (identity: string): Promise<Json> =>
  server.ok("PUT", `/v1/suppressions/${encodeURIComponent(identity)}`, { source: "test" });
const pop = (query: Record<string, string>): Promise<Json> =>
  server.ok("GET", `/pop?${new URLSearchParams(query)}`);
const phoneNumber = (): string => `+86137${String(10_000_000 + ++people)}`;

/** With two numbers; the first is the one in use. */
async function aMember(): Promise<{ id: string; first: string; second: string }> {
  const [id, first, second] = [`m${people}`, phoneNumber(), phoneNumber()];
  const consents = [{ channel: "phone", status: "granted" }];
  await server.ok("PUT", `/v1/members/${id}`, { phone: first, phones: [second], consents });
  return { id, first, second };
}

/** Another member was called there. */
async function aCallTo(phone: string): Promise<void> {
  const event = { type: "call_outbound", member: "another", channel: "phone", at: Date.now() };
  const events = [{ ...event, properties: { phone } }];
  expect(await server.ok("POST", "/v1/events", { events })).toMatchObject({ accepted: 1 });
}
async function codesOf(member: unknown): Promise<string[]> {
  const body = { member, placement: "outbound", channel: "phone" };
  const { suggestions, blocked = [] } = await server.ok("POST", "/v1/recommendations", body);
  return suggestions.length > 0 ? ["offered"] : blocked.map(({ code }: Json) => code);
}

describe("the number that is called", () => {
  it("is the one they were asked for by, and the caps count that one", async () => {
    const { id, first, second } = await aMember();
    await aCallTo(second);
    expect(await codesOf({ phone: second })).toEqual(["cap_phone"]);
    expect(await codesOf({ phone: first })).toEqual(["offered"]);
    expect(await codesOf(id)).toEqual(["offered"]);
    const other = await aMember();
    await aCallTo(other.first);
    expect(await codesOf(other.id)).toEqual(["cap_phone"]);
    expect(await codesOf({ phone: other.second })).toEqual(["offered"]);
  });

  it("is the number of the lead, in any notation it was asked in", async () => {
    const [called, free] = [await aMember(), await aMember()];
    await aCallTo(called.second);
    const members = [called, free].map(({ second }) => ({ phone: second.slice(3) }));
    const body = { members, channel: "phone", limit: 9 };
    const { leads, blocked } = await server.ok("POST", "/v1/leads/rank", body);
    expect(blocked).toEqual({ "5 cap_phone": 1 });
    expect(leads).toMatchObject([{ memberId: free.id, e164: free.second }]);
  });
});

describe("a call from a number on the list", () => {
  it("is helped and sold nothing, also where its member is known", async () => {
    const { id } = await aMember();
    const caller = phoneNumber();
    expect((await pop({ member: id, phone: caller })).doNotSell).toBeNull();
    await list(`phone:${caller}`);
    const card = await pop({ member: id, phone: caller, uniqueid: "another call" });
    expect(card).toMatchObject({ member: { id }, doNotSell: { code: "do_not_contact" } });
    expect(card.suggestions.filter((one: Json) => one.product !== null)).toEqual([]);
    expect((await pop({ member: id })).doNotSell).toBeNull();
  });

  it("is no stranger's where its member is on the list and has no record", async () => {
    const caller = phoneNumber();
    await list("member:never written");
    expect((await pop({ phone: caller })).doNotSell).toBeNull();
    expect(await pop({ member: "never written", phone: caller })).toMatchObject({
      doNotSell: { code: "do_not_contact" },
    });
  });

  it("cannot be named by a caller of the server in a field of its own", async () => {
    const body = { member: "m", placement: "screen_pop", alsoNamed: [{ phone: phoneNumber() }] };
    const { status } = await server.ask("POST", "/v1/recommendations", { body });
    expect(status).toBe(400);
  });
});
