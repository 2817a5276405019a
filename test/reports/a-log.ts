/** A log of members that a test makes up, and reports over it. */
import type { Experiment } from "../../src/catalog/experiment.js";
import { loadConfig } from "../../src/config.js";
import type { EventType, MemberEvent } from "../../src/events/event.js";
import type { LoggedRecord, LogReader } from "../../src/events/log-reader.js";
import { partitionOf } from "../../src/redis/keys.js";
import { type ReportRequest, reportExperiment } from "../../src/reports/experiment-report.js";

export const config = loadConfig({});
export const FROM = Date.parse("2026-03-01T00:00:00Z");
export const UNTIL = Date.parse("2026-06-01T00:00:00Z");
export const day = (days: number): number => FROM + days * 86_400_000;

let made = 0;

export const anEventAt = (
  type: EventType,
  days: number,
  over: Partial<MemberEvent> = {},
): MemberEvent => ({
  id: `e${made++}`,
  type,
  at: day(days),
  lines: [],
  ...over,
});

export const anOrder = (days: number, amount: number, over: Partial<MemberEvent> = {}) =>
  anEventAt("purchase", days, {
    lines: [{ product: "p1", quantity: 1, amount }],
    order: `o${made}`,
    ...over,
  });

export const anExperiment = (over: Partial<Experiment> = {}): Experiment => ({
  id: "e1",
  active: true,
  arms: [{ name: "treated", share: 0.5, treatment: {} }],
  holdout: 0.5,
  period: "always",
  createdAt: 0,
  updatedAt: 0,
  ...over,
});

/** The records as a log gives them: partition after partition. */
export function logOf(members: ReadonlyMap<string, readonly MemberEvent[]>): LogReader {
  const records = [...members].flatMap(([id, events]) =>
    events.map((event, i): LoggedRecord => {
      const record = { kind: "event", member: id, subject: id, event } as const;
      return { partition: partitionOf(id), logId: `${i + 1}-0`, record };
    }),
  );
  records.sort((a, b) => a.partition - b.partition);
  return {
    async *read({ kinds } = {}) {
      for (const one of records) if (kinds?.includes(one.record.kind) !== false) yield one;
    },
  };
}

export const report = (log: LogReader, over: Partial<ReportRequest> = {}) =>
  reportExperiment(log, {
    experiment: anExperiment(),
    from: FROM,
    until: UNTIL,
    stages: config.stages,
    experiments: { holdoutShare: 0 },
    ...over,
  });
