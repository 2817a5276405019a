import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { archiveLog } from "../../src/events/archive.js";
import { eraseBytes } from "../../src/events/erase.js";
import { replayMembers } from "../../src/events/replay.js";
import { mastersOf } from "../../src/redis/clients.js";
import { logKey, PARTITIONS } from "../../src/redis/keys.js";
import type { TestRedis } from "../support/redis.js";
import { aPurchase, World } from "../support/world.js";

let world: World;
beforeAll(async () => {
  world = await World.open();
});
afterAll(() => world.close());
beforeEach(() => world.clear());

const archive = () => archiveLog({ client: world.client, dataDir: world.dataDir });
const erase = () =>
  eraseBytes({
    client: world.client,
    dataDir: world.dataDir,
    suppressions: world.suppressions,
  });

/** All text of all streams. */
async function streams(): Promise<string> {
  let text = "";
  for (let partition = 0; partition < PARTITIONS; partition++) {
    text += JSON.stringify(await world.client.xrange(logKey(partition), "-", "+"));
  }
  return text;
}

async function idsLeft(): Promise<string[]> {
  const ids: string[] = [];
  for await (const { id } of replayMembers(world.log)) ids.push(id);
  return ids.sort();
}

describe("eraseBytes", () => {
  it("takes an erased member and those merged into it out of streams and archive", async () => {
    for (const id of ["gone", "part", "kept"]) await world.send(id, aPurchase());
    await world.members.merge("gone", "part");
    await archive();
    await world.send("part", aPurchase({ order: "secret-order" }));
    await world.send("kept", aPurchase());
    await world.members.put("gone", { name: "Secret Name" });
    await world.members.erase("gone");
    expect(await streams()).toContain("secret-order");
    const result = await erase();
    expect(result).toMatchObject({ left: 0, erasedEntries: 4, membersGone: 2 });
    expect(result.erasedRows).toBeGreaterThanOrEqual(3);
    expect(await streams()).not.toMatch(/secret-order|Secret Name/);
    expect(await idsLeft()).toEqual(["kept"]);
    await archive();
    expect(await idsLeft()).toEqual(["kept"]);
    expect(await erase()).toMatchObject({ left: 0, erasedEntries: 0, erasedRows: 0 });
    await world.flush();
    expect(await idsLeft()).toEqual(["kept"]);
  });

  it("only compacts where nobody was erased", async () => {
    for (let i = 0; i < 3; i++) {
      await world.send("kept", aPurchase());
      await archive();
    }
    expect(await erase()).toEqual({
      filesBefore: 3,
      filesAfter: 1,
      erasedRows: 0,
      erasedEntries: 0,
      left: 0,
      membersGone: 0,
      rewriting: 0,
    });
  });

  it("has the append-only file written anew", async () => {
    await world.members.put("gone", { name: "Very-Secret-Name" });
    await world.members.erase("gone");
    const { rewriting } = await erase();
    if (world.redis.isCluster) {
      expect(rewriting).toBe(0);
      return;
    }
    expect(rewriting).toBe(1);
    const [node] = mastersOf(world.client);
    while (/aof_rewrite_(in_progress|scheduled):1/.test(await node!.info("persistence"))) {
      await sleep(20);
    }
    const { dataDir } = world.redis as TestRedis;
    const files = readdirSync(join(dataDir, "redis"), { recursive: true, withFileTypes: true });
    const texts = files
      .filter((entry) => entry.isFile())
      .map((entry) => readFileSync(join(entry.parentPath, entry.name), "latin1"));
    expect(texts.length).toBeGreaterThan(0);
    expect(texts.some((text) => text.includes("Very-Secret-Name"))).toBe(false);
  });
});
