/** Composition root of a work process, and of the child process a heavy job runs in. */
import type { Config } from "./config.js";
import { openCore } from "./core.js";
import { jobFunctions } from "./job-functions.js";
import { runJobChild } from "./jobs/child.js";
import { schedulesOf } from "./jobs/schedule.js";
import { showStageCounts } from "./jobs/stage-sweep.js";
import { startWorker } from "./jobs/worker.js";
import { RankedSets } from "./leads/ranked-sets.js";
import { openTarget } from "./open-target.js";
import type { Logger } from "./telemetry.js";

export async function startWork(
  config: Config,
  target: string,
  logger: Logger,
): Promise<{ close(): Promise<void> }> {
  const core = await openCore(config, target, "work", logger);
  const worker = await startWorker({
    queueTarget: config.queueRedisUrl ?? target,
    store: core.client,
    schedules: schedulesOf(config),
    functions: jobFunctions(core, core.config, core.isDemo),
    child: { modulePath: process.argv[1]!, args: ["job"] },
    logger,
    takeoverMs: config.jobTakeoverSeconds * 1000,
  });
  await showStageCounts(core.client);
  await new RankedSets(core.client).current();
  return {
    async close() {
      await worker.close();
      await core.close();
    },
  };
}

/** In the child: one job, then the process ends. */
export function runJob(config: Config, logger: Logger): Promise<void> {
  return runJobChild(async (name) => {
    const { target } = await openTarget(config, logger, { shared: true });
    const core = await openCore(config, target, "work", logger);
    const functions = jobFunctions(core, core.config, core.isDemo);
    return { run: functions[name], store: core.client, logger, close: () => core.close() };
  });
}
