/**
 * Recommendations while the machine does something else: while the work process trains, and while new
 * versions of both models are published every few seconds. Beside each, the same without.
 */
import { constants } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { Child } from "./support/child.js";
import type { LoadCalls } from "./support/load-child.js";
import type { BenchOptions } from "./support/options.js";
import { commitOf, machineOf, medianOf, tableOf, writeSection } from "./support/results.js";
import type { ScaleServerCalls } from "./support/scale-server-child.js";
import { BENCH_KEY, inChild, openScaleStage, type ScaleStage } from "./support/scale-stage.js";
import { type SpawnedWork, spawnWork } from "./support/spawned-work.js";

const SCALE = { members: 30_000, products: 10_000 };
const SWAP_EVERY_MS = 2_000;
const STALL_GOAL_MS = 10;
/** A training is waited for so long, and measured no longer. */
const TRAIN_START_MS = 60_000;
const WARM_UP_SECONDS = 3;
const LOWEST_PRIORITY = constants.priority.PRIORITY_LOW;

type Situation = "alone" | "models swap" | "alone again" | "training runs";

interface Figures {
  readonly p50Ms: number[];
  readonly p99Ms: number[];
  readonly cpuMicroseconds: number[];
  readonly stallMs: number[];
  answered: number;
  failed: number;
  degraded: number;
  swaps: number;
}

interface Bench {
  readonly stage: ScaleStage;
  readonly load: Child<LoadCalls>;
  readonly server: Child<ScaleServerCalls>;
  readonly port: number;
  readonly options: BenchOptions;
  readonly figures: Map<Situation, Figures>;
}

export async function benchSwap(options: BenchOptions): Promise<void> {
  const scale = { ...SCALE, seed: options.seed };
  const stage = await openScaleStage({ scale, rounds: 0, jobs: [] });
  const load = new Child<LoadCalls>("load-child");
  const server = new Child<ScaleServerCalls>("scale-server-child");
  const work = spawnWork(stage.store);
  try {
    const { port } = await server.call("start", { ...stage.store, adminApiKey: BENCH_KEY });
    const bench = { stage, load, server, port, options, figures: new Map() };
    await ask(bench, "alone", WARM_UP_SECONDS, false);
    for (let round = 0; round < options.rounds; round++) {
      process.stderr.write(`round ${round + 1} of ${options.rounds}: alone, then with swaps\n`);
      await ask(bench, "alone", options.seconds);
      await whileSwapping(bench);
    }
    const trainer = await whileTraining(bench, work);
    const text = report(bench, trainer);
    process.stdout.write(`\n${text}\n`);
    writeSection("swap", text);
  } finally {
    await work.stop();
    for (const child of [load, server]) child.stop();
    await stage.close();
  }
}

async function ask(
  { stage, load, server, port, options, figures }: Bench,
  situation: Situation,
  seconds: number,
  counts = true,
): Promise<void> {
  const bodies = stage.members.map((member) =>
    JSON.stringify({ member, placement: "screen_pop", limit: 5 }),
  );
  const asked = { port, path: "/v1/recommendations", key: BENCH_KEY, bodies };
  const before = await server.call("usage", null);
  const paced = await load.call("pace", { ...asked, rate: options.rate, seconds });
  const after = await server.call("usage", null);
  if (!counts) return;
  const sums = figures.get(situation) ?? emptyFigures();
  figures.set(situation, sums);
  sums.p50Ms.push(paced.p50Ms);
  sums.p99Ms.push(paced.p99Ms);
  const used = after.cpuMicroseconds - before.cpuMicroseconds;
  sums.cpuMicroseconds.push(used / Math.max(1, paced.answered));
  sums.stallMs.push(after.stallMs);
  sums.answered += paced.answered;
  sums.failed += paced.failed;
  sums.degraded += after.degraded - before.degraded;
  sums.swaps += after.swaps - before.swaps;
}

const emptyFigures = (): Figures => ({
  p50Ms: [],
  p99Ms: [],
  cpuMicroseconds: [],
  stallMs: [],
  answered: 0,
  failed: 0,
  degraded: 0,
  swaps: 0,
});

/** Versions are published from another process, as a trainer does. */
async function whileSwapping(bench: Bench): Promise<void> {
  await inChild(async (publisher) => {
    await publisher.call("startPublishing", { ...bench.stage.store, everyMs: SWAP_EVERY_MS });
    await ask(bench, "models swap", Math.max(bench.options.seconds, (2 * SWAP_EVERY_MS) / 1000));
    await publisher.call("stopPublishing", null);
    // The last version is taken over before anything else is measured.
    await sleep(SWAP_EVERY_MS);
  });
}

interface Trainer {
  readonly nice: number;
  /** Cores it had on average. */
  readonly cores: number;
}

/** The heads alone, so that no version is put in force before the end. Every other slice is without. */
async function whileTraining(bench: Bench, work: SpawnedWork): Promise<Trainer> {
  const { port, options } = bench;
  for (let round = 0; round < options.rounds; round++) {
    await ask(bench, "alone again", options.seconds);
  }
  const response = await fetch(`http://127.0.0.1:${port}/v1/models/heads/train`, {
    method: "POST",
    headers: { "x-api-key": BENCH_KEY },
  });
  if (response.status !== 202) throw new Error(`no training: ${await response.text()}`);
  const until = performance.now() + TRAIN_START_MS;
  // It lowers its own priority as soon as its modules are read.
  while (work.jobProcess()?.nice !== LOWEST_PRIORITY) {
    if (performance.now() > until) throw new Error("no training at the lowest priority began");
    await sleep(100);
  }
  const first = { at: performance.now(), process: work.jobProcess() };
  let last = first;
  for (let round = 0; round < options.rounds; round++) {
    process.stderr.write(`round ${round + 1} of ${options.rounds}: training\n`);
    await ask(bench, "training runs", options.seconds);
    const now = work.jobProcess();
    if (now === null) break;
    last = { at: performance.now(), process: now };
  }
  if (first.process === null || last.process === null || last === first) {
    throw new Error("the training ended before anything was measured: fewer --seconds");
  }
  const used = last.process.cpuSeconds - first.process.cpuSeconds;
  return { nice: last.process.nice, cores: used / ((last.at - first.at) / 1000) };
}

function report({ stage, options, figures }: Bench, trainer: Trainer): string {
  const base: Record<Situation, Situation> = {
    alone: "alone",
    "models swap": "alone",
    "alone again": "alone again",
    "training runs": "alone again",
  };
  const rows = [...figures].map(([situation, one]) => {
    const p99 = medianOf(one.p99Ms);
    return [
      situation,
      String(one.answered),
      String(one.failed),
      String(one.degraded),
      String(one.swaps),
      medianOf(one.p50Ms).toFixed(2),
      p99.toFixed(2),
      Math.max(...one.p99Ms).toFixed(2),
      Math.max(...one.stallMs).toFixed(1),
      (p99 / medianOf(figures.get(base[situation])!.p99Ms)).toFixed(2),
      medianOf(one.cpuMicroseconds).toFixed(0),
    ];
  });
  const header = [
    "recommendations",
    "answered",
    "failed",
    "degradations",
    "swaps",
    "p50 ms",
    "p99 ms",
    "worst p99",
    "longest stall ms",
    "p99 ÷ without",
    "processor µs",
  ];
  return [
    `${new Date().toISOString().slice(0, 16)}Z, commit ${commitOf()}. ${machineOf()}; Node ${process.versions.node}, ` +
      `Redis ${stage.redisVersion}; load, server, trainer and Redis share the machine. Seed ${options.seed}.`,
    "",
    tableOf([header, ...rows]),
    "",
    `Open loop, ${options.rate} recommendations a second with the reference models, ${options.rounds} rounds of ${options.seconds} s each, medians; ` +
      `${SCALE.members} members, ${SCALE.products} products; one serve process, default budget.`,
    `Swaps: a new version of heads and ranker every ${SWAP_EVERY_MS / 1000} s, published by another process. Goals: none failed, none degraded, the event loop held up for ${STALL_GOAL_MS} ms at most.`,
    "Stall: the longest turn of the server's event loop; beside other processes that want its core also their turn.",
    `Training: the heads, asked for over HTTP, run by \`cuecard work\` in a process of nice ${trainer.nice} that had ${trainer.cores.toFixed(2)} cores meanwhile. ` +
      "Goal with a core to spare: p99 within × 1.2; where load, server, Redis and trainer share two, it is reported only.",
  ].join("\n");
}
