/** The child process of heavy test jobs: argument 1 is the store. */
import { runJobChild } from "../../../src/jobs/child.js";
import { closeRedis, connectRedis } from "../../../src/redis/clients.js";
import { silentLogger } from "../../support/redis.js";
import { testFunctions } from "./functions.js";

const target = process.argv[2];

await runJobChild(async (name) => {
  const store = connectRedis(target, "work");
  return {
    run: testFunctions(store)[name],
    store,
    logger: silentLogger,
    close: async () => closeRedis(store),
  };
});
