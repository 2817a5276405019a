/** `npm run bench guards`: random decisions in random worlds, each judged by an oracle of its own. */
import { availableParallelism } from "node:os";
import { addTally, BLOCK_SIZE, emptyTally, runBlocks, type Tally } from "./guards-run.js";
import { Child } from "./support/child.js";
import type { GuardCalls } from "./support/guards-child.js";
import type { BenchOptions } from "./support/options.js";
import { commitOf, machineOf, tableOf, writeSection } from "./support/results.js";

const PROCESSES_MAX = 2;
/** Blocks one call decides: a few seconds. */
const BLOCKS_AT_ONCE = 128;

const NAMES: readonly string[] = [
  "do not contact",
  "opt-out, a consent refused or revoked",
  "hours of the called party",
  "time zone unknown",
  "frequency caps, cool-down, later",
  "no consent, inbound channel, no window (China)",
  "personalization off",
  "complaint, refund, vulnerable",
  "erased",
  "coupons not begun, over, withdrawn",
  "guard data out of reach",
  "another price since it was shown",
];

export async function benchGuards({ seed, count, only }: BenchOptions): Promise<void> {
  if (only !== "") return oneBlock(seed, Number(only));
  const blocks = Math.ceil(count / BLOCK_SIZE);
  const started = performance.now();
  const tally = emptyTally();
  let cpuMicroseconds = 0;
  let next = 0;
  const work = async (child: Child<GuardCalls>): Promise<void> => {
    while (next < blocks) {
      const first = next;
      next = Math.min(blocks, first + BLOCKS_AT_ONCE);
      const done = await child.call("run", { seed, first, end: next });
      addTally(tally, done.tally);
      cpuMicroseconds += done.cpuMicroseconds;
      process.stderr.write(`\r${tally.decisions} decisions, ${tally.violated} violations `);
    }
  };
  const processes = Math.min(PROCESSES_MAX, availableParallelism());
  const children = Array.from({ length: processes }, () => new Child<GuardCalls>("guards-child"));
  try {
    await Promise.all(children.map(work));
  } finally {
    for (const child of children) child.stop();
  }
  const seconds = (performance.now() - started) / 1000;
  const text = report(tally, { seed, seconds, cpuMicroseconds, processes });
  process.stdout.write(`\n${text}\n`);
  if (tally.violated > 0) process.exitCode = 1;
  else writeSection("guards", text);
}

/** Again what was found wrong. */
async function oneBlock(seed: number, block: number): Promise<void> {
  const { violations, violated } = await runBlocks(seed, { first: block, end: block + 1 });
  process.stdout.write(`${violated} violations\n${violations.join("\n")}\n`);
  if (violated > 0) process.exitCode = 1;
}

interface Run {
  readonly seed: number;
  readonly seconds: number;
  readonly cpuMicroseconds: number;
  readonly processes: number;
}

function report(tally: Tally, { seed, seconds, cpuMicroseconds, processes }: Run): string {
  const { decisions, offered, outbound, tested, alone, stopped, violated, violations } = tally;
  const rows = NAMES.map((name, i) => [
    `${i + 1} ${name}`,
    String(tested[i + 1]),
    String(alone[i + 1]),
  ]);
  const reproduce = violations.map((one) => `- ${one}`);
  return [
    `${new Date().toISOString().slice(0, 16)}Z, commit ${commitOf()}. ${machineOf()}; Node ${process.versions.node}. Seed ${seed}.`,
    "",
    `**${violated} violations** in ${decisions} decisions, judged by an oracle that shares no code with the guards (bench/guards-oracle.ts). ` +
      `Offered something: ${offered}, outbound ${outbound}. Stopped only at the product's own last look: ${stopped}.`,
    ...(violated === 0
      ? []
      : ["", `Reproduce with --seed ${seed} --only BLOCK; the first of them:`, ...reproduce]),
    "",
    tableOf([["guard", "had something to bar", "barred it alone"], ...rows]),
    "",
    `${Math.round(decisions / seconds)} decisions a second in ${processes} processes, the oracle and its worlds included; ${(cpuMicroseconds / decisions).toFixed(0)} µs of processor time each.`,
    "Random policies, catalogs, experiments and persons of one or two accounts; between two of eight requests anything may happen to them " +
      "(contacts, complaints, refunds, opt-outs, entries of the suppression list, merges, erasure, prices and coupons that change), and the store, " +
      "the list, the numbers' contacts, the offers and the models fail at times. Instants lie around the edges of windows and the days on which clocks change.",
  ].join("\n");
}
