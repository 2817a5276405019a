import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  closeRedis,
  connectRedis,
  mastersOf,
  type RedisClient,
  scanKeys,
  whenReady,
} from "../../src/redis/clients.js";
import { groupedPipeline } from "../../src/redis/grouped.js";
import { memberIdOf, memberKey, memberKeyPattern } from "../../src/redis/keys.js";
import { defineScript, pipelineScripts, runScript } from "../../src/redis/scripts.js";
import { slotOf } from "../../src/redis/slot.js";
import { type TestStore, testTarget } from "../support/redis.js";

let store: TestStore;
let client: RedisClient;

beforeAll(async () => {
  store = await testTarget();
  client = connectRedis(store.target, "serve");
  await whenReady(client, 10_000);
});

afterAll(async () => {
  closeRedis(client);
  await store.stop();
});

const ids = Array.from({ length: 300 }, (_, i) => `会员 ${i} {}*`);
const bytesOf = (i: number): Buffer => Buffer.from([0, 255, 13, 10, i & 255, i >> 8]);

describe("slotOf", () => {
  it("agrees with Redis itself", async () => {
    if (!store.isCluster) return;
    const samples = ["a", "", "{}", "{}x", "x{y}z{w}", "{{a}}", "茶{红}", ...ids.map(memberKey)];
    const asked = await Promise.all(
      samples.map((key) => mastersOf(client)[0].cluster("KEYSLOT", key)),
    );
    expect(samples.map(slotOf)).toEqual(asked);
  });
});

describe("groupedPipeline", () => {
  it("writes and reads many members on many nodes, in the order asked, byte for byte", async () => {
    const written = await groupedPipeline(
      client,
      ids.map((id, i) => ["hset", memberKey(id), "state", bytesOf(i), "n", i]),
    );
    expect(written.every((outcome) => outcome.value === 2)).toBe(true);
    const read = await groupedPipeline<(Buffer | null)[]>(
      client,
      ids.map((id) => ["hmget", memberKey(id), "state", "missing", "n"]),
    );
    expect(read.map((outcome) => outcome.value)).toEqual(
      ids.map((_, i) => [bytesOf(i), null, Buffer.from(String(i))]),
    );
  });

  it("gives a command its own error and the others their replies", async () => {
    const outcomes = await groupedPipeline(client, [
      ["set", "a", "1"],
      ["hget", "a", "field"],
      ["get", "a"],
    ]);
    expect(outcomes[0].error).toBeUndefined();
    expect(outcomes[1].error?.message).toMatch(/^WRONGTYPE/);
    expect(outcomes[2].value).toEqual(Buffer.from("1"));
  });

  it("takes an empty list", async () => {
    expect(await groupedPipeline(client, [])).toEqual([]);
  });
});

describe("scanKeys", () => {
  it("finds the members of every node", async () => {
    const found = new Set<string>();
    for await (const keys of scanKeys(client, memberKeyPattern)) {
      for (const key of keys) found.add(memberIdOf(key));
    }
    expect(found).toEqual(new Set(ids));
  });
});

describe("scripts", () => {
  const append = defineScript<[Buffer, number]>({
    name: "test_append",
    numberOfKeys: 1,
    lua: `-- KEYS[1] text; ARGV[1] bytes to append. Returns {text, length}; error TOO_LONG above 64.
      if string.len(ARGV[1]) > 64 then return redis.error_reply('TOO_LONG') end
      local length = redis.call('APPEND', KEYS[1], ARGV[1])
      return {redis.call('GET', KEYS[1]), length}`,
  });

  const forgetScripts = () =>
    Promise.all(mastersOf(client).map((node) => node.script("FLUSH", "SYNC")));

  it("run whether or not the node knows them, with bytes both ways", async () => {
    await forgetScripts();
    const bytes = Buffer.from([0, 200, 255, 10]);
    expect(await runScript(client, append, ["s:one"], [bytes])).toEqual([bytes, 4]);
    expect(await runScript(client, append, ["s:one"], [bytes])).toEqual([
      Buffer.concat([bytes, bytes]),
      8,
    ]);
  });

  it("run in pipelines on every node, each call once, in order per key, with errors of their own", async () => {
    await forgetScripts();
    const calls = ids.flatMap((id, i) => [
      { script: append, keys: [`s:${id}`], args: [bytesOf(i)] },
      { script: append, keys: [`s:${id}`], args: [i === 7 ? "x".repeat(65) : "!"] },
    ]);
    const outcomes = await pipelineScripts(client, calls);
    ids.forEach((_, i) => {
      expect(outcomes[2 * i].value).toEqual([bytesOf(i), 6]);
      if (i === 7) expect(outcomes[2 * i + 1].error?.message).toMatch(/TOO_LONG/);
      else expect(outcomes[2 * i + 1].value?.[1]).toBe(7);
    });
  });

  it("refuse a call with another number of keys, and a second script of the same name", async () => {
    await expect(runScript(client, append, ["a", "b"])).rejects.toThrow(/takes 1 keys/);
    expect(() => defineScript({ name: "test_append", lua: "return 1" })).toThrow(/twice/);
  });
});

describe("a slot on the move", () => {
  it("is followed by pipelined commands: nothing is lost and nothing runs twice", async () => {
    if (!store.isCluster) return;
    const [from, to] = await ownerAndOther("moving:{tag}:0");
    const slot = slotOf("{tag}");
    const keys = Array.from({ length: 50 }, (_, i) => `moving:{tag}:${i}`);
    const [fromId, toId] = (await Promise.all([
      from.cluster("MYID"),
      to.cluster("MYID"),
    ])) as string[];
    await groupedPipeline(
      client,
      keys.slice(0, 25).map((key) => ["set", key, 0]),
    );
    await to.cluster("SETSLOT", slot, "IMPORTING", fromId);
    await from.cluster("SETSLOT", slot, "MIGRATING", toId);
    // While it moves: known keys answer here, new ones are asked for there (ASK).
    const during = await groupedPipeline(
      client,
      keys.map((key) => ["incr", key]),
    );
    expect(during.map(({ value }) => value)).toEqual(keys.map(() => 1));
    const here = keys.slice(0, 25);
    await from.call(
      "MIGRATE",
      to.options.host as string,
      to.options.port as number,
      "",
      0,
      5_000,
      "KEYS",
      ...here,
    );
    for (const node of [to, from]) await node.cluster("SETSLOT", slot, "NODE", toId);
    // Now it has moved, and this client's map of slots is out of date (MOVED).
    const after = await groupedPipeline(
      client,
      keys.map((key) => ["incr", key]),
    );
    expect(after.map(({ value }) => value)).toEqual(keys.map(() => 2));
    await groupedPipeline(
      client,
      keys.map((key) => ["del", key]),
    );
    await to.cluster("SETSLOT", slot, "MIGRATING", fromId);
    await from.cluster("SETSLOT", slot, "IMPORTING", toId);
    for (const node of [from, to]) await node.cluster("SETSLOT", slot, "NODE", fromId);
  });

  async function ownerAndOther(key: string) {
    const outcomes = await Promise.all(
      mastersOf(client).map((node) =>
        node.get(key).then(
          () => true,
          () => false,
        ),
      ),
    );
    const owner = outcomes.indexOf(true);
    return [mastersOf(client)[owner], mastersOf(client)[(owner + 1) % outcomes.length]] as const;
  }
});
