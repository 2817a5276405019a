import { afterAll, beforeAll, expect, it } from "vitest";
import { loadConfig } from "../../src/config.js";
import { openCore } from "../../src/core.js";
import { LAYOUT_VERSION } from "../../src/features/state.js";
import { renameContacts } from "../../src/members/rename-contacts.js";
import { windowFor } from "../../src/policy/calling-window.js";
import { closeRedis, connectRedis, type RedisClient, whenReady } from "../../src/redis/clients.js";
import { openStore, readStamp, writeStamp } from "../../src/redis/store-stamp.js";
import { silentLogger, startTestRedis, type TestRedis } from "../support/redis.js";

let redis: TestRedis;
let client: RedisClient;
beforeAll(async () => {
  redis = await startTestRedis();
  client = connectRedis(redis.target, "work");
  await whenReady(client, 10_000);
});
afterAll(async () => {
  closeRedis(client);
  await redis.stop();
});

/** The window for China that whoever opens this store goes by. */
async function windowOfChina() {
  const core = await openCore(loadConfig({}), redis.target, "work", silentLogger);
  await core.close();
  return windowFor(core.config.callingWindows, "CN");
}

it("members of the demo world may be contacted in China, a shop's own only by its own word", async () => {
  await openStore(client, "demo", LAYOUT_VERSION, renameContacts);
  expect(await windowOfChina()).toMatchObject({ from: "09:00", until: "20:00" });
  await writeStamp(client, { ...(await readStamp(client))!, world: "own" });
  expect(await windowOfChina()).toBeNull();
});
