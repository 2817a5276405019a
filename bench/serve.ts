/**
 * How near serving comes to the limit of this machine: the same requests to a bare handler and to the
 * product in alternating rounds of one run; once for each Node and number of processes asked for.
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

const SIDES: readonly Side[] = ["limit", "bare", "ours"];
const WARM_UP_SECONDS = 3;

export async function benchServing(options: BenchOptions): Promise<void> {
  const rows: string[][] = [];
  let about = "";
  let degraded = 0;
  for (const node of options.nodes) {
    for (const processes of options.processes) {
      const stage = await openServingStage(options, { node, processes });
      try {
        for (const route of ROUTES) {
          const figures = await measure(stage, route, options);
          rows.push([route.name, stage.nodeVersion, String(processes), ...cellsOf(figures)]);
        }
        degraded += await stage.ours.call("degraded", null);
        about = aboutOf(stage, options);
      } finally {
        await stage.close();
      }
    }
  }
  const text = [
    about,
    tableOf([HEADER, ...rows]),
    NOTES,
    `Answers of ours that were degraded: ${degraded}; runs done again because a request failed: ${spoiltRuns}.`,
  ].join("\n\n");
  process.stdout.write(`\n${text}\n`);
  writeSection("serve", text);
}

async function measure(
  stage: ServingStage,
  route: Route,
  options: BenchOptions,
): Promise<Measured> {
  const progress = startProgress(route.name);
  const steps = SIDES.length * (3 * options.rounds + 1);
  let step = 0;
  const tick = (text: string): void => progress.update(step++ / steps, text);
  for (const side of SIDES) {
    tick(`warming up ${side}`);
    await saturate(stage, side, route, options, WARM_UP_SECONDS);
  }
  const runs: Record<Side, Saturated[]> = { limit: [], bare: [], ours: [] };
  for (let round = 0; round < options.rounds; round++) {
    for (const side of SIDES) {
      tick(`saturating ${side}`);
      runs[side].push(await saturate(stage, side, route, options, options.seconds));
    }
  }
  const saturated = mapSides(runs, medianRun);
  const rate = saturated.ours.perSecond / 2;
  const paced: Record<Side, Latency[]> = { limit: [], bare: [], ours: [] };
  const alone: Record<Side, Latency[]> = { limit: [], bare: [], ours: [] };
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
    paced: mapSides(paced, medianLatency),
    alone: mapSides(alone, medianLatency),
  };
}

const mapSides = <T, R>(sides: Record<Side, T>, change: (value: T) => R): Record<Side, R> => ({
  limit: change(sides.limit),
  bare: change(sides.bare),
  ours: change(sides.ours),
});

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

const HEADER = [
  "route",
  "Node",
  "processes",
  "limit /s",
  "bare /s",
  "ours /s",
  "efficiency",
  "by CPU time",
  "CPU µs ours",
  "beyond limit",
  "beyond bare",
  "open loop /s",
  "limit p50/p99 ms",
  "bare p50/p99 ms",
  "ours p50/p99 ms",
  "sender late p99",
  "alone p50 limit/bare/ours",
];

function cellsOf({ saturated, rate, paced, alone }: Measured): string[] {
  const { limit, bare, ours } = saturated;
  const cpuBeyond = (other: Saturated): string =>
    (ours.cpuMicroseconds - other.cpuMicroseconds).toFixed(0);
  const latency = ({ p50Ms, p99Ms }: { p50Ms: number; p99Ms: number }): string =>
    `${ms(p50Ms)} / ${ms(p99Ms)}`;
  return [
    limit.perSecond.toFixed(0),
    bare.perSecond.toFixed(0),
    ours.perSecond.toFixed(0),
    (ours.perSecond / limit.perSecond).toFixed(2),
    (limit.cpuMicroseconds / ours.cpuMicroseconds).toFixed(2),
    ours.cpuMicroseconds.toFixed(0),
    cpuBeyond(limit),
    cpuBeyond(bare),
    rate.toFixed(0),
    latency(paced.limit),
    latency(paced.bare),
    latency(paced.ours),
    ms(paced.ours.lateP99Ms),
    `${ms(alone.limit.p50Ms)} / ${ms(alone.bare.p50Ms)} / ${ms(alone.ours.p50Ms)}`,
  ];
}

function aboutOf(stage: ServingStage, options: BenchOptions): string {
  const { world, reference, answerBytes } = stage;
  const { trees, depth, candidates } = REFERENCE;
  return [
    `${new Date().toISOString().slice(0, 16)}Z, commit ${commitOf()}. ${machineOf()}; ` +
      `Redis ${stage.redisVersion}; load, servers and Redis share the machine. Seed ${options.seed}.`,
    "",
    `Scores: 1 member, 3 fused heads of ${trees} trees of depth ${depth} (${reference.headsNodes} nodes). ` +
      `Recommendations: ${candidates} candidates, all of them through a ranker of ${trees} trees of depth ${depth} ` +
      `(${reference.rankerNodes} nodes), coupon, channel, script, reasons.`,
    `Spread over ${reference.pool.size} of ${world.memberIds.length} members, ${world.products} products, ${world.events} events. ` +
      `Answers of ${answerBytes.scores} and ${answerBytes.recommendations} bytes.`,
    `Closed loop: autocannon, ${options.connections} connections, ${options.rounds} alternating rounds of ${options.seconds} s after a warm-up, medians. ` +
      "Open loop: half of ours' saturation on all sides, arrivals evenly spaced, nothing waits for an answer.",
  ].join("\n");
}

const NOTES =
  "`limit`: a bare node:http handler with one Redis read and one onnxruntime run of each graph. `bare`: the same " +
  "handler with the product's own trees (docs/adr/0005) in place of onnxruntime, so that what lies beyond it is the " +
  "way around the models alone. Efficiency is ours ÷ limit, and comes out above 1 where the trees, or gathering the " +
  "heads of one turn, win more than the rest costs. `by CPU time`: the same ratio by processor time of the serving " +
  "processes, which neighbours on the machine blur less.";
