/**
 * The pop lookup at a fixed rate of calls, alone and beside a running import: what an agent's screen
 * waits for while somebody loads last year's orders.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { environmentWith } from "../src/config.js";
import { Child } from "./support/child.js";
import { FILE_MAPPING, writeEventFile } from "./support/event-file.js";
import type { LoadCalls } from "./support/load-child.js";
import type { BenchOptions } from "./support/options.js";
import { commitOf, machineOf, medianOf, tableOf, writeSection } from "./support/results.js";
import type { ScaleServerCalls } from "./support/scale-server-child.js";
import { BENCH_KEY, openScaleStage, type ScaleStage } from "./support/scale-stage.js";
import { compiledMain } from "./support/spawned-serve.js";

const SCALE = { members: 30_000, products: 10_000 };
const P99_GOAL_MS = 10;
const WARM_UP_SECONDS = 3;
const NOTICE_SECONDS = 1;
const CALLERS = 500;

type Situation = "alone" | "beside an import";

interface Paced {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly lateP99Ms: number;
  readonly answered: number;
  readonly failed: number;
}

export async function benchPop(options: BenchOptions): Promise<void> {
  const stage = await openScaleStage({
    scale: { ...SCALE, seed: options.seed },
    rounds: 0,
    jobs: [],
  });
  const load = new Child<LoadCalls>("load-child");
  const server = new Child<ScaleServerCalls>("scale-server-child");
  try {
    const { port } = await server.call("start", { ...stage.store, adminApiKey: BENCH_KEY });
    const bodies = await callsOf(stage, port);
    const pace = (seconds: number): Promise<Paced> =>
      load.call("pace", {
        port,
        path: "/pop",
        key: BENCH_KEY,
        bodies,
        rate: options.rate,
        seconds,
      });
    await pace(WARM_UP_SECONDS);
    const figures = new Map<Situation, Paced[]>([
      ["alone", []],
      ["beside an import", []],
    ]);
    for (let round = 0; round < options.rounds; round++) {
      const alone = await pace(options.seconds);
      const beside = await whileImporting(
        stage,
        options,
        round,
        () => pace(NOTICE_SECONDS),
        () => pace(options.seconds),
      );
      figures.get("alone")!.push(alone);
      figures.get("beside an import")!.push(beside);
      const told = [alone, beside].map(({ p99Ms }) => `${p99Ms.toFixed(1)} ms`).join(", beside ");
      process.stderr.write(`round ${round + 1} of ${options.rounds}: p99 ${told}\n`);
    }
    const text = report(stage, options, figures);
    process.stdout.write(`\n${text}\n`);
    writeSection("pop", text);
  } finally {
    for (const child of [load, server]) child.stop();
    await stage.close();
  }
}

/** As a telephone system asks: by number, in national notation with the country beside it. */
async function callsOf({ members }: ScaleStage, port: number): Promise<string[]> {
  const calls: string[] = [];
  for (const member of members.slice(0, CALLERS)) {
    const answer = await fetch(`http://127.0.0.1:${port}/v1/members/${member}`, {
      headers: { "x-api-key": BENCH_KEY },
    });
    const { phone } = (await answer.json()) as { phone: string };
    calls.push(JSON.stringify({ phone_number: phone.slice(3), phone_code: "86" }));
  }
  return calls;
}

/** The import runs from before the first call to after the last one, and is then told to end. */
async function whileImporting(
  stage: ScaleStage,
  options: BenchOptions,
  round: number,
  notice: () => Promise<Paced>,
  measure: () => Promise<Paced>,
): Promise<Paced> {
  const file = `${stage.store.dataDir}/events-${round}.csv`;
  const crowd = { members: SCALE.members, products: 5_000, seed: options.seed + round };
  await writeEventFile(file, { ...crowd, rows: options.rows, end: Date.now() });
  const child = importOf(stage, file);
  try {
    await oneLine(child);
    // It hears of the first call after that call: what is measured is the day, not its first second.
    await notice();
    const measured = await measure();
    if (child.exitCode !== null) throw new Error("the import ended before the calls: more --rows");
    return measured;
  } finally {
    if (child.exitCode === null) {
      const ended = once(child, "exit");
      child.kill("SIGTERM");
      await ended;
    }
  }
}

function importOf({ store }: ScaleStage, file: string): ChildProcess {
  const map = Object.entries(FILE_MAPPING).map(([target, column]) => `${target}=${column}`);
  const flags = ["--file", file, "--map", map.join(","), "--timezone", "UTC"];
  return spawn(process.execPath, [compiledMain, "import", "events", ...flags], {
    stdio: ["ignore", "pipe", "pipe"],
    env: environmentWith({ REDIS_URL: store.target, DATA_DIR: store.dataDir }),
  });
}

/** Rows are being written when it shows the first progress. */
const oneLine = (child: ChildProcess): Promise<unknown> =>
  Promise.race([
    once(child.stdout!, "data"),
    once(child.stderr!, "data"),
    once(child, "exit").then(() => Promise.reject(new Error("the import ended at once"))),
  ]);

function report(
  stage: ScaleStage,
  { rate, rounds, seconds, seed }: BenchOptions,
  figures: ReadonlyMap<Situation, readonly Paced[]>,
): string {
  const rows = [...figures].map(([situation, paced]) => [
    situation,
    String(paced.reduce((sum, one) => sum + one.answered, 0)),
    String(paced.reduce((sum, one) => sum + one.failed, 0)),
    medianOf(paced.map(({ p50Ms }) => p50Ms)).toFixed(2),
    medianOf(paced.map(({ p99Ms }) => p99Ms)).toFixed(2),
    Math.max(...paced.map(({ p99Ms }) => p99Ms)).toFixed(2),
    medianOf(paced.map(({ lateP99Ms }) => lateP99Ms)).toFixed(2),
  ]);
  const header = ["pop", "answered", "failed", "p50 ms", "p99 ms", "worst p99", "sender late p99"];
  const reached = medianOf(figures.get("beside an import")!.map(({ p99Ms }) => p99Ms));
  return [
    `${new Date().toISOString().slice(0, 16)}Z, commit ${commitOf()}. ${machineOf()}; Node ${process.versions.node}, ` +
      `Redis ${stage.redisVersion}; load, server, import and Redis share the machine. Seed ${seed}.`,
    "",
    tableOf([header, ...rows]),
    "",
    `Open loop, ${rate} calls a second by number over HTTP, ${rounds} rounds of ${seconds} s, medians; ${SCALE.members} members, ${SCALE.products} products, ` +
      `the reference models; ${CALLERS} callers, one serve process, guards and decision records on. Goal beside an import: p99 within ${P99_GOAL_MS} ms, ${reached <= P99_GOAL_MS ? "met" : "not met"} in this run.`,
    `Beside an import the first ${NOTICE_SECONDS} s of calls is not counted: by then it knows that somebody is served. ` +
      "The import is `cuecard import events` as a person starts it, at its own lower priority.",
  ].join("\n");
}
