/** Composition root of a serve process: builds everything, listens, returns close(). */
import type { Config } from "./config.js";
import { followModels, openCore } from "./core.js";
import { DecisionRecorder } from "./decision/recorder.js";
import { createFront } from "./http/front.js";
import { JobQueue } from "./jobs/queue.js";
import { schedulesOf } from "./jobs/schedule.js";
import { ApiKeys } from "./redis/api-keys.js";
import { reportServices } from "./report-services.js";
import { createServices } from "./services.js";
import { StartTimes } from "./start-times.js";
import type { Logger } from "./telemetry.js";
import { warmUp } from "./warm-up.js";

export interface Server {
  readonly port: number;
  close(): Promise<void>;
}

/**
 * `target`: what `connectRedis` takes. Starts also while the store is out of reach, degraded.
 * Throws `port_in_use`.
 */
export async function startServer(config: Config, target: string, logger: Logger): Promise<Server> {
  const times = new StartTimes();
  times.end("modules");
  const core = await openCore(config, target, "serve", logger, times);
  const followed = await followModels(core, core.isDemo);
  times.end("models and artifacts");
  const keys = new ApiKeys({ client: core.client, adminApiKey: config.adminApiKey, logger });
  await keys.start();
  const queue = new JobQueue({
    target: config.queueRedisUrl ?? target,
    schedules: schedulesOf(config),
    logger,
  });
  let ready = false;
  const hasRoom = (): boolean => core.watch.fullness < config.storeFullRatio;
  const recorder = new DecisionRecorder({ client: core.client, config, hasRoom });
  const reports = reportServices(core, target);
  const parts = { core, followed, queue, keys, recorder, reports };
  const services = createServices({ ...parts, ready: () => ready });
  times.end("keys and queue");
  await warmUp(core, services);
  recorder.start();
  times.end("warm-up");
  const front = createFront({ services, keys, logger, metricsOpen: config.metricsOpen });
  const port = await front.listen(config.port, config.host);
  ready = true;
  times.end("listen");
  logger.info({ start: times.steps() }, "serving");
  return {
    port,
    async close() {
      ready = false;
      reports.close();
      await front.close();
      await recorder.close();
      keys.close();
      await queue.close();
      await followed.close();
      await core.close();
    },
  };
}
