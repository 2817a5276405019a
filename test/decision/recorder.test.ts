import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { decide } from "../../src/decision/decide.js";
import type { Recordable } from "../../src/decision/record.js";
import { DecisionRecorder } from "../../src/decision/recorder.js";
import { closeRedis, connectRedis, type RedisClient, whenReady } from "../../src/redis/clients.js";
import { metrics } from "../../src/telemetry.js";
import { aPurchase } from "../support/builders.js";
import { flush, logOf } from "../support/core.js";
import { type TestStore, testTarget } from "../support/redis.js";
import { config, dependenciesOf } from "./a-decider.js";

let store: TestStore;
let client: RedisClient;
let made: Recordable[];

beforeAll(async () => {
  store = await testTarget();
  client = connectRedis(store.target, "serve");
  await whenReady(client, 10_000);
});
afterAll(async () => {
  closeRedis(client);
  await store.stop();
});
beforeEach(async () => {
  await flush(client);
  made = [];
  const { dependencies } = dependenciesOf(
    { members: { m: { events: [aPurchase(3, ["p1"])] } } },
    { record: (one) => made.push(one) },
  );
  for (let i = 0; i < 5; i++) await decide({ member: "m", placement: "home" }, dependencies);
});

const recorderOf = (more: Partial<ConstructorParameters<typeof DecisionRecorder>[0]> = {}) => {
  const recorder = new DecisionRecorder({ client, config, hasRoom: () => true, ...more });
  recorder.start();
  return recorder;
};
const loggedIds = async () =>
  (await logOf(client, "m")).map((record) => record.kind === "decision" && record.decision.id);
const dropped = async () => (await metrics.decisionRecordsDropped.get()).values[0]!.value;

describe("the recorder", () => {
  it("writes every decision to the log of its member, in order, soon", async () => {
    const recorder = recorderOf();
    for (const one of made) recorder.add(one);
    expect(recorder.waiting(made[0]!.id)).toContain(made[0]!.id);
    while ((await loggedIds()).length < made.length) await sleep(5);
    expect(await loggedIds()).toEqual(made.map(({ id }) => id));
    expect(recorder.waiting(made[0]!.id)).toBeNull();
    await recorder.close();
  });

  it("writes what is left when it closes", async () => {
    const recorder = recorderOf();
    for (const one of made) recorder.add(one);
    await recorder.close();
    expect(await loggedIds()).toEqual(made.map(({ id }) => id));
  });

  it("keeps records while the store takes none, and drops and counts the oldest beyond its bound", async () => {
    let room = false;
    const recorder = recorderOf({ hasRoom: () => room, waitingMax: 3 });
    const before = await dropped();
    for (const one of made.slice(0, 2)) recorder.add(one);
    await sleep(30);
    for (const one of made.slice(2)) recorder.add(one);
    expect((await dropped()) - before).toBe(2);
    expect(recorder.waiting(made[1]!.id)).toBeNull();
    expect(recorder.waiting(made[2]!.id)).not.toBeNull();
    expect(await loggedIds()).toEqual([]);
    room = true;
    while ((await loggedIds()).length < 3) await sleep(5);
    expect(await loggedIds()).toEqual(made.slice(2).map(({ id }) => id));
    await recorder.close();
  });

  it("counts what it could not write before the end", async () => {
    const recorder = recorderOf({ hasRoom: () => false });
    const before = await dropped();
    for (const one of made) recorder.add(one);
    await recorder.close();
    expect((await dropped()) - before).toBe(5);
  });

  it("records nothing before it is started", async () => {
    const recorder = new DecisionRecorder({ client, config, hasRoom: () => true });
    for (const one of made) recorder.add(one);
    await recorder.close();
    expect(await loggedIds()).toEqual([]);
  });
});
