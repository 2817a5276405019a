import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { CuecardError } from "../../src/errors.js";
import {
  type ImportEventsDependencies,
  type ImportEventsOptions,
  importEvents,
} from "../../src/events/import.js";
import { formatSummary } from "../../src/events/import-report.js";
import { createOptOut } from "../../src/events/opt-out.js";
import { rebuild } from "../../src/events/rebuild.js";
import { replayAnonymous, replayMembers } from "../../src/events/replay.js";
import { combineProfiles } from "../../src/members/combine-profiles.js";
import { codec, World } from "../support/world.js";

let world: World;
beforeAll(async () => {
  world = await World.open();
});
afterAll(() => world.close());
beforeEach(() => world.clear());

const mapping = {
  member: "Customer",
  order: "Invoice",
  product: "Stock",
  at: "Date",
  quantity: "Quantity",
  price: "Price",
};

const HEADER = "Invoice,Stock,Quantity,Price,Date,Customer";

function aFile(rows: readonly string[], name = "orders.csv"): string {
  const file = join(world.dataDir, name);
  writeFileSync(file, `${[HEADER, ...rows].join("\n")}\n`);
  return file;
}

/** Orders of three lines by 40 members, a return and an anonymous row now and then. */
function manyRows(orders: number): string[] {
  return Array.from({ length: orders }, (_, i) => {
    const date = new Date(Date.UTC(2024, 0, 1 + (i % 300))).toISOString();
    const member = i % 10 === 0 ? "" : `c${i % 40}`;
    const quantity = i % 9 === 0 ? -1 : 2;
    return [1, 2, 3].map((line) => `o${i},p${(i + line) % 13},${quantity},1.5,${date},${member}`);
  }).flat();
}

const seen: string[] = [];
const dependencies = (
  changes: Partial<ImportEventsDependencies> = {},
): ImportEventsDependencies => ({
  client: world.client,
  writer: world.writer,
  resolve: async () => null,
  optOut: createOptOut({ ...world, channels: ["phone", "sms"] }),
  registerSeen: async (products) => void seen.push(...products.map(({ id }) => id)),
  ...changes,
});

const run = (
  file: string,
  options: Partial<ImportEventsOptions> = {},
  changes: Partial<ImportEventsDependencies> = {},
) =>
  importEvents(
    { file, mapping, timezone: "UTC", negativeQuantity: "return", ...options },
    dependencies(changes),
  );

async function eventCount(): Promise<number> {
  let count = 0;
  for await (const { events } of replayMembers(world.log)) count += events.length;
  return count;
}

describe("importEvents", () => {
  it("makes orders of lines, and accounts for every row", async () => {
    const date = "2024-05-01 10:00:00";
    const file = aFile([
      `o1,p1,2,1.5,${date},c1`,
      `o1,p2,1,3,${date},c1`,
      `o2,p1,-1,1.5,${date},c1`,
      `o3,p3,4,1,${date},`,
      `o3,p1,4,1,${date},`,
      `o4,p3,many,1,${date},c2`,
      `o5,p3,1,1,${date},c2`,
    ]);
    const summary = await run(file);
    const { seconds, rejectFile } = summary;
    expect(formatSummary(summary)).toBe(
      "imported: rows=7 events=3 members=2 products=3 returns=1 anonymous=2 duplicates=0 " +
        `rejected=1 seconds=${seconds.toFixed(1)}`,
    );
    expect(rejectFile).toBe(`${file}.rejects.csv`);
    const rejects = readFileSync(rejectFile!, "utf8").trim().split("\n");
    expect(rejects[0]).toBe("row,code,detail,raw");
    expect(rejects[1]).toMatch(/^6,invalid_amount,/);
    const { orders, returns } = codec.decode((await world.store.read("c1")).state);
    expect([orders.count, orders.lineCount, orders.grossMilli]).toEqual([1, 2, 6_000]);
    expect(returns.count).toBe(1);
    const anonymous = [];
    for await (const one of replayAnonymous(world.log)) anonymous.push(one);
    expect(anonymous).toHaveLength(1);
    expect(anonymous[0]?.lines.map(({ product }) => product)).toEqual(["p3", "p1"]);
  });

  it("changes nothing the second time", async () => {
    const file = aFile(manyRows(200));
    const first = await run(file, { chunkRows: 50 });
    const before = await world.snapshot();
    const second = await run(file, { chunkRows: 50 });
    expect(await world.snapshot()).toEqual(before);
    expect(first).toMatchObject({ rows: 600, events: 180, duplicates: 0, anonymous: 60 });
    expect(second).toMatchObject({ rows: 600, events: 0, returns: 0, duplicates: 540 });
    expect(second).toMatchObject({ members: first.members, anonymous: 60, rejected: 0 });
    expect(await eventCount()).toBe(180);
  });

  it("gives the state that a rebuild gives, byte for byte", async () => {
    await run(aFile(manyRows(200)), { chunkRows: 50 });
    const before = await world.snapshot();
    const { log: reader, store, client, suppressions } = world;
    const options = { reader, store, client, suppressions };
    const result = await rebuild({ ...options, codec, combineProfiles });
    expect(result).toMatchObject({ written: 0, unloggedCount: 0 });
    expect(await world.snapshot()).toEqual(before);
    await world.flush();
    expect(before).not.toEqual({});
  });

  it("goes on where it was cut off, in the middle of a chunk", async () => {
    const file = aFile(manyRows(200));
    await run(file, { chunkRows: 50 });
    const whole = await world.snapshot();
    await world.flush();
    let writes = 0;
    const write: typeof world.writer.write = async (groups) => {
      if (++writes < 30) return world.writer.write(groups);
      await world.writer.write(groups.slice(0, Math.ceil(groups.length / 2)));
      throw new Error("killed");
    };
    await expect(
      run(file, { chunkRows: 50 }, { writer: { write, knowErasures: async () => {} } }),
    ).rejects.toThrow("killed");
    const rest = await run(file, { chunkRows: 50 });
    expect(rest.events + rest.duplicates / 3).toBe(180);
    expect(await world.snapshot()).toEqual(whole);
    expect(await eventCount()).toBe(180);
  });

  it("also when members of the file were merged meanwhile", async () => {
    const file = aFile(manyRows(200));
    await run(file, { chunkRows: 50 });
    await world.members.merge("c1", "c2");
    const again = await run(file, { chunkRows: 50 });
    expect(again).toMatchObject({ events: 0, duplicates: 540 });
    expect(await eventCount()).toBe(180);
  });

  it("waits while the store is full and loses nothing", async () => {
    const file = aFile(manyRows(30));
    let refusals = 2;
    const said: string[] = [];
    const write: typeof world.writer.write = async (groups) => {
      if (refusals-- > 0) throw new CuecardError("store_full", "no room");
      return world.writer.write(groups);
    };
    const progress = { rows: () => undefined, say: (line: string) => said.push(line), stop() {} };
    const options = { file, mapping, timezone: "UTC", negativeQuantity: "return" as const };
    const summary = await importEvents(
      options,
      dependencies({ writer: { write, knowErasures: async () => {} } }),
      progress,
    );
    expect(summary.events).toBe(27);
    expect(said).toEqual([expect.stringContaining("out of room")]);
    refusals = 1_000;
    const other = aFile(manyRows(31), "other.csv");
    await expect(
      run(other, { giveUpMs: 1 }, { writer: { write, knowErasures: async () => {} } }),
    ).rejects.toMatchObject({
      code: "store_full",
    });
  });

  it("finds members by phone and rejects rows whose number leads nowhere", async () => {
    const file = aFile([
      "o1,p1,1,1,2024-05-01,13800138000",
      "o2,p1,1,1,2024-05-01,12",
      "o3,p1,1,1,2024-05-02,13800138000",
    ]);
    const { member, ...rest } = mapping;
    const asked: string[] = [];
    const resolve: ImportEventsDependencies["resolve"] = async (kind, value) => {
      asked.push(`${kind} ${value}`);
      return value.length > 5 ? "m-found" : null;
    };
    const options = { mapping: { ...rest, phone: member } };
    expect(await run(file, options, { resolve })).toMatchObject({
      rows: 3,
      events: 2,
      members: 1,
      rejected: 1,
    });
    expect(asked).toEqual(["phone 13800138000", "phone 12"]);
    expect(codec.decode((await world.store.read("m-found")).state).orders.count).toBe(2);
  });

  it("rejects rows of an erased member and keeps the others", async () => {
    await world.members.put("c1", { name: "Gone" });
    await world.members.erase("c1");
    const file = aFile(["o1,p1,1,1,2024-05-01,c1", "o2,p1,1,1,2024-05-01,c2"]);
    const summary = await run(file);
    expect(summary).toMatchObject({ rows: 2, events: 1, rejected: 1 });
    expect(readFileSync(summary.rejectFile!, "utf8")).toContain("1,member_erased,");
  });

  it("records opt-outs, also when the file is sent again after a crash in between", async () => {
    const optOuts = { mapping: { member: "Customer", at: "Date", "properties.channel": "Stock" } };
    const file = aFile(["o1,sms,1,1,2024-05-01,c1", "o2,all,1,1,2024-05-01,c2"]);
    const crash = async () => {
      throw new Error("the process died here");
    };
    const options = { ...optOuts, type: "opt_out" };
    await expect(run(file, options, { optOut: crash })).rejects.toThrow("died");
    expect(await run(file, options)).toMatchObject({ events: 0, duplicates: 2 });
    const at = Date.UTC(2024, 4, 1);
    const { profile } = await world.members.get("c1");
    expect(profile?.consents).toEqual([
      { channel: "sms", purpose: "marketing", status: "revoked", at, source: "opt_out" },
    ]);
    expect(world.suppressions.reasonFor("member", "c1")).toBeNull();
    expect(world.suppressions.reasonFor("member", "c2")).toBe("opt_out");
  });

  it("stops at a missing column before it writes anything", async () => {
    const file = aFile(manyRows(3));
    await expect(run(file, { mapping: { ...mapping, at: "When" } })).rejects.toMatchObject({
      code: "file_invalid",
    });
    expect(await world.snapshot()).toEqual({});
  });
});
