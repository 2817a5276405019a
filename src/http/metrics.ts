/** What is counted per request, and the text of /metrics for all processes together. */
import cluster from "node:cluster";
import { AggregatorRegistry, type MetricObject } from "prom-client";
import { metrics, registry } from "../telemetry.js";
import { isMetricsMessage, type MetricsMessage } from "./metrics-messages.js";

/** Counts the answers of one route. Label look-ups happen once per route and status, not per request. */
export class RouteMeter {
  readonly #route: string;
  readonly #seconds: { observe(value: number): void };
  readonly #byStatus = new Map<number, { inc(): void }>();

  constructor(route: string) {
    this.#route = route;
    this.#seconds = metrics.requestSeconds.labels(route);
  }

  count(status: number, seconds: number): void {
    let counter = this.#byStatus.get(status);
    if (counter === undefined) {
      counter = metrics.requests.labels(this.#route, String(status));
      this.#byStatus.set(status, counter);
    }
    counter.inc();
    this.#seconds.observe(seconds);
  }
}

export const METRICS_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** Sums counters and histograms, and treats gauges by their own `aggregator`. */
export function aggregate(values: MetricObject[][]): Promise<string> {
  return AggregatorRegistry.aggregate(values).metrics();
}

export const ownMetricValues = (): Promise<MetricObject[]> => registry.getMetricsAsJSON();

const ASK_TIMEOUT_MS = 3_000;

const waiting = new Map<number, (text: string) => void>();
let asked = 0;
let listening = false;

function listen(): void {
  if (listening) return;
  listening = true;
  process.on("message", async (message: unknown) => {
    if (!isMetricsMessage(message)) return;
    if (message.type === "cuecard:metrics-answer") waiting.get(message.id)?.(message.text);
    if (message.type === "cuecard:metrics-collect") {
      sendToPrimary({
        type: "cuecard:metrics-values",
        id: message.id,
        values: await ownMetricValues(),
      });
    }
  });
}

/** The primary may be gone; then the message has nobody to reach. */
function sendToPrimary(message: MetricsMessage): void {
  if (process.connected) process.send?.(message, undefined, undefined, () => {});
}

/** In a worker: lets the primary collect this process's values. Harmless elsewhere. */
export function answerMetricsQuestions(): void {
  if (cluster.isWorker) listen();
}

/**
 * Prometheus text. Under node:cluster a worker asks the primary, which sums over all processes;
 * without an answer in 3 s (or without a cluster) it is this process's own.
 */
export async function metricsText(): Promise<string> {
  if (!cluster.isWorker || !process.connected) return registry.metrics();
  listen();
  const id = ++asked;
  const text = await new Promise<string | undefined>((resolve) => {
    const timer = setTimeout(() => resolve(undefined), ASK_TIMEOUT_MS);
    waiting.set(id, (answer) => {
      clearTimeout(timer);
      resolve(answer);
    });
    sendToPrimary({ type: "cuecard:metrics-ask", id });
  });
  waiting.delete(id);
  return text ?? registry.metrics();
}
