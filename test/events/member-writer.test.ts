import fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import type { MemberEvent } from "../../src/events/event.js";
import type { PendingEvent, WriteGroup } from "../../src/events/member-writer.js";
import { EMPTY_STATE, encodeState, type FeatureState, fold } from "../../src/features/state.js";
import type { RedisClient } from "../../src/redis/clients.js";
import { dedupeKey, partitionOf } from "../../src/redis/keys.js";
import { aPurchase, eventArbitrary } from "../support/builders.js";
import { useClient } from "../support/client.js";
import {
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

const purchase = (n: number, over: Partial<MemberEvent> = {}): MemberEvent =>
  aPurchase(n, [`p${n % 7}`], { id: `e${n}`, order: undefined, channel: "web", ...over });

async function write(
  subject: string,
  ...events: MemberEvent[]
): Promise<PendingEvent["outcome"][]> {
  const pending = events.map((event) => pendingOf(subject, event));
  await core.writer.write([{ events: pending }]);
  return pending.map(({ outcome }) => outcome);
}

/** Equal but for the last bits of decayed sums, which depend on the order of adding. */
function expectSameState(actual: FeatureState, expected: FeatureState): void {
  const { decays: found, ...rest } = actual;
  const { decays: wanted, ...restWanted } = expected;
  expect(rest).toEqual(restWanted);
  expect(found.referenceAt).toBe(wanted.referenceAt);
  found.sums.forEach((sum, i) => {
    const tolerance = 1e-9 * Math.max(1, Math.abs(wanted.sums[i]!));
    expect(Math.abs(sum - wanted.sums[i]!)).toBeLessThanOrEqual(tolerance);
  });
}

/** What replaying the stream of the member's partition gives, packed. */
async function replayed(id: string): Promise<Buffer> {
  let state = EMPTY_STATE;
  for (const record of await logOf(client, id)) {
    if (record.kind === "event" && record.member === id) state = fold(state, record.event);
  }
  return encodeState(state);
}

describe("writing to one member", () => {
  it("loses nothing when 50 write at once, and counts each once", async () => {
    const events = Array.from({ length: 50 }, (_, n) => purchase(n));
    const writers = [core, openTestCore(client), openTestCore(client)];
    const pending = events.map((event) => pendingOf("m", event));
    await Promise.all(pending.map((one, i) => writers[i % 3]!.writer.write([{ events: [one] }])));
    expect(pending.every(({ outcome }) => outcome === "accepted")).toBe(true);
    expectSameState(await stateOf(core, "m"), foldAll(events));
    expect(await logOf(client, "m")).toHaveLength(50);
    expect((await core.store.read("m")).state).toEqual(await replayed("m"));
  });

  it("accepts one of many who send the same event at once", async () => {
    const pending = Array.from({ length: 12 }, () => pendingOf("m", purchase(1)));
    await Promise.all(pending.map((one) => openTestCore(client).writer.write([{ events: [one] }])));
    const outcomes = pending.map(({ outcome }) => outcome);
    expect(outcomes.filter((outcome) => outcome === "accepted")).toHaveLength(1);
    expect(outcomes.filter((outcome) => outcome === "duplicate")).toHaveLength(11);
    expectSameState(await stateOf(core, "m"), foldAll([purchase(1)]));
  });

  it("comes to the same state in any order, with a tenth of the events sent twice", async () => {
    let run = 0;
    const histories = fc
      .uniqueArray(eventArbitrary, { minLength: 1, maxLength: 30, selector: ({ id }) => id })
      // Orders here are whole; their parts have a test of their own.
      .map((list) => list.map(({ continuation: _, order: __, ...event }) => event))
      .chain((list) =>
        fc.tuple(
          fc.constant(list),
          fc.shuffledSubarray([...list, ...list.slice(0, Math.ceil(list.length / 10))], {
            minLength: list.length + Math.ceil(list.length / 10),
          }),
          fc.integer({ min: 1, max: 7 }),
        ),
      );
    await fc.assert(
      fc.asyncProperty(histories, async ([list, shuffled, size]) => {
        const id = `run ${run++}`;
        const groups: WriteGroup[] = [];
        for (let i = 0; i < shuffled.length; i += size) {
          const part = shuffled.slice(i, i + size);
          groups.push({ events: part.map((event) => pendingOf(id, event)) });
        }
        for (const group of groups) await core.writer.write([group]);
        const outcomes = groups.flatMap(({ events }) => events.map(({ outcome }) => outcome));
        expect(outcomes.filter((outcome) => outcome === "accepted")).toHaveLength(list.length);
        expectSameState(await stateOf(core, id), foldAll(list));
        expect((await core.store.read(id)).state).toEqual(await replayed(id));
      }),
      { numRuns: 25 },
    );
  });

  it("remembers ids for the days it was told, to twice as many", async () => {
    const period = Math.floor(Date.now() / (7 * 86_400_000));
    const key = dedupeKey(partitionOf("m"), period);
    await write("m", purchase(1, { order: "o" }), purchase(2));
    await write("m", purchase(3));
    const seconds = await client.ttl(key);
    expect(seconds / 86_400).toBeGreaterThan(14);
    expect(seconds / 86_400).toBeLessThanOrEqual(15);
    expect(await client.hlen(key)).toBe(4);
    await client.rename(key, dedupeKey(partitionOf("m"), period - 1));
    expect(await write("m", purchase(2))).toEqual(["duplicate"]);
  });

  it("writes many members in one call, each in its own partition", async () => {
    const groups = Array.from({ length: 100 }, (_, n) => ({
      events: [pendingOf(`m${n}`, purchase(n)), pendingOf(`m${n}`, purchase(n + 100))],
    }));
    await core.writer.write(groups);
    for (const n of [0, 42, 99]) {
      expect((await stateOf(core, `m${n}`)).orders.count).toBe(2);
      expect((await core.store.read(`m${n}`)).state).toEqual(await replayed(`m${n}`));
    }
  });
});

describe("a merged member", () => {
  const a = "a";
  const b = idElsewhere("b", a);
  const c = idElsewhere("c", a, b);

  it("is written through its old id, and repeats from before the merge are recognised", async () => {
    await write(a, purchase(1), purchase(2, { order: "o" }));
    await write(b, purchase(3));
    await core.members.merge(b, a);
    expect(await write(a, purchase(1), purchase(4))).toEqual(["duplicate", "accepted"]);
    const differs = purchase(1, { lines: [] });
    expect(await write(a, differs)).toEqual(["duplicate_differs"]);
    expect(await write(a, purchase(5, { order: "o" }))).toEqual(["accepted"]);
    expect((await stateOf(core, b)).orders).toMatchObject({ count: 4, lineCount: 5 });
    const last = (await logOf(client, b)).at(-1);
    expect(last).toMatchObject({ kind: "event", member: b, subject: a });
  });

  it("recognises repeats along a chain of merges, wherever the id was claimed", async () => {
    await write(a, purchase(1));
    await write(b, purchase(2));
    await write(c, purchase(3));
    await core.members.merge(b, a);
    await write(a, purchase(4));
    await core.members.merge(c, b);
    await write(a, purchase(5));
    expect(await write(a, purchase(1), purchase(4), purchase(5))).toEqual([
      "duplicate",
      "duplicate",
      "duplicate",
    ]);
    expect(await write(b, purchase(2))).toEqual(["duplicate"]);
    expect((await stateOf(core, a)).orders.count).toBe(5);
  });

  it("lets the two still use an event id each", async () => {
    await write(a, purchase(1));
    await write(b, purchase(2));
    await core.members.merge(b, a);
    expect(await write(b, purchase(1))).toEqual(["accepted"]);
  });

  it("loses nothing and counts nothing twice while writers go on during the merge", async () => {
    await write(a, purchase(100));
    await write(b, purchase(101));
    const events = Array.from({ length: 30 }, (_, n) => purchase(n));
    const pending = events.map((event, n) => pendingOf(n % 2 === 0 ? a : b, event));
    await Promise.all([
      ...pending.map((one) => openTestCore(client).writer.write([{ events: [one] }])),
      openTestCore(client).members.merge(b, a),
    ]);
    expect(pending.every(({ outcome }) => outcome === "accepted")).toBe(true);
    expectSameState(await stateOf(core, a), foldAll([...events, purchase(100), purchase(101)]));
    expect((await core.store.read(a)).state).toBeNull();
  });

  it("finishes a merge that was cut off, whoever writes next", async () => {
    await write(a, purchase(1));
    await write(b, purchase(2));
    const store = dyingStore(client);
    store.commitsLeft = 1;
    const dying = openTestCore(client, undefined, store);
    await expect(dying.members.merge(b, a)).rejects.toThrow("died");
    expect(await write(a, purchase(3))).toEqual(["accepted"]);
    expect((await stateOf(core, b)).orders.count).toBe(3);
    expect((await core.store.read(a)).state).toBeNull();
  });
});

describe("a chunk of an import", () => {
  const home = "a";
  /** Another member of a's partition, and one elsewhere. */
  const neighbour = Array.from({ length: 20_000 }, (_, i) => `n${i}`).find(
    (id) => partitionOf(id) === partitionOf(home),
  )!;
  const away = idElsewhere("away", home);
  const farther = idElsewhere("farther", home, away);

  const chunkOf = (chunk: number, ...ids: string[]): WriteGroup => ({
    events: ids.map((subject, i) => ({
      subject,
      event: purchase(chunk * 10 + i),
      remember: false,
    })),
    partition: partitionOf(home),
    ledger: { field: "file", chunk },
    records: [{ kind: "anonymous", at: 1, lines: [] }],
  });
  const send = async (chunk: number, ...ids: string[]) => {
    const group = chunkOf(chunk, ...ids);
    await core.writer.write([group]);
    return group.events.map(({ outcome }) => outcome);
  };
  const count = async (id: string) => (await stateOf(core, id)).orders.count;
  const anonymous = async () =>
    (await logOf(client, home)).filter(({ kind }) => kind === "anonymous").length;

  it("is applied once, and a later one after it", async () => {
    expect(await send(1, home, neighbour)).toEqual(["accepted", "accepted"]);
    const before = await dump(client);
    expect(await send(1, home, neighbour)).toEqual(["duplicate", "duplicate"]);
    expect(await dump(client)).toBe(before);
    expect(await send(2, home)).toEqual(["accepted"]);
    expect([await count(home), await count(neighbour)]).toEqual([2, 1]);
  });

  it("stays applied once when a member was merged away afterwards", async () => {
    await send(1, home, neighbour);
    await write(away, purchase(900));
    await core.members.merge(away, home);
    expect(await send(1, home, neighbour)).toEqual(["duplicate", "duplicate"]);
    expect([await count(home), await count(neighbour)]).toEqual([2, 1]);
  });

  it("is applied once when a member had been merged away before, along a chain too", async () => {
    await write(home, purchase(900));
    await write(away, purchase(901));
    await core.members.merge(away, home);
    expect(await send(1, home, neighbour)).toEqual(["accepted", "accepted"]);
    expect(await send(1, home, neighbour)).toEqual(["duplicate", "duplicate"]);
    await write(farther, purchase(902));
    await core.members.merge(farther, away);
    expect(await send(1, home, neighbour)).toEqual(["duplicate", "duplicate"]);
    expect([await count(home), await count(neighbour)]).toEqual([4, 1]);
    expect(await anonymous()).toBe(1);
  });

  it("cut off between the two partitions is completed by the next try", async () => {
    await write(home, purchase(900));
    await write(away, purchase(901));
    await core.members.merge(away, home);
    const store = dyingStore(client);
    store.commitsLeft = 1;
    const dying = openTestCore(client, undefined, store);
    await expect(dying.writer.write([chunkOf(1, home, neighbour)])).rejects.toThrow("died");
    expect([await count(home), await count(neighbour)]).toEqual([3, 0]);
    // The member moves on once more before the import is taken up again.
    await write(farther, purchase(902));
    await core.members.merge(farther, away);
    expect(await send(1, home, neighbour)).toEqual(["duplicate", "accepted"]);
    expect([await count(home), await count(neighbour)]).toEqual([4, 1]);
    expect(await anonymous()).toBe(1);
  });

  it("without members still writes its records once", async () => {
    await send(1);
    await send(1);
    expect(await anonymous()).toBe(1);
  });
});
