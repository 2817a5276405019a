/** Work on a store of any size, in a process of its own so that its memory and time are its own. */
import { setTimeout as sleep } from "node:timers/promises";
import { decodeArtifacts } from "../../src/candidates/artifacts-codec.js";
import { loadConfig } from "../../src/config.js";
import { type Core, openCore } from "../../src/core.js";
import { jobFunctions, train } from "../../src/job-functions.js";
import type { JobName, JobResult } from "../../src/jobs/job.js";
import { createLogger } from "../../src/logger.js";
import { manifestFor } from "../../src/scoring/manifest.js";
import { answerCalls } from "./child.js";
import { cpuMicroseconds } from "./cpu.js";
import { publishReference } from "./reference-models.js";
import {
  type Filled,
  fillScaleWorld,
  type Scale,
  sampleOfMembers,
  usedMemory,
} from "./scale-world.js";

export interface StoreOf {
  readonly target: string;
  readonly dataDir: string;
}

const logger = createLogger("fatal");

async function withStore<T>(
  { target, dataDir }: StoreOf,
  work: (core: Core) => Promise<T>,
): Promise<T> {
  const config = loadConfig({ REDIS_URL: target, DATA_DIR: dataDir });
  const core = await openCore(config, target, "work", logger);
  try {
    return await work(core);
  } finally {
    await core.close();
  }
}

const fill = (input: StoreOf & { scale: Scale; now: number }): Promise<Filled> =>
  withStore(input, (core) => {
    let shown = 0;
    return fillScaleWorld(core, input.scale, input.now, (share, text) => {
      if (share < shown + 0.1) return;
      shown = share;
      process.stderr.write(`  ${text}\n`);
    });
  });

/** The reference graphs over the artifacts in force. Answers members that can be asked about. */
const reference = (input: StoreOf & { scale: Scale; now: number }): Promise<readonly string[]> =>
  withStore(input, async (core) => {
    const stored = await core.artifacts.load("candidates");
    const alive = await core.artifacts.load("alive");
    if (stored === null || alive === null) throw new Error("nothing was fitted yet");
    const memberIds = sampleOfMembers(input.scale.members, 3_000);
    const world = {
      now: input.now,
      memberIds,
      products: input.scale.products,
      events: 0,
      artifacts: decodeArtifacts(stored.bytes),
      alive: JSON.parse(alive.bytes.toString()),
    };
    const progress = { update: () => undefined, stop: () => undefined };
    const { pool } = await publishReference(core, world, input.dataDir, input.scale.seed, progress);
    return pool.ids;
  });

export interface JobFigures {
  readonly seconds: number;
  readonly cpuSeconds: number;
  /** The most this process ever held, about 100 MB of it before the job. */
  readonly peakBytes: number;
  readonly result: JobResult;
}

/** `rounds`: trees a model, for `train`. */
const job = (input: StoreOf & { name: JobName; rounds?: number }): Promise<JobFigures> =>
  withStore(input, async (core) => {
    const run = jobFunctions(core, core.config, false)[input.name];
    const before = cpuMicroseconds();
    const begun = performance.now();
    const result =
      input.rounds === undefined
        ? await run({
            jobId: `bench-${input.name}`,
            input: {},
            signal: new AbortController().signal,
            token: Date.now(),
            logger,
            progress: () => undefined,
            fence: async () => undefined,
          })
        : {
            models: (await train(core, { names: ["heads", "ranker"], rounds: input.rounds })).models
              .length,
          };
    return {
      seconds: (performance.now() - begun) / 1000,
      cpuSeconds: (cpuMicroseconds() - before) / 1e6,
      peakBytes: process.resourceUsage().maxRSS * 1024,
      result,
    };
  });

let publishing: { stop(): Promise<number> } | undefined;

/**
 * Publishes the same graphs as new versions, again and again: every server opens them anew. Answers
 * after the first.
 */
function startPublishing(input: StoreOf & { everyMs: number }): Promise<void> {
  const stopped = new AbortController();
  return new Promise((resolve, reject) => {
    const done = withStore(input, async ({ models }) => {
      for (let published = 1; ; published++) {
        for (const name of ["heads", "ranker"]) await publishAgain(models, name);
        resolve();
        await sleep(input.everyMs, undefined, stopped).catch(() => undefined);
        if (stopped.signal.aborted) return published;
      }
    });
    done.catch(reject);
    const stop = (): Promise<number> => {
      stopped.abort();
      return done;
    };
    publishing = { stop };
  });
}

async function publishAgain(models: Core["models"], name: string): Promise<void> {
  const { bytes, manifest } = await models.get(name, (await models.champion(name))!);
  const fresh = manifestFor(bytes, { ...manifest, createdAt: Date.now() });
  await models.publish(name, bytes, fresh, { alias: "champion" });
}

/** Versions published of each model. */
const stopPublishing = (_: null): Promise<number> => publishing!.stop();

const memory = (input: StoreOf): Promise<number> => withStore(input, usedMemory);

const calls = { fill, reference, startPublishing, stopPublishing, job, memory };
export type ScaleCalls = typeof calls;
answerCalls(calls);
