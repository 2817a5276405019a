import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { archiveLog } from "../../src/events/archive.js";
import type { LoggedRecord } from "../../src/events/log-reader.js";
import { encodeRecord } from "../../src/events/log-record.js";
import {
  type ReplayedMember,
  type ReplayOptions,
  replayAnonymous,
  replayMembers,
} from "../../src/events/replay.js";
import { DeferredRecords } from "../../src/events/replay-deferred.js";
import { logKey, partitionOf } from "../../src/redis/keys.js";
import { aPurchase, World } from "../support/world.js";

let world: World;
beforeAll(async () => {
  world = await World.open();
});
afterAll(() => world.close());
beforeEach(() => world.clear());

async function replay(options?: ReplayOptions): Promise<Map<string, ReplayedMember>> {
  const members = new Map<string, ReplayedMember>();
  for await (const member of replayMembers(world.log, options)) {
    expect(members.has(member.id)).toBe(false);
    members.set(member.id, member);
  }
  return members;
}

const eventIds = (member: ReplayedMember | undefined) =>
  member?.events.map(({ event }) => event.id);

/** Another id of the same partition. */
function neighbourOf(id: string): string {
  for (let i = 0; ; i++) if (partitionOf(`n${i}`) === partitionOf(id)) return `n${i}`;
}

describe("replayMembers", () => {
  it("gives every member its events and profiles in the order they were written", async () => {
    await world.send("m1", aPurchase({ id: "a" }), aPurchase({ id: "b" }));
    await world.members.put("m1", { name: "One" });
    await world.send("m2", aPurchase({ id: "c" }));
    await archiveLog({ client: world.client, dataDir: world.dataDir });
    await world.send("m1", aPurchase({ id: "d", at: 5 }));
    const members = await replay();
    expect([...members.keys()].sort()).toEqual(["m1", "m2"]);
    expect(eventIds(members.get("m1"))).toEqual(["a", "b", "d"]);
    expect(members.get("m1")?.profiles.map(({ profile }) => profile.name)).toEqual(["One"]);
    expect(members.get("m1")?.subjects).toEqual(["m1"]);
  });

  it.each([
    ["another partition", "m2"],
    ["the same partition", neighbourOf("m1")],
  ])("gives what a merged member of %s did to the one that holds it", async (_, from) => {
    await world.send("m1", aPurchase({ id: "a" }));
    await world.send(from, aPurchase({ id: "b" }));
    await world.members.merge("m1", from);
    await world.send(from, aPurchase({ id: "c" }));
    await world.send("m3", aPurchase({ id: "d" }));
    const members = await replay();
    expect([...members.keys()].sort()).toEqual(["m1", "m3"]);
    expect(eventIds(members.get("m1"))).toEqual(["a", "b", "c"]);
    expect(members.get("m1")?.subjects).toEqual(["m1", from]);
    expect(members.get("m1")?.events.map(({ subject }) => subject)).toEqual(["m1", from, from]);
  });

  it("follows a chain of merges, also for some members only", async () => {
    for (const id of ["m1", "m2", "m3", "m4"]) await world.send(id, aPurchase({ id: `e-${id}` }));
    await world.members.merge("m2", "m1");
    await world.members.merge("m3", "m2");
    const some = await replay({ members: ["m1", "m4"] });
    expect([...some.keys()].sort()).toEqual(["m3", "m4"]);
    expect(eventIds(some.get("m3"))).toEqual(["e-m1", "e-m2", "e-m3"]);
    expect(some).toEqual(new Map([...(await replay())].sort()));
  });

  it("ends at the instant asked for", async () => {
    await world.send("m1", aPurchase({ id: "a", at: 100 }), aPurchase({ id: "b", at: 200 }));
    expect(eventIds((await replay({ until: 150 })).get("m1"))).toEqual(["a"]);
  });

  it("leaves out an erased member and those merged into it", async () => {
    for (const id of ["m1", "m2", "m3"]) await world.send(id, aPurchase());
    await world.members.merge("m1", "m2");
    await world.members.erase("m1");
    expect([...(await replay()).keys()]).toEqual(["m3"]);
  });

  it("gives anonymous purchases apart", async () => {
    const record = { kind: "anonymous" as const, at: 7, lines: aPurchase().lines };
    await world.client.xadd(logKey(3), "*", "r", encodeRecord(record));
    await world.send("m1", aPurchase());
    expect([...(await replay()).keys()]).toEqual(["m1"]);
    const anonymous = [];
    for await (const one of replayAnonymous(world.log)) anonymous.push(one);
    expect(anonymous).toEqual([{ at: 7, lines: record.lines }]);
  });
});

describe("DeferredRecords", () => {
  it("gives back under each key what was added, spilled or not", () => {
    const record = (logId: string): LoggedRecord => ({
      partition: 1,
      logId,
      record: { kind: "erasure", member: "m", at: 1 },
    });
    for (const limit of [3, 1_000]) {
      const deferred = new DeferredRecords(limit);
      for (let i = 0; i < 100; i++) deferred.add(`k${i % 10}`, record(`${i}-0`));
      const drained = new Map(deferred.drain());
      expect(drained.size).toBe(10);
      expect(drained.get("k3")?.map(({ logId }) => logId)).toEqual(
        Array.from({ length: 10 }, (_, i) => `${i * 10 + 3}-0`),
      );
      deferred.close();
    }
  });
});
