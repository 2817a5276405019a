import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createDemoWorld } from "../../src/demo/world.js";
import type { JobSummary, ModelSummary, Page } from "../../src/http/services.js";
import { JOB_NAMES } from "../../src/jobs/job.js";
import { temporaryDir } from "../support/redis.js";
import { call, isAlive, type System, startSystem } from "../support/system.js";

let system: System;

/** A small shop with enough history that every job has something to do. */
beforeAll(async () => {
  // A dead worker's job is given to another after so long; the default is 15 s.
  const configuration = join(temporaryDir(), "cuecard.yaml");
  writeFileSync(configuration, "jobTakeoverSeconds: 3\n");
  system = await startSystem({ environment: { CUECARD_CONFIG: configuration } });
  const world = createDemoWorld({ members: 300, now: Date.now() });
  for (const { id, ...product } of world.products) {
    await call(system, "PUT", `/v1/products/${id}`, product);
  }
  const events = [...world.events()];
  for (let start = 0; start < events.length; start += 1000) {
    const batch = events.slice(start, start + 1000);
    const { status } = await call(system, "POST", "/v1/events", { events: batch });
    expect(status).toBe(200);
  }
}, 60_000);
afterAll(() => system?.stop());

async function jobsOf(id: string): Promise<JobSummary[]> {
  const { status, body } = await call<Page<JobSummary>>(system, "GET", "/v1/jobs?limit=200");
  // A disk that stalls for seconds makes the store answer 503: to be asked again, as callers are told.
  if (status === 503) return [];
  return body.items.filter((job) => job.id === id);
}

async function until(what: () => Promise<boolean>, timeoutMs: number): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!(await what())) {
    if (Date.now() > deadline) throw new Error(`not within ${timeoutMs} ms`);
    await sleep(50);
  }
}

describe("after kill -9 of the work process in the middle of a job", () => {
  it.each(JOB_NAMES)(
    "%s is finished once by the next one, and nothing of the old one lives on",
    async (name) => {
      const start = `/v1/jobs/${name}/start`;
      const { status, body } = await call<{ job: string }>(system, "POST", start);
      expect(status).toBe(202);
      await until(
        async () => ((await jobsOf(body.job))[0]?.state ?? "waiting") !== "waiting",
        30_000,
      );
      const [victim] = system.children("work");
      process.kill(victim!, "SIGKILL");
      await until(async () => (await jobsOf(body.job))[0]?.state === "completed", 90_000);
      // A quick job may have ended before the kill, and then the process a moment after it.
      await until(async () => !isAlive(victim!), 5_000);
      await until(async () => (await jobsOf(body.job)).length === 1, 10_000);
      await until(async () => system.children("work").length === 1, 10_000);
    },
    120_000,
  );

  it("has models and artifacts in force that serve", async () => {
    const { body } = await call<Page<ModelSummary>>(system, "GET", "/v1/models");
    expect(body.items.find(({ name }) => name === "heads")?.version).not.toBeNull();
  });
});
