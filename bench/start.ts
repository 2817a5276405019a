/** How long `cuecard serve` takes from nothing to ready, with a large catalog, and where the time goes. */

import { Child } from "./support/child.js";
import type { LoadCalls } from "./support/load-child.js";
import type { BenchOptions } from "./support/options.js";
import { commitOf, machineOf, medianOf, tableOf, writeSection } from "./support/results.js";
import { BENCH_KEY, openScaleStage, type ScaleStage } from "./support/scale-stage.js";
import { type SpawnedServe, spawnServe } from "./support/spawned-serve.js";

const GOAL_MS = 2_000;
/** Enough that a member's answers differ, few enough that filling takes seconds. */
const MEMBERS = 3_000;
const FIRST_SECONDS = 0.25;

interface Round extends Pick<SpawnedServe, "readyMs" | "steps"> {
  readonly firstP50Ms: number;
  readonly firstP99Ms: number;
  readonly laterP50Ms: number;
}

export async function benchStart(options: BenchOptions): Promise<void> {
  const scale = { members: MEMBERS, products: options.products, seed: options.seed };
  const stage = await openScaleStage({ scale, rounds: 0, jobs: [] });
  const load = new Child<LoadCalls>("load-child");
  try {
    const rounds: Round[] = [];
    // The first start reads everything from disk for the first time.
    await (await spawnServe(stage.store)).stop();
    for (let round = 0; round < options.rounds; round++) {
      process.stderr.write(`start ${round + 1} of ${options.rounds}\n`);
      rounds.push(await startOnce(stage, load));
    }
    const text = report(stage, rounds, options);
    process.stdout.write(`\n${text}\n`);
    writeSection("start", text);
  } finally {
    load.stop();
    await stage.close();
  }
}

async function startOnce({ store, members }: ScaleStage, load: Child<LoadCalls>): Promise<Round> {
  const serve = await spawnServe(store);
  try {
    const bodies = members.map((member) => JSON.stringify({ member, placement: "screen_pop" }));
    const asked = { port: serve.port, path: "/v1/recommendations", key: BENCH_KEY, bodies };
    const first = await load.call("alone", { ...asked, seconds: FIRST_SECONDS });
    await load.call("alone", { ...asked, seconds: 1 });
    const later = await load.call("alone", { ...asked, seconds: 1 });
    if (first.failed + later.failed > 0) throw new Error("a request failed right after the start");
    return {
      readyMs: serve.readyMs,
      steps: serve.steps,
      firstP50Ms: first.p50Ms,
      firstP99Ms: first.p99Ms,
      laterP50Ms: later.p50Ms,
    };
  } finally {
    await serve.stop();
  }
}

function report(stage: ScaleStage, rounds: readonly Round[], { seed }: BenchOptions): string {
  const median = (of: (round: Round) => number): number => medianOf(rounds.map(of));
  const ready = median(({ readyMs }) => readyMs);
  const own = Object.keys(rounds[0].steps).map((step) => [
    step,
    median(({ steps }) => steps[step].ms).toFixed(0),
    median(({ steps }) => steps[step].cpuMs).toFixed(0),
  ]);
  const before = median(
    ({ readyMs, steps }) => readyMs - Object.values(steps).reduce((sum, { ms }) => sum + ms, 0),
  );
  const all = rounds.map(({ readyMs }) => readyMs.toFixed(0)).join(", ");
  return [
    `${new Date().toISOString().slice(0, 16)}Z, commit ${commitOf()}. ${machineOf()}; Node ${process.versions.node}, ` +
      `Redis ${stage.redisVersion}; Redis and the watcher share the machine. Seed ${seed}.`,
    "",
    `Ready after **${ready.toFixed(0)} ms** (goal ${GOAL_MS}) with ${stage.scale.products} products, artifacts over all of them and the reference models: ` +
      "from the spawn of `cuecard serve`, one serve process, to the first 200 of /readyz.",
    `Median of ${rounds.length} starts after one that is not counted: ${all} ms.`,
    "",
    tableOf([
      ["step", "ms", "processor ms"],
      ["primary: modules, fork", before.toFixed(0), ""],
      ...own,
    ]),
    "",
    `The first answers after it, one at a time for ${FIRST_SECONDS} s: p50 ${median(({ firstP50Ms }) => firstP50Ms).toFixed(2)} ms, ` +
      `p99 ${median(({ firstP99Ms }) => firstP99Ms).toFixed(2)} ms; two seconds later p50 ${median(({ laterP50Ms }) => laterP50Ms).toFixed(2)} ms.`,
  ].join("\n");
}
