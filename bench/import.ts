/**
 * A file of events into an empty private Redis, by the command line as it is. Beside it, in the same
 * run, what no import can beat: the file parsed by csv-parse, and the same bytes written unread.
 */
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { startProgress } from "../src/progress.js";
import { memberKey } from "../src/redis/keys.js";
import { Child } from "./support/child.js";
import { compiledPath } from "./support/compile.js";
import { FILE_MAPPING, writeEventFile } from "./support/event-file.js";
import type { ImportLimitCalls, Timed } from "./support/import-limit-child.js";
import type { BenchOptions } from "./support/options.js";
import { openPrivateStore, type StoredSizes, storedSizes } from "./support/private-store.js";
import { commitOf, machineOf, medianOf, tableOf, writeSection } from "./support/results.js";

const MEMBERS = 80_000;
const PRODUCTS = 5_000;
const GOAL_PER_SECOND = 30_000;
/** Of a minute or two each; `--rounds` is for benches of seconds. */
const ROUNDS = 3;
const END = Date.UTC(2026, 0, 1);

interface Imported extends Timed {
  readonly redisCpu: number;
  readonly maxRssBytes: number;
  readonly members: number;
  readonly sizes: StoredSizes;
}

interface Round {
  readonly parse: Timed;
  readonly write: Timed;
  readonly ours: Imported;
  readonly redisVersion: string;
}

export async function benchImport(options: BenchOptions): Promise<void> {
  const progress = startProgress("import");
  const rounds: Round[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    progress.update(round / ROUNDS, `round ${round + 1}`);
    rounds.push(await runRound(options));
  }
  progress.stop();
  const text = report(rounds, options);
  process.stdout.write(`\n${text}\n`);
  writeSection("import", text);
}

/** An empty store each: a file that was imported before is skipped. */
async function runRound({ rows, seed }: BenchOptions): Promise<Round> {
  const store = await openPrivateStore(8_192);
  const limit = new Child<ImportLimitCalls>("import-limit-child");
  try {
    const file = `${store.dataDir}/events.csv`;
    const crowd = { members: MEMBERS, products: PRODUCTS, seed };
    await writeEventFile(file, { ...crowd, rows, end: END });
    const cpuBefore = await store.cpu();
    const { seconds, ...used } = await runCommand(store.dataDir, file, rows);
    const redisCpu = (await store.cpu()) - cpuBefore;
    const ids = Array.from({ length: MEMBERS }, (_, i) => `m_${100_000 + i}`);
    // A stride, so that busy and rare members are looked at in their proportion.
    const sizes = await storedSizes(
      store.client,
      ids.filter((_, i) => i % 40 === 0).map(memberKey),
    );
    if (sizes.records !== rows) throw new Error(`${sizes.records} events of ${rows} in the log`);
    const parse = await limit.call("parseFile", file);
    if (parse.rows !== rows) throw new Error(`csv-parse read ${parse.rows} rows of ${rows}`);
    const { recordBytes, stateBytes, writesPerMember } = sizes;
    const states = Math.round(writesPerMember * used.members);
    const { target, redisVersion } = store;
    const bytes = { records: rows, recordBytes, states, stateBytes };
    const write = await limit.call("writeBare", { target, ...bytes });
    return { parse, write, ours: { seconds, ...used, redisCpu, sizes }, redisVersion };
  } finally {
    limit.stop();
    await store.close();
  }
}

/** The command finds the Redis that this process holds by its DATA_DIR. */
async function runCommand(dataDir: string, file: string, rows: number) {
  const result = `${dataDir}/used.json`;
  const map = Object.entries(FILE_MAPPING).map(([target, column]) => `${target}=${column}`);
  const flags = ["--file", file, "--map", map.join(","), "--timezone", "UTC"];
  const child = spawn(
    process.execPath,
    [compiledPath("import-child"), result, "import", "events", ...flags],
    // Nothing of the caller's configuration: a store of its own, everything else by default.
    { env: { PATH: process.env.PATH, DATA_DIR: dataDir }, stdio: ["ignore", "pipe", "inherit"] },
  );
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => {
    output += chunk;
  });
  const code = await new Promise((ended) => child.on("exit", ended));
  const figure = (name: string): number =>
    Number(new RegExp(`${name}=(\\d+(?:\\.\\d+)?)`).exec(output)?.[1] ?? Number.NaN);
  if (code !== 0 || figure("events") !== rows) {
    throw new Error(`the import ended with ${code}: ${output}`);
  }
  const used = JSON.parse(readFileSync(result, "utf8")) as { cpu: number; maxRssBytes: number };
  return { seconds: figure("seconds"), members: figure("members"), ...used };
}

function report(rounds: readonly Round[], { rows, seed }: BenchOptions): string {
  const median = (pick: (round: Round) => number): number => medianOf(rounds.map(pick));
  const [{ ours, redisVersion }] = rounds;
  const row = (name: string, seconds: number, cpu: number, redisCpu: string): string[] => [
    name,
    (rows / seconds).toFixed(0),
    seconds.toFixed(1),
    (cpu / rows).toFixed(1),
    redisCpu,
  ];
  const seconds = median((round) => round.ours.seconds);
  const limitSeconds = median((round) => Math.max(round.parse.seconds, round.write.seconds));
  const { sizes, members } = ours;
  const rss = median((round) => round.ours.maxRssBytes) / 2 ** 20;
  return [
    `${new Date().toISOString().slice(0, 16)}Z, commit ${commitOf()}. ${machineOf()}; Node ${process.versions.node}, ` +
      `Redis ${redisVersion} (appendfsync always). Seed ${seed}.`,
    "",
    tableOf([
      ["one process", "rows/s", "seconds", "CPU µs/row", "Redis CPU µs/row"],
      row(
        "limit: csv-parse alone",
        median((round) => round.parse.seconds),
        median((round) => round.parse.cpu),
        "-",
      ),
      row(
        "limit: bare writes alone",
        median((round) => round.write.seconds),
        median((round) => round.write.cpu),
        "-",
      ),
      row(
        "ours",
        seconds,
        median((round) => round.ours.cpu),
        (median((round) => round.ours.redisCpu) / rows).toFixed(1),
      ),
      ["goal", `${GOAL_PER_SECOND}`, "", "", ""],
    ]),
    "",
    `Goal ${rows / seconds >= GOAL_PER_SECOND ? "met" : "not met in this run"}. Against the slower of the two limits, were they to run beside each other: ${(limitSeconds / seconds).toFixed(2)}.`,
    `${rows} rows, each an event of its own, over a year in order of time; ${members} members and ${PRODUCTS} products by Zipf's law. ` +
      `Records of ${sizes.recordBytes} bytes, states of ${sizes.stateBytes} bytes written ${sizes.writesPerMember.toFixed(1)} times a member. ` +
      `At most ${rss.toFixed(0)} MiB of memory. Medians of ${rounds.length} rounds, each into an empty store.`,
    "Seconds of ours are those the command itself reports, from the first byte read to the last row committed and readable; its processor time includes its start. " +
      "Bare writes: as many XADD and HSET of the same sizes in pipelines of 1,000 over four lanes, no script, nothing read, nothing computed.",
  ].join("\n");
}
