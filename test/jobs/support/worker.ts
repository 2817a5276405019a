/** Workers of the test jobs, in this process or in one that can be killed. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { loadConfig } from "../../../src/config.js";
import { type Schedule, schedulesOf } from "../../../src/jobs/schedule.js";
import { type JobWorker, startWorker, type WorkerDeps } from "../../../src/jobs/worker.js";
import type { RedisClient } from "../../../src/redis/clients.js";
import { silentLogger } from "../../support/redis.js";
import { testFunctions } from "./functions.js";

const TSX = ["--import", "tsx"];
const pathOf = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

/** Short, so that a killed worker is soon replaced; long enough for a busy machine. */
export const TAKEOVER_MS = 1_500;

/** The product's own schedules, quick to try again. */
export const testSchedules: readonly Schedule[] = schedulesOf(loadConfig({})).map((schedule) => ({
  ...schedule,
  pattern: null,
  backoffMs: 20,
}));

export function startTestWorker(
  target: string,
  store: RedisClient,
  overrides: Partial<WorkerDeps> = {},
): Promise<JobWorker> {
  return startWorker({
    queueTarget: target,
    store,
    schedules: testSchedules,
    functions: testFunctions(store),
    child: { modulePath: pathOf("./child-main.ts"), args: [target], execArgv: TSX },
    logger: silentLogger,
    takeoverMs: TAKEOVER_MS,
    graceMs: 500,
    ...overrides,
  });
}

/** Ready when it returns. */
export async function spawnTestWorker(target: string): Promise<ChildProcess> {
  const worker = fork(pathOf("./worker-main.ts"), [target], { execArgv: TSX });
  await once(worker, "message");
  return worker;
}
