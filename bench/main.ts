/** `npm run bench`: lists the benches; `npm run bench NAME [-- --option value]` runs one. */
import { parseArgs } from "node:util";
import { shipDemoModels } from "./demo-models.js";
import { benchEvents } from "./events.js";
import { explainDecisions } from "./explain-decisions.js";
import { benchGrowth } from "./growth.js";
import { benchGuards } from "./guards.js";
import { benchImport } from "./import.js";
import { benchMemory } from "./memory.js";
import { benchPop } from "./pop.js";
import { profileServing } from "./profile.js";
import { benchQuality } from "./quality.js";
import { benchScoring } from "./scoring.js";
import { benchServing } from "./serve.js";
import { benchStart } from "./start.js";
import { compileBench } from "./support/compile.js";
import type { BenchOptions } from "./support/options.js";
import { benchSwap } from "./swap.js";

interface Bench {
  readonly about: string;
  readonly run: (options: BenchOptions) => Promise<void>;
}

const BENCHES: Record<string, Bench> = {
  serve: {
    about: "scores and recommendations beside the limit of the same run; writes bench/RESULTS.md",
    run: benchServing,
  },
  profile: {
    about: "where the time of a recommendation and of a score goes, stage by stage",
    run: profileServing,
  },
  scoring: {
    about: "how fast everyone is scored, beside the limit; writes bench/RESULTS.md",
    run: benchScoring,
  },
  memory: {
    about: "what a member costs in memory, the log apart; writes bench/RESULTS.md",
    run: benchMemory,
  },
  quality: {
    about:
      "how good the models are on public data (CUECARD_DATASETS; --only bank,tafeng); writes bench/QUALITY.md",
    run: benchQuality,
  },
  start: {
    about: "from nothing to ready with 100,000 products, step by step",
    run: benchStart,
  },
  guards: {
    about:
      "a million random decisions judged by an oracle of its own (--count, --seed, --only BLOCK)",
    run: benchGuards,
  },
  growth: {
    about: "requests, memory and jobs with ten and a hundred times the members or products",
    run: benchGrowth,
  },
  swap: {
    about: "recommendations while a model is trained, and while models are swapped",
    run: benchSwap,
  },
  pop: {
    about: "the pop lookup at a fixed rate, alone and beside a running import",
    run: benchPop,
  },
  events: {
    about: "events over HTTP in batches beside a bare handler; acknowledged to visible",
    run: benchEvents,
  },
  import: {
    about: "a file of events into an empty store, beside csv-parse and bare writes",
    run: benchImport,
  },
  explain: {
    about:
      "ten decisions of the demo world, explained; writes docs/explained-decisions.md and docs/explained-decisions.zh-CN.md",
    run: explainDecisions,
  },
  "demo-models": {
    about: "makes the small models shipped in models/ from the demo world",
    run: shipDemoModels,
  },
};

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: "string", default: "5" },
    seconds: { type: "string", default: "4" },
    connections: { type: "string", default: "32" },
    members: { type: "string", default: "3000" },
    everyone: { type: "string", default: "1000000" },
    seed: { type: "string", default: "1" },
    rows: { type: "string", default: "1000000" },
    count: { type: "string", default: "1000000" },
    products: { type: "string", default: "100000" },
    rate: { type: "string", default: "200" },
    "member-sizes": { type: "string", default: "10000,100000,1000000" },
    "product-sizes": { type: "string", default: "1000,10000,100000" },
    only: { type: "string", default: "" },
    node: { type: "string", default: process.execPath },
    processes: { type: "string", default: "1,2" },
  },
});

const bench = BENCHES[positionals[0] ?? ""];
if (bench === undefined) {
  const lines = Object.entries(BENCHES).map(([name, { about }]) => `  ${name.padEnd(12)} ${about}`);
  process.stdout.write(
    `npm run bench NAME [-- --rounds 5 --seconds 4 --connections 32 --members 3000 --seed 1]\n${lines.join("\n")}\n`,
  );
} else {
  compileBench();
  await bench.run({
    rounds: Number(values.rounds),
    seconds: Number(values.seconds),
    connections: Number(values.connections),
    members: Number(values.members),
    everyone: Number(values.everyone),
    seed: Number(values.seed),
    rows: Number(values.rows),
    count: Number(values.count),
    products: Number(values.products),
    rate: Number(values.rate),
    memberSizes: values["member-sizes"].split(",").map(Number),
    productSizes: values["product-sizes"].split(",").map(Number),
    only: values.only,
    nodes: values.node.split(","),
    processes: values.processes.split(",").map(Number),
  });
}
