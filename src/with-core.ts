/** One-off commands: the core over the running server's store, or one started for the command. */
import type { Config } from "./config.js";
import { type Core, openCore } from "./core.js";
import { LAYOUT_VERSION } from "./features/state.js";
import { createLogger } from "./logger.js";
import { renameContacts } from "./members/rename-contacts.js";
import { openTarget } from "./open-target.js";
import { openStore } from "./redis/store-stamp.js";

/**
 * Runs `work` on the store of this configuration: that of a running Cuecard with the same DATA_DIR,
 * REDIS_URL, or else a private Redis for as long as the command lasts.
 */
export async function withCore<T>(config: Config, work: (core: Core) => Promise<T>): Promise<T> {
  // Progress and results are what the person wants to see; only what needs them is logged.
  const logger = createLogger(config.logLevel === "info" ? "warn" : config.logLevel);
  const store = await openTarget(config, logger, { shared: true });
  try {
    const core = await openCore(config, store.target, "work", logger);
    try {
      await openStore(core.client, "any", LAYOUT_VERSION, renameContacts);
      return await work(core);
    } finally {
      await core.close();
    }
  } finally {
    await store.stop();
  }
}
