/** Composition root of a serve process: builds everything, listens, returns close(). */
import type { Config } from "./config.js";
import { connectCore, followModels } from "./core.js";
import { schedulesOf } from "./jobs/schedule.js";
import { ApiKeys } from "./redis/api-keys.js";
import { ServedMark } from "./redis/served.js";
import { StartTimes } from "./start-times.js";
import type { Logger } from "./telemetry.js";

export interface Server {
  readonly port: number;
  close(): Promise<void>;
}

/**
 * What only answering needs. Reading it holds this thread up for as long as the store may take to
 * answer, so it is read while nothing is asked of the store and threads open the models.
 */
async function answeringModules() {
  const [recorder, front, queue, reports, services, warming] = await Promise.all([
    import("./decision/recorder.js"),
    import("./http/front.js"),
    import("./jobs/queue.js"),
    import("./report-services.js"),
    import("./services.js"),
    import("./warm-up.js"),
  ]);
  return { ...recorder, ...front, ...queue, ...reports, ...services, ...warming };
}

export interface ServerOptions {
  /** What decisions take for the real time, epoch milliseconds; Date.now where a test gives none. */
  readonly clock?: () => number;
}

/**
 * `target`: what `connectRedis` takes. Starts also while the store is out of reach, degraded.
 * Throws `port_in_use`.
 */
export async function startServer(
  config: Config,
  target: string,
  logger: Logger,
  { clock }: ServerOptions = {},
): Promise<Server> {
  const times = new StartTimes();
  times.end("modules of the store");
  const core = await connectCore(config, target, "serve", logger);
  const keys = new ApiKeys({ client: core.client, adminApiKey: config.adminApiKey, logger });
  await keys.start();
  times.end("connect");
  const following = followModels(core, core.isDemo);
  await core.catalog.start();
  times.end("catalog");
  const { createFront, createServices, DecisionRecorder, JobQueue, reportServices, warmUp } =
    await answeringModules();
  times.end("modules that answer");
  const followed = await following;
  times.end("models and artifacts");
  const queue = new JobQueue({
    target: config.queueRedisUrl ?? target,
    schedules: schedulesOf(config),
    logger,
  });
  let ready = false;
  const hasRoom = (): boolean => core.watch.fullness < config.storeFullRatio;
  const recorder = new DecisionRecorder({ client: core.client, config, hasRoom });
  const reports = reportServices(core, target);
  const parts = { core, followed, queue, keys, recorder, reports, clock };
  const services = createServices({ ...parts, ready: () => ready });
  await warmUp(core, services);
  recorder.start();
  times.end("warm-up");
  const mark = new ServedMark(core.client);
  const onServed = (): void => mark.touch();
  const front = createFront({ services, keys, logger, metricsOpen: config.metricsOpen, onServed });
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
