/** What a member costs in memory, by the change of what Redis itself says it uses; the log apart. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { Redis } from "ioredis";
import { loadConfig } from "../src/config.js";
import { type Core, openCore } from "../src/core.js";
import {
  decodeState,
  EMPTY_STATE,
  encodeState,
  FAMILIES,
  type FeatureState,
} from "../src/features/state.js";
import { jobFunctions } from "../src/job-functions.js";
import type { JobName } from "../src/jobs/job.js";
import { createLogger } from "../src/logger.js";
import { startProgress } from "../src/progress.js";
import { scanKeys } from "../src/redis/clients.js";
import {
  identityKeyPattern,
  memberKey,
  memberKeyPattern,
  phoneContactsPattern,
} from "../src/redis/keys.js";
import { startPrivateRedis } from "../src/redis/private-redis.js";
import { parseManifest } from "../src/scoring/manifest.js";
import { projectRoot } from "./support/compile.js";
import { fullEvents, fullIds, fullProducts, fullProfile } from "./support/full-members.js";
import type { BenchOptions } from "./support/options.js";
import { fillReferenceWorld } from "./support/reference-world.js";
import { commitOf, machineOf, medianOf, tableOf, writeSection } from "./support/results.js";

/** Members with everything; two partitions of a store of a million. */
const FULL_MEMBERS = 1_953;
const AT_ONCE = 64;
const EVENTS_A_REQUEST = 1_000;
/** Redis gives back the buffers of clients that were busy within about two seconds. */
const SETTLE_MS = 3_000;

/** Keys by what they are for. */
const KINDS = {
  record: [memberKeyPattern],
  identities: [identityKeyPattern],
  "contacts of numbers": [phoneContactsPattern],
  "index by stage": ["stage:{p*", "stage-moves:{p*"],
  "ranked sets": ["ranked:{*"],
  log: ["log:{p*"],
  "ids of events": ["dedupe:{p*", "ledger:{p*"],
} as const;
type Kind = keyof typeof KINDS;
/** Trimmed by the archive, forgotten after some days: not of a member. */
const APART: readonly Kind[] = ["log", "ids of events"];

interface Sizes {
  readonly mean: number;
  readonly median: number;
  readonly max: number;
}

interface Figures {
  readonly members: number;
  readonly events: number;
  readonly state: Sizes;
  readonly profile: Sizes;
  /** Mean bytes of each family in the packed features. */
  readonly families: readonly (readonly [name: string, bytes: number])[];
  /** By MEMORY USAGE, bytes a member. */
  readonly usage: Readonly<Record<Kind, number>>;
  /** Change of `used_memory`, bytes a member, the log and the ids of events apart. */
  readonly allIn: number;
}

export async function benchMemory(options: BenchOptions): Promise<void> {
  const base = `${projectRoot}.data/bench`;
  mkdirSync(base, { recursive: true });
  const full = await inStore(base, fillFull);
  const demo = await inStore(base, async (core) => {
    const progress = startProgress("The demo world");
    const { events, memberIds } = await fillReferenceWorld(core, options, progress);
    progress.stop();
    return { events, ids: memberIds };
  });
  const text = report(full, demo);
  process.stdout.write(`\n${text}\n`);
  writeSection("memory", text);
}

interface Filled {
  readonly events: number;
  readonly ids: readonly string[];
}

/** A private Redis as the product sets it up, its append-only file off: its buffers would count. */
async function inStore(base: string, fill: (core: Core) => Promise<Filled>): Promise<Figures> {
  const dataDir = mkdtempSync(`${base}/run-`);
  const logger = createLogger("error");
  const redis = await startPrivateRedis({ dataDir, maxmemoryMb: 2_048, logger });
  const config = loadConfig({ REDIS_URL: redis.socketPath, DATA_DIR: dataDir });
  const core = await openCore(config, redis.socketPath, "work", logger);
  try {
    await (core.client as Redis).config("SET", "appendonly", "no");
    await core.catalog.store.putProducts(fullProducts);
    await core.catalog.refresh();
    await publishDemoHeads(core);
    return await measure(core, fill);
  } finally {
    await core.close();
    await redis.stop();
    rmSync(dataDir, { recursive: true, force: true });
  }
}

/** Which members a head knows does not matter here: the lists are as long with any. */
async function publishDemoHeads({ models }: Core): Promise<void> {
  const file = (end: string): Buffer => readFileSync(`${projectRoot}models/demo-heads.${end}`);
  const manifest = parseManifest(file("json").toString());
  await models.publish("heads", file("onnx"), manifest, { alias: "champion" });
}

async function measure(core: Core, fill: (core: Core) => Promise<Filled>): Promise<Figures> {
  const empty = await usedMemory(core);
  const { events, ids } = await fill(core);
  await runJob(core, "stages");
  await runJob(core, "score");
  const usage = {} as Record<Kind, number>;
  for (const kind of Object.keys(KINDS) as Kind[]) usage[kind] = await usageOf(core, kind);
  for (const kind of APART) await unlinkAll(core, kind);
  const filled = await usedMemory(core);
  const records = await core.store.readMany(ids);
  const there = records.filter(({ state, profile }) => state !== null || profile !== null);
  const profiles = (await profileBytes(core, ids)).filter((bytes) => bytes > 0);
  for (const kind of Object.keys(usage) as Kind[]) usage[kind] /= there.length;
  return {
    members: there.length,
    events,
    state: sizesOf(there.map(({ state }) => state?.length ?? 0)),
    profile: sizesOf(profiles),
    families: familySizes(there.map(({ state }) => decodeState(state))),
    usage,
    allIn: (filled - empty) / there.length,
  };
}

async function fillFull(core: Core): Promise<Filled> {
  const now = Date.now();
  const ids = fullIds(FULL_MEMBERS);
  const progress = startProgress("Full members");
  let events = 0;
  for (let from = 0; from < ids.length; from += AT_ONCE) {
    const some = ids.slice(from, from + AT_ONCE);
    await Promise.all(some.map((id, i) => core.members.put(id, fullProfile(from + i, now))));
    const all = some.flatMap((id) => fullEvents(id, now));
    for (let at = 0; at < all.length; at += EVENTS_A_REQUEST) {
      const { accepted, rejected } = await core.ingest.ingest(all.slice(at, at + EVENTS_A_REQUEST));
      if (rejected.length > 0) throw new Error(`refused: ${rejected[0].code}`);
      events += accepted;
    }
    progress.update(from / ids.length, `${from} members`);
  }
  progress.stop();
  return { events, ids };
}

async function runJob(core: Core, name: JobName): Promise<void> {
  await jobFunctions(core, core.config, true)[name]({
    jobId: "bench",
    input: {},
    signal: new AbortController().signal,
    token: 1,
    logger: core.logger,
    progress: () => undefined,
    fence: async () => undefined,
  });
}

/**
 * Without what is held for clients, for those who look for slow commands, and, about 25 KB a command
 * ever used, for those who ask how long commands take: not of a member.
 */
async function usedMemory({ client }: Core): Promise<number> {
  await (client as Redis).slowlog("RESET");
  await (client as Redis).config("RESETSTAT");
  await sleep(SETTLE_MS);
  const info = await client.info("memory");
  const of = (name: string): number => Number(new RegExp(`^${name}:(\\d+)`, "m").exec(info)?.[1]);
  return of("used_memory") - of("mem_clients_normal");
}

async function unlinkAll({ client }: Core, kind: Kind): Promise<void> {
  for (const pattern of KINDS[kind]) {
    for await (const keys of scanKeys(client, pattern)) await client.del(...keys);
  }
}

async function usageOf({ client }: Core, kind: Kind): Promise<number> {
  let bytes = 0;
  for (const pattern of KINDS[kind]) {
    for await (const keys of scanKeys(client, pattern)) {
      const pipeline = (client as Redis).pipeline();
      for (const key of keys) pipeline.memory("USAGE", key, "SAMPLES", 0);
      for (const [, usage] of (await pipeline.exec()) ?? []) bytes += Number(usage);
    }
  }
  return bytes;
}

async function profileBytes({ client }: Core, ids: readonly string[]): Promise<number[]> {
  const pipeline = (client as Redis).pipeline();
  for (const id of ids) pipeline.hstrlen(memberKey(id), "p");
  return ((await pipeline.exec()) ?? []).map(([, length]) => Number(length));
}

function sizesOf(values: readonly number[]): Sizes {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return { mean, median: medianOf(values), max: Math.max(...values) };
}

/** Of each family as if it stood alone, largest first. */
function familySizes(states: readonly FeatureState[]): [string, number][] {
  const bare = encodeState(EMPTY_STATE).length;
  const sizes = FAMILIES.map(({ name }): [string, number] => {
    const bytes = states.map(
      (state) =>
        encodeState({ ...EMPTY_STATE, [name]: state[name as keyof FeatureState] }).length - bare,
    );
    return [name, bytes.reduce((sum, value) => sum + value, 0) / states.length];
  });
  return sizes.sort((a, b) => b[1] - a[1]);
}

function report(full: Figures, demo: Figures): string {
  const row = (name: string, of: (figures: Figures) => string): string[] => [
    name,
    of(full),
    of(demo),
  ];
  const sizes = ({ mean, median, max }: Sizes): string =>
    `${mean.toFixed(0)} / ${median.toFixed(0)} / ${max.toFixed(0)}`;
  const kinds = Object.keys(KINDS) as Kind[];
  const usage = (kind: Kind): string[] =>
    row(APART.includes(kind) ? `apart: ${kind}` : `of it ${kind}`, (figures) =>
      figures.usage[kind].toFixed(0),
    );
  const perEvent = ({ usage, members, events }: Figures): string =>
    ((APART.reduce((sum, kind) => sum + usage[kind], 0) * members) / events).toFixed(0);
  return [
    `${new Date().toISOString().slice(0, 16)}Z, commit ${commitOf()}. ${machineOf()}; Node ${process.versions.node}, the private Redis as the product sets it up.`,
    "",
    tableOf([
      ["bytes a member", "full member", "demo world"],
      row("packed features: mean / median / max", ({ state }) => sizes(state)),
      row("profile: mean / median / max", ({ profile }) => sizes(profile)),
      row("all in", ({ allIn }) => allIn.toFixed(0)),
      ...kinds.filter((kind) => !APART.includes(kind)).map(usage),
      ...APART.map(usage),
      row("apart, an event", perEvent),
    ]),
    "",
    `Packed features of a full member by family, mean bytes: ${full.families.map(([name, bytes]) => `${name} ${bytes.toFixed(0)}`).join(", ")}.`,
    "Goals: packed features at most 900, a member all in at most 2,048.",
    `Full: ${full.members} members of two partitions, as many in each as in a store of a million; 70 orders of one line (64 lines are kept), 60 other events of all types on six channels, ` +
      "phone, e-mail, account, visitor, four attributes, four consents. " +
      `Demo world: ${demo.members} members over all 1,024 partitions, so that what a partition itself costs is shared by three, not by a thousand, and its catalog and candidate lists are in its all in. ` +
      "Both by the product's own doors, then the jobs stages and score. All in is the change of `used_memory` without the buffers of clients and the latency histograms of commands, append-only file off, log and ids of events removed; its parts are by MEMORY USAGE.",
  ].join("\n");
}
