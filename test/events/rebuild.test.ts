import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { archiveLog } from "../../src/events/archive.js";
import type { LogReader } from "../../src/events/log-reader.js";
import { type RebuildOptions, rebuild } from "../../src/events/rebuild.js";
import { combineProfiles } from "../../src/members/combine-profiles.js";
import { memberKey, partitionOf } from "../../src/redis/keys.js";
import { aPurchase, codec, World } from "../support/world.js";

let world: World;
beforeAll(async () => {
  world = await World.open();
});
afterAll(() => world.close());
beforeEach(() => world.clear());

const run = (options: Partial<RebuildOptions> = {}) =>
  rebuild({
    reader: world.log,
    store: world.store,
    client: world.client,
    codec,
    combineProfiles,
    suppressions: world.suppressions,
    ...options,
  });

const archive = () => archiveLog({ client: world.client, dataDir: world.dataDir });

/** Members with several events, in changing order, some with profiles. */
async function somePeople(): Promise<void> {
  for (let i = 0; i < 30; i++) {
    await world.send(`m${i % 10}`, aPurchase(), aPurchase({ at: Date.UTC(2024, i % 12, 3) }));
  }
  await world.members.put("m3", { name: "Three", phone: "13800138000" });
  await world.members.put("p1", { name: "Profile only" });
}

describe("rebuild", () => {
  it("changes nothing where the store is as the log says", async () => {
    await somePeople();
    await archive();
    await world.send("m1", aPurchase());
    const before = await world.snapshot();
    const result = await run();
    expect(await world.snapshot()).toEqual(before);
    expect(result).toEqual({
      members: 11,
      written: 0,
      unlogged: [],
      unloggedCount: 0,
      foreignSuppressions: 0,
    });
  });

  it("gives a store that was lost back, byte for byte", async () => {
    await somePeople();
    await world.send("e1", aPurchase());
    await world.members.erase("e1");
    const before = await world.snapshot();
    await archive();
    await world.flush();
    const result = await run();
    expect(await world.snapshot()).toEqual(before);
    expect(result).toMatchObject({ members: 11, written: 12, unloggedCount: 0 });
    await expect(world.members.get("e1")).rejects.toMatchObject({ code: "member_erased" });
  });

  it("repairs a state and a profile that differ from the log", async () => {
    await somePeople();
    const before = await world.snapshot();
    await world.client.hset(memberKey("m1"), "s", Buffer.from("00", "hex"));
    await world.client.hdel(memberKey("m3"), "p");
    const profiles: string[] = [];
    const onProfile = async (id: string) => void profiles.push(id);
    expect((await run({ onProfile })).written).toBe(2);
    expect(profiles).toEqual(["m3"]);
    expect(await world.snapshot()).toEqual(before);
  });

  it("gives merged members back: redirects, combined profile, state of all parts", async () => {
    await somePeople();
    await world.members.merge("m1", "m2");
    await world.members.merge("m4", "m1");
    await world.send("m2", aPurchase());
    await world.members.merge("m3", "p1");
    await run();
    const before = await world.snapshot();
    await archive();
    await world.flush();
    await run();
    const after = await world.snapshot();
    const states = (snapshot: typeof after) =>
      Object.fromEntries(Object.entries(snapshot).map(([key, fields]) => [key, fields.s]));
    expect(states(after)).toEqual(states(before));
    const of = (id: string) => world.store.readThrough(id);
    expect((await of("m2")).id).toBe("m4");
    expect((await of("p1")).id).toBe("m3");
    expect((await of("p1")).profile?.merged?.map(({ name }) => name).sort()).toEqual([
      "Profile only",
      "Three",
    ]);
  });

  it("loses nothing that is written while it runs", async () => {
    await somePeople();
    await world.members.merge("m4", "m5");
    let sending = true;
    const live = (async () => {
      for (let i = 0; sending; i++) {
        await world.send(`m${i % 10}`, aPurchase());
        if (i === 20) await world.members.merge("m6", "m7");
      }
    })();
    for (let round = 0; round < 4; round++) await run();
    sending = false;
    await live;
    const before = await world.snapshot();
    await run();
    const after = await world.snapshot();
    const summary = (snapshot: typeof after) =>
      Object.entries(snapshot).map(([key, { s }]) => {
        const state = codec.decode(s === undefined ? null : Buffer.from(s, "hex"));
        return [key, state.orders, state.lines];
      });
    expect(summary(after)).toEqual(summary(before));
  });

  it("looks again at a member written between the end of its log and its own write", async () => {
    await somePeople();
    const sent = new Set<string>();
    const ids = Array.from({ length: 10 }, (_, i) => `m${i}`);
    const reader: LogReader = {
      async *read(options) {
        yield* world.log.read(options);
        if (options?.after === undefined) return;
        const here = ids.filter((id) => options.partitions?.includes(partitionOf(id)));
        for (const id of here) if (!sent.has(id)) await world.send(id, aPurchase());
        for (const id of here) sent.add(id);
      },
    };
    await run({ reader });
    expect(sent.size).toBe(10);
    for (let i = 0; i < 10; i++) {
      const { orders } = codec.decode((await world.store.read(`m${i}`)).state);
      expect(orders.count).toBe(7);
    }
  });

  it("reports members the log does not know", async () => {
    await somePeople();
    await world.client.hset(memberKey("stray"), "s", "x", "v", "1");
    expect(await run()).toMatchObject({ unlogged: ["stray"], unloggedCount: 1 });
  });
});
