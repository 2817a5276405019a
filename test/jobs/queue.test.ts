import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { type JobEntry, JobQueue } from "../../src/jobs/queue.js";
import type { JobWorker } from "../../src/jobs/worker.js";
import { closeRedis, connectRedis, type RedisClient, whenReady } from "../../src/redis/clients.js";
import { silentLogger, type TestStore, testTarget } from "../support/redis.js";
import { type TestInput, testJobKeys } from "./support/functions.js";
import { startTestWorker, testSchedules } from "./support/worker.js";

// Processes are started and waited for, at the lowest priority: a busy machine takes its time.
vi.setConfig({ testTimeout: 60_000 });

let store: TestStore;
let client: RedisClient;
let queue: JobQueue;
let worker: JobWorker | undefined;

beforeAll(async () => {
  store = await testTarget();
  client = connectRedis(store.target, "work");
  await whenReady(client, 10_000);
  queue = new JobQueue({ target: store.target, schedules: testSchedules, logger: silentLogger });
  await queue.ready(10_000);
});

afterAll(async () => {
  await worker?.close();
  await queue.close();
  closeRedis(client);
  await store.stop();
});

const enqueue = (name: string, input: TestInput = {}): Promise<string> =>
  queue.enqueue(name, input);

async function ended(id: string): Promise<JobEntry> {
  return await reached(id, (entry) => entry.finishedAt !== null);
}

async function reached(id: string, condition: (entry: JobEntry) => boolean): Promise<JobEntry> {
  for (;;) {
    const entry = await queue.get(id);
    if (condition(entry)) return entry;
    await sleep(20);
  }
}

const effectsOf = (id: string): Promise<string[]> => client.lrange(testJobKeys.effects(id), 0, -1);

describe("before any worker runs", () => {
  it("a job asked for twice is one job, with other input it is another", async () => {
    const first = await enqueue("stages");
    expect(first).toMatch(/^stages-/);
    expect(await enqueue("stages")).toBe(first);
    const other = await enqueue("stages", { until: "go:other", deaf: false });
    expect(other).not.toBe(first);
    expect(await enqueue("stages", { deaf: false, until: "go:other" })).toBe(other);
    await queue.cancel(first);
    await queue.cancel(other);
  });

  it("a cancelled job is gone, and can be asked for again", async () => {
    const first = await enqueue("train");
    await queue.cancel(first);
    await expect(queue.get(first)).rejects.toMatchObject({ code: "job_unknown" });
    const second = await enqueue("train");
    expect(second).not.toBe(first);
    await queue.cancel(second);
  });

  it("a name or an id that is none is `job_unknown`", async () => {
    for (const name of ["tick", "constructor", "", "Train"]) {
      await expect(enqueue(name)).rejects.toMatchObject({ code: "job_unknown" });
    }
    for (const id of ["train-1", "", "tick", "repeat:archive:1", "meta", "a".repeat(200)]) {
      await expect(queue.cancel(id)).rejects.toMatchObject({ code: "job_unknown" });
    }
  });

  it("lists both queues, latest first, page by page", async () => {
    const ids: string[] = [];
    for (const name of ["train", "archive", "compact", "stages", "artifacts"]) {
      ids.unshift(await enqueue(name));
      await sleep(2);
    }
    const pages: string[][] = [];
    let cursor: string | undefined;
    do {
      const page = await queue.list({ limit: 2, cursor });
      pages.push(page.items.map((entry) => entry.id));
      cursor = page.nextCursor ?? undefined;
    } while (cursor !== undefined);
    expect(pages).toEqual([ids.slice(0, 2), ids.slice(2, 4), ids.slice(4)]);
    const [entry] = (await queue.list({ limit: 1 })).items;
    expect(entry).toMatchObject({
      name: "artifacts",
      state: "waiting",
      progress: { percent: 0, text: "" },
      attempts: 0,
      startedAt: null,
      finishedAt: null,
      result: null,
      failedReason: null,
    });
    for (const id of ids) await queue.cancel(id);
    expect((await queue.list({ limit: 10 })).items).toEqual([]);
  });
});

describe.each([
  ["light", "stages"],
  ["heavy", "train"],
])("with a worker, a %s job", (_, name) => {
  beforeAll(async () => {
    worker ??= await startTestWorker(store.target, client);
  });

  it("runs once, and shows its result", async () => {
    const id = await enqueue(name);
    const entry = await ended(id);
    expect(entry).toMatchObject({ state: "completed", attempts: 1, failedReason: null });
    expect(entry.progress).toEqual({ percent: 100, text: "done" });
    expect(entry.result).toMatchObject({ begun: 1 });
    expect(entry.result?.pid === process.pid).toBe(name === "stages");
    expect(await effectsOf(id)).toHaveLength(1);
    await expect(queue.cancel(id)).rejects.toMatchObject({ code: "conflict" });
  });

  it("shows its progress while it runs, and is the one who asks again gets", async () => {
    const id = await enqueue(name, { until: `go:${name}` });
    const entry = await reached(id, ({ progress }) => progress.percent === 10);
    expect(entry).toMatchObject({ state: "active", progress: { percent: 10, text: "begun" } });
    expect(entry.startedAt).toBeGreaterThanOrEqual(entry.createdAt);
    expect(await enqueue(name, { until: `go:${name}` })).toBe(id);
    await client.set(`go:${name}`, 1);
    expect((await ended(id)).state).toBe("completed");
    expect(await enqueue(name, { until: `go:${name}` })).not.toBe(id);
  });

  it("is tried again after a failure, and succeeds", async () => {
    const id = await enqueue(name, { failures: 1 });
    expect(await ended(id)).toMatchObject({ state: "completed", result: { begun: 2 } });
    expect(await effectsOf(id)).toHaveLength(1);
  });

  it("fails for good when its attempts are used up, with one line of reason", async () => {
    const id = await enqueue(name, { failures: 99 });
    const { attempts } = testSchedules.find((schedule) => schedule.name === name)!;
    expect(await ended(id)).toMatchObject({
      state: "failed",
      attempts,
      failedReason: expect.stringMatching(/^Error: failure \d$/),
    });
    expect(await effectsOf(id)).toEqual([]);
  });

  it("is not tried again where that cannot help", async () => {
    const id = await enqueue(name, { code: "not_enough_data" });
    expect(await ended(id)).toMatchObject({
      state: "failed",
      attempts: 1,
      failedReason: "not_enough_data: as asked",
    });
  });

  it("ends when cancelled, without an effect and without another attempt", async () => {
    const id = await enqueue(name, { until: "never" });
    await reached(id, ({ progress }) => progress.percent === 10);
    await queue.cancel(id);
    const entry = await ended(id);
    expect(entry).toMatchObject({ state: "failed", attempts: 1 });
    expect(entry.failedReason).toMatch(/cancelled/);
    expect(await effectsOf(id)).toEqual([]);
  });

  it("that does not listen when cancelled is left behind and cannot publish", async () => {
    const go = `go:deaf:${name}`;
    const id = await enqueue(name, { until: go, deaf: true });
    await reached(id, ({ progress }) => progress.percent === 10);
    await queue.cancel(id);
    expect(await ended(id)).toMatchObject({ state: "failed" });
    await client.set(go, 1);
    await ended(await enqueue(name));
    expect(await effectsOf(id)).toEqual([]);
  });
});

describe("while the queue's Redis is away", () => {
  it("every call answers `store_unavailable` at once", async () => {
    const away = new JobQueue({
      target: "redis://127.0.0.1:1",
      schedules: testSchedules,
      logger: silentLogger,
    });
    const calls = [away.enqueue("train"), away.list({ limit: 5 }), away.cancel("train-1-00000000")];
    for (const outcome of await Promise.allSettled(calls)) {
      expect(outcome).toMatchObject({ reason: { code: "store_unavailable" } });
    }
    await away.close();
  });
});
