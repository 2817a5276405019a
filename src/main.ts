#!/usr/bin/env node
/**
 * The command line. Each command is a few lines here and one function elsewhere, read only when it is
 * asked for: what serving or training needs takes most of a second to load.
 */
import cluster from "node:cluster";
import { Command, Option } from "commander";
import { type Config, loadConfig } from "./config.js";
import { ERRORS, isCuecardError } from "./errors.js";
import { runCluster } from "./http/cluster.js";
import { createLogger, type Logger } from "./logger.js";
import { openTarget } from "./open-target.js";
import type { StartOptions } from "./start.js";

/** Resolves at SIGINT or SIGTERM; a second one ends the process at once. */
function untilStopped(): Promise<void> {
  return new Promise((resolve) => {
    const stop = (): void => {
      process.once("SIGINT", () => process.exit(130));
      resolve();
    };
    process.once("SIGINT", stop);
    process.once("SIGTERM", stop);
  });
}

/** Resolves when the process that forked this one is gone; never for one started by hand. */
function untilOrphaned(): Promise<void> {
  return new Promise((resolve) => {
    if (process.send === undefined) return;
    // The parent may have gone while our modules were read: then the event is past.
    if (process.connected) process.once("disconnect", resolve);
    else resolve();
  });
}

/** As long as a supervisor would wait before it kills: an orphan has nobody to do so. */
const ORPHAN_MS = 15_000;

function setUp(): { config: Config; logger: Logger } {
  const config = loadConfig();
  return { config, logger: createLogger(config.logLevel) };
}

const DEMO_REQUEST = '{"member": "m_1001", "placement": "screen_pop", "limit": 1}';

/** Says where to look, with which key, and in the demo world also what to ask first. */
function printWelcome(config: Config, adminKey: string | undefined, demo: boolean): void {
  const address = `http://localhost:${config.port}`;
  const lostKey = "Key lost? `npm run cuecard -- keys create --name me --scopes admin` makes one.";
  const key =
    adminKey !== undefined
      ? `Admin key, shown this once: ${adminKey}`
      : config.adminApiKey !== undefined
        ? "Admin key: the one in ADMIN_API_KEY."
        : lostKey;
  const request = [
    "The demo world is loaded. Ask what to offer Wang Fang (王芳), who is on the phone:",
    "",
    `  curl -s ${address}/v1/recommendations -H 'X-API-Key: ${adminKey ?? "KEY"}' \\`,
    `    -H 'Content-Type: application/json' -d '${DEMO_REQUEST}'`,
  ];
  const lines = [
    "",
    `Cuecard is ready: ${address}  (documentation: ${address}/docs)`,
    key,
    ...(demo ? request : []),
    "",
  ];
  process.stdout.write(`${lines.join("\n")}\n`);
}

const program = new Command("cuecard")
  .description("Real-time recommendation and scoring for membership marketing")
  .showHelpAfterError("(cuecard help shows how)");

program
  .command("start")
  .description("private Redis if none is given, HTTP and workers")
  .option("--demo", "fill an empty store with the demo world, train on it and serve it", false)
  .action(async ({ demo }: { demo: boolean }) => {
    const { config, logger } = setUp();
    if (cluster.isWorker) return void (await serveWorker(config, logger));
    const { start } = await import("./start.js");
    const fillDemo: StartOptions["fillDemo"] = async (...store) => {
      const filling = await import("./fill-demo.js");
      await filling.fillDemo(...store);
    };
    const started = await start(config, { demo, fillDemo }, logger);
    printWelcome(config, started.adminKey, started.stamp.world === "demo");
    await untilStopped();
    await started.stop();
  });

async function serve(config: Config, target: string, logger: Logger) {
  const { startServer } = await import("./server.js");
  return startServer(config, target, logger);
}

async function serveWorker(config: Config, logger: Logger): Promise<void> {
  const target = config.redisUrl!;
  await runCluster({
    processes: config.serveProcesses,
    startWorker: () => serve(config, target, logger),
    logger,
  });
}

program
  .command("serve")
  .description("HTTP only, on the Redis of REDIS_URL")
  .action(async () => {
    const { config, logger } = setUp();
    if (cluster.isWorker) return void (await serveWorker(config, logger));
    const store = await openTarget(config, logger);
    const serving = await runCluster({
      processes: config.serveProcesses,
      startWorker: () => serve(config, store.target, logger),
      workerEnvironment: { REDIS_URL: store.target },
      logger,
    });
    printWelcome(config, undefined, false);
    await untilStopped();
    await serving.close();
    await store.stop();
  });

program
  .command("work")
  .description("background jobs only, on the Redis of REDIS_URL")
  .action(async () => {
    const { config, logger } = setUp();
    // Asked before anything is waited for: our parent may go, and its Redis with it, while we start.
    const orphaned = untilOrphaned();
    void orphaned.then(() => setTimeout(() => process.exit(1), ORPHAN_MS).unref());
    const store = await openTarget(config, logger, { shared: true });
    const { startWork } = await import("./work.js");
    const worker = await startWork(config, store.target, logger);
    await Promise.race([untilStopped(), orphaned]);
    await worker.close();
    await store.stop();
    // Listening for the parent's end keeps the channel to it open, and this process with it.
    if (process.connected) process.disconnect();
  });

program
  .command("job", { hidden: true })
  .description("one background job, in a process a worker started")
  .argument("<name>")
  .action(async () => {
    const { config, logger } = setUp();
    const { runJob } = await import("./work.js");
    await runJob(config, logger);
  });

/** Long-running commands: everything else is declared by modules they need not wait for. */
const RUNNING = ["start", "serve", "work", "job"];
if (!RUNNING.includes(process.argv[2] ?? "")) {
  const { addModelCommands } = await import("./model-commands.js");
  const { addStoreCommands } = await import("./store-commands.js");
  addModelCommands(program, loadConfig);
  addStoreCommands(program, loadConfig);
}

program
  .command("doctor")
  .description("what is missing on this machine")
  .addOption(new Option("--quiet", "print only what is missing"))
  .action(async ({ quiet }: { quiet?: boolean }) => {
    const { runDoctor } = await import("./doctor.js");
    const { ok, lines } = await runDoctor(loadConfig());
    for (const line of lines) {
      if (quiet === true && line.ok) continue;
      const mark = line.ok ? "ok     " : line.required ? "MISSING" : "absent ";
      process.stdout.write(`${mark} ${line.name}: ${line.detail}\n`);
    }
    process.exitCode = ok ? 0 : 1;
  });

/** One clear line for what a person can mend, the whole trace for what only we can. */
function explainFailure(error: unknown): void {
  if (!isCuecardError(error)) {
    process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
    return;
  }
  const { code, detail, remedy } = error;
  process.stderr.write(`cuecard: ${ERRORS[code].title} (${code}): ${detail}\n${remedy}\n`);
}

try {
  await program.parseAsync();
} catch (error) {
  explainFailure(error);
  process.exitCode = 1;
}
