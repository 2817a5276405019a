/**
 * What an experiment came to, by intention to treat: every member of the log counts in the arm its
 * hash says, whether or not a decision was ever made about it, so that nobody selects who is compared.
 * The log is read as a stream; what is kept are sums per arm and the histories of one partition.
 */
import { type Experiment, HOLDOUT } from "../catalog/experiment.js";
import type { Config, StagesConfig } from "../config.js";
import { armOf, isHeldOut, periodOf, type Shares } from "../decision/experiments.js";
import type { LogReader } from "../events/log-reader.js";
import { replayMembers } from "../events/replay.js";
import { type ArmFigures, ArmTally, type Comparison } from "./arm-tally.js";
import { History, type Span } from "./member-outcome.js";

export interface ReportRequest {
  readonly experiment: Shares & Pick<Experiment, "label" | "stages">;
  /** Epoch milliseconds, `until` not included. */
  readonly from: number;
  readonly until: number;
  readonly stages: StagesConfig;
  /** Whoever is held out of everything is in no experiment. */
  readonly experiments: Config["experiments"];
}

export type ArmReport = ArmFigures & {
  readonly name: string;
  /** Of all members, as configured. */
  readonly share: number;
} & (Comparison | { readonly uplift: null; readonly stop: null });

export interface ExperimentReport {
  readonly experiment: string;
  readonly label: string | null;
  /** ISO 8601. */
  readonly from: string;
  readonly until: string;
  /** What is counted and compared: a member, or a member in one month or quarter. */
  readonly unit: "member" | "member and month" | "member and quarter";
  /** The arm the others are compared with: the hold-out, or the first where there is none. */
  readonly baseline: string;
  /** Baseline first. */
  readonly arms: ArmReport[];
  /** Members of the log that count in no arm: they take no part, or are held out of everything. */
  readonly outside: number;
}

const UNITS = {
  always: "member",
  month: "member and month",
  quarter: "member and quarter",
} as const;

/** The stretches of `from` … `until` within which nobody changes arms. */
export function spansOf(period: Experiment["period"], { from, until }: Span): Span[] {
  const spans: Span[] = [];
  for (let start = from; start < until; ) {
    const end = Math.min(until, endOfPeriod(period, start));
    spans.push({ from: start, until: end });
    start = end;
  }
  return spans;
}

function endOfPeriod(period: Experiment["period"], at: number): number {
  if (period === "always") return Number.POSITIVE_INFINITY;
  const date = new Date(at);
  for (let month = date.getUTCMonth() + 1; ; month++) {
    const start = Date.UTC(date.getUTCFullYear(), month);
    if (periodOf(period, start) !== periodOf(period, at)) return start;
  }
}

export async function reportExperiment(
  log: LogReader,
  request: ReportRequest,
  signal?: AbortSignal,
): Promise<ExperimentReport> {
  const { experiment } = request;
  const tallies = new Map<string, ArmTally>();
  if (experiment.holdout > 0) tallies.set(HOLDOUT, new ArmTally());
  for (const { name } of experiment.arms) tallies.set(name, new ArmTally());
  const spans = spansOf(experiment.period, request);
  let outside = 0;
  for await (const member of replayMembers(log)) {
    signal?.throwIfAborted();
    const history = new History(member, request.stages);
    if (!tally(member.id, history, spans, request, tallies)) outside++;
  }
  return presented(request, tallies, outside);
}

/** false: the member counts nowhere. */
function tally(
  id: string,
  history: History,
  spans: readonly Span[],
  { experiment, experiments }: ReportRequest,
  tallies: ReadonlyMap<string, ArmTally>,
): boolean {
  if (experiment.id !== HOLDOUT && isHeldOut(id, { experiments })) return false;
  let counted = false;
  for (const span of spans) {
    if (history.firstAt >= span.until) continue;
    const arm = armOf(experiment, id, span.from);
    if (arm === null) continue;
    // As it was before anything was done: the stage afterwards is an outcome.
    if (experiment.stages?.includes(history.stageAt(span.from)) === false) continue;
    tallies.get(arm)!.add(history.outcomeIn(span));
    counted = true;
  }
  return counted;
}

function presented(
  { experiment, from, until }: ReportRequest,
  tallies: ReadonlyMap<string, ArmTally>,
  outside: number,
): ExperimentReport {
  const names = [...tallies.keys()];
  const baseline = names[0]!;
  const shareOf = (name: string): number =>
    name === HOLDOUT ? experiment.holdout : experiment.arms.find((arm) => arm.name === name)!.share;
  const arms = names.map((name): ArmReport => {
    const figures = { name, share: shareOf(name), ...tallies.get(name)!.figures() };
    if (name === baseline) return { ...figures, uplift: null, stop: null };
    return { ...figures, ...tallies.get(name)!.against(tallies.get(baseline)!) };
  });
  return {
    experiment: experiment.id,
    label: experiment.label ?? null,
    from: new Date(from).toISOString(),
    until: new Date(until).toISOString(),
    unit: UNITS[experiment.period],
    baseline,
    arms,
    outside,
  };
}
