/** A connected client on the store of a test file (`testTarget`), for as long as the file runs. */
import { afterAll, beforeAll } from "vitest";
import { closeRedis, connectRedis, type RedisClient, whenReady } from "../../src/redis/clients.js";
import { type TestStore, testTarget } from "./redis.js";

const CONNECT_MS = 10_000;

/** At the head of a file: `connected` gets the client before its own hooks run. */
export function useClient(connected: (client: RedisClient) => void): void {
  let store: TestStore;
  let client: RedisClient;
  beforeAll(async () => {
    store = await testTarget();
    client = connectRedis(store.target, "work");
    await whenReady(client, CONNECT_MS);
    connected(client);
  });
  afterAll(async () => {
    closeRedis(client);
    await store.stop();
  });
}
