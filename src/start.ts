/**
 * `start`: the private Redis (where none is given), serve processes and a work process, supervised.
 * Everything a person must know at the first start is printed here.
 */
import { type ChildProcess, fork } from "node:child_process";
import { type Config, environmentWith } from "./config.js";
import { LAYOUT_VERSION } from "./features/state.js";
import { runCluster } from "./http/cluster.js";
import { renameContacts } from "./members/rename-contacts.js";
import { openTarget } from "./open-target.js";
import { ApiKeys } from "./redis/api-keys.js";
import { checkRedis } from "./redis/check-redis.js";
import { closeRedis, connectRedis, whenReady } from "./redis/clients.js";
import { openStore, type StoreStamp } from "./redis/store-stamp.js";
import type { Logger } from "./telemetry.js";

const CONNECT_MS = 15_000;
const STOP_MS = 15_000;
const RESTART_MS = 1_000;

/** Checks and stamps the store, and makes the first admin key. */
async function prepareStore(
  config: Config,
  target: string,
  world: StoreStamp["world"] | "any",
  logger: Logger,
): Promise<{ stamp: StoreStamp; adminKey: string | undefined }> {
  const client = connectRedis(target, "work", { logger, name: "cuecard-start" });
  try {
    await whenReady(client, CONNECT_MS);
    if (config.redisUrl !== undefined) {
      for (const warning of (await checkRedis(client)).warnings) logger.warn(warning);
    }
    const stamp = await openStore(client, world, LAYOUT_VERSION, renameContacts);
    const keys = new ApiKeys({ client, adminApiKey: config.adminApiKey, logger });
    const adminKey = await keys.ensureAdminKey();
    keys.close();
    return { stamp, adminKey };
  } finally {
    closeRedis(client);
  }
}

/** Keeps one work process running; it goes when we go, whatever way. */
function superviseWorker(
  environment: NodeJS.ProcessEnv,
  logger: Logger,
): { stop(): Promise<void> } {
  let child: ChildProcess | undefined;
  let stopping = false;
  let again: NodeJS.Timeout | undefined;
  const run = (): void => {
    child = fork(process.argv[1]!, ["work"], { env: environment });
    child.once("exit", (code, signal) => {
      if (stopping) return;
      logger.error({ code, signal }, "work: the process died; starting it again");
      again = setTimeout(run, RESTART_MS);
    });
  };
  run();
  return {
    async stop() {
      stopping = true;
      // A signal to the whole group may end the child before we hear that we stop.
      clearTimeout(again);
      const ending = child;
      if (ending === undefined || ending.exitCode !== null || ending.signalCode !== null) return;
      await new Promise<void>((resolve) => {
        const kill = setTimeout(() => ending.kill("SIGKILL"), STOP_MS);
        ending.once("exit", () => {
          clearTimeout(kill);
          resolve();
        });
        ending.kill("SIGTERM");
      });
    },
  };
}

export interface StartOptions {
  readonly demo: boolean;
  /** Fills and trains the demo world in an empty store; given by the command line. */
  readonly fillDemo: (config: Config, target: string, logger: Logger) => Promise<void>;
}

export interface Started {
  readonly adminKey: string | undefined;
  readonly stamp: StoreStamp;
  stop(): Promise<void>;
}

/** In the primary process. Throws what keeps it from starting, as one CuecardError. */
export async function start(
  config: Config,
  options: StartOptions,
  logger: Logger,
): Promise<Started> {
  const store = await openTarget(config, logger);
  try {
    const world = options.demo ? "demo" : "any";
    const { stamp, adminKey } = await prepareStore(config, store.target, world, logger);
    if (options.demo && stamp.filled !== true) await options.fillDemo(config, store.target, logger);
    const environment = { REDIS_URL: store.target };
    const cluster = await runCluster({
      processes: config.serveProcesses,
      // Read in the processes that serve: this one only forks them.
      startWorker: async () => {
        const { startServer } = await import("./server.js");
        return startServer(config, store.target, logger);
      },
      workerEnvironment: environment,
      logger,
    });
    const worker = superviseWorker(environmentWith(environment), logger);
    return {
      adminKey,
      stamp,
      async stop() {
        await Promise.all([cluster.close(), worker.stop()]);
        await store.stop();
      },
    };
  } catch (error) {
    await store.stop();
    throw error;
  }
}
