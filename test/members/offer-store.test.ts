import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { newDecisionId } from "../../src/members/decision-id.js";
import { type Hold, OfferStore } from "../../src/members/offer-store.js";
import { decodeOffers, encodeOffers } from "../../src/members/sticky-offers.js";
import { closeRedis, connectRedis, type RedisClient, whenReady } from "../../src/redis/clients.js";
import { callKey, memberKey, partitionOf } from "../../src/redis/keys.js";
import { flush, idElsewhere, openTestCore, type TestCore } from "../support/core.js";
import { type TestStore, testTarget } from "../support/redis.js";

let store: TestStore;
let client: RedisClient;
let core: TestCore;
let offers: OfferStore;

beforeAll(async () => {
  store = await testTarget();
  client = connectRedis(store.target, "work");
  await whenReady(client, 10_000);
  core = openTestCore(client);
  offers = new OfferStore(client, 100);
});
afterAll(async () => {
  closeRedis(client);
  await store.stop();
});
beforeEach(async () => {
  await flush(client);
  await core.members.put("m", {});
});

const anOffer = (product: string, price: number) =>
  encodeOffers([
    { product, price, coupon: null, until: Date.now() * 2, decision: newDecisionId(1, Date.now()) },
  ])!;
const hold = (more: Partial<Hold> = {}) =>
  offers.hold({ holder: "m", known: true, read: null, offers: null, call: null, ...more });
const versionOf = async (id: string) => (await core.store.read(id)).version;
const callOf = (id: string, member = "m") => client.exists(callKey(partitionOf(member), id));

describe("offers committed", () => {
  it("are the first ones of two that read the same: the second is told and decides again", async () => {
    const [a, b] = [anOffer("p", 1), anOffer("p", 2)];
    const results = await Promise.all([hold({ offers: a }), hold({ offers: b })]);
    expect(results.map(({ status }) => status)).toEqual(["ok", "stale"]);
    expect(results[1]).toEqual({ status: "stale", offers: a });
    expect(decodeOffers((await core.store.read("m")).offers)).toMatchObject([{ price: 1 }]);
    expect(await hold({ read: a, offers: b })).toEqual({ status: "ok" });
  });

  it("raise the member's version, so that whoever merges or writes at that moment notices", async () => {
    const before = await versionOf("m");
    await hold({ offers: anOffer("p", 1) });
    expect(await versionOf("m")).toBe(before + 1);
  });

  it("are refused for who is merged away, erased or never was", async () => {
    const other = idElsewhere("other", "m");
    await core.members.put(other, {});
    await core.members.merge("m", other);
    await core.members.put("gone", {});
    await core.members.erase("gone");
    for (const holder of [other, "gone", "never was"]) {
      const call = { id: `call of ${holder}`, answer: "{}", replaces: null };
      expect(await hold({ holder, offers: anOffer("p", 1), call })).toEqual({ status: "moved" });
      expect(await client.hexists(memberKey(holder), "o")).toBe(0);
      expect(await callOf(call.id, holder)).toBe(0);
    }
  });

  it("of two members who merge become those of both, the latest word on a product first", async () => {
    const other = idElsewhere("other", "m");
    await core.members.put(other, {});
    await hold({ offers: anOffer("p", 1) });
    await new Promise((resolve) => setTimeout(resolve, 2));
    const late = encodeOffers([...decodeOffers(anOffer("p", 2)), ...decodeOffers(anOffer("q", 3))]);
    await hold({ holder: other, offers: late });
    await core.members.merge("m", other);
    const held = decodeOffers((await core.store.read("m")).offers);
    expect(held.map(({ product, price }) => [product, price]).sort()).toEqual([
      ["p", 2],
      ["q", 3],
    ]);
    expect((await core.store.read(other)).offers).toBeNull();
  });
});

describe("the answer of a call", () => {
  const call = { id: "call 1", answer: '{"decisionId":"first"}', replaces: null };

  it("is the first one, for its time, and commits nothing of the second", async () => {
    expect(await hold({ offers: anOffer("p", 1), call })).toEqual({ status: "ok" });
    const { offers: read } = await core.store.read("m");
    const second = { ...call, answer: "{}" };
    expect(await hold({ read, offers: anOffer("q", 2), call: second })).toEqual({
      status: "kept",
      answer: call.answer,
    });
    expect((await core.store.read("m")).offers).toEqual(read);
    expect(await client.ttl(callKey(partitionOf("m"), call.id))).toBeLessThanOrEqual(100);
  });

  it("gives way only to one that names it, and is listed once", async () => {
    await hold({ call });
    const second = { ...call, answer: '{"decisionId":"second"}' };
    expect(await hold({ call: { ...second, replaces: "{}" } })).toMatchObject({ status: "kept" });
    expect(await hold({ call: { ...second, replaces: call.answer } })).toEqual({ status: "ok" });
    expect(await hold({ call })).toEqual({ status: "kept", answer: second.answer });
    expect((await client.hget(memberKey("m"), "k"))!.split("\n")).toHaveLength(1);
  });

  it("is kept for strangers too, without a member of their own", async () => {
    const stranger = { holder: "~stranger", known: false, call };
    expect(await hold(stranger)).toEqual({ status: "ok" });
    expect(await hold(stranger)).toMatchObject({ status: "kept" });
    expect(await client.exists(memberKey("~stranger"))).toBe(0);
  });

  it("is forgotten with the member's others, and only theirs", async () => {
    for (let i = 0; i < 70; i++) await hold({ call: { ...call, id: `call ${i}` } });
    const listed = await client.hget(memberKey("m"), "k");
    expect(listed!.split("\n")).toHaveLength(64);
    // What an erasure would not find is not kept either.
    expect([await callOf("call 5"), await callOf("call 6")]).toEqual([0, 1]);
    const shared = callKey(partitionOf("m"), "call 69");
    await client.hset(shared, "somebody else", "{}");
    await offers.forgetCalls("m");
    expect(await callOf("call 68")).toBe(0);
    expect(await client.hkeys(shared)).toEqual(["somebody else"]);
    expect(await client.hexists(memberKey("m"), "k")).toBe(0);
    await offers.forgetCalls("m");
  });
});
