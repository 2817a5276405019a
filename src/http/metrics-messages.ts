/** Messages between a worker that is asked for /metrics, the primary, and all workers. */
import type { MetricObject } from "prom-client";

export type MetricsMessage =
  | { type: "cuecard:metrics-ask"; id: number }
  | { type: "cuecard:metrics-answer"; id: number; text: string }
  | { type: "cuecard:metrics-collect"; id: number }
  | { type: "cuecard:metrics-values"; id: number; values: MetricObject[] };

export const isMetricsMessage = (message: unknown): message is MetricsMessage =>
  typeof message === "object" &&
  message !== null &&
  "type" in message &&
  typeof message.type === "string" &&
  message.type.startsWith("cuecard:metrics-");
