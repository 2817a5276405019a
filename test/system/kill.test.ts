import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, it } from "vitest";
import type { IngestResult } from "../../src/events/ingest.js";
import { decodeState } from "../../src/features/state.js";
import { closeRedis, connectRedis, whenReady } from "../../src/redis/clients.js";
import { logKey, memberKey, PARTITIONS } from "../../src/redis/keys.js";
import { call, isAlive, type System, startSystem } from "../support/system.js";

const MEMBERS = 600;
const BATCH = 50;

interface Sent {
  id: string;
  type: "purchase";
  member: string;
  at: number;
  order: string;
  items: { product: string; quantity: number; amount: number }[];
}

const aBatch = (sender: number, n: number): Sent[] =>
  Array.from({ length: BATCH }, (_, i) => ({
    id: `e-${sender}-${n}-${i}`,
    type: "purchase",
    member: `m-${(sender * 190 + n * 17 + i * 5) % MEMBERS}`,
    at: Date.now() - i * 60_000,
    order: `o-${sender}-${n}-${i}`,
    items: [{ product: `p-${i % 9}`, quantity: 1, amount: 10 }],
  }));

/** Sends batches as fast as they are taken, each again until it is acknowledged. */
async function ingestUntil(
  system: System,
  sender: number,
  stop: () => boolean,
  acknowledged: Sent[] = [],
): Promise<Sent[]> {
  for (let n = 0; !stop(); n++) {
    const events = aBatch(sender, n);
    for (let tries = 0; tries < 400; tries++) {
      const answer = await call<IngestResult>(system, "POST", "/v1/events", { events }).catch(
        () => null,
      );
      if (answer?.status === 200) {
        expect(answer.body.rejected).toEqual([]);
        acknowledged.push(...events);
        break;
      }
      if (answer !== null) expect(answer.status).toBe(503);
      await sleep(25);
    }
  }
  return acknowledged;
}

/** Runs senders at full speed, does `harm` in the middle, and returns what was acknowledged. */
async function underIngestion(system: System, harm: () => Promise<void>): Promise<Sent[]> {
  let stopped = false;
  const acknowledged: Sent[] = [];
  const senders = [0, 1, 2].map((sender) => {
    return ingestUntil(system, sender, () => stopped, acknowledged);
  });
  const more = async (batches: number): Promise<void> => {
    const wanted = acknowledged.length + batches * BATCH;
    while (acknowledged.length < wanted) await sleep(10);
  };
  await more(20);
  await harm();
  await more(20);
  stopped = true;
  await Promise.all(senders);
  return acknowledged;
}

/** Every acknowledged event is in the log and in its member's state exactly once, and nothing else is. */
async function expectExactlyOnce(system: System, acknowledged: readonly Sent[]): Promise<void> {
  const client = connectRedis(system.socketPath, "work");
  try {
    await whenReady(client, 5_000);
    const logged = new Map<string, number>();
    for (let partition = 0; partition < PARTITIONS; partition++) {
      for (const [, [, record]] of await client.xrange(logKey(partition), "-", "+")) {
        const { k, e } = JSON.parse(record!);
        if (k === "event") logged.set(e.id, (logged.get(e.id) ?? 0) + 1);
      }
    }
    expect([...logged.values()].every((times) => times === 1)).toBe(true);
    const missing = acknowledged.filter(({ id }) => !logged.has(id));
    expect(missing.map(({ id }) => id)).toEqual([]);
    let counted = 0;
    for (let i = 0; i < MEMBERS; i++) {
      counted += decodeState(await client.hgetBuffer(memberKey(`m-${i}`), "s")).orders.count;
    }
    expect(counted).toBe(logged.size);
  } finally {
    closeRedis(client);
  }
}

describe("after kill -9 at full ingestion speed", { timeout: 90_000 }, () => {
  let system: System | undefined;
  afterEach(async () => {
    await system?.stop();
    system = undefined;
  });

  it("of a serve process, every acknowledged event is there exactly once", async () => {
    system = await startSystem({ environment: { SERVE_PROCESSES: "2" } });
    const acknowledged = await underIngestion(system, async () => {
      const [victim] = system!.children("start");
      process.kill(victim!, "SIGKILL");
    });
    await expectExactlyOnce(system, acknowledged);
    while (system.children("start").length < 2) await sleep(50);
  });

  it("of the private Redis, every acknowledged event is there exactly once", async () => {
    system = await startSystem();
    const before = system.redisPid();
    const acknowledged = await underIngestion(system, async () => {
      process.kill(before, "SIGKILL");
    });
    expect(system.redisPid()).not.toBe(before);
    await expectExactlyOnce(system, acknowledged);
  });

  it("of the primary itself, a new start adopts the orphaned Redis with everything in it", async () => {
    const first = await startSystem();
    system = first;
    let batches = 0;
    const acknowledged = await ingestUntil(first, 0, () => batches++ === 20);
    const left = [...first.children("work"), ...first.children("start")];
    process.kill(first.pid, "SIGKILL");
    await sleep(500);
    system = await startSystem({ dataDir: first.dataDir });
    await expectExactlyOnce(system, acknowledged);
    // Whatever it was doing, a process of the old primary ends within 15 s.
    while (left.some(isAlive)) await sleep(100);
  });
});
