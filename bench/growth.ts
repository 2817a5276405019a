/**
 * What ten and a hundred times the members or products cost: a request, memory, a start, the jobs. All
 * sizes stand side by side, and requests are measured in alternating rounds of one run.
 */
import type { JobName } from "../src/jobs/job.js";
import { startProgress } from "../src/progress.js";
import { Child } from "./support/child.js";
import type { LoadCalls } from "./support/load-child.js";
import type { BenchOptions } from "./support/options.js";
import { commitOf, machineOf, medianOf, tableOf, writeSection } from "./support/results.js";
import type { ScaleServerCalls } from "./support/scale-server-child.js";
import { BENCH_KEY, openScaleStage, type ScaleStage } from "./support/scale-stage.js";
import { sampleOfMembers } from "./support/scale-world.js";
import { ROUTES, type Route } from "./support/serving-stage.js";

/** Requests a second, evenly spaced: some fifth of what one process can. */
const RATES: Record<Route["name"], number> = { scores: 600, recommendations: 120 };
/** Asked for in turn: many more than any cache of the processor holds. */
const MEMBERS_ASKED = 4_096;
/** Trees a model in the training that is timed: the trees themselves grow with the rows alone. */
const ROUNDS_TRAINED = 10;
const JOBS: readonly JobName[] = ["archive", "stages", "score"];
const WARM_UP_SECONDS = 3;
const MIB = 2 ** 20;

interface Served {
  readonly p50Ms: number[];
  readonly p99Ms: number[];
  readonly cpuMicroseconds: number[];
}

/** One size, being served. */
interface Size {
  readonly stage: ScaleStage;
  readonly server: Child<ScaleServerCalls>;
  readonly port: number;
  readonly startMs: number;
  readonly served: Record<Route["name"], Served>;
  rssBytes: number;
}

export async function benchGrowth(options: BenchOptions): Promise<void> {
  const sizes: Size[] = [];
  const load = new Child<LoadCalls>("load-child");
  try {
    for (const [members, products] of pairsOf(options)) {
      sizes.push(await openSize(members, products, options.seed));
    }
    const figures = await measure(sizes, load, options);
    const text = report(sizes, figures, options);
    process.stdout.write(`\n${text}\n`);
    writeSection("growth", text);
  } finally {
    load.stop();
    for (const { server, stage } of sizes) {
      server.stop();
      await stage.close();
    }
  }
}

/** By members at the middle number of products, then by products at the middle number of members. */
function pairsOf({ memberSizes, productSizes }: BenchOptions): [number, number][] {
  const middle = (sizes: readonly number[]): number => sizes[sizes.length >> 1];
  const pairs = [
    ...memberSizes.map((members): [number, number] => [members, middle(productSizes)]),
    ...productSizes.map((products): [number, number] => [middle(memberSizes), products]),
  ];
  return [...new Map(pairs.map((pair) => [pair.join(), pair])).values()];
}

async function openSize(members: number, products: number, seed: number): Promise<Size> {
  const scale = { members, products, seed };
  const stage = await openScaleStage({ scale, rounds: ROUNDS_TRAINED, jobs: JOBS });
  const server = new Child<ScaleServerCalls>("scale-server-child");
  const { port, ms } = await server.call("start", { ...stage.store, adminApiKey: BENCH_KEY });
  const empty = (): Served => ({ p50Ms: [], p99Ms: [], cpuMicroseconds: [] });
  const served = { scores: empty(), recommendations: empty() };
  return { stage, server, port, startMs: ms, served, rssBytes: Number.NaN };
}

/** Requests that failed and answers that were degraded, over all sizes. */
async function measure(
  sizes: readonly Size[],
  load: Child<LoadCalls>,
  options: BenchOptions,
): Promise<{ failed: number; degraded: number }> {
  const progress = startProgress("Requests");
  const steps = (options.rounds + 1) * sizes.length * ROUTES.length;
  let step = 0;
  let failed = 0;
  let degraded = 0;
  for (let round = -1; round < options.rounds; round++) {
    for (const size of sizes) {
      for (const route of ROUTES) {
        const { members, products } = size.stage.scale;
        progress.update(step++ / steps, `${route.name}, ${members} members, ${products} products`);
        const seconds = round < 0 ? WARM_UP_SECONDS : options.seconds;
        failed += await ask(size, route, load, seconds, round >= 0);
      }
    }
  }
  for (const size of sizes) {
    const usage = await size.server.call("usage", null);
    size.rssBytes = usage.rssBytes;
    degraded += usage.degraded;
  }
  progress.stop();
  return { failed, degraded };
}

async function ask(
  { server, port, stage, served }: Size,
  { name, path, body }: Route,
  load: Child<LoadCalls>,
  seconds: number,
  counts: boolean,
): Promise<number> {
  const bodies = sampleOfMembers(stage.scale.members, MEMBERS_ASKED).map(body);
  const asked = { port, path, key: BENCH_KEY, bodies, rate: RATES[name], seconds };
  const before = await server.call("usage", null);
  const { p50Ms, p99Ms, answered, failed } = await load.call("pace", asked);
  const after = await server.call("usage", null);
  if (!counts) return failed;
  served[name].p50Ms.push(p50Ms);
  served[name].p99Ms.push(p99Ms);
  served[name].cpuMicroseconds.push((after.cpuMicroseconds - before.cpuMicroseconds) / answered);
  return failed;
}

type Figure = readonly [name: string, of: (size: Size) => number, digits: number];

const perMember = ({ stage: { archivedBytes, filled, scale } }: Size): number =>
  ((archivedBytes ?? Number.NaN) - filled.bytes.products) / scale.members;

const perEvent = ({ stage: { archivedBytes, filled } }: Size): number =>
  (filled.bytes.all - (archivedBytes ?? Number.NaN)) / filled.events;

const perProduct = ({ stage: { filled, scale } }: Size): number =>
  (filled.bytes.products - filled.bytes.empty) / scale.products;

function figuresOf(sizes: readonly Size[]): Figure[] {
  const served = (name: Route["name"]): Figure[] => [
    [`${name}: p50 ms`, (size) => medianOf(size.served[name].p50Ms), 2],
    [`${name}: p99 ms`, (size) => medianOf(size.served[name].p99Ms), 2],
    [`${name}: processor µs`, (size) => medianOf(size.served[name].cpuMicroseconds), 0],
  ];
  const jobs = [...new Set(sizes.flatMap(({ stage }) => [...stage.jobs.keys()]))];
  return [
    ...served("recommendations"),
    ...served("scores"),
    ["start, modules read: ms", ({ startMs }) => startMs, 0],
    ["serve process: MiB", ({ rssBytes }) => rssBytes / MIB, 0],
    ["Redis: bytes a member", perMember, 0],
    ["Redis: bytes an event of the log", perEvent, 0],
    ["Redis: bytes a product", perProduct, 0],
    ...jobs.flatMap((job): Figure[] => [
      [`job ${job}: s`, ({ stage }) => stage.jobs.get(job)?.seconds ?? Number.NaN, 1],
      [`job ${job}: processor s`, ({ stage }) => stage.jobs.get(job)?.cpuSeconds ?? Number.NaN, 1],
      [
        `job ${job}: peak MiB`,
        ({ stage }) => (stage.jobs.get(job)?.peakBytes ?? Number.NaN) / MIB,
        0,
      ],
    ]),
  ];
}

const short = (count: number): string =>
  count >= 1e6 ? `${count / 1e6}M` : count >= 1e3 ? `${count / 1e3}k` : String(count);

/** Columns: every size; then how each figure grew from one size to the next of the same row. */
function table(sizes: readonly Size[], { memberSizes, productSizes }: BenchOptions): string {
  const at = (members: number, products: number): Size =>
    sizes.find(({ stage: { scale } }) => scale.members === members && scale.products === products)!;
  const middle = {
    members: memberSizes[memberSizes.length >> 1],
    products: productSizes[productSizes.length >> 1],
  };
  const steps = [
    ...memberSizes.slice(1).map((size, i) => ({
      name: `${short(memberSizes[i])}→${short(size)} m.`,
      from: at(memberSizes[i], middle.products),
      to: at(size, middle.products),
    })),
    ...productSizes.slice(1).map((size, i) => ({
      name: `${short(productSizes[i])}→${short(size)} p.`,
      from: at(middle.members, productSizes[i]),
      to: at(middle.members, size),
    })),
  ];
  const header = [
    "members × products",
    ...sizes.map(({ stage: { scale } }) => `${short(scale.members)} × ${short(scale.products)}`),
    ...steps.map(({ name }) => name),
  ];
  const text = (value: number, digits: number): string =>
    Number.isNaN(value) ? "" : value.toFixed(digits);
  const rows = figuresOf(sizes).map(([name, of, digits]) => [
    name,
    ...sizes.map((size) => text(of(size), digits)),
    ...steps.map(({ from, to }) => {
      const ratio = text(of(to) / of(from), 2);
      return ratio === "" ? "" : `× ${ratio}`;
    }),
  ]);
  return tableOf([header, ...rows]);
}

function report(
  sizes: readonly Size[],
  { failed, degraded }: { failed: number; degraded: number },
  options: BenchOptions,
): string {
  const { filled, scale, redisVersion } = sizes[0].stage;
  const filling = sizes.map(({ stage }) => stage.filled.seconds.toFixed(0)).join(", ");
  return [
    `${new Date().toISOString().slice(0, 16)}Z, commit ${commitOf()}. ${machineOf()}; Node ${process.versions.node}, ` +
      `Redis ${redisVersion}; load, servers and Redis share the machine. Seed ${options.seed}.`,
    "",
    table(sizes, options),
    "",
    "Goal: ten times the members or products, and a request's p99 stays within 20 %; a job grows no more than tenfold.",
    `Requests: open loop, ${RATES.recommendations} recommendations and ${RATES.scores} scores a second, ${options.rounds} rounds of ${options.seconds} s, ` +
      `sizes taking turns, medians, over ${MEMBERS_ASKED} members; the reference models, one process a size. ` +
      `Requests that failed: ${failed}; answers degraded: ${degraded}.`,
    `Members: ${(filled.events / scale.members).toFixed(1)} events each on average over 500 days, two in five an order, with a profile and a phone; ` +
      "states folded from their events and written with profile, identity and log by the product's own script, a hundred members a run of it " +
      `(${filling} s). Redis by the change of used_memory, without a copy on disk.`,
    `Jobs: one process each, on the idle machine, with the log in the archive; train with ${ROUNDS_TRAINED} trees a model (rows are bounded, so the trees' own time is). ` +
      "stages rests as long as it works. Peak memory: of the whole process.",
  ].join("\n");
}
