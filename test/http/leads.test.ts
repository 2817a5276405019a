/** Leads over the whole server: what a dialer sends, gets, and never gets. */
import { Writable } from "node:stream";
import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { RankedSets } from "../../src/leads/ranked-sets.js";
import { closeRedis, connectRedis, type RedisClient, whenReady } from "../../src/redis/clients.js";
import { partitionOf } from "../../src/redis/keys.js";
import { startTestRedis, type TestRedis } from "../support/redis.js";
import { aPurchaseOf, type Json, type Serving, startServing } from "../support/serving.js";

const ALWAYS = { from: "00:00", until: "24:00" };
const settings = {
  callingWindows: [
    { jurisdiction: "*", ...ALWAYS },
    { jurisdiction: "CN", ...ALWAYS },
  ],
};

let store: TestRedis;
let server: Serving;
let client: RedisClient;
let logged = "";

const logger = pino(
  { level: "trace" },
  new Writable({
    write(chunk, _encoding, done) {
      logged += chunk;
      done();
    },
  }),
);

const PHONES = ["+8613800000001", "+8613800000002", "+8613800000003", "+8613800000004"];
const ids = PHONES.map((_, i) => `m_${i}`);

beforeAll(async () => {
  store = await startTestRedis();
  server = await startServing(store.target, { logger, settings });
  client = connectRedis(store.target, "work");
  await whenReady(client, 10_000);
  for (const [i, phone] of PHONES.entries()) {
    await server.ok("PUT", `/v1/members/${ids[i]}`, {
      name: "Lin Yue",
      phone,
      timezone: "Asia/Shanghai",
      locale: "zh",
      tags: i < 2 ? ["gold"] : [],
      consents: [{ channel: "phone", status: "granted" }],
    });
    await server.ok("POST", "/v1/events", { events: [aPurchaseOf(ids[i], "tea")] });
  }
});
afterAll(async () => {
  closeRedis(client);
  await server.close();
  await store.stop();
});

const rank = (request: object): Promise<Json> =>
  server.ok("POST", "/v1/leads/rank", { channel: "phone", ...request });
const idsIn = ({ leads }: Json): string[] => leads.map(({ memberId }: Json) => memberId);

/** As the job does, with the first member as the best. */
async function rankEveryone(): Promise<void> {
  const sets = new RankedSets(client);
  const lists = ids.map((id, i) => ({
    partition: partitionOf(id),
    lists: { purchase: [{ id, score: Math.fround(0.9 - i / 10) }] },
  }));
  await sets.writeLists("r1", lists);
  const run = { run: "r1", asOf: Date.now(), heads: "v1", alive: null, partition: 1024, scored: 4 };
  await sets.publish(1, { ...run, members: { purchase: ids.length } });
}

describe("POST /v1/leads/rank", () => {
  it("says that nobody is ranked before the job has ended, and ranks who is named", async () => {
    const none = await server.ask("POST", "/v1/leads/rank", { body: { channel: "phone" } });
    expect(none).toMatchObject({ status: 409, body: { code: "ranking_missing" } });
    const answer = await rank({ members: [...ids, { phone: "138 0000 0001" }, "nobody"] });
    expect(idsIn(answer).sort()).toEqual(ids);
    expect(answer).toMatchObject({
      of: 6,
      skipped: { duplicate: 1, member_unknown: 1 },
      degraded: ["untrained"],
      preview: true,
    });
    expect(answer.leads[0]).toMatchObject({ phone_code: "86", score: null, owner: null });
    expect(answer.leads[0].reasons).toEqual([
      { code: "order_history", text: "共下过1单，最近一次是2天前" },
    ]);
    expect((await rank({ members: [] })).leads).toEqual([]);
  });

  it("walks the last ranked set, and obeys a word said a moment ago", async () => {
    await rankEveryone();
    const answer = await rank({ limit: 3, campaign: "may" });
    expect(idsIn(answer).slice(0, 3)).toEqual(ids.slice(0, 3));
    expect(answer).toMatchObject({ campaign: "may", walked: 4, stopped: "limit", passed: 4 });
    expect(idsIn(await rank({ where: "'gold' in tags && order_count == 1" }))).toEqual([
      "m_0",
      "m_1",
    ]);
    await server.ok("PUT", `/v1/suppressions/${PHONES[0]}`, { source: "dialer" });
    await server.ok("POST", "/v1/events", {
      events: [{ type: "complaint_opened", member: "m_1", at: Date.now() }],
    });
    await server.ok("POST", "/v1/events", {
      events: [
        { type: "opt_out", member: "m_2", at: Date.now(), properties: { channel: "phone" } },
      ],
    });
    const later = await rank({});
    expect(idsIn(later)).toEqual(["m_3"]);
    expect(later.blocked).toEqual({
      "1 do_not_contact": 1,
      "2 consent_refused": 1,
      "8 open_complaint": 1,
    });
    // A contact made is a contact counted.
    await server.ok("POST", "/v1/events", {
      events: [{ type: "call_outbound", member: "m_3", at: Date.now() - 1000, channel: "phone" }],
    });
    expect((await rank({})).blocked).toMatchObject({ "5 cap_channel": 1 });
    const [next] = (await rank({ include: "later" })).leads;
    expect(Date.parse(next.callableFrom)).toBeGreaterThan(Date.now());
    expect(next.attempts).toBe(1);
  });

  it("refuses what it cannot mean, and says where", async () => {
    const faultOf = async (request: object): Promise<Json> => {
      const body = { channel: "phone", members: [], ...request };
      const answer = await server.ask("POST", "/v1/leads/rank", { body });
      expect(answer).toMatchObject({ status: 400, body: { code: "invalid_request" } });
      return answer.body.errors[0];
    };
    expect(await faultOf({ where: "stage == 'new' && ordercount > 3" })).toEqual({
      path: "where",
      message: "Unknown variable: ordercount (character 19)",
    });
    expect((await faultOf({ channel: "pigeon" })).path).toBe("channel");
    expect((await faultOf({ by: "luck" })).path).toBe("by");
    expect((await faultOf({ members: Array(10_001).fill("m") })).path).toBe("members");
    const none = await server.ask("POST", "/v1/leads/rank", {
      body: { channel: "phone", members: ids, by: "renewal" },
    });
    expect(none).toMatchObject({ status: 409, body: { code: "ranking_missing" } });
  });

  it("writes nothing, and nothing of anybody into the log", async () => {
    const before = await client.dbsize();
    await rank({ members: ids });
    await rank({});
    expect(await client.dbsize()).toBe(before);
    expect(logged).toContain("/v1/leads/rank");
    for (const secret of ["1380000000", "Lin Yue", "m_0"]) expect(logged).not.toContain(secret);
  });

  it("gives no leads while nobody can be guarded", async () => {
    await store.stop();
    for (const request of [{ members: ids }, {}]) {
      const body = { channel: "phone", ...request };
      const answer = await server.ask("POST", "/v1/leads/rank", { body });
      expect(answer).toMatchObject({ status: 503, body: { code: "store_unavailable" } });
    }
  });
});
