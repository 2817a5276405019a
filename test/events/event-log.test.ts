import { rmSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { archiveLog } from "../../src/events/archive.js";
import { EventLog } from "../../src/events/event-log.js";
import type { LoggedRecord, ReadOptions } from "../../src/events/log-reader.js";
import { encodeRecord, type LogRecord } from "../../src/events/log-record.js";
import { mastersOf, type RedisClient } from "../../src/redis/clients.js";
import { groupedPipeline } from "../../src/redis/grouped.js";
import { logKey, memberKey, partitionOf } from "../../src/redis/keys.js";
import { useClient } from "../support/client.js";
import { temporaryDir } from "../support/redis.js";

let client: RedisClient;
let dataDir: string;
let log: EventLog;

useClient((connected) => {
  client = connected;
});
beforeEach(async () => {
  await Promise.all(mastersOf(client).map((node) => node.flushall()));
  dataDir = temporaryDir();
  log = new EventLog(client, dataDir);
});
afterEach(() => rmSync(dataDir, { recursive: true, force: true }));

const anEvent = (member: string, id: string, subject = member): LogRecord => ({
  kind: "event",
  member,
  subject,
  event: { id, type: "view", at: 1_700_000_000_000, lines: [] },
});

const append = (partition: number, record: LogRecord) =>
  client.xadd(logKey(partition), "*", "r", encodeRecord(record));

const appendEvent = (member: string, id: string) =>
  append(partitionOf(member), anEvent(member, id));

const appendMany = (member: string, count: number) =>
  groupedPipeline(
    client,
    Array.from({ length: count }, (_, i) => {
      const text = encodeRecord(anEvent(member, `e${i}`));
      return ["xadd", logKey(partitionOf(member)), "*", "r", text];
    }),
  );

async function readAll(options?: ReadOptions): Promise<LoggedRecord[]> {
  const records: LoggedRecord[] = [];
  for await (const record of log.read(options)) records.push(record);
  return records;
}

const idsOf = (records: readonly LoggedRecord[]) =>
  records.map(({ record }) => (record.kind === "event" ? record.event.id : record.kind));

const members = Array.from({ length: 40 }, (_, i) => `m${i}`);
const archive = () => archiveLog({ client, dataDir });

describe("EventLog", () => {
  it("reads an empty store and an empty archive as nothing", async () => {
    expect(await readAll()).toEqual([]);
  });

  it("gives every record once, partition after partition, whether in files or in streams", async () => {
    for (const member of members) await appendEvent(member, `${member}-1`);
    await archive();
    for (const member of members) await appendEvent(member, `${member}-2`);
    await archive();
    for (const member of members) await appendEvent(member, `${member}-3`);
    const records = await readAll();
    expect(records.length).toBe(120);
    expect(new Set(idsOf(records)).size).toBe(120);
    const partitions = records.map(({ partition }) => partition);
    expect(partitions).toEqual([...partitions].sort((a, b) => a - b));
    for (const member of members) {
      const own = idsOf(records).filter((id) => id.startsWith(`${member}-`));
      expect(own).toEqual([`${member}-1`, `${member}-2`, `${member}-3`]);
    }
  });

  it("keeps a record as it was written", async () => {
    const record: LogRecord = {
      kind: "event",
      member: "m'1",
      subject: "前",
      event: {
        id: 'e"1',
        type: "purchase",
        at: 1_700_000_000_123,
        lines: [{ product: "p\\1", quantity: 0.5, amount: 3.2, category: "茶" }],
        order: "o1",
        properties: { note: "a\nb" },
      },
    };
    const anonymous: LogRecord = { kind: "anonymous", at: 5, lines: record.event.lines };
    await append(partitionOf("m'1"), record);
    await append(partitionOf("m'1"), anonymous);
    await archive();
    expect((await readAll()).map((logged) => logged.record)).toEqual([record, anonymous]);
  });

  it("pages through a partition that is larger than a page", async () => {
    await appendMany("m1", 1_203);
    const expected = Array.from({ length: 1_203 }, (_, i) => `e${i}`);
    expect(idsOf(await readAll())).toEqual(expected);
    await archive();
    expect(idsOf(await readAll({ partitions: [partitionOf("m1")] }))).toEqual(expected);
  });

  it("neither loses nor repeats what is archived and trimmed while it reads", async () => {
    const total = 1_700;
    await appendMany("m1", total);
    const ids: string[] = [];
    for await (const { record } of log.read({ partitions: [partitionOf("m1")] })) {
      ids.push(record.kind === "event" ? record.event.id : record.kind);
      // In the middle of the first and of the second page: the entries behind go to a file.
      if (ids.length === 10 || ids.length === 900) {
        await appendEvent("m1", `late${ids.length}`);
        await archive();
      }
    }
    const expected = Array.from({ length: total }, (_, i) => `e${i}`);
    expect(ids).toEqual([...expected, "late10", "late900"]);
  });

  it("reads on from where it was left", async () => {
    const partition = partitionOf("m1");
    await appendEvent("m1", "a");
    const [first] = await readAll();
    await appendEvent("m1", "b");
    await archive();
    await appendEvent("m1", "c");
    const after = new Map([[partition, first!.logId]]);
    expect(idsOf(await readAll({ after }))).toEqual(["b", "c"]);
    expect(idsOf(await readAll({ after, partitions: [partition] }))).toEqual(["b", "c"]);
  });

  it("gives only the kinds asked for", async () => {
    await appendEvent("m1", "a");
    await append(partitionOf("m1"), { kind: "merge", member: "m1", from: "m2", at: 1 });
    expect(idsOf(await readAll({ kinds: ["merge"] }))).toEqual(["merge"]);
    await archive();
    expect(idsOf(await readAll({ kinds: ["merge"] }))).toEqual(["merge"]);
  });

  it("leaves out members that are erased, by their tombstone in the store", async () => {
    for (const member of ["m1", "m2", "m3"]) await appendEvent(member, member);
    await append(partitionOf("m3"), anEvent("m3", "through-m3", "m2"));
    await archive();
    await append(partitionOf("m2"), { kind: "merge", member: "m2", from: "m1", at: 1 });
    await client.hset(memberKey("m2"), "x", "2026-01-01");
    expect(idsOf(await readAll()).sort()).toEqual(["m1", "m3"]);
  });

  it("leaves out erased members by the archive alone, when the store is empty", async () => {
    for (const member of ["m1", "m2"]) await appendEvent(member, member);
    await append(partitionOf("m2"), { kind: "erasure", member: "m2", at: 1 });
    await archive();
    await Promise.all(mastersOf(client).map((node) => node.flushall()));
    expect(idsOf(await readAll())).toEqual(["m1"]);
    expect(idsOf(await readAll({ kinds: ["erasure"] }))).toEqual(["erasure"]);
  });

  it("says so when the archive lacks what the store was trimmed of", async () => {
    await appendEvent("m1", "a");
    await archive();
    rmSync(dataDir, { recursive: true });
    await expect(readAll()).rejects.toMatchObject({ code: "store_incompatible" });
    await expect(archive()).rejects.toMatchObject({ code: "store_incompatible" });
  });
});
