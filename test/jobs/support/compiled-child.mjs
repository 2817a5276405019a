/** A child process out of the compiled product: argument 1 is the store. */
import { getPriority } from "node:os";
import { runJobChild } from "../../../dist/jobs/child.js";
import { closeRedis, connectRedis } from "../../../dist/redis/clients.js";
import { createLogger } from "../../../dist/logger.js";

await runJobChild(async (name) => {
  const store = connectRedis(process.argv[2], "work");
  return {
    store,
    logger: createLogger("silent"),
    async run({ input, fence, token, progress, signal }) {
      if (input.exit !== undefined) process.exit(input.exit);
      if (input.wait) {
        progress(50, "waiting");
        await new Promise((_, reject) => {
          const hold = setInterval(() => undefined, 1_000);
          signal.onabort = () => {
            clearInterval(hold);
            reject(signal.reason);
          };
        });
      }
      await fence();
      return { name, token, priority: getPriority(), padding: "x".repeat(input.padding ?? 0) };
    },
    close: async () => closeRedis(store),
  };
});
