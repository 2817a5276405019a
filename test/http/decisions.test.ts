import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { closeRedis, connectRedis, type RedisClient, whenReady } from "../../src/redis/clients.js";
import { callKey, logKey, memberKey, partitionOf } from "../../src/redis/keys.js";
import { idElsewhere } from "../support/core.js";
import { type TestStore, testTarget } from "../support/redis.js";
import { aPurchaseOf, type Json, type Serving, startServing } from "../support/serving.js";

let store: TestStore;
let server: Serving;
let client: RedisClient;

const PRODUCTS = ["tea", "cup", "pot", "honey", "tray", "spoon"];
const product = (id: string, more: Record<string, unknown> = {}) =>
  server.ok("PUT", `/v1/products/${id}`, {
    name: `The ${id}`,
    category: "table",
    price: 100,
    margin: 40,
    active: true,
    ...more,
  });

beforeAll(async () => {
  store = await testTarget();
  server = await startServing(store.target);
  client = connectRedis(store.target, "work");
  await whenReady(client, 10_000);
  for (const id of PRODUCTS) await product(id);
});
afterAll(async () => {
  closeRedis(client);
  await server.close();
  await store.stop();
});

const send = (...events: unknown[]): Promise<Json> => server.ok("POST", "/v1/events", { events });
const recommend = (member: unknown, more: Record<string, unknown> = {}): Promise<Json> =>
  server.ok("POST", "/v1/recommendations", { member, placement: "screen_pop", ...more });
const decision = (id: string, query = ""): Promise<Json> =>
  server.ok("GET", `/v1/decisions/${id}${query}`);
const replay = (id: string): Promise<Json> => server.ok("POST", `/v1/decisions/${id}/replay`);
const withoutTime = ({ tookMs, ...answer }: Json): string => JSON.stringify(answer);

/** Decisions of this member in the stream, oldest first. */
async function logged(member: string): Promise<string[]> {
  const entries = await client.xrange(logKey(partitionOf(member)), "-", "+");
  return entries.map(([, fields]) => fields[1]!).filter((text) => text.includes('"k":"decision"'));
}

async function untilLogged(member: string, count: number): Promise<string[]> {
  for (;;) {
    const found = await logged(member);
    if (found.length >= count) return found;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

describe("the record of a decision", () => {
  it("is there at once, says what was decided on and names nobody", async () => {
    const phone = "+8613900001111";
    await server.ok("PUT", "/v1/members/ana", { name: "Ana Marin", phone, locale: "zh" });
    await send(aPurchaseOf("ana", "tea"));
    const answer = await recommend("ana", { limit: 2, exclude: ["pot"] });
    const record = await decision(answer.decisionId);
    expect(record).toMatchObject({
      id: answer.decisionId,
      member: "ana",
      dryRun: false,
      request: { placement: "screen_pop", limit: 2, exclude: ["pot"] },
      counted: { stage: "new", zones: ["Asia/Shanghai"], jurisdiction: "CN", locale: "zh" },
      degraded: ["untrained"],
      cut: [],
    });
    expect(record.shown.map((one: Json) => [one.product, one.price])).toEqual(
      answer.suggestions.map((one: Json) => [one.product.id, one.product.price]),
    );
    const [text] = await untilLogged("ana", 1);
    expect(text).not.toMatch(/Ana|Marin|13900001111/);
    expect(Buffer.byteLength(text!)).toBeLessThanOrEqual(2048);
    expect(await decision(answer.decisionId)).toEqual(record);
  });

  it("is kept of dry runs too, and says so", async () => {
    await server.ok("PUT", "/v1/members/dry", {});
    const now = Date.now() + 86_400_000;
    const { decisionId } = await recommend("dry", { context: { now, callId: "c-dry" } });
    expect(await decision(decisionId)).toMatchObject({ dryRun: true, at: now });
    expect(await client.hget(memberKey("dry"), "o")).toBeNull();
    expect(await client.exists(callKey(partitionOf("dry"), "c-dry"))).toBe(0);
  });

  it("of somebody nobody knows holds no identity", async () => {
    const answer = await recommend({ phone: "+8613900002222" });
    const record = await decision(answer.decisionId);
    expect(record).toMatchObject({ member: null, counted: null, state: null });
    expect(JSON.stringify(record)).not.toContain("13900002222");
    expect(withoutTime(await replay(answer.decisionId))).toBe(withoutTime(answer));
  });

  it("is unknown under an id that is none, and gone with an erased member", async () => {
    for (const id of ["d_zz", "d_1_1_000000000000", "nothing"]) {
      const answer = await server.ask("GET", `/v1/decisions/${id}`);
      expect([answer.status, answer.body.code]).toEqual([404, "decision_unknown"]);
    }
    await server.ok("PUT", "/v1/members/gone", {});
    const { decisionId } = await recommend("gone", { context: { callId: "last call" } });
    await untilLogged("gone", 1);
    const call = callKey(partitionOf("gone"), "last call");
    expect(await client.exists(call)).toBe(1);
    await server.ok("DELETE", "/v1/members/gone");
    expect(await client.exists(call)).toBe(0);
    expect(await client.hkeys(memberKey("gone"))).toEqual(expect.not.arrayContaining(["k", "o"]));
    const answer = await server.ask("GET", `/v1/decisions/${decisionId}`);
    expect(answer.body.code).toBe("decision_unknown");
    const again = await server.ask("POST", `/v1/decisions/${decisionId}/replay`);
    expect(again.body.code).toBe("decision_unknown");
  });
});

describe("a decision replayed", () => {
  it.each([
    ["plainly", {}],
    ["with a cart and exclusions", { context: { cart: ["cup"] }, exclude: ["tray"], limit: 3 }],
    ["on the web", { placement: "home" }],
    ["explained", { explain: true }],
    ["outbound", { placement: "outbound" }],
  ])("%s is the same bytes, whatever happened to the member since", async (name, request) => {
    const member = `replayed ${name}`;
    await server.ok("PUT", `/v1/members/${encodeURIComponent(member)}`, {
      name: "Bo",
      timezone: "Europe/Berlin",
      consents: [{ channel: "sms", status: "granted" }],
    });
    await send(aPurchaseOf(member, "tea"), aPurchaseOf(member, "cup"));
    const answer = await recommend(member, request);
    await send(aPurchaseOf(member, "pot"), aPurchaseOf(member, "pot"));
    await server.ok("PATCH", `/v1/members/${encodeURIComponent(member)}`, {
      vulnerable: true,
      timezone: "Asia/Tokyo",
    });
    const again = await replay(answer.decisionId);
    expect(withoutTime(again)).toBe(withoutTime(answer));
    expect((await recommend(member, request)).doNotSell?.code).toBe("vulnerable");
  });

  it("of a complaint says the same", async () => {
    await send({ id: "complaint", type: "complaint_opened", member: "cross", at: Date.now() });
    const answer = await recommend("cross");
    expect(answer.doNotSell.code).toBe("open_complaint");
    await send({ id: "solved", type: "complaint_closed", member: "cross", at: Date.now() });
    expect(withoutTime(await replay(answer.decisionId))).toBe(withoutTime(answer));
    expect((await decision(answer.decisionId, "?product=tea")).fate).toMatchObject({
      fate: "removed",
      code: "open_complaint",
    });
  });

  it("says when the catalog moved since, and is computed all the same", async () => {
    await send(aPurchaseOf("moved on", "tea"));
    const answer = await recommend("moved on");
    await product("spoon", { name: "The new spoon" });
    const again = await replay(answer.decisionId);
    expect(again.differs).toEqual(["catalog"]);
    expect(again.suggestions.length).toBe(answer.suggestions.length);
  });
});

describe("why not this product", () => {
  it("is told of every fate", async () => {
    await send(aPurchaseOf("curious", "tea"));
    await send(aPurchaseOf("curious", "fresh", { at: Date.now() - 3_600_000 }));
    await product("broken", { active: false });
    await product("sold out", { stock: 0 });
    const answer = await recommend("curious", {
      limit: 1,
      exclude: ["pot"],
      context: { cart: ["cup"] },
    });
    const fateOf = async (id: string) =>
      (await decision(answer.decisionId, `?product=${encodeURIComponent(id)}`)).fate;
    const shown = answer.suggestions[0].product.id;
    expect(await fateOf(shown)).toMatchObject({ fate: "shown", code: null, place: 1 });
    const below = PRODUCTS.find((id) => ![shown, "pot", "cup"].includes(id))!;
    expect(await fateOf(below)).toMatchObject({
      fate: "ranked_below",
      code: "ranked_below_limit",
      lastShown: { product: shown },
      sources: expect.arrayContaining([expect.any(String)]),
    });
    for (const [id, code] of [
      ["pot", "excluded_by_request"],
      ["fresh", "bought_lately"],
      ["cup", "in_cart"],
      ["broken", "not_on_offer"],
      ["sold out", "out_of_stock"],
      ["never heard of", "product_unknown"],
    ]) {
      expect([id, await fateOf(id!)]).toMatchObject([id, { fate: "not_a_candidate", code }]);
    }
  });
});

describe("one call", () => {
  it("is one decision, however many ask at once", async () => {
    await send(aPurchaseOf("caller", "tea"));
    const context = { callId: "call: 1}" };
    const answers = await Promise.all(
      Array.from({ length: 200 }, () => recommend("caller", { context })),
    );
    const [first] = answers.map(withoutTime);
    for (const answer of answers) expect(withoutTime(answer)).toBe(first);
    const other = await recommend("caller", { context: { callId: "call 2" } });
    expect(other.decisionId).not.toBe(answers[0].decisionId);
    const records = await untilLogged("caller", 2);
    expect(records).toHaveLength(2);
    const ttl = await client.ttl(callKey(partitionOf("caller"), context.callId));
    expect(ttl).toBeGreaterThan(3 * 3600);
    expect(ttl).toBeLessThanOrEqual(4 * 3600);
  });

  it("of one id by two members is two decisions, and a stranger's is one", async () => {
    const context = { callId: "shared" };
    const elsewhere = idElsewhere("second", "first");
    for (const id of ["first", elsewhere]) await server.ok("PUT", `/v1/members/${id}`, {});
    const decided = await Promise.all(
      ["first", elsewhere, "first", elsewhere].map((member) => recommend(member, { context })),
    );
    expect(new Set(decided.map(({ decisionId }) => decisionId)).size).toBe(2);
    const phone = { phone: "+8613900003333" };
    const strangers = [await recommend(phone, { context }), await recommend(phone, { context })];
    expect(withoutTime(strangers[1])).toBe(withoutTime(strangers[0]));
  });
});

describe("an offer that was shown", () => {
  const coupon = (id: string, more: Record<string, unknown>) =>
    server.ok("PUT", `/v1/coupons/${id}`, { label: id, active: true, ...more });
  const termsOf = (answer: Json, id: string) => {
    const found = answer.suggestions.find((one: Json) => one.product?.id === id);
    return found && [found.product.price, found.coupon?.id ?? null];
  };

  it("holds in price and coupon on every channel and for every account of the member", async () => {
    await product("kettle", { price: 300, margin: 200 });
    await coupon("kettle 20", { amountOff: 20, products: ["kettle"] });
    await server.ok("PUT", "/v1/members/holder", { accounts: ["shop-1"] });
    const other = idElsewhere("other", "holder");
    await server.ok("PUT", `/v1/members/${other}`, { accounts: ["shop-2"] });
    await send(aPurchaseOf("holder", "kettle"), aPurchaseOf(other, "kettle"));
    expect(termsOf(await recommend("holder"), "kettle")).toEqual([300, "kettle 20"]);
    await product("kettle", { price: 350, margin: 250 });
    await coupon("kettle 50", { amountOff: 50, products: ["kettle"] });
    for (const placement of ["screen_pop", "home", "product"]) {
      const answer = await recommend("holder", { placement });
      expect([placement, termsOf(answer, "kettle")]).toEqual([placement, [300, "kettle 20"]]);
    }
    expect(termsOf(await recommend(other), "kettle")).toEqual([350, "kettle 50"]);
    await server.ok("POST", "/v1/members/holder/merge", { from: other });
    for (const account of ["shop-1", "shop-2"]) {
      // What was shown last counts.
      expect(termsOf(await recommend({ account }), "kettle")).toEqual([350, "kettle 50"]);
    }
    expect(await client.hget(memberKey(other), "o")).toBeNull();
    const replayed = await recommend("holder");
    expect(withoutTime(await replay(replayed.decisionId))).toBe(withoutTime(replayed));
  });

  it("is written once, and not for strangers or who wants no personal offers", async () => {
    await send(aPurchaseOf("once", "tea"));
    const versionOf = (id: string) => client.hget(memberKey(id), "v");
    await recommend("once");
    const version = await versionOf("once");
    for (let i = 0; i < 3; i++) await recommend("once");
    expect(await versionOf("once")).toBe(version);
    await server.ok("PUT", "/v1/members/plain", { personalization: "off" });
    await recommend("plain");
    expect(await client.hget(memberKey("plain"), "o")).toBeNull();
    await recommend("nobody at all");
    expect(await client.exists(memberKey("nobody at all"))).toBe(0);
  });

  it("ends with its coupon, and a coupon that is withdrawn is not shown", async () => {
    await product("lamp", { price: 300, margin: 200 });
    const until = new Date(Date.now() + 3_600_000).toISOString();
    await coupon("brief", { amountOff: 20, products: ["lamp"], validUntil: until });
    await send(aPurchaseOf("ending", "lamp"));
    expect(termsOf(await recommend("ending"), "lamp")).toEqual([300, "brief"]);
    await product("lamp", { price: 320, margin: 220 });
    const context = { now: Date.parse(until) + 1 };
    expect(termsOf(await recommend("ending", { context }), "lamp")).toEqual([320, null]);
    expect(termsOf(await recommend("ending"), "lamp")).toEqual([300, "brief"]);
    await coupon("brief", { amountOff: 20, active: false });
    expect(termsOf(await recommend("ending"), "lamp")).toEqual([300, null]);
  });

  it("is the same for all who ask at once", async () => {
    await coupon("kettle 60", { amountOff: 60, products: ["kettle"] });
    await send(aPurchaseOf("crowd", "kettle"));
    const asked = Array.from({ length: 50 }, async (_, i) => {
      if (i % 10 === 0) await product("kettle", { price: 350 + i, margin: 250 });
      return termsOf(await recommend("crowd"), "kettle");
    });
    const terms = await Promise.all(asked);
    expect(new Set(terms.map((one) => JSON.stringify(one))).size).toBe(1);
  });
});
