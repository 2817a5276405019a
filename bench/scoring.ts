/** How fast everyone is scored: the product's job beside its bare parts, in one run. */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { loadConfig } from "../src/config.js";
import { openCore } from "../src/core.js";
import { createLogger } from "../src/logger.js";
import { startProgress } from "../src/progress.js";
import { startPrivateRedis } from "../src/redis/private-redis.js";
import { Child } from "./support/child.js";
import { projectRoot } from "./support/compile.js";
import { fillManyMembers } from "./support/many-members.js";
import type { BenchOptions } from "./support/options.js";
import { publishReference, REFERENCE } from "./support/reference-models.js";
import { commitOf, machineOf, medianOf, tableOf, writeSection } from "./support/results.js";
import type { ScoringCalls, ScoringRun } from "./support/scoring-child.js";

/** Members the limit is measured over, before and after ours. */
const LIMIT_MEMBERS = 100_000;
const TOPS = [1_000, 10_000] as const;
const TOP_ROUNDS = 5;
/** Memory limit of the store, MiB for a million members. */
const STORE_MIB_A_MILLION = 3_072;

export async function benchScoring(options: BenchOptions): Promise<void> {
  const base = `${projectRoot}.data/bench`;
  mkdirSync(base, { recursive: true });
  const dataDir = mkdtempSync(`${base}/run-`);
  const maxmemoryMb = 2_048 + Math.ceil((STORE_MIB_A_MILLION * options.everyone) / 1e6);
  const redis = await startPrivateRedis({ dataDir, maxmemoryMb, logger: createLogger("error") });
  const child = new Child<ScoringCalls>("scoring-child");
  try {
    const prepared = await prepare(redis.socketPath, dataDir, options);
    await child.call("start", { target: redis.socketPath, dataDir });
    const text = await measure(child, prepared, options);
    await child.call("stop", null);
    process.stdout.write(`\n${text}\n`);
    writeSection("scoring", text);
  } finally {
    child.stop();
    await redis.stop();
    rmSync(dataDir, { recursive: true, force: true });
  }
}

async function prepare(target: string, dataDir: string, options: BenchOptions) {
  const config = loadConfig({ REDIS_URL: target, DATA_DIR: dataDir });
  const core = await openCore(config, target, "work", createLogger("error"));
  const progress = startProgress("Preparing");
  try {
    const { members: templates, everyone: members, seed } = options;
    const many = await fillManyMembers(core, { templates, members, seed }, progress);
    const reference = await publishReference(core, many.world, dataDir, seed, progress);
    const info = await core.client.info();
    const redisVersion = /redis_version:(\S+)/.exec(info)?.[1] ?? "?";
    const usedMib = Number(/used_memory:(\d+)/.exec(info)?.[1]) / 2 ** 20;
    return { many, reference, redisVersion, usedMib };
  } finally {
    progress.stop();
    await core.close();
  }
}

async function measure(
  child: Child<ScoringCalls>,
  prepared: Awaited<ReturnType<typeof prepare>>,
  { seed, members: templates }: BenchOptions,
): Promise<string> {
  const { many, reference, redisVersion, usedMib } = prepared;
  const { pool } = reference;
  const limitRun = () => child.call("limit", { pool, members: LIMIT_MEMBERS });
  process.stderr.write("Limit, ours, limit\n");
  const before = await limitRun();
  const ours = await child.call("ours", null);
  if (ours.members < 0.99 * many.members) throw new Error(`only ${ours.members} were scored`);
  const after = await limitRun();
  const limit = joined(before, after);
  const tops = [];
  for (const count of TOPS) {
    const times: number[] = [];
    for (let i = 0; i < TOP_ROUNDS; i++) times.push(await child.call("top", count));
    tops.push(`the best ${count} of the purchase set in ${medianOf(times).toFixed(0)} ms`);
  }
  const everyoneMs = await child.call("top", ours.members);
  const bytes = await child.call("bytesAMember", 1);
  const ratio = limit.cpuMicroseconds / limit.members / (ours.cpuMicroseconds / ours.members);
  const { trees, depth } = REFERENCE;
  return [
    `${new Date().toISOString().slice(0, 16)}Z, commit ${commitOf()}. ${machineOf()}; Node ${process.versions.node}, ` +
      `Redis ${redisVersion}; the job and Redis share the machine. Seed ${seed}.`,
    "",
    tableOf([
      [
        "scoring everyone",
        "members",
        "members/s a core",
        "µs a member",
        "µs of Redis",
        "members/s a core, Redis included",
        "members/s by the clock",
      ],
      rowOf("limit", limit),
      rowOf("ours", ours),
    ]),
    "",
    `Efficiency by processor time ${ratio.toFixed(2)}. Goal: 15,000 members/s a core.`,
    `${many.members} members, ${usedMib.toFixed(0)} MiB: ${templates} of the demo world by the product's own doors (${many.world.events} events), ` +
      `then each copied, packed state and profile, under further ids by plain HSETs (${many.copySeconds.toFixed(0)} s; append-only file off). ` +
      `Heads: 3 fused, ${trees} trees of depth ${depth} each (${reference.headsNodes} nodes).`,
    `Ours is the job as a worker runs it, from listing the members to the run in force, two sets, 1,024 partitions, its lease checked before each write; nobody else asks the store. ` +
      `The limit reads the same two fields in pipelines of 512 and runs the same graph by onnxruntime on 512 rows at hand, over ${limit.members / 2} members before ours and again after; ` +
      "no list of keys, nothing decoded, no features, nothing written. Ours reads by a script a partition, which costs the client less and Redis more than a pipeline, so that both are shown, and walks the trees itself (docs/adr/0005), so that it may come out ahead.",
    `Reading: ${tops.join(", ")} (median of ${TOP_ROUNDS}), all ${ours.members} in order in ${(everyoneMs / 1000).toFixed(1)} s. ` +
      `A set takes ${bytes.list.toFixed(0)} bytes a member; a sorted set a partition of the same takes ${bytes.sortedSet.toFixed(0)}.`,
  ].join("\n");
}

const joined = (a: ScoringRun, b: ScoringRun): ScoringRun => ({
  members: a.members + b.members,
  seconds: a.seconds + b.seconds,
  cpuMicroseconds: a.cpuMicroseconds + b.cpuMicroseconds,
  redisMicroseconds: a.redisMicroseconds + b.redisMicroseconds,
});

function rowOf(name: string, run: ScoringRun): string[] {
  const { members, seconds, cpuMicroseconds, redisMicroseconds } = run;
  const perSecond = (microseconds: number): string => ((1e6 * members) / microseconds).toFixed(0);
  return [
    name,
    String(members),
    perSecond(cpuMicroseconds),
    (cpuMicroseconds / members).toFixed(1),
    (redisMicroseconds / members).toFixed(1),
    perSecond(cpuMicroseconds + redisMicroseconds),
    (members / seconds).toFixed(0),
  ];
}
