/** Reports as HTTP asks for them: what is asked is settled here, the log is read in a child process. */
import { fileURLToPath } from "node:url";
import { HOLDOUT } from "./catalog/experiment.js";
import type { Core } from "./core.js";
import { permanentHoldout } from "./decision/experiments.js";
import { CuecardError } from "./errors.js";
import type { ReportService } from "./http/services.js";
import { OnDemand } from "./jobs/on-demand.js";
import type { ReportInput } from "./report-child.js";
import type { ExperimentReport, ReportRequest } from "./reports/experiment-report.js";

const DAY_MS = 86_400_000;
/** Of the permanent hold-out, which began at no particular time. */
const DEFAULT_DAYS = 90;
const YEARS_MAX = 10;
/** Of its JavaScript: sums per arm, and the members of one partition at a time. */
const CHILD_HEAP_MB = 1_024;

/** Compiled, whatever runs: under a test, which runs the sources, the one in `dist` beside them. */
const CHILD = fileURLToPath(
  new URL(
    import.meta.url.endsWith(".ts") ? "../dist/report-child.js" : "report-child.js",
    import.meta.url,
  ),
);

export interface Reports extends ReportService {
  close(): void;
}

/** `target`: what `connectRedis` takes. */
export function reportServices(core: Core, target: string): Reports {
  const children = new OnDemand({
    modulePath: CHILD,
    args: [],
    execArgv: [`--max-old-space-size=${CHILD_HEAP_MB}`],
  });
  return {
    async experiments({ experiment: id, from, until }) {
      const asked = await experimentOf(core, id);
      const now = Date.now();
      const end = Math.min(until ?? asked.until ?? now, now);
      const start = from ?? asked.from ?? end - DEFAULT_DAYS * DAY_MS;
      requireSpan(start, end);
      const { stages, experiments, dataDir } = core.config;
      const request: ReportRequest = {
        experiment: asked.experiment,
        from: start,
        until: end,
        stages,
        experiments,
      };
      const input: ReportInput = { target, dataDir, request };
      // Asked again a moment later, "until now" is another instant and the same question.
      const question = JSON.stringify([id, from, until]);
      const result = await children.run("experiments", input, question);
      return result as typeof result & ExperimentReport;
    },
    close: () => children.close(),
  };
}

interface Asked {
  readonly experiment: ReportRequest["experiment"];
  /** Epoch milliseconds, where the experiment says. */
  readonly from?: number;
  readonly until?: number;
}

async function experimentOf({ catalog, config }: Core, id: string): Promise<Asked> {
  if (id === HOLDOUT) {
    if (config.experiments.holdoutShare > 0) return { experiment: permanentHoldout(config) };
    throw new CuecardError("experiment_unknown", "no permanent hold-out is configured");
  }
  const record = await catalog.store.get("experiments", id);
  if (record === null) throw new CuecardError("experiment_unknown", "no record has this id");
  const { label, arms, holdout, period, stages, from, until, createdAt } = record;
  return {
    experiment: { id, label, arms, holdout, period, stages },
    from: from === undefined ? createdAt : Date.parse(from),
    ...(until === undefined ? {} : { until: Date.parse(until) }),
  };
}

function requireSpan(from: number, until: number): void {
  const message =
    from >= until
      ? "does not lie before `until`, or before now"
      : until - from > YEARS_MAX * 366 * DAY_MS
        ? `lies more than ${YEARS_MAX} years before \`until\``
        : null;
  if (message === null) return;
  throw new CuecardError("invalid_request", `from ${message}`, {
    errors: [{ path: "from", message }],
  });
}
