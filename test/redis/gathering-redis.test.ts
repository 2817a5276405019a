import type { Redis } from "ioredis";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { closeRedis, connectRedis, whenReady } from "../../src/redis/clients.js";
import { askAtEndOfTurn } from "../../src/redis/end-of-turn.js";
import { startTestRedis, type TestRedis } from "../support/redis.js";

// A Cluster makes its connections itself: there each command is a write of its own.
let redis: TestRedis;
let client: Redis;

beforeAll(async () => {
  redis = await startTestRedis();
  client = connectRedis(redis.target, "serve") as Redis;
  await whenReady(client, 10_000);
});

afterAll(async () => {
  closeRedis(client);
  await redis.stop();
});

it("sends what one turn asks, and what is asked at its end, in one write", async () => {
  const writev = vi.spyOn(client.stream as never as { _writev(): void }, "_writev");
  const late = new Promise<string | null>((resolve) => {
    askAtEndOfTurn(() => resolve(client.get("late")));
  });
  const answers = await Promise.all([client.get("a"), client.get("b"), late]);
  expect(answers).toEqual([null, null, null]);
  expect(writev).toHaveBeenCalledTimes(1);
});

it("answers what follows turn after turn", async () => {
  for (let i = 0; i < 20; i++) {
    expect(await client.set("turn", i)).toBe("OK");
    expect(await client.get("turn")).toBe(`${i}`);
  }
});
