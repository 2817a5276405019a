import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { loadConfig } from "../../src/config.js";
import { openQueues, type Queues } from "../../src/jobs/queues.js";
import { type Schedule, schedulesOf } from "../../src/jobs/schedule.js";
import { registerSchedulers } from "../../src/jobs/schedulers.js";
import { closeRedis, connectRedis, type RedisClient, whenReady } from "../../src/redis/clients.js";
import { type TestStore, testTarget } from "../support/redis.js";
import { startTestWorker } from "./support/worker.js";

let store: TestStore;
let client: RedisClient;
let queues: Queues;

beforeAll(async () => {
  store = await testTarget();
  client = connectRedis(store.target, "work");
  await whenReady(client, 10_000);
  queues = openQueues(client, false);
});

afterEach(() => registerSchedulers(queues, []));

afterAll(async () => {
  await Promise.all([queues.light.close(), queues.heavy.close()]);
  closeRedis(client);
  await store.stop();
});

const schedules = schedulesOf(loadConfig({}));

const withPattern = (name: Schedule["name"], pattern: string | null): Schedule[] =>
  schedules.map((schedule) => (schedule.name === name ? { ...schedule, pattern } : schedule));

async function registered(): Promise<Record<string, unknown>> {
  const known = await queues.light.getJobSchedulers();
  return Object.fromEntries(known.map(({ key, pattern, next }) => [key, { pattern, next }]));
}

describe("schedulesOf", () => {
  it("lists every job once, with the pattern of the configuration", () => {
    const { jobs } = loadConfig({});
    expect(Object.fromEntries(schedules.map(({ name, pattern }) => [name, pattern]))).toEqual(jobs);
  });
});

describe("registerSchedulers", () => {
  it("changes nothing the second time, also when several workers start at once", async () => {
    await registerSchedulers(queues, schedules);
    const first = await registered();
    expect(Object.keys(first).sort()).toEqual(schedules.map(({ name }) => name).sort());
    await Promise.all([1, 2, 3].map(() => registerSchedulers(queues, schedules)));
    expect(await registered()).toEqual(first);
    expect(await queues.light.getDelayedCount()).toBe(schedules.length);
  });

  it("follows a changed pattern, and deletes one that is off or gone", async () => {
    await registerSchedulers(queues, schedules);
    await registerSchedulers(queues, withPattern("train", "7 7 * * *"));
    expect(await registered()).toMatchObject({ train: { pattern: "7 7 * * *" } });
    await registerSchedulers(queues, withPattern("train", null));
    expect(await registered()).not.toHaveProperty("train");
    expect(await queues.light.getDelayedCount()).toBe(schedules.length - 1);
    await registerSchedulers(queues, []);
    expect(await registered()).toEqual({});
    expect(await queues.light.getDelayedCount()).toBe(0);
  });

  it("keeps a tick that came due while no worker ran", async () => {
    const everySecond = withPattern("stages", "* * * * * *");
    await registerSchedulers(queues, everySecond);
    const due = await registered();
    await sleep(1_100);
    await registerSchedulers(queues, everySecond);
    expect(await registered()).toEqual(due);
  });

  it.each(["every day", "99 * * * *"])("refuses the pattern %j", async (pattern) => {
    await expect(registerSchedulers(queues, withPattern("train", pattern))).rejects.toMatchObject({
      code: "config_invalid",
      detail: expect.stringContaining("jobs.train"),
    });
  });

  it("makes the worker run the job, again and again", async () => {
    const worker = await startTestWorker(store.target, client, {
      schedules: withPattern("stages", "* * * * * *").map((schedule) =>
        schedule.name === "stages" ? schedule : { ...schedule, pattern: null },
      ),
    });
    while ((await queues.light.getCompletedCount()) < 2) await sleep(50);
    await worker.close();
    const done = await queues.light.getCompleted();
    expect(new Set(done.map((job) => job.name))).toEqual(new Set(["stages"]));
  });
});
