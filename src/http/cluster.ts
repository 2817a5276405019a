/**
 * Several serve processes behind one port. The primary forks them, starts dead ones again (ever
 * later when they die at once), sums their metrics, and passes a shutdown on.
 */
import cluster, { type Worker } from "node:cluster";
import type { MetricObject } from "prom-client";
import { CuecardError, ERRORS, type ErrorCode, isCuecardError } from "../errors.js";
import type { Logger } from "../telemetry.js";
import { isMetricsMessage, type MetricsMessage } from "./metrics-messages.js";

export interface ClusterOptions {
  /** How many serve processes. */
  processes: number;
  /** Runs in each worker: starts serving, resolves when ready. */
  startWorker: () => Promise<{ close(): Promise<void> }>;
  logger: Pick<Logger, "info" | "warn" | "error">;
  /** Added to the workers' environment: what the primary decided for them (its Redis, say). */
  workerEnvironment?: Record<string, string>;
  /** How long workers may finish what is under way. Default 15 s; then they are killed. */
  closeTimeoutMs?: number;
}

/** In the primary. */
export interface ServeCluster {
  /** Resolves when all workers stopped. */
  close(): Promise<void>;
  /** Prometheus text over this process and all workers. */
  metricsText(): Promise<string>;
}

type WorkerMessage =
  | { type: "cuecard:ready" }
  | { type: "cuecard:fatal"; code: ErrorCode; detail: string }
  | { type: "cuecard:shutdown" };

/**
 * For Node in the serve processes: requests and writes under way live for some milliseconds, and with
 * the default of 16 MiB young collections come so often that they copy them all. Measured on event
 * intake: 77–81 µs of processor time an event with 16 MiB, 66–70 with 32 or 64. A start fills memory
 * with what stays, and copies it less often when it need not begin with 1 MiB: reading 100,000
 * products takes 300–400 ms of processor time instead of 400–500.
 *
 * What is old is collected as often as it has grown to three times what was left. By itself Node
 * lets so small a memory grow by a quarter: at 200 pops a second one collection every three seconds,
 * and a dozen calls that wait 10 to 40 ms for it (p99 9–11 ms; 6–7 so).
 */
export const SERVE_NODE_FLAGS: readonly string[] = [
  "--min-semi-space-size=16",
  "--max-semi-space-size=32",
  "--heap-growing-percent=200",
];

const RESTART_DELAY_MS = 100;
const RESTART_DELAY_MAX_MS = 10_000;
/** One that lived so long did not die at once: the delay starts over. */
const HEALTHY_AFTER_MS = 30_000;
const COLLECT_TIMEOUT_MS = 2_000;
const CLOSE_TIMEOUT_MS = 15_000;

/**
 * In the primary: resolves when all processes serve; rejects with the error of a worker that cannot
 * start at all (`port_in_use`, `config_invalid`, …). In a worker: serves until told to stop, and
 * never returns.
 */
export async function runCluster(options: ClusterOptions): Promise<ServeCluster> {
  if (cluster.isWorker) return runWorker(options);
  const primary = new Primary(options);
  await primary.start();
  return primary;
}

/** Loaded when it is needed: the primary should fork at once. */
const loadMetrics = () => import("./metrics.js");

const isWorkerMessage = (message: unknown): message is WorkerMessage =>
  typeof message === "object" && message !== null && "type" in message;

class Primary implements ServeCluster {
  readonly #options: ClusterOptions;
  /** Worker ids that said they are ready. */
  readonly #ready = new Set<number>();
  #closing = false;
  #started = false;
  #restartDelayMs = RESTART_DELAY_MS;
  readonly #restarts = new Set<NodeJS.Timeout>();
  readonly #collections = new Map<number, Collection>();
  #collected = 0;

  constructor(options: ClusterOptions) {
    this.#options = options;
  }

  start(): Promise<void> {
    return new Promise((resolve, reject) => {
      const onMessage = (worker: Worker, message: unknown): void => {
        if (!isWorkerMessage(message)) return;
        if (message.type === "cuecard:ready") {
          this.#ready.add(worker.id);
          this.#started ||= this.#ready.size === this.#options.processes;
          if (this.#started) resolve();
        } else if (message.type === "cuecard:fatal") {
          const { code, detail } = message;
          if (this.#started) {
            // The others serve; this one is tried again, later and later.
            this.#options.logger.error({ code }, `serve: a process cannot start: ${detail}`);
            worker.process.kill("SIGKILL");
          } else {
            // What keeps one from starting keeps all from it: to try again would only repeat it.
            const known = code in ERRORS ? code : "internal";
            void this.close().then(() => reject(new CuecardError(known, detail)));
          }
        }
      };
      cluster.on("message", (worker, message: unknown) => {
        if (isMetricsMessage(message)) this.#onMetricsMessage(worker, message);
        else onMessage(worker, message);
      });
      cluster.setupPrimary({ execArgv: [...process.execArgv, ...SERVE_NODE_FLAGS] });
      for (let i = 0; i < this.#options.processes; i++) this.#fork();
    });
  }

  #fork(): void {
    const startedAt = Date.now();
    const worker = cluster.fork(this.#options.workerEnvironment);
    // A message to a worker that just died is no news: its exit is handled.
    worker.on("error", () => {});
    worker.once("exit", (code, signal) => {
      this.#ready.delete(worker.id);
      for (const collection of this.#collections.values()) collection.leave(worker.id);
      if (this.#closing) return;
      if (Date.now() - startedAt > HEALTHY_AFTER_MS) this.#restartDelayMs = RESTART_DELAY_MS;
      this.#options.logger.error(
        { worker: worker.process.pid, code, signal, againInMs: this.#restartDelayMs },
        "serve: a process died",
      );
      const timer = setTimeout(() => {
        this.#restarts.delete(timer);
        this.#fork();
      }, this.#restartDelayMs);
      this.#restarts.add(timer);
      this.#restartDelayMs = Math.min(this.#restartDelayMs * 2, RESTART_DELAY_MAX_MS);
    });
  }

  async close(): Promise<void> {
    this.#closing = true;
    for (const timer of this.#restarts) clearTimeout(timer);
    const workers = Object.values(cluster.workers ?? {}).filter((worker) => worker !== undefined);
    await Promise.all(
      workers.map((worker) => this.#stop(worker, this.#options.closeTimeoutMs ?? CLOSE_TIMEOUT_MS)),
    );
  }

  #stop(worker: Worker, timeoutMs: number): Promise<void> {
    if (worker.isDead()) return Promise.resolve();
    return new Promise((resolve) => {
      const kill = setTimeout(() => {
        this.#options.logger.warn({ worker: worker.process.pid }, "serve: a process did not stop");
        worker.process.kill("SIGKILL");
      }, timeoutMs);
      worker.once("exit", () => {
        clearTimeout(kill);
        resolve();
      });
      if (worker.isConnected()) worker.send({ type: "cuecard:shutdown" } satisfies WorkerMessage);
    });
  }

  #onMetricsMessage(worker: Worker, message: MetricsMessage): void {
    if (message.type === "cuecard:metrics-values") {
      this.#collections.get(message.id)?.arrive(worker.id, message.values);
    } else if (message.type === "cuecard:metrics-ask") {
      const { id } = message;
      void this.metricsText().then((text) => {
        if (worker.isConnected()) worker.send({ type: "cuecard:metrics-answer", id, text });
      });
    }
  }

  async metricsText(): Promise<string> {
    const { aggregate, ownMetricValues } = await loadMetrics();
    const id = ++this.#collected;
    const workers = Object.values(cluster.workers ?? {}).filter((worker) => worker?.isConnected());
    const collection = new Collection(workers.map((worker) => worker!.id));
    this.#collections.set(id, collection);
    for (const worker of workers) worker?.send({ type: "cuecard:metrics-collect", id });
    // One that hangs is left out rather than waited for.
    await collection.complete(COLLECT_TIMEOUT_MS);
    this.#collections.delete(id);
    return aggregate([await ownMetricValues(), ...collection.values]);
  }
}

/** The answers of all workers to one question. */
class Collection {
  readonly values: MetricObject[][] = [];
  readonly #missing: Set<number>;
  #done: () => void = () => {};

  constructor(workerIds: number[]) {
    this.#missing = new Set(workerIds);
  }

  arrive(workerId: number, values: MetricObject[]): void {
    if (!this.#missing.has(workerId)) return;
    this.values.push(values);
    this.leave(workerId);
  }

  leave(workerId: number): void {
    this.#missing.delete(workerId);
    if (this.#missing.size === 0) this.#done();
  }

  complete(timeoutMs: number): Promise<void> {
    if (this.#missing.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, timeoutMs);
      this.#done = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

async function runWorker(options: ClusterOptions): Promise<never> {
  const told = toldToStop();
  const { answerMetricsQuestions } = await loadMetrics();
  answerMetricsQuestions();
  const started = startOrTell(options);
  await told;
  const server = await started;
  await server?.close();
  process.exit(0);
}

/** Listens from now on: what is sent to a worker that does not is lost. */
function toldToStop(): Promise<void> {
  return new Promise((resolve) => {
    process.on("message", (message: unknown) => {
      if (isWorkerMessage(message) && message.type === "cuecard:shutdown") resolve();
    });
    // Ctrl-C reaches every process of the terminal; the primary decides when workers stop.
    process.on("SIGINT", () => {});
    process.on("SIGTERM", () => resolve());
    process.on("disconnect", () => resolve());
  });
}

/** Tells the primary that this worker serves, or why none can, and ends the process then. */
async function startOrTell(
  options: ClusterOptions,
): Promise<{ close(): Promise<void> } | undefined> {
  try {
    const server = await options.startWorker();
    process.send?.({ type: "cuecard:ready" } satisfies WorkerMessage);
    return server;
  } catch (error) {
    if (!isCuecardError(error)) throw error;
    const fatal: WorkerMessage = {
      type: "cuecard:fatal",
      code: error.code,
      detail: error.detail,
    };
    process.send?.(fatal);
    return undefined;
  }
}
