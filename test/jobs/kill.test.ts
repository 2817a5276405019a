import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { JOB_NAMES, type JobName } from "../../src/jobs/job.js";
import { type JobEntry, JobQueue } from "../../src/jobs/queue.js";
import { closeRedis, connectRedis, type RedisClient, whenReady } from "../../src/redis/clients.js";
import { jobDoneKey } from "../../src/redis/keys.js";
import { processMark } from "../../src/redis/process-mark.js";
import { silentLogger, type TestStore, testTarget } from "../support/redis.js";
import { testJobKeys } from "./support/functions.js";
import { spawnTestWorker, startTestWorker, testSchedules } from "./support/worker.js";

// Processes are started and waited for, at the lowest priority: a busy machine takes its time.
vi.setConfig({ testTimeout: 120_000 });

let store: TestStore;
let client: RedisClient;
let queue: JobQueue;
let workers: ChildProcess[] = [];

beforeAll(async () => {
  store = await testTarget();
  client = connectRedis(store.target, "work");
  await whenReady(client, 10_000);
  queue = new JobQueue({ target: store.target, schedules: testSchedules, logger: silentLogger });
  await queue.ready(10_000);
});

afterEach(async () => {
  for (const worker of workers) {
    worker.kill("SIGKILL");
    worker.kill("SIGCONT");
  }
  workers = [];
});

afterAll(async () => {
  await queue.close();
  closeRedis(client);
  await store.stop();
});

async function spawnWorker(): Promise<ChildProcess> {
  const worker = await spawnTestWorker(store.target);
  workers.push(worker);
  return worker;
}

async function reached(id: string, condition: (entry: JobEntry) => boolean): Promise<JobEntry> {
  for (;;) {
    const entry = await queue.get(id);
    if (condition(entry)) return entry;
    await sleep(20);
  }
}

const begun = (id: string, times: number) => () =>
  client.hget(testJobKeys.seen(id), "begun").then((count) => Number(count) >= times);

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await sleep(20);
}

const isHeavy = (name: JobName): boolean =>
  testSchedules.find((schedule) => schedule.name === name)!.heavy;

async function pidOf(id: string): Promise<number> {
  const pid = Number(await client.hget(testJobKeys.seen(id), "pid"));
  // A signal to 0 would reach this process and all its family.
  if (!(pid > 1)) throw new Error(`job ${id} named no process`);
  return pid;
}

const effectsOf = (id: string): Promise<string[]> => client.lrange(testJobKeys.effects(id), 0, -1);

async function kill(worker: ChildProcess): Promise<void> {
  worker.kill("SIGKILL");
  await once(worker, "exit");
}

describe("after kill -9 of the worker in the middle of its jobs", () => {
  it("each is finished once by the next worker, its effect there once, and no child is left", async () => {
    const ids: string[] = [];
    let worker = await spawnWorker();
    // Light jobs run side by side, heavy ones one after the other: one kill for each of them.
    const rounds: JobName[][] = [
      JOB_NAMES.filter((name) => !isHeavy(name)),
      ...JOB_NAMES.filter(isHeavy).map((name) => [name]),
    ];
    for (const names of rounds) {
      const go = `go:${names[0]}`;
      const round = await Promise.all(names.map((name) => queue.enqueue(name, { until: go })));
      for (const id of round) await until(begun(id, 1));
      const pids = await Promise.all(round.map(pidOf));
      await kill(worker);
      await until(async () => pids.every((pid) => processMark(pid) === undefined));
      worker = await spawnWorker();
      for (const id of round) await until(begun(id, 2));
      await client.set(go, 1);
      ids.push(...round);
    }
    for (const id of ids) {
      const entry = await reached(id, ({ finishedAt }) => finishedAt !== null);
      expect(entry).toMatchObject({ state: "completed", result: { begun: 2 } });
      // On a starved machine an attempt may end before its child begins.
      expect(entry.attempts).toBeGreaterThanOrEqual(2);
      expect(await effectsOf(id)).toHaveLength(1);
    }
    expect((await queue.list({ limit: 200 })).items).toHaveLength(JOB_NAMES.length);
  });

  it("a child that is deep in a native call is gone as well", async () => {
    const worker = await spawnWorker();
    const id = await queue.enqueue("train", { block: 600_000 });
    await until(begun(id, 1));
    const pid = await pidOf(id);
    const killedAt = Date.now();
    await kill(worker);
    await until(async () => processMark(pid) === undefined);
    expect(Date.now() - killedAt).toBeLessThan(10_000);
    await queue.cancel(id).catch(() => undefined);
    // Whoever takes it over sees the mark, and does not begin.
    const next = await startTestWorker(store.target, client);
    await until(() =>
      queue.get(id).then(
        ({ state }) => state === "failed",
        () => true,
      ),
    );
    await next.close();
    expect(await effectsOf(id)).toEqual([]);
  });

  it("a job whose work was done, only not yet reported, is not done again", async () => {
    const worker = await spawnWorker();
    const go = "go:unreported";
    const id = await queue.enqueue("archive", { until: go });
    await until(begun(id, 1));
    await kill(worker);
    await client.set(jobDoneKey(id), JSON.stringify({ rows: 7 }));
    await spawnWorker();
    const entry = await reached(id, ({ finishedAt }) => finishedAt !== null);
    expect(entry).toMatchObject({ state: "completed", result: { rows: 7 } });
    expect(await effectsOf(id)).toEqual([]);
  });
});

describe("a worker that was stopped and comes back after another took its jobs", () => {
  it.each(["stages", "train"] as const)("does not publish %s a second time", async (name) => {
    const go = `go:stopped:${name}`;
    const stopped = await spawnWorker();
    const id = await queue.enqueue(name, { until: go, deaf: true });
    await until(begun(id, 1));
    const pid = await pidOf(id);
    stopped.kill("SIGSTOP");
    if (isHeavy(name)) process.kill(pid, "SIGSTOP");
    await spawnWorker();
    await until(begun(id, 2));
    await client.set(go, 1);
    await reached(id, ({ state }) => state === "completed");
    const effects = await effectsOf(id);
    expect(effects).toHaveLength(1);
    stopped.kill("SIGCONT");
    if (isHeavy(name)) {
      process.kill(pid, "SIGCONT");
      await until(async () => processMark(pid) === undefined);
    }
    // It serves on: its next job shows that it went through the one it had.
    await kill(workers[1]!);
    const next = await queue.enqueue(name);
    await reached(next, ({ state }) => state === "completed");
    expect(await effectsOf(id)).toEqual(effects);
    expect(await queue.get(id)).toMatchObject({ state: "completed" });
  });
});

describe("a child that dies by itself", () => {
  it("costs an attempt, not the job", async () => {
    await spawnWorker();
    const go = "go:child";
    const id = await queue.enqueue("compact", { until: go });
    await until(begun(id, 1));
    process.kill(await pidOf(id), "SIGKILL");
    await until(begun(id, 2));
    await client.set(go, 1);
    const entry = await reached(id, ({ finishedAt }) => finishedAt !== null);
    expect(entry).toMatchObject({ state: "completed", attempts: 2 });
    expect(await effectsOf(id)).toHaveLength(1);
  });
});

describe("a worker that is asked to end", () => {
  it("finishes light jobs, and leaves heavy ones for the next start", async () => {
    const go = "go:close";
    const worker = await startTestWorker(store.target, client);
    const light = await queue.enqueue("stages", { until: go });
    const heavy = await queue.enqueue("train", { until: go });
    await until(begun(light, 1));
    await until(begun(heavy, 1));
    const pid = await pidOf(heavy);
    const closed = worker.close();
    await until(async () => processMark(pid) === undefined);
    await client.set(go, 1);
    await closed;
    expect(await queue.get(light)).toMatchObject({ state: "completed", attempts: 1 });
    expect(await queue.get(heavy)).toMatchObject({ state: "waiting", failedReason: null });
    expect(await effectsOf(heavy)).toEqual([]);
    const next = await startTestWorker(store.target, client);
    await reached(heavy, ({ state }) => state === "completed");
    await next.close();
    expect(await effectsOf(heavy)).toHaveLength(1);
  });

  it("leaves light ones as well that do not end in time", async () => {
    const go = "go:late";
    const worker = await startTestWorker(store.target, client, { closeWaitMs: 100 });
    const id = await queue.enqueue("archive", { until: go });
    await until(begun(id, 1));
    await worker.close();
    expect(await queue.get(id)).toMatchObject({ state: "waiting" });
    await client.set(go, 1);
    const next = await startTestWorker(store.target, client);
    await reached(id, ({ state }) => state === "completed");
    await next.close();
    expect(await effectsOf(id)).toHaveLength(1);
  });
});
