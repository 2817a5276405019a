/** Every metric, declared once, and what a logger is. Nothing personal goes into either. */
import { Counter, Gauge, Histogram, Registry } from "prom-client";

export type { Logger } from "./logger.js";

export const registry = new Registry();

const secondsBuckets = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5];

export const metrics = {
  requests: new Counter({
    name: "cuecard_http_requests_total",
    help: "HTTP requests answered, by route and status",
    labelNames: ["route", "status"],
    registers: [registry],
  }),
  requestSeconds: new Histogram({
    name: "cuecard_http_request_seconds",
    help: "Time from request line to last byte handed over, by route",
    labelNames: ["route"],
    buckets: secondsBuckets,
    registers: [registry],
  }),
  guardStops: new Counter({
    name: "cuecard_guard_stops_total",
    help: "Things a guard stopped at the last look: each one is a fault of ours",
    labelNames: ["guard"],
    registers: [registry],
  }),
  degraded: new Counter({
    name: "cuecard_degraded_answers_total",
    help: "Answers given on a lower step of the ladder, by reason",
    labelNames: ["reason"],
    registers: [registry],
  }),
  decisionRecordsDropped: new Counter({
    name: "cuecard_decision_records_dropped",
    help: "Decisions that were answered but not recorded: the store was out of reach or full too long",
    registers: [registry],
  }),
  events: new Counter({
    name: "cuecard_events_total",
    help: "Events received, by result (accepted, duplicate, rejected)",
    labelNames: ["result"],
    registers: [registry],
  }),
  responses: new Counter({
    name: "cuecard_responses_total",
    help: "Responses to decisions, by outcome and result (accepted, duplicate, unknown)",
    labelNames: ["outcome", "result"],
    registers: [registry],
  }),
  dispositions: new Counter({
    name: "cuecard_dispositions_total",
    help: "Dispositions of calls, by result (kept, repeated, no_decision, nobody, unmapped, missing, failed)",
    labelNames: ["result"],
    registers: [registry],
  }),
  writeRetries: new Counter({
    name: "cuecard_member_write_retries_total",
    help: "Member writes that lost a race and were folded again",
    registers: [registry],
  }),
  storeUp: new Gauge({
    name: "cuecard_store_up",
    help: "1 when the last call to the member store succeeded, else 0",
    aggregator: "min",
    registers: [registry],
  }),
  storeFullness: new Gauge({
    name: "cuecard_store_used_memory_ratio",
    help: "Used memory of the store as a share of its limit (0 when it has none)",
    aggregator: "max",
    registers: [registry],
  }),
  catalogVersion: new Gauge({
    name: "cuecard_catalog_version",
    help: "Version of the catalog snapshot in memory",
    aggregator: "min",
    registers: [registry],
  }),
  modelSwaps: new Counter({
    name: "cuecard_model_swaps_total",
    help: "Model swaps, by head group and result (swapped, refused)",
    labelNames: ["model", "result"],
    registers: [registry],
  }),
  jobs: new Counter({
    name: "cuecard_jobs_total",
    help: "Background jobs ended, by name and result",
    labelNames: ["job", "result"],
    registers: [registry],
  }),
  jobSeconds: new Histogram({
    name: "cuecard_job_seconds",
    help: "Duration of background jobs, by name",
    labelNames: ["job"],
    buckets: [0.1, 0.5, 1, 5, 15, 60, 300, 1800],
    registers: [registry],
  }),
  jobsQueued: new Gauge({
    name: "cuecard_jobs_queued",
    help: "Background jobs in the queue, by queue (light, heavy) and state",
    labelNames: ["queue", "state"],
    aggregator: "max",
    registers: [registry],
  }),
  membersByStage: new Gauge({
    name: "cuecard_members",
    help: "Members by lifecycle stage, as of the last stage sweep",
    labelNames: ["stage"],
    aggregator: "max",
    registers: [registry],
  }),
  rankedMembers: new Gauge({
    name: "cuecard_ranked_members",
    help: "Members in each ranked set in force",
    labelNames: ["set"],
    aggregator: "max",
    registers: [registry],
  }),
  rankedAt: new Gauge({
    name: "cuecard_ranked_timestamp_seconds",
    help: "Instant the ranked sets in force are of, epoch seconds; 0 without any",
    aggregator: "max",
    registers: [registry],
  }),
};
