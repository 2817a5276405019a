/**
 * The limit of taking events in: a bare node:http handler that parses the same body, reads every
 * member once and runs one script an event that writes the same bytes (state, log record, id), all in
 * two pipelines. No key, no validation, no fold, no claim looked up.
 */
import { connectRedis, whenReady } from "../../src/redis/clients.js";
import { logKey, partitionOf, partitionTag } from "../../src/redis/keys.js";
import { defineScript } from "../../src/redis/scripts.js";
import { serveBare } from "./bare-server.js";
import { answerCalls } from "./child.js";
import { cpuMicroseconds } from "./cpu.js";

export interface EventLimitStart {
  readonly target: string;
  /** Of a member's packed state and of a record of the log. */
  readonly stateBytes: number;
  readonly recordBytes: number;
}

const write = defineScript({
  name: "bench_write_event",
  lua: `
redis.call('HSET', KEYS[1], 'v', 1, 's', ARGV[1])
redis.call('XADD', KEYS[2], '*', 'r', ARGV[2])
redis.call('HSET', KEYS[3], ARGV[3], ARGV[4])
return 1
`,
});

async function start(input: EventLimitStart): Promise<number> {
  const redis = connectRedis(input.target, "serve");
  await whenReady(redis, 10_000);
  await redis.call("SCRIPT", ["LOAD", write.lua]);
  const state = Buffer.alloc(input.stateBytes, "s");
  const record = Buffer.alloc(input.recordBytes, "r");
  const work = async (_path: string | undefined, body: Buffer): Promise<string> => {
    const { events } = JSON.parse(body.toString()) as { events: { id: string; member: string }[] };
    const reads = redis.pipeline();
    for (const { member } of events) {
      reads.hmgetBuffer(`limit:${member}`, "v", "s", "p", "r", "x");
    }
    await reads.exec();
    const writes = redis.pipeline();
    for (const { id, member } of events) {
      const partition = partitionOf(member);
      const tag = partitionTag(partition);
      writes.evalsha(
        write.sha,
        3,
        `limit:${tag}:${member}`,
        `limit:${logKey(partition)}`,
        `limit:claims:${tag}`,
        state,
        record,
        id.slice(-12),
        "123456",
      );
    }
    await writes.exec();
    return JSON.stringify({ accepted: events.length, duplicates: 0, rejected: [] });
  };
  return serveBare(work);
}

const calls = { start, cpu: (_: null) => cpuMicroseconds() };
export type EventLimitCalls = typeof calls;
answerCalls(calls);
