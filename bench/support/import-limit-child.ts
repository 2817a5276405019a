/** What an import cannot beat: reading the file with csv-parse, and writing the same bytes unread. */
import { createReadStream } from "node:fs";
import { parse } from "csv-parse";
import { connectRedis, mastersOf, whenReady } from "../../src/redis/clients.js";
import { logKey, PARTITIONS, partitionTag } from "../../src/redis/keys.js";
import { answerCalls } from "./child.js";
import { cpuMicroseconds } from "./cpu.js";

export interface Timed {
  readonly seconds: number;
  /** Processor microseconds of this process. */
  readonly cpu: number;
}

async function timed(work: () => Promise<void>): Promise<Timed> {
  const [begun, before] = [performance.now(), cpuMicroseconds()];
  await work();
  return { seconds: (performance.now() - begun) / 1000, cpu: cpuMicroseconds() - before };
}

/** Every row of the file, as an object a row. */
function parseFile(file: string): Promise<Timed & { rows: number }> {
  let rows = 0;
  return timed(async () => {
    const parser = createReadStream(file).pipe(parse({ columns: true }));
    for await (const _ of parser) rows++;
  }).then((result) => ({ ...result, rows }));
}

export interface BareWrites {
  readonly target: string;
  readonly records: number;
  readonly recordBytes: number;
  readonly states: number;
  readonly stateBytes: number;
}

const PIPELINE = 1_000;
const LANES = 4;

/** Records appended and states set in pipelines, no script, nothing read, the keys of a bench. */
async function writeBare(input: BareWrites): Promise<Timed> {
  const client = connectRedis(input.target, "work");
  await whenReady(client, 10_000);
  const [redis] = mastersOf(client);
  const record = Buffer.alloc(input.recordBytes, "r");
  const state = Buffer.alloc(input.stateBytes, "s");
  let [records, states] = [0, 0];
  const lane = async (): Promise<void> => {
    while (records < input.records || states < input.states) {
      const pipeline = redis.pipeline();
      for (let i = 0; i < PIPELINE; i++) {
        const tag = records % PARTITIONS;
        if (records < input.records) {
          pipeline.xadd(`limit:${logKey(tag)}`, "*", "r", record);
          records++;
        }
        if (states < (records / input.records) * input.states) {
          pipeline.hset(`limit:${partitionTag(tag)}:${states % 80_000}`, "v", "1", "s", state);
          states++;
        }
      }
      for (const [error] of (await pipeline.exec()) ?? []) if (error !== null) throw error;
    }
  };
  try {
    return await timed(async () => {
      await Promise.all(Array.from({ length: LANES }, lane));
    });
  } finally {
    client.disconnect();
  }
}

const calls = { parseFile, writeBare };
export type ImportLimitCalls = typeof calls;
answerCalls(calls);
