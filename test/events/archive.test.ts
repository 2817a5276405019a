import { type ChildProcess, spawn } from "node:child_process";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type ArchiveOptions, archiveLog } from "../../src/events/archive.js";
import { compactArchive } from "../../src/events/archive-compact.js";
import { archiveDir, loadManifest, sha256Of } from "../../src/events/archive-manifest.js";
import { EventLog } from "../../src/events/event-log.js";
import { encodeRecord, type LogRecord } from "../../src/events/log-record.js";
import {
  closeRedis,
  connectRedis,
  mastersOf,
  type RedisClient,
  whenReady,
} from "../../src/redis/clients.js";
import { groupedPipeline } from "../../src/redis/grouped.js";
import { logKey, PARTITIONS, partitionOf } from "../../src/redis/keys.js";
import { type TestStore, temporaryDir, testTarget } from "../support/redis.js";

let redis: TestStore;
let client: RedisClient;
let dataDir: string;
let log: EventLog;

beforeAll(async () => {
  redis = await testTarget();
  client = connectRedis(redis.target, "work");
  await whenReady(client, 10_000);
});
afterAll(async () => {
  closeRedis(client);
  await redis.stop();
});
beforeEach(async () => {
  await Promise.all(mastersOf(client).map((node) => node.flushall()));
  dataDir = temporaryDir();
  log = new EventLog(client, dataDir);
});
afterEach(() => rmSync(dataDir, { recursive: true, force: true }));

const anEvent = (member: string, id: string): LogRecord => ({
  kind: "event",
  member,
  subject: member,
  event: { id, type: "view", at: 1_700_000_000_000, lines: [] },
});

const append = (records: readonly LogRecord[]) =>
  groupedPipeline(
    client,
    records.map((record) => {
      const partition = "member" in record ? partitionOf(record.member ?? "") : 0;
      return ["xadd", logKey(partition), "*", "r", encodeRecord(record)];
    }),
  );

let written: string[] = [];
async function appendEvents(from: number, count: number): Promise<void> {
  const ids = Array.from({ length: count }, (_, i) => `e${from + i}`);
  await append(ids.map((id, i) => anEvent(`m${(from + i) % 50}`, id)));
  written.push(...ids);
}
beforeEach(() => {
  written = [];
});

async function readIds(): Promise<string[]> {
  const ids: string[] = [];
  for await (const { record } of log.read()) {
    ids.push(record.kind === "event" ? record.event.id : record.kind);
  }
  return ids;
}

async function streamEntries(): Promise<number> {
  const keys = Array.from({ length: PARTITIONS }, (_, partition) => logKey(partition));
  const outcomes = await groupedPipeline<number>(
    client,
    keys.map((key) => ["xlen", key]),
  );
  return outcomes.reduce((sum, outcome) => sum + (outcome.value ?? 0), 0);
}

const expectEverythingOnce = async () =>
  expect((await readIds()).sort()).toEqual([...written].sort());

const archive = (options: Partial<ArchiveOptions> = {}) =>
  archiveLog({ client, dataDir, ...options });

const parquetFiles = () => readdirSync(archiveDir(dataDir)).filter((name) => /parquet/.test(name));

describe("archiveLog", () => {
  it("moves all entries to checksummed files and trims the streams", async () => {
    await appendEvents(0, 300);
    const shares: number[] = [];
    const result = await archive({ batchEntries: 100, onProgress: (share) => shares.push(share) });
    expect(result).toEqual({ archived: 300, trimmed: 300, files: 3 });
    expect(await streamEntries()).toBe(0);
    const { files } = await loadManifest(dataDir);
    expect(files.map(({ rows }) => rows)).toEqual([100, 100, 100]);
    for (const file of files) {
      expect(await sha256Of(join(archiveDir(dataDir), file.name))).toBe(file.sha256);
    }
    expect(shares.at(-1)).toBe(1);
    await expectEverythingOnce();
    expect(await archive()).toEqual({ archived: 0, trimmed: 0, files: 0 });
  });

  it.each(["written", "published", "trimmed"] as const)(
    "loses and repeats nothing when it stops after a batch was %s",
    async (last) => {
      await appendEvents(0, 100);
      await archive();
      await appendEvents(100, 100);
      const onStep = (step: string) => {
        if (step === last) throw new Error("stopped here");
      };
      await expect(archive({ batchEntries: 40, onStep })).rejects.toThrow("stopped here");
      await expectEverythingOnce();
      await appendEvents(200, 50);
      await expectEverythingOnce();
      await archive();
      await expectEverythingOnce();
      expect(await streamEntries()).toBe(0);
      const { files } = await loadManifest(dataDir);
      expect(parquetFiles().sort()).toEqual(files.map(({ name }) => name).sort());
    },
  );

  it("publishes nothing once its fence no longer holds", async () => {
    await appendEvents(0, 10);
    const fence = () => Promise.reject(new Error("another holder came"));
    await expect(archive({ fence })).rejects.toThrow("another holder came");
    expect((await loadManifest(dataDir)).files).toEqual([]);
    expect(await streamEntries()).toBe(10);
    await expectEverythingOnce();
  });

  it("refuses to publish over another run's publication", async () => {
    await appendEvents(0, 10);
    const fence = async () => {
      await archive();
    };
    await expect(archive({ fence })).rejects.toMatchObject({ code: "conflict" });
    await expectEverythingOnce();
  });

  it("loses and repeats nothing when it is killed again and again under writes", async () => {
    const child = fileURLToPath(new URL("../support/archive-child.ts", import.meta.url));
    const steps: string[] = [];
    for (let round = 0; round < 5; round++) {
      const victim = spawn(process.execPath, ["--import", "tsx", child, redis.target, dataDir], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      await outputOf(victim, "ready", steps);
      const writing = (async () => {
        for (let i = 0; i < 10; i++) await appendEvents(round * 1_000 + i * 100, 100);
      })();
      // A different number of steps each round, so that it dies at different points.
      for (let step = 0; step < 2 + round; step++) await outputOf(victim, "", steps);
      await killed(victim);
      await writing;
      await expectEverythingOnce();
    }
    await archive();
    await expectEverythingOnce();
    expect(written.length).toBe(5_000);
    expect(steps).toContain("published");
  }, 60_000);
});

/** The next line that starts with `text`. */
function outputOf(child: ChildProcess, text: string, seen: string[]): Promise<void> {
  return new Promise((resolve) => {
    const listen = (chunk: Buffer): void => {
      const lines = chunk.toString().trim().split("\n");
      seen.push(...lines);
      if (!lines.some((line) => line.startsWith(text))) return;
      child.stdout?.off("data", listen);
      resolve();
    };
    child.stdout?.on("data", listen);
  });
}

function killed(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    child.once("exit", () => resolve());
    child.kill("SIGKILL");
  });
}

describe("compactArchive", () => {
  const manySmallFiles = async (): Promise<void> => {
    for (let i = 0; i < 6; i++) {
      await appendEvents(i * 50, 50);
      await archive();
    }
  };

  it("makes few files of many and removes the old ones", async () => {
    await manySmallFiles();
    const result = await compactArchive({ dataDir });
    expect(result).toMatchObject({ filesBefore: 6, filesAfter: 1, erasedRows: 0 });
    expect(parquetFiles()).toEqual((await loadManifest(dataDir)).files.map(({ name }) => name));
    await expectEverythingOnce();
    const again = await compactArchive({ dataDir });
    expect(again).toMatchObject({ filesBefore: 1, filesAfter: 1, erasedRows: 0 });
  });

  it("leaves full files alone", async () => {
    await manySmallFiles();
    await compactArchive({ dataDir, targetRows: 120 });
    const { files } = await loadManifest(dataDir);
    expect(files.map(({ rows }) => rows)).toEqual([100, 100, 100]);
    await appendEvents(300, 20);
    await archive();
    await compactArchive({ dataDir, targetRows: 120 });
    const names = (await loadManifest(dataDir)).files.map(({ name }) => name);
    expect(names.slice(0, 3)).toEqual(files.map(({ name }) => name));
    await expectEverythingOnce();
  });

  it.each(["written", "published"] as const)(
    "loses and repeats nothing when it stops after a file was %s",
    async (last) => {
      await manySmallFiles();
      const onStep = (step: string) => {
        if (step === last) throw new Error("stopped here");
      };
      await expect(compactArchive({ dataDir, onStep })).rejects.toThrow("stopped here");
      await expectEverythingOnce();
      await compactArchive({ dataDir });
      await expectEverythingOnce();
      expect(parquetFiles().length).toBe(1);
    },
  );

  it("removes rows of erased members, their erasure with them, and keeps all anonymous records", async () => {
    await manySmallFiles();
    const anonymous: LogRecord = { kind: "anonymous", at: 1, lines: [] };
    await append([{ kind: "erasure", member: "m7", at: 1 }, anonymous]);
    await archive();
    const result = await compactArchive({ dataDir, erased: ["m8"] });
    expect(result.erasedRows).toBe(13);
    const all = readdirSync(archiveDir(dataDir)).map((name) =>
      readFileSync(join(archiveDir(dataDir), name), "latin1"),
    );
    expect(all.length).toBe(2);
    written = written.filter((id) => !["7", "8"].includes(String(Number(id.slice(1)) % 50)));
    expect((await readIds()).sort()).toEqual([...written, "anonymous"].sort());
  });

  it("is not noticed by a reader that was in the old files", async () => {
    await append(Array.from({ length: 5_000 }, (_, i) => anEvent("m1", `e${i}`)));
    await archive({ batchEntries: 1_000 });
    const ids: string[] = [];
    for await (const { record } of log.read()) {
      if (record.kind === "event") ids.push(record.event.id);
      if (ids.length === 100) await compactArchive({ dataDir });
    }
    expect(ids).toEqual(Array.from({ length: 5_000 }, (_, i) => `e${i}`));
  });

  it("refuses a damaged file", async () => {
    await manySmallFiles();
    const [file] = (await loadManifest(dataDir)).files;
    const path = join(archiveDir(dataDir), file!.name);
    const bytes = readFileSync(path);
    bytes[bytes.length >> 1]! ^= 0xff;
    writeFileSync(path, bytes);
    await expect(compactArchive({ dataDir })).rejects.toMatchObject({
      code: "store_incompatible",
    });
  });
});
