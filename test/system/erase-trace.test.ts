/** Guard 9: of an erased member nothing is left that a search through all bytes would find. */
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { loadConfig } from "../../src/config.js";
import { type Core, openCore } from "../../src/core.js";
import { filesLiteral, withDatabase } from "../../src/events/archive-files.js";
import { archiveDir, loadManifest } from "../../src/events/archive-manifest.js";
import { importEvents } from "../../src/events/import.js";
import { importMembers } from "../../src/events/import-records-command.js";
import { rebuild } from "../../src/events/rebuild.js";
import { jobFunctions } from "../../src/job-functions.js";
import type { JobContext, JobName, JobResult } from "../../src/jobs/job.js";
import { JobQueue } from "../../src/jobs/queue.js";
import { schedulesOf } from "../../src/jobs/schedule.js";
import { listStage, placeMembers } from "../../src/jobs/stage-index.js";
import { type OpenRun, RankedSets } from "../../src/leads/ranked-sets.js";
import { walkRecords } from "../../src/leads/ranked-walk.js";
import { combineProfiles } from "../../src/members/combine-profiles.js";
import { memberInputSchema } from "../../src/members/profile.js";
import { mastersOf } from "../../src/redis/clients.js";
import { callKey, partitionOf, phoneContactsKey } from "../../src/redis/keys.js";
import { flush } from "../support/core.js";
import {
  silentLogger,
  type TestRedis,
  type TestStore,
  temporaryDir,
  testTarget,
} from "../support/redis.js";

const SECRET = "a secret that outlives the store";
const ID = "mem-XQZ-1";
const PART = "mem-XQZ-part";
const PHONE = "+8613877665544";
const OTHER_PHONE = "+8613877660011";
const EMAIL = "xylo.quetz@odd-mail.example";
const ACCOUNT = "ACC-XQZ-777";
const NAME = "Xylophonia Quetzalcoatl";
const TRACES = ["XQZ", "Xylophonia", "Quetzal", "13877665544", "13877660011", "odd-mail"];
/** Their log entries stand beside those of the member: what Redis only marks as deleted would show. */
const NEIGHBOUR = Array.from({ length: 100_000 }, (_, i) => `beside-${i}`).find(
  (id) => partitionOf(id) === partitionOf(ID),
)!;
const OTHERS = ["kept-1", "kept-2", "kept-3", NEIGHBOUR];

let redis: TestStore;
let dataDir: string;
let core: Core;

const openTheCore = (): Promise<Core> => {
  const config = loadConfig({ DATA_DIR: dataDir, SUPPRESSION_SECRET: SECRET });
  return openCore(config, redis.target, "work", silentLogger);
};

beforeAll(async () => {
  redis = await testTarget();
});
beforeEach(async () => {
  dataDir = temporaryDir();
  core = await openTheCore();
  await flush(core.client);
  // Compressed bytes would hide what is searched for.
  await Promise.all(
    mastersOf(core.client).map((node) => node.config("SET", "rdbcompression", "no")),
  );
});
afterEach(async () => {
  await core.close();
  rmSync(dataDir, { recursive: true, force: true });
});
afterAll(() => redis.stop());

function runJob(name: JobName): Promise<JobResult> {
  const context: JobContext = {
    jobId: "job-1",
    input: {},
    token: 1,
    logger: silentLogger,
    signal: new AbortController().signal,
    progress: () => undefined,
    fence: async () => undefined,
  };
  return jobFunctions(core, core.config, false)[name](context);
}

const found = (bytes: Buffer | string, where: string): string[] =>
  TRACES.filter((trace) => bytes.includes(trace)).map((trace) => `${trace} in ${where}`);

/** Every key of every master, by its name and its bytes. */
async function inStore(): Promise<string[]> {
  const traces: string[] = [];
  for (const node of mastersOf(core.client)) {
    for (const key of await node.keys("*")) {
      const bytes = await node.dumpBuffer(key);
      traces.push(...found(key, "a key"), ...found(bytes ?? "", key));
    }
  }
  return traces;
}

const filesIn = (directory: string): string[] =>
  readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));

async function inArchive(): Promise<string[]> {
  const { files } = await loadManifest(dataDir);
  const raw = filesIn(archiveDir(dataDir)).flatMap((file) => found(readFileSync(file), "a file"));
  const rows = await withDatabase(dataDir, async (connection) => {
    const query = `SELECT t::VARCHAR FROM read_parquet(${filesLiteral(dataDir, files)}) t`;
    return (await connection.runAndReadAll(query)).getRows();
  });
  expect(rows.length).toBeGreaterThan(0);
  return [...raw, ...rows.flatMap(([row]) => found(String(row), "a row"))];
}

/** Files of the private Redis, once no rewrite is under way. */
async function inRedisFiles(): Promise<string[]> {
  if (redis.isCluster) return [];
  const [node] = mastersOf(core.client);
  const busy = /aof_rewrite_(in_progress|scheduled):1/;
  while (busy.test(await node!.info("persistence"))) await sleep(20);
  const files = filesIn(join((redis as TestRedis).dataDir, "redis"));
  expect(files.length).toBeGreaterThan(0);
  return files.flatMap((file) => found(readFileSync(file), file));
}

const everywhere = async (): Promise<string[]> => [
  ...(await inStore()),
  ...(await inArchive()),
  ...(await inRedisFiles()),
];

let sent = 0;
const purchase = (member: unknown): Record<string, unknown> => {
  sent++;
  return {
    id: `event-${sent}`,
    type: "purchase",
    member,
    at: Date.now() - 86_400_000,
    order: `order-${sent}`,
    items: [{ product: `p${sent % 3}`, quantity: 1, amount: 10 }],
  };
};
const send = (...members: unknown[]) => core.ingest.ingest(members.map(purchase));

function aFile(name: string, rows: readonly string[]): string {
  const file = join(dataDir, name);
  writeFileSync(file, `${rows.join("\n")}\n`);
  return file;
}

const imported = (rows: readonly string[], by: "member" | "phone", name: string) =>
  importEvents(
    {
      file: aFile(name, ["who,item,when", ...rows]),
      mapping: { [by]: "who", product: "item", at: "when" },
      timezone: "UTC",
      rejectFile: join(dataDir, `${name}.refused`),
    },
    {
      client: core.client,
      writer: core.writer,
      optOut: core.optOut,
      registerSeen: async () => undefined,
      resolve: (kind, value) =>
        core.members.resolveOrCreate(kind === "phone" ? { phone: value } : { email: value }),
    },
  );

const RUN: OpenRun = {
  run: "r1",
  asOf: Date.now(),
  heads: "h1",
  alive: null,
  members: { purchase: 2 },
  partition: 0,
  scored: 2,
};

/** A ranked set of the member and one other, in force. */
async function rankThem(): Promise<void> {
  const sets = new RankedSets(core.client);
  const lists = new Map<number, { id: string; score: number }[]>();
  for (const [i, id] of [ID, OTHERS[0]!].entries()) {
    const partition = partitionOf(id);
    lists.set(partition, [...(lists.get(partition) ?? []), { id, score: 0.5 - i / 4 }]);
  }
  await sets.writeLists(
    RUN.run,
    [...lists].map(([partition, purchase]) => ({ partition, lists: { purchase } })),
  );
  await sets.publish(1, RUN);
}

async function ranked(): Promise<string[]> {
  const run = await new RankedSets(core.client).current();
  const ids: string[] = [];
  for await (const page of walkRecords(core.client, core.store, run!, "purchase")) {
    ids.push(...page.map(({ record }) => record.id));
  }
  return ids;
}

/** A member that left something wherever a member can. */
async function aLife(): Promise<void> {
  for (const id of OTHERS)
    await core.members.put(id, { name: `Name of ${id}`, accounts: [`a-${id}`] });
  await core.members.put(ID, { name: NAME, phone: PHONE, accounts: [ACCOUNT] });
  await core.members.put(PART, { name: NAME, phone: OTHER_PHONE, email: EMAIL });
  await send(ID, PART, ...OTHERS, ID);
  await core.members.merge(ID, PART);
  await runJob("archive");
  await send(ID, PART, { phone: PHONE }, ...OTHERS, ID);
  await imported([`${PART},p1,2025-01-01`, `${OTHERS[0]},p1,2025-01-02`], "member", "first.csv");
  await core.members.patch(ID, { attributes: { note: NAME } });
  await placeMembers(core.client, [
    { id: ID, stage: "growth" },
    { id: OTHERS[0]!, stage: "growth" },
  ]);
  await rankThem();
  const decision = { id: "d_1", note: NAME };
  const record = { kind: "decision", member: ID, at: Date.now(), decision } as const;
  const commit = { partition: partitionOf(ID), members: [], records: [record], claims: [] };
  expect(await core.store.commit([commit])).toEqual([{ status: "ok" }]);
  // A link whose write was cut off, contacts on the number, the answer of a call.
  await core.members.identities.link({ kind: "account", value: "somebody" }, ID);
  await core.client.set(phoneContactsKey(PHONE), `contact with ${PHONE}`);
  await core.client.hset(callKey(partitionOf(ID), "call-1"), ID, NAME);
  for (const id of [ID, OTHERS[0]!]) {
    await core.couponLedger.issue({ id: "c5", budget: 5 }, [id], `d_1_${partitionOf(id)}_x`, null);
  }
  const queue = new JobQueue({
    target: redis.target,
    schedules: schedulesOf(core.config),
    logger: silentLogger,
  });
  await queue.ready(10_000);
  await queue.enqueue("stages");
  await queue.close();
}

async function othersNow(): Promise<unknown[]> {
  const records = await core.store.readMany(OTHERS);
  return records.map(({ state, profile, version }) => [state?.toString("hex"), profile, version]);
}

/** Every way a person could come back by. */
async function comeBack(): Promise<void> {
  const erased = { code: "member_erased" };
  for (const id of [ID, PART]) {
    await expect(core.members.put(id, { name: NAME })).rejects.toMatchObject(erased);
    await expect(core.members.patch(id, {})).rejects.toMatchObject(erased);
    await expect(core.members.get(id)).rejects.toMatchObject(erased);
    await expect(core.members.erase(id)).rejects.toMatchObject(erased);
  }
  for (const named of [{ phone: PHONE }, { email: EMAIL }, { accounts: ["a", ACCOUNT] }]) {
    await expect(core.members.put("new-one", named)).rejects.toMatchObject(erased);
  }
  const answer = await send(
    ID,
    PART,
    { phone: PHONE },
    { email: EMAIL },
    { account: ACCOUNT },
    OTHERS[1],
  );
  expect(answer).toMatchObject({ accepted: 1 });
  expect(answer.rejected.map(({ code }) => code)).toEqual(Array(5).fill("member_erased"));
  const name = `again-${++sent}.csv`;
  const byId = await imported(
    [`${ID},p1,2025-02-01`, `${OTHERS[2]},p1,2025-02-02`],
    "member",
    name,
  );
  expect(byId).toMatchObject({ events: 1, rejected: 1 });
  expect(readFileSync(byId.rejectFile!, "utf8")).toContain("member_erased");
  const byPhone = await imported([`${PHONE},p1,2025-02-01`], "phone", `phone-${name}`);
  expect(byPhone).toMatchObject({ events: 0, rejected: 1 });
  expect(readFileSync(byPhone.rejectFile!, "utf8")).toContain("member_erased");
  const members = await importMembers(
    {
      file: aFile(`members-${name}`, ["id,phone", `${ID},`, `x-9,${PHONE}`, "x-1,13900002222"]),
      mapping: { id: "id", phone: "phone" },
      schema: memberInputSchema,
    },
    (id, input) => core.members.put(id, input),
  );
  expect(members).toMatchObject({ members: 1, rejected: 2 });
}

describe("an erased member", () => {
  it("leaves no byte behind once the nightly job has run, and stays out", async () => {
    await aLife();
    expect((await inStore()).length).toBeGreaterThan(20);
    expect((await inArchive()).length).toBeGreaterThan(0);
    const before = await othersNow();
    await core.members.erase(ID);
    expect(await runJob("compact")).toMatchObject({ left: 0, membersGone: 2 });
    expect(await everywhere()).toEqual([]);
    expect(await othersNow()).toEqual(before);
    expect(await ranked()).toEqual([OTHERS[0]]);
    expect((await listStage(core.client, "growth", { limit: 10 })).ids).toEqual([OTHERS[0]]);

    await comeBack();
    expect(await everywhere()).toEqual([]);
    await runJob("archive");
    expect(await runJob("compact")).toMatchObject({ left: 0, membersGone: 0, erasedRows: 0 });
    expect(await everywhere()).toEqual([]);

    const kept = (await othersNow()).map((one) => (one as unknown[])[0]);
    await flush(core.client);
    await core.close();
    core = await openTheCore();
    const { log: reader, store, client, codec, suppressions } = core;
    const parts = { reader, store, client, codec, suppressions, combineProfiles };
    expect(await rebuild(parts)).toMatchObject({ unloggedCount: 0, foreignSuppressions: 0 });
    expect((await othersNow()).map((one) => (one as unknown[])[0])).toEqual(kept);
    await comeBack();
    expect(await everywhere()).toEqual([]);
  });

  it("is removed also from an archive a backup brought back", async () => {
    await aLife();
    await runJob("archive");
    const manifest = await loadManifest(dataDir);
    const saved = filesIn(archiveDir(dataDir)).map((file) => [file, readFileSync(file)] as const);
    await core.members.erase(ID);
    await runJob("compact");
    for (const [file, bytes] of saved) writeFileSync(file, bytes);
    expect((await loadManifest(dataDir)).generation).toBe(manifest.generation);
    expect((await inArchive()).length).toBeGreaterThan(0);
    const ids = new Set<string>();
    for await (const { record } of core.log.read()) {
      if ("member" in record) ids.add(String(record.member));
    }
    expect([...ids].filter((id) => id.includes("XQZ"))).toEqual([]);
    await runJob("compact");
    expect(await everywhere()).toEqual([]);
  });

  it("is let in again by taking their identities off the list", async () => {
    await aLife();
    await core.members.erase(ID);
    await runJob("compact");
    for (const [kind, value] of [
      ["member", ID],
      ["phone", PHONE],
    ] as const) {
      expect(await core.suppressions.remove({ kind, value }, "letter")).toBe(true);
    }
    await core.members.put(ID, { name: "Somebody new", phone: PHONE });
    expect(await send({ phone: PHONE })).toMatchObject({ accepted: 1 });
    await runJob("archive");
    await runJob("compact");
    expect((await core.members.get(ID)).profile?.name).toBe("Somebody new");
    const types: string[] = [];
    for await (const { record } of core.log.read({ members: [ID] })) types.push(record.kind);
    expect(types.sort()).toEqual(["event", "profile"]);
  });
});
