/** The process a report is computed in: reads the log, answers its parent, ends. */
import { EventLog } from "./events/event-log.js";
import { runChild } from "./jobs/child.js";
import { createLogger } from "./logger.js";
import { closeRedis, connectRedis, whenReady } from "./redis/clients.js";
import { type ReportRequest, reportExperiment } from "./reports/experiment-report.js";

/** What the parent sends: where the log is, and what is asked of it. */
export interface ReportInput extends Record<string, unknown> {
  /** As `connectRedis` takes it. */
  readonly target: string;
  readonly dataDir: string;
  readonly request: ReportRequest;
}

const CONNECT_MS = 10_000;

await runChild(async ({ input }, signal) => {
  const { target, dataDir, request } = input as ReportInput;
  const logger = createLogger("warn");
  const client = connectRedis(target, "work", { logger, name: "cuecard-report" });
  try {
    await whenReady(client, CONNECT_MS);
    return { ...(await reportExperiment(new EventLog(client, dataDir), request, signal)) };
  } finally {
    closeRedis(client);
  }
});
