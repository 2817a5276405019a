import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { archiveLog } from "../../src/events/archive.js";
import type { MemberEvent } from "../../src/events/event.js";
import { rebuild } from "../../src/events/rebuild.js";
import { followComponent, readComponent, replayMembers } from "../../src/events/replay.js";
import { combineProfiles } from "../../src/members/combine-profiles.js";
import { encodeOffers } from "../../src/members/sticky-offers.js";
import { unmerge } from "../../src/members/unmerge.js";
import { partitionOf } from "../../src/redis/keys.js";
import { aPurchase, codec, World } from "../support/world.js";

let world: World;
beforeAll(async () => {
  world = await World.open();
});
afterAll(() => world.close());
beforeEach(() => world.clear());

const apart = (id: string, from: string) => {
  const { log, store, members } = world;
  const { identities } = members;
  return unmerge({ log, store, identities, codec, readComponent, followComponent }, id, from);
};

/** The state these events give in this order, as hex. */
function stateFrom(events: readonly MemberEvent[]): string {
  let state = codec.decode(null);
  for (const event of events) state = codec.fold(state, event);
  return codec.encode(state).toString("hex");
}

function neighbourOf(id: string): string {
  for (let i = 0; ; i++) if (partitionOf(`n${i}`) === partitionOf(id)) return `n${i}`;
}

describe("unmerge", () => {
  it.each([
    ["another partition", "m2"],
    ["the same partition", neighbourOf("m1")],
  ])("gives both back as if they had never met: %s", async (_, from) => {
    const [a, b, c, d, e] = Array.from({ length: 5 }, () => aPurchase());
    await world.members.put("m1", { name: "One", phone: "13800138000" });
    await world.members.put(from, { name: "Two", phone: "13900139000" });
    await world.send("m1", a!);
    await world.send(from, b!);
    const before = (await world.store.read(from)).profile;
    await world.members.merge("m1", from);
    await world.send(from, c!);
    await world.send("m1", d!);
    await apart("m1", from);
    await world.send(from, e!);
    expect(await world.stateOf("m1")).toBe(stateFrom([a!, d!]));
    expect(await world.stateOf(from)).toBe(stateFrom([b!, c!, e!]));
    const [one, two] = await world.store.readMany(["m1", from]);
    expect(two?.redirect).toBeNull();
    expect(two?.profile).toEqual(before);
    expect([one?.profile?.name, one?.profile?.merged]).toEqual(["One", undefined]);
    const found = await world.members.resolve({ phone: "13900139000" });
    expect([found?.record.id, found?.candidates]).toEqual([from, [from]]);
  });

  it("leaves what was promised to both", async () => {
    for (const id of ["m1", "m2"]) await world.send(id, aPurchase());
    const offer = { product: "p", price: 9, coupon: null, decision: "d_a_1_000000000000" };
    const offers = encodeOffers([{ ...offer, until: Date.now() + 60_000 }]);
    const { version } = await world.store.read("m2");
    const write = { id: "m2", expectedVersion: version, offers };
    const partition = partitionOf("m2");
    await world.store.commit([{ partition, members: [write], records: [], claims: [] }]);
    await world.members.merge("m1", "m2");
    await apart("m1", "m2");
    for (const one of await world.store.readMany(["m1", "m2"])) expect(one.offers).toEqual(offers);
  });

  it("is what replay and rebuild say as well", async () => {
    for (const id of ["m1", "m2"]) await world.send(id, aPurchase(), aPurchase());
    await world.members.merge("m1", "m2");
    await world.send("m2", aPurchase());
    await apart("m1", "m2");
    const snapshot = await world.snapshot();
    const { log: reader, store, client, suppressions } = world;
    const result = await rebuild({ reader, store, client, codec, combineProfiles, suppressions });
    expect(result).toMatchObject({ written: 0, unloggedCount: 0 });
    expect(await world.snapshot()).toEqual(snapshot);
    const events: Record<string, number> = {};
    for await (const member of replayMembers(world.log)) events[member.id] = member.events.length;
    expect(events).toEqual({ m1: 2, m2: 3 });
  });

  it("takes along who was merged into it before", async () => {
    const events = Object.fromEntries(["a", "b", "c"].map((id) => [id, aPurchase()]));
    for (const id of ["a", "b", "c"]) await world.send(id, events[id]!);
    await world.members.merge("b", "a");
    await world.members.merge("c", "b");
    await archiveLog({ client: world.client, dataDir: world.dataDir });
    await apart("c", "b");
    expect(await world.stateOf("c")).toBe(stateFrom([events.c!]));
    expect(await world.stateOf("b")).toBe(stateFrom([events.a!, events.b!]));
    expect((await world.store.readThrough("a")).id).toBe("b");
    await apart("b", "a");
    expect(await world.stateOf("a")).toBe(stateFrom([events.a!]));
    expect(await world.stateOf("b")).toBe(stateFrom([events.b!]));
  });

  it("takes one out of a chain and leaves the others together", async () => {
    const events = Object.fromEntries(["a", "b", "c"].map((id) => [id, aPurchase()]));
    for (const id of ["a", "b", "c"]) await world.send(id, events[id]!);
    await world.members.merge("b", "a");
    await world.members.merge("c", "b");
    await apart("c", "a");
    expect(await world.stateOf("a")).toBe(stateFrom([events.a!]));
    expect(await world.stateOf("c")).toBe(stateFrom([events.b!, events.c!]));
    expect((await world.store.readThrough("b")).id).toBe("c");
  });

  it("can be merged and taken apart again and again", async () => {
    const [a, b] = [aPurchase(), aPurchase()];
    await world.send("m1", a);
    await world.send("m2", b);
    for (let round = 0; round < 3; round++) {
      await world.members.merge("m1", "m2");
      expect(await world.stateOf("m2")).toBeUndefined();
      await apart("m1", "m2");
    }
    expect(await world.stateOf("m1")).toBe(stateFrom([a]));
    expect(await world.stateOf("m2")).toBe(stateFrom([b]));
  });

  it("loses and doubles nothing under concurrent writes", async () => {
    const sent: Record<string, string[]> = { m1: [], m2: [] };
    await world.send("m1", aPurchase({ id: "first-1" }));
    await world.send("m2", aPurchase({ id: "first-2" }));
    sent.m1!.push("first-1");
    sent.m2!.push("first-2");
    let writing = true;
    const writer = async (id: string): Promise<void> => {
      while (writing) {
        const event = aPurchase();
        await world.send(id, event);
        sent[id]!.push(event.id);
        await sleep(Math.random() * 15);
      }
    };
    const writers = Promise.all([writer("m1"), writer("m2"), writer("m2")]);
    try {
      for (let round = 0; round < 3; round++) {
        await world.members.merge("m1", "m2");
        await apart("m1", "m2");
      }
    } finally {
      writing = false;
      await writers;
    }
    const seen: Record<string, string[]> = {};
    for await (const { id, events } of replayMembers(world.log)) {
      seen[id] = events.map(({ event }) => event.id);
      const { orders } = codec.decode((await world.store.read(id)).state);
      expect(orders.count).toBe(events.length);
      expect(orders.lineCount).toBe(events.length);
    }
    for (const id of ["m1", "m2"]) expect(seen[id]?.sort()).toEqual(sent[id]?.sort());
  });

  it.each([
    ["another partition", "m2"],
    ["the same partition", neighbourOf("m1")],
  ])("that was cut off is finished by repeating it: %s", async (_, from) => {
    const [a, b] = [aPurchase(), aPurchase()];
    await world.send("m1", a);
    await world.send(from, b);
    await world.members.merge("m1", from);
    const { log, store, members } = world;
    const { identities } = members;
    let commits = 0;
    const failing = Object.create(store, {
      commit: {
        value: (...given: Parameters<typeof store.commit>) => {
          if (++commits > 1) throw new Error("killed");
          return store.commit(...given);
        },
      },
    }) as typeof store;
    const given = { log, store: failing, identities, codec, readComponent, followComponent };
    await expect(unmerge(given, "m1", from)).rejects.toThrow("killed");
    await apart("m1", from);
    expect(await world.stateOf("m1")).toBe(stateFrom([a]));
    expect(await world.stateOf(from)).toBe(stateFrom([b]));
    await expect(apart("m1", from)).rejects.toMatchObject({ code: "merge_invalid" });
  });

  it("refuses who is not merged into it", async () => {
    for (const id of ["m1", "m2", "m3"]) await world.send(id, aPurchase());
    await expect(apart("m1", "m2")).rejects.toMatchObject({ code: "merge_invalid" });
    await world.members.merge("m1", "m2");
    await expect(apart("m3", "m2")).rejects.toMatchObject({ code: "merge_invalid" });
    await expect(apart("m2", "m1")).rejects.toMatchObject({ code: "merge_invalid" });
  });
});
