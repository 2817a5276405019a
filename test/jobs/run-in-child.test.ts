import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CuecardError } from "../../src/errors.js";
import { jobLeaseName } from "../../src/jobs/job.js";
import { runInChild } from "../../src/jobs/run-in-child.js";
import { closeRedis, connectRedis, type RedisClient, whenReady } from "../../src/redis/clients.js";
import { withLease } from "../../src/redis/lease.js";
import { type TestStore, testTarget } from "../support/redis.js";

let store: TestStore;
let client: RedisClient;

beforeAll(async () => {
  store = await testTarget();
  client = connectRedis(store.target, "work");
  await whenReady(client, 10_000);
});

afterAll(async () => {
  closeRedis(client);
  await store.stop();
});

const compiledChild = fileURLToPath(new URL("./support/compiled-child.mjs", import.meta.url));
const LEASE_TTL_MS = 60_000;

interface Run {
  input?: Record<string, unknown>;
  token?: number;
  signal?: AbortSignal;
  onProgress?: (percent: number, text: string) => void;
}

const run = ({ input = {}, token = 1, signal, onProgress }: Run) =>
  runInChild({
    command: { modulePath: compiledChild, args: [store.target], execArgv: [] },
    request: {
      kind: "run",
      name: "train",
      jobId: "train-1",
      input,
      token,
      leaseTtlMs: LEASE_TTL_MS,
    },
    signal: signal ?? new AbortController().signal,
    graceMs: 5_000,
    onProgress: onProgress ?? (() => undefined),
  });

const underLease = <T>(work: (token: number) => Promise<T>): Promise<T> =>
  withLease(client, jobLeaseName("train"), LEASE_TTL_MS, (lease) => work(lease.token));

describe("the child process, compiled", () => {
  it("runs the job at the lowest priority, under its parent's lease, and returns its result", async () => {
    await underLease(async (token) => {
      const result = await run({ token, input: { padding: 200_000 } });
      expect(result).toEqual({ name: "train", token, priority: 19, padding: "x".repeat(200_000) });
    });
  });

  it("gives an error of ours back as what it was", async () => {
    const outcome = await underLease((token) => run({ token: token - 1 }).catch((error) => error));
    expect(outcome).toBeInstanceOf(CuecardError);
    expect(outcome).toMatchObject({ code: "lease_lost" });
  });

  it("is an error when it ends without a word", async () => {
    await expect(run({ input: { exit: 3 } })).rejects.toMatchObject({
      code: "job_failed",
      detail: expect.stringContaining("ended early (3)"),
    });
  });

  it("ends when told, with the reason it was told", async () => {
    const stop = new AbortController();
    const reason = new CuecardError("job_failed", "enough");
    const running = run({
      input: { wait: true },
      signal: stop.signal,
      onProgress: () => stop.abort(reason),
    });
    await expect(running).rejects.toBe(reason);
  });

  it("does not start by hand", () => {
    const { status, stderr } = spawnSync(process.execPath, [compiledChild, store.target], {
      encoding: "utf8",
    });
    expect(status).not.toBe(0);
    expect(stderr).toContain("usage");
  });
});
