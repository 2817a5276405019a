/** Where the time of a request goes: a sampling profile of ours under a closed loop, by stage. */
import { writeFileSync } from "node:fs";
import type { Profiler } from "node:inspector";
import { projectRoot } from "./support/compile.js";
import { flameGraph } from "./support/flame.js";
import type { BenchOptions } from "./support/options.js";
import { commitOf, machineOf, tableOf, writeSection } from "./support/results.js";
import {
  openServingStage,
  ROUTES,
  type Route,
  type ServingStage,
} from "./support/serving-stage.js";

const SAMPLING_MICROSECONDS = 200;
const FUNCTIONS_SHOWN = 25;

/**
 * Stage → functions that open it. A sample belongs to the stage of its innermost such function, so
 * what a stage calls counts with it unless that is a stage itself.
 */
const STAGES: Record<string, readonly string[]> = {
  "http: read and parse headers": ["parserOnHeadersComplete", "parserOnIncoming", "onRequest"],
  "http: read body": ["readBody", "onData", "onEnd", "parserOnBody", "parserOnMessageComplete"],
  "parse json": ["parseJson"],
  validate: ["validate"],
  key: ["authenticate"],
  "redis: send": ["hmgetBuffer", "sendCommand"],
  "redis: receive": ["parseRecord", "JavascriptRedisParser", "returnReply", "execute"],
  decode: ["decodeState"],
  "facts: stage and zone": ["stageOf", "zoneOf"],
  hydrate: ["hydrateRows"],
  "trees: the ranker and the heads": ["spreadRows", "walkRows", "walkTrees"],
  "trees: around the walks": ["run", "flush", "joined", "partOf"],
  "candidate sources": ["generateCandidates"],
  "candidate features": ["candidateFeatures"],
  "suggest: coupon, channel, order": ["suggest"],
  "suggest: words of those shown": ["present"],
  deadline: ["withDeadline"],
  "decide and score: what is left": [
    "decide",
    "offers",
    "rank",
    "propensityOf",
    "score",
    "scoreMembers",
  ],
  "answer: serialize": ["#run"],
  "answer: write": ["#send"],
  count: ["#conclude"],
};

/** For samples outside every stage: whose file they are in. */
const OWNERS: readonly (readonly [part: string, stage: string])[] = [
  ["onnxruntime", "onnx: runs of the graphs"],
  ["ioredis", "redis: client"],
  ["node:", "node: streams, sockets, ticks"],
];

export async function profileServing(options: BenchOptions): Promise<void> {
  const stage = await openServingStage(options);
  const parts = [
    `${new Date().toISOString().slice(0, 16)}Z, commit ${commitOf()}. ${machineOf()}; Node ${process.versions.node}. ` +
      `Closed loop, ${options.connections} connections, seed ${options.seed}. Shares are of samples that were not idle.`,
  ];
  try {
    for (const route of ROUTES) parts.push(await profileRoute(stage, route, options));
    writeSection("profile", parts.join("\n\n"));
  } finally {
    await stage.close();
  }
}

async function profileRoute(
  { ours, load, requests, cpu }: ServingStage,
  route: Route,
  { connections, seconds }: BenchOptions,
): Promise<string> {
  const asked = { ...requests("ours", route), connections };
  process.stderr.write(`${route.name}: warming up, then ${seconds} s of sampling\n`);
  await load.call("saturate", { ...asked, seconds: 3 });
  await ours.call("startProfile", SAMPLING_MICROSECONDS);
  const before = await cpu("ours");
  const { answered } = await load.call("saturate", { ...asked, seconds });
  const used = (await cpu("ours")) - before;
  const profile = await ours.call("stopProfile", null);
  const file = `${projectRoot}.data/bench/${route.name}.cpuprofile`;
  writeFileSync(file, JSON.stringify(profile));
  const text = breakdown(profile, route, answered, used);
  const flames = `bench/flame-${route.name}.svg`;
  const perRequest = used / answered;
  const title = `POST ${route.path}: ${perRequest.toFixed(0)} µs of processor time a request, commit ${commitOf()}, Node ${process.versions.node}`;
  writeFileSync(projectRoot + flames, flameGraph(profile, title, perRequest));
  process.stdout.write(`\n${text}\n\nProfile: ${file}\nFlame graph: ${flames}\n`);
  return text;
}

interface Sums {
  readonly byStage: Map<string, number>;
  readonly byFunction: Map<string, number>;
}

/** Samples, not their times: those of a process that had to wait for a core would count too much. */
function countSamples(profile: Profiler.Profile): Sums {
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]));
  const parents = new Map<number, number>();
  for (const node of profile.nodes) for (const id of node.children ?? []) parents.set(id, node.id);
  const stageOfName = new Map(
    Object.entries(STAGES).flatMap(([name, functions]) => functions.map((one) => [one, name])),
  );
  const stageAt = (id: number): string => {
    let owner: string | undefined;
    for (let at: number | undefined = id; at !== undefined; at = parents.get(at)) {
      const { functionName, url } = nodes.get(at)!.callFrame;
      owner ??= OWNERS.find(([part]) => url.includes(part))?.[1];
      const found = stageOfName.get(functionName);
      if (found !== undefined) return found;
      if (functionName === "(garbage collector)") return "garbage collection";
    }
    return owner ?? "rest";
  };
  const sums: Sums = { byStage: new Map(), byFunction: new Map() };
  const add = (map: Map<string, number>, name: string): void => {
    map.set(name, (map.get(name) ?? 0) + 1);
  };
  for (const id of profile.samples ?? []) {
    const { functionName, url, lineNumber } = nodes.get(id)!.callFrame;
    if (functionName === "(idle)") continue;
    add(sums.byStage, stageAt(id));
    const file = url.split("/").slice(-2).join("/");
    add(sums.byFunction, `${functionName || "(anonymous)"} ${file}:${lineNumber + 1}`);
  }
  return sums;
}

function breakdown(
  profile: Profiler.Profile,
  { name }: Route,
  answered: number,
  cpuMicroseconds: number,
): string {
  const { byStage, byFunction } = countSamples(profile);
  const total = [...byStage.values()].reduce((sum, n) => sum + n, 0);
  const perRequest = cpuMicroseconds / answered;
  const row = ([label, samples]: [string, number]): string[] => [
    label,
    ((samples / total) * perRequest).toFixed(1),
    `${((100 * samples) / total).toFixed(1)} %`,
  ];
  const falling = (map: Map<string, number>): [string, number][] =>
    [...map].sort((a, b) => b[1] - a[1]);
  return [
    `${name}: ${perRequest.toFixed(0)} µs of processor time a request (the profiler's own share included)`,
    "",
    tableOf([["stage", "µs", "share"], ...falling(byStage).map(row)]),
    "",
    tableOf([
      ["function, itself", "µs", "share"],
      ...falling(byFunction).slice(0, FUNCTIONS_SHOWN).map(row),
    ]),
  ].join("\n");
}
