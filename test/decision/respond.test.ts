import { beforeEach, describe, expect, it } from "vitest";
import { loadConfig } from "../../src/config.js";
import type { DecisionRecord } from "../../src/decision/record.js";
import { type RespondDependencies, respond } from "../../src/decision/respond.js";
import { CuecardError } from "../../src/errors.js";
import { EventLog } from "../../src/events/event-log.js";
import { newDecisionId } from "../../src/members/decision-id.js";
import { mastersOf, type RedisClient } from "../../src/redis/clients.js";
import { partitionOf } from "../../src/redis/keys.js";
import { useClient } from "../support/client.js";
import { flush, idElsewhere, logOf, openTestCore, type TestCore } from "../support/core.js";
import { temporaryDir } from "../support/redis.js";

const DAY_MS = 86_400_000;
const { placements } = loadConfig({});
let client: RedisClient;
let core: TestCore;
let effects: string[];
let dependencies: RespondDependencies;

const aRecord = (id: string, member: string | null): DecisionRecord =>
  ({
    id,
    member,
    request: { placement: "outbound" },
    shown: [{ product: "tea", channel: "phone" }],
  }) as unknown as DecisionRecord;

useClient((connected) => {
  client = connected;
});
beforeEach(async () => {
  await flush(client);
  core = openTestCore(client);
  await core.members.put("m1", { phone: "+8613800138000" });
  effects = [];
  dependencies = {
    find: async (id) => aRecord(id, "m1"),
    ingest: core.ingest,
    effects: async (subject, { id }) => void effects.push(`${subject} ${id}`),
    log: new EventLog(client, temporaryDir()),
    store: core.store,
    placements,
    limits: { maxEventAgeYears: 30, maxFutureSeconds: 300, dedupeDays: 7 },
    usesPhone: (channel) => channel === "phone",
    laterMs: DAY_MS,
    suppress: async () => undefined,
  };
});

const aDecision = (at: number): string => newDecisionId(partitionOf("m1"), at);
/** As if the ids of events of these days were kept no more. */
const forgetIds = async (): Promise<void> => {
  const nodes = mastersOf(client);
  const keys = (await Promise.all(nodes.map((node) => node.keys("*dedupe*")))).flat();
  expect(keys.length).toBeGreaterThan(0);
  for (const key of keys) await client.del(key);
};
const responses = async (member = "m1") =>
  (await logOf(client, member)).filter(
    (one) => (one.kind === "event" && one.event.type === "response") || one.kind === "response",
  );

describe("a response sent again", () => {
  // The log ids of a test are of now, so the decision is said to be old, and the answer too.
  const input = { outcome: "accept", at: Date.now() - 20 * DAY_MS } as const;

  it("long after its event id was forgotten is still the same one", async () => {
    const decisionId = aDecision(input.at - 1_000);
    expect(await respond({ ...input, decisionId }, dependencies)).toMatchObject({
      duplicate: false,
    });
    await forgetIds();
    const again = await respond({ ...input, decisionId, note: "other" }, dependencies);
    expect(again).toEqual({ accepted: true, duplicate: true, known: true });
    expect(await responses()).toHaveLength(1);
    // What the first one began is finished by its repeat.
    expect(effects).toHaveLength(1);
  });

  it("is found after a merge as well", async () => {
    const decisionId = aDecision(input.at - 1_000);
    await respond({ ...input, decisionId }, dependencies);
    const target = idElsewhere("t", "m1");
    await core.members.put(target, {});
    await core.members.merge(target, "m1");
    await respond({ ...input, decisionId, rank: 2 }, dependencies);
    await forgetIds();
    for (const rank of [1, 2]) {
      const again = await respond({ ...input, decisionId, rank }, dependencies);
      expect(again).toMatchObject({ duplicate: true });
    }
    expect(await responses(target)).toHaveLength(1);
  });

  it("that leads to nobody is the same one too", async () => {
    dependencies = {
      ...dependencies,
      find: async () => {
        throw new CuecardError("decision_unknown", "no such decision");
      },
    };
    const decisionId = aDecision(input.at - 1_000);
    const kept = { accepted: true, duplicate: false, known: false };
    expect(await respond({ ...input, decisionId }, dependencies)).toEqual(kept);
    await forgetIds();
    const again = { ...kept, duplicate: true };
    expect(await respond({ ...input, decisionId }, dependencies)).toEqual(again);
    expect(await responses()).toHaveLength(1);
  });

  it("with a key of its own is one whatever its time, and keeps the first", async () => {
    const decisionId = aDecision(Date.now() - 60_000);
    const one = { ...input, decisionId, key: "disposition SALE" };
    await respond({ ...one, at: Date.now() - 2_000 }, dependencies);
    const again = await respond({ ...one, at: Date.now() }, dependencies);
    expect(again).toMatchObject({ duplicate: true });
    expect(effects).toHaveLength(1);
    expect(await responses()).toHaveLength(1);
  });
});

describe("a number found to be wrong", () => {
  it("is the one in use, and a repeat does not go on to the next", async () => {
    const [first, second] = ["+8613800138000", "+8613800138001"];
    await core.members.put("m1", { phone: first, phones: [second] });
    const marks = async () =>
      ((await core.members.get("m1")).profile?.phoneMarks ?? []).map(({ phone }) => phone).sort();
    const at = Date.now() - 5_000;
    const one = { decisionId: aDecision(at), outcome: "bad_number", at } as const;
    const acting = { ...dependencies, effects: core.responseEffects };
    await respond(one, acting);
    expect(await marks()).toEqual([first]);
    expect(await respond(one, acting)).toMatchObject({ duplicate: true });
    expect(await marks()).toEqual([first]);
    await respond({ ...one, decisionId: aDecision(at + 1), at: at + 1 }, acting);
    expect(await marks()).toEqual([first, second]);
    const [number] = await core.contacts.phoneContacts([second]);
    expect(number).toHaveLength(1);
  });
});

describe("a decision just made", () => {
  it("is waited for while its record is on its way", async () => {
    let looks = 0;
    const find = async (id: string) => {
      if (++looks < 3) throw new CuecardError("decision_unknown", "not yet");
      return aRecord(id, "m1");
    };
    const input = { decisionId: aDecision(Date.now()), outcome: "accept", at: Date.now() } as const;
    expect(await respond(input, { ...dependencies, find })).toMatchObject({ known: true });
  });
});

describe("a member erased while the response is under way", () => {
  it("gets nothing written, and the response leads to nobody", async () => {
    await core.members.erase("m1");
    const input = { decisionId: aDecision(Date.now()), outcome: "accept", at: Date.now() } as const;
    const answer = await respond({ ...input, note: "moved" }, dependencies);
    expect(answer).toMatchObject({ duplicate: false, known: false });
    expect(JSON.stringify(await responses())).not.toMatch(/moved|m1"/);
  });
});
