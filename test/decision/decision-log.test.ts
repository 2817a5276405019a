import { rmSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { decide } from "../../src/decision/decide.js";
import { DecisionLog } from "../../src/decision/decision-log.js";
import { DecisionRecorder } from "../../src/decision/recorder.js";
import { archiveLog } from "../../src/events/archive.js";
import { compactArchive } from "../../src/events/archive-compact.js";
import { EventLog } from "../../src/events/event-log.js";
import { closeRedis, connectRedis, type RedisClient, whenReady } from "../../src/redis/clients.js";
import { logKey, partitionOf } from "../../src/redis/keys.js";
import { openTestCore, type TestCore } from "../support/core.js";
import { type TestStore, temporaryDir, testTarget } from "../support/redis.js";
import { config, dependenciesOf } from "./a-decider.js";

let store: TestStore;
let client: RedisClient;
let core: TestCore;
let dataDir: string;

beforeAll(async () => {
  store = await testTarget();
  client = connectRedis(store.target, "work");
  await whenReady(client, 10_000);
  core = openTestCore(client);
  dataDir = temporaryDir();
});
afterAll(async () => {
  closeRedis(client);
  await store.stop();
  rmSync(dataDir, { recursive: true, force: true });
});

it("is found by another process that asks before it is written", async () => {
  const [ours, another] = [1, 2].map(
    () => new DecisionRecorder({ client, config, hasRoom: () => true }),
  );
  ours!.start();
  const decisions = new DecisionLog(new EventLog(client, dataDir), another!, async () => false);
  const { dependencies } = dependenciesOf(
    { members: { early: {} } },
    { record: (one) => ours!.add(one) },
  );
  const { decisionId } = await decide({ member: "early", placement: "home" }, dependencies);
  expect((await decisions.find(decisionId)).id).toBe(decisionId);
  await ours!.close();
});

describe("a decision that was archived", () => {
  it("is found in the files, and not once its member is erased", async () => {
    const recorder = new DecisionRecorder({ client, config, hasRoom: () => true });
    recorder.start();
    const log = new EventLog(client, dataDir);
    const isErased = async (member: string) => (await core.store.read(member)).erased;
    const decisions = new DecisionLog(log, recorder, isErased);
    const { dependencies } = dependenciesOf(
      { members: { m: {}, other: {} } },
      { record: (one) => recorder.add(one) },
    );
    await core.members.put("m", { name: "Mia" });
    const asked = { placement: "home" } as const;
    const first = await decide({ member: "m", ...asked }, dependencies);
    const second = await decide({ member: "other", ...asked }, dependencies);
    const live = await decisions.find(first.decisionId);
    await recorder.close();
    expect(await decisions.find(first.decisionId)).toEqual(live);
    await archiveLog({ client, dataDir });
    expect(await client.xlen(logKey(partitionOf("m")))).toBe(0);
    expect(JSON.stringify(await decisions.find(first.decisionId))).toBe(JSON.stringify(live));
    expect((await decisions.find(second.decisionId)).member).toBe("other");
    await core.members.erase("m");
    const gone = { code: "decision_unknown" };
    await expect(decisions.find(first.decisionId)).rejects.toMatchObject(gone);
    await archiveLog({ client, dataDir });
    expect(await compactArchive({ dataDir })).toMatchObject({ erasedRows: 3 });
    await expect(decisions.find(first.decisionId)).rejects.toMatchObject(gone);
    expect((await decisions.find(second.decisionId)).id).toBe(second.decisionId);
  });
});
