/**
 * Events over HTTP in batches: how many a second one process takes, how soon they are acknowledged,
 * and how soon after that another process shows them. Beside it a bare handler, in the same run.
 */
import type { Redis } from "ioredis";
import { startProgress } from "../src/progress.js";
import { memberKey } from "../src/redis/keys.js";
import { Child } from "./support/child.js";
import type { EventCrowd } from "./support/event-file.js";
import type { EventLimitCalls } from "./support/event-limit-child.js";
import type { EventLoadCalls } from "./support/event-load-child.js";
import type { BenchOptions } from "./support/options.js";
import { openPrivateStore, type StoredSizes, storedSizes } from "./support/private-store.js";
import { commitOf, machineOf, medianOf, tableOf, writeSection } from "./support/results.js";
import type { ServerCalls } from "./support/server-child.js";

const KEY = "bench-admin-key";
const BATCH = 100;
const MEMBERS = 80_000;
const PRODUCTS = 5_000;
const CONNECTIONS = 8;
const WARM_UP_SECONDS = 4;
/** Events a second that a process has to take: the open loop runs at it. */
const GOAL_PER_SECOND = 10_000;
const GOAL_VISIBLE_MS = 5;

type Side = "limit" | "ours";
const SIDES: readonly Side[] = ["limit", "ours"];

interface Saturated {
  readonly perSecond: number;
  /** Processor microseconds an event: of the serving process, of Redis. */
  readonly cpu: number;
  readonly redisCpu: number;
  readonly failed: number;
}

interface Paced {
  readonly ackP50Ms: number;
  readonly ackP99Ms: number;
  readonly visibleP50Ms: number;
  readonly visibleP99Ms: number;
  readonly lateP99Ms: number;
  readonly secondReads: number;
  readonly failed: number;
}

interface Stage {
  readonly load: Child<EventLoadCalls>;
  readonly ports: Record<Side, number>;
  readonly readerPort: number;
  readonly crowd: EventCrowd;
  cpu(side: Side): Promise<number>;
  redisCpu(): Promise<number>;
}

export async function benchEvents(options: BenchOptions): Promise<void> {
  const store = await openPrivateStore(6_144);
  const { target, dataDir } = store;
  const load = new Child<EventLoadCalls>("event-load-child");
  const ours = new Child<ServerCalls>("server-child");
  const reader = new Child<ServerCalls>("server-child");
  const limit = new Child<EventLimitCalls>("event-limit-child");
  const crowd = { members: MEMBERS, products: PRODUCTS, seed: options.seed };
  try {
    const start = { target, dataDir, adminApiKey: KEY };
    const port = await ours.call("start", start);
    const readerPort = await reader.call("start", start);
    const warm = { port, key: KEY, crowd, batch: BATCH, connections: CONNECTIONS };
    await load.call("meetProducts", { ...warm, seconds: 0 });
    await load.call("saturate", { ...warm, seconds: WARM_UP_SECONDS });
    const sizes = await sizesOf(store.client, crowd);
    const { stateBytes, recordBytes } = sizes;
    const limitPort = await limit.call("start", { target, stateBytes, recordBytes });
    const stage: Stage = {
      load,
      ports: { ours: port, limit: limitPort },
      readerPort,
      crowd,
      cpu: (side) => (side === "ours" ? ours.call("cpu", null) : limit.call("cpu", null)),
      redisCpu: () => store.cpu(),
    };
    const text = await measure(stage, options, sizes, store.redisVersion);
    process.stdout.write(`\n${text}\n`);
    writeSection("events", text);
  } finally {
    for (const child of [load, ours, reader, limit]) child.stop();
    await store.close();
  }
}

/** Of the busiest members: those whose states a batch writes most often. */
function sizesOf(client: Redis, { members }: EventCrowd): Promise<StoredSizes> {
  const keys = Array.from({ length: Math.min(2_000, members) }, (_, i) =>
    memberKey(`m_${100_000 + i}`),
  );
  return storedSizes(client, keys);
}

async function saturate(stage: Stage, side: Side, seconds: number): Promise<Saturated> {
  const before = [await stage.cpu(side), await stage.redisCpu()];
  const asked = { port: stage.ports[side], key: KEY, crowd: stage.crowd, batch: BATCH, seconds };
  const result = await stage.load.call("saturate", { ...asked, connections: CONNECTIONS });
  const used = [await stage.cpu(side), await stage.redisCpu()];
  const events = result.answered * BATCH;
  return {
    perSecond: events / result.seconds,
    cpu: (used[0] - before[0]) / events,
    redisCpu: (used[1] - before[1]) / events,
    failed: result.failed,
  };
}

async function pace(stage: Stage, side: Side, seconds: number, rate: number): Promise<Paced> {
  return stage.load.call("pace", {
    port: stage.ports[side],
    key: KEY,
    crowd: stage.crowd,
    batch: BATCH,
    seconds,
    rate,
    readerPort: side === "ours" ? stage.readerPort : undefined,
  });
}

const failedOf = (runs: readonly (readonly { failed: number }[])[]): number =>
  runs.flat().reduce((sum, { failed }) => sum + failed, 0);

function medianBy<T extends object>(runs: readonly T[]): T {
  const keys = Object.keys(runs[0]) as (keyof T)[];
  const entries = keys.map((key) => [key, medianOf(runs.map((run) => Number(run[key])))]);
  return Object.fromEntries(entries) as T;
}

async function measure(
  stage: Stage,
  { rounds, seconds, seed }: BenchOptions,
  sizes: StoredSizes,
  redisVersion: string,
): Promise<string> {
  const progress = startProgress("events");
  const saturated: Record<Side, Saturated[]> = { limit: [], ours: [] };
  const paced: Record<Side, Paced[]> = { limit: [], ours: [] };
  await saturate(stage, "limit", WARM_UP_SECONDS);
  for (let round = 0; round < rounds; round++) {
    for (const side of SIDES) {
      progress.update(round / (2 * rounds), `saturating ${side}`);
      saturated[side].push(await saturate(stage, side, seconds));
    }
  }
  const [limit, ours] = [medianBy(saturated.limit), medianBy(saturated.ours)];
  // The goal's own rate, unless that is more than half of what this machine can do.
  const rate = Math.min(GOAL_PER_SECOND, ours.perSecond / 2) / BATCH;
  for (let round = 0; round < rounds; round++) {
    for (const side of SIDES) {
      progress.update((rounds + round) / (2 * rounds), `open loop, ${side}`);
      paced[side].push(await pace(stage, side, seconds, rate));
    }
  }
  progress.stop();
  const [limitPaced, oursPaced] = [medianBy(paced.limit), medianBy(paced.ours)];
  const row = (name: string, full: Saturated, open: Paced, visible: string): string[] => [
    name,
    full.perSecond.toFixed(0),
    full.cpu.toFixed(1),
    full.redisCpu.toFixed(1),
    `${open.ackP50Ms.toFixed(2)} / ${open.ackP99Ms.toFixed(2)}`,
    visible,
    open.lateP99Ms.toFixed(2),
  ];
  const header = [
    "one process",
    "events/s",
    "CPU µs/event",
    "Redis CPU µs/event",
    "acknowledged p50/p99 ms",
    "then visible p50/p99 ms",
    "sender late p99",
  ];
  const shown = `${oursPaced.visibleP50Ms.toFixed(2)} / ${oursPaced.visibleP99Ms.toFixed(2)}`;
  const met = (is: boolean): string => (is ? "met" : "not met in this run");
  return [
    `${new Date().toISOString().slice(0, 16)}Z, commit ${commitOf()}. ${machineOf()}; Node ${process.versions.node}, ` +
      `Redis ${redisVersion} (appendfsync always); load, servers and Redis share the machine. Seed ${seed}.`,
    "",
    tableOf([
      header,
      row("limit", limit, limitPaced, "-"),
      row("ours", ours, oursPaced, shown),
      ["goal", `${GOAL_PER_SECOND}`, "", "", "", `p99 ${GOAL_VISIBLE_MS.toFixed(2)}`, ""],
    ]),
    "",
    `Goals: events a second ${met(ours.perSecond >= GOAL_PER_SECOND)}; acknowledged to visible ${met(oursPaced.visibleP99Ms <= GOAL_VISIBLE_MS)}. ` +
      `Efficiency ${(ours.perSecond / limit.perSecond).toFixed(2)}, by processor time ${(limit.cpu / ours.cpu).toFixed(2)}; ${(ours.cpu - limit.cpu).toFixed(1)} µs of processor time an event beyond the limit.`,
    `Batches of ${BATCH}, each event with an id of its own, single lines; ${MEMBERS} members and ${PRODUCTS} products by Zipf's law; ` +
      `a state of ${sizes.stateBytes} and a record of ${sizes.recordBytes} bytes. Closed loop: ${CONNECTIONS} connections, ${rounds} alternating rounds of ${seconds} s, medians.`,
    `Open loop: ${(rate * BATCH).toFixed(0)} events/s in evenly spaced batches, nothing waits for an answer. Visible: from the acknowledgement until another process, asked by another client, answers the scores of a member first met in that batch; ` +
      `more than one read was needed in ${oursPaced.secondReads} batches of a round; batches that failed in all: ${failedOf([saturated.ours, paced.ours])} of ours, ${failedOf([saturated.limit, paced.limit])} of the limit.`,
    "The limit parses the same body, reads every member, and writes the same bytes by one script an event, in two pipelines: no key, no validation, no fold, no look at ids taken.",
  ].join("\n");
}
