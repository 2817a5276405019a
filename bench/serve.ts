/**
 * How near serving comes to the limit of this machine: the same requests to a bare handler and to the
 * product, one process each, in alternating rounds of one run.
 */
import { startProgress } from "../src/progress.js";
import type { BenchOptions } from "./support/options.js";
import { REFERENCE } from "./support/reference-models.js";
import { commitOf, machineOf, medianOf, tableOf, writeSection } from "./support/results.js";
import {
  openServingStage,
  ROUTES,
  type Route,
  type ServingStage,
  type Side,
} from "./support/serving-stage.js";

interface Saturated {
  readonly perSecond: number;
  /** Processor time of the serving process. */
  readonly cpuMicroseconds: number;
}

interface Measured {
  readonly saturated: Record<Side, Saturated>;
  readonly rate: number;
  readonly paced: Record<Side, { p50Ms: number; p99Ms: number; lateP99Ms: number }>;
  readonly alone: Record<Side, { p50Ms: number }>;
}

const SIDES: readonly Side[] = ["limit", "ours"];
const WARM_UP_SECONDS = 3;

export async function benchServing(options: BenchOptions): Promise<void> {
  const stage = await openServingStage(options);
  try {
    const measured = new Map<Route["name"], Measured>();
    for (const route of ROUTES) measured.set(route.name, await measure(stage, route, options));
    const degraded = await stage.ours.call("degraded", null);
    const text = `${report(stage, measured, options)}\nAnswers of ours that were degraded: ${degraded}; runs done again because a request failed: ${spoiltRuns}.`;
    process.stdout.write(`\n${text}\n`);
    writeSection("serve", text);
  } finally {
    await stage.close();
  }
}

async function measure(
  stage: ServingStage,
  route: Route,
  options: BenchOptions,
): Promise<Measured> {
  const progress = startProgress(route.name);
  const steps = options.rounds * 6 + 2;
  let step = 0;
  const tick = (text: string): void => progress.update(step++ / steps, text);
  for (const side of SIDES) {
    tick(`warming up ${side}`);
    await saturate(stage, side, route, options, WARM_UP_SECONDS);
  }
  const runs: Record<Side, Saturated[]> = { limit: [], ours: [] };
  for (let round = 0; round < options.rounds; round++) {
    for (const side of SIDES) {
      tick(`saturating ${side}`);
      runs[side].push(await saturate(stage, side, route, options, options.seconds));
    }
  }
  const saturated = { limit: medianRun(runs.limit), ours: medianRun(runs.ours) };
  const rate = saturated.ours.perSecond / 2;
  const paced: Record<Side, Latency[]> = { limit: [], ours: [] };
  const alone: Record<Side, Latency[]> = { limit: [], ours: [] };
  for (let round = 0; round < options.rounds; round++) {
    for (const side of SIDES) {
      const load = { ...stage.requests(side, route), seconds: options.seconds };
      tick(`open loop, ${side}`);
      paced[side].push(await whole(() => stage.load.call("pace", { ...load, rate })));
      tick(`one at a time, ${side}`);
      alone[side].push(await whole(() => stage.load.call("alone", { ...load, seconds: 1 })));
    }
  }
  progress.stop();
  return {
    saturated,
    rate,
    paced: { limit: medianLatency(paced.limit), ours: medianLatency(paced.ours) },
    alone: { limit: medianLatency(alone.limit), ours: medianLatency(alone.ours) },
  };
}

async function saturate(
  stage: ServingStage,
  side: Side,
  route: Route,
  { connections }: BenchOptions,
  seconds: number,
): Promise<Saturated> {
  const load = { ...stage.requests(side, route), seconds, connections };
  const {
    answered,
    seconds: took,
    used,
  } = await whole(async () => {
    const before = await stage.cpu(side);
    const result = await stage.load.call("saturate", load);
    return { ...result, used: (await stage.cpu(side)) - before };
  });
  return { perSecond: answered / took, cpuMicroseconds: used / answered };
}

/** Runs in which a request failed and that were done again. */
let spoiltRuns = 0;
const SPOILT_RUNS_MAX = 5;

/** A figure from a run with failures would be one of something else: it is done again, and told. */
async function whole<T extends { readonly answered: number; readonly failed: number }>(
  run: () => Promise<T>,
): Promise<T> {
  for (;;) {
    const result = await run();
    if (result.failed === 0 && result.answered > 0) return result;
    if (++spoiltRuns > SPOILT_RUNS_MAX) throw new Error(`${result.failed} requests failed again`);
  }
}

interface Latency {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly lateP99Ms: number;
}

const medianRun = (runs: readonly Saturated[]): Saturated => ({
  perSecond: medianOf(runs.map((run) => run.perSecond)),
  cpuMicroseconds: medianOf(runs.map((run) => run.cpuMicroseconds)),
});

const medianLatency = (runs: readonly Latency[]): Latency => ({
  p50Ms: medianOf(runs.map((run) => run.p50Ms)),
  p99Ms: medianOf(runs.map((run) => run.p99Ms)),
  lateP99Ms: medianOf(runs.map((run) => run.lateP99Ms)),
});

const ms = (value: number): string => value.toFixed(2);

function rowOf(name: Route["name"], { saturated, rate, paced, alone }: Measured): string[] {
  const { limit, ours } = saturated;
  return [
    name,
    limit.perSecond.toFixed(0),
    ours.perSecond.toFixed(0),
    (ours.perSecond / limit.perSecond).toFixed(2),
    (1e6 / ours.perSecond - 1e6 / limit.perSecond).toFixed(0),
    (limit.cpuMicroseconds / ours.cpuMicroseconds).toFixed(2),
    (ours.cpuMicroseconds - limit.cpuMicroseconds).toFixed(0),
    rate.toFixed(0),
    `${ms(paced.limit.p50Ms)} / ${ms(paced.limit.p99Ms)}`,
    `${ms(paced.ours.p50Ms)} / ${ms(paced.ours.p99Ms)}`,
    ms(paced.ours.lateP99Ms),
    `${ms(alone.limit.p50Ms)} / ${ms(alone.ours.p50Ms)}`,
  ];
}

function report(
  stage: ServingStage,
  measured: ReadonlyMap<Route["name"], Measured>,
  options: BenchOptions,
): string {
  const { world, reference, answerBytes } = stage;
  const header = [
    "one process",
    "limit /s",
    "ours /s",
    "efficiency",
    "µs beyond",
    "by CPU time",
    "CPU µs beyond",
    "open loop /s",
    "limit p50/p99 ms",
    "ours p50/p99 ms",
    "sender late p99",
    "alone p50 limit/ours",
  ];
  const rows = [...measured].map(([name, figures]) => rowOf(name, figures));
  const { trees, depth, candidates } = REFERENCE;
  return [
    `${new Date().toISOString().slice(0, 16)}Z, commit ${commitOf()}. ${machineOf()}; Node ${process.versions.node}, ` +
      `Redis ${stage.redisVersion}; load, server and Redis share the machine. Seed ${options.seed}.`,
    "",
    tableOf([header, ...rows]),
    "",
    `Scores: 1 member, 3 fused heads of ${trees} trees of depth ${depth} (${reference.headsNodes} nodes). ` +
      `Recommendations: ${candidates} candidates, ranker of ${trees} trees of depth ${depth} (${reference.rankerNodes} nodes), ` +
      "coupon, channel, script, reasons.",
    `Spread over ${reference.pool.size} of ${world.memberIds.length} members, ${world.products} products, ${world.events} events. ` +
      `Answers of ${answerBytes.scores} and ${answerBytes.recommendations} bytes.`,
    `Closed loop: autocannon, ${options.connections} connections, ${options.rounds} alternating rounds of ${options.seconds} s after a warm-up, medians. ` +
      "Open loop: half of ours' saturation on both sides, arrivals evenly spaced, nothing waits for an answer. " +
      "The limit makes one run of a graph a request; ours gathers the heads of one turn, so that it may come out above 1. `by CPU time`: the same ratio by processor time of the serving process, which neighbours on the machine blur less.",
  ].join("\n");
}
