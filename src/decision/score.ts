/** POST /v1/scores: up to 1,000 members, one pipeline of reads, one model run. */

import { isCuecardError } from "../errors.js";
import type { MemberRef } from "../events/event.js";
import { withDeadline } from "../redis/clients.js";
import { metrics } from "../telemetry.js";
import type { DegradedReason, ScoresRequest, ScoresResponse } from "./answer.js";
import type { LastScores } from "./last-scores.js";
import type { MemberReader } from "./member-reader.js";
import {
  factsOf,
  type MemberFacts,
  type ScoringDependencies,
  scoreMembers,
} from "./member-scores.js";

export interface ScoreDependencies extends ScoringDependencies {
  readonly reader: Pick<MemberReader, "readRef" | "readRefs">;
  readonly lastScores: LastScores;
}

type MemberScores = ScoresResponse["scores"][number];

export async function score(
  request: ScoresRequest,
  dependencies: ScoreDependencies,
): Promise<ScoresResponse> {
  const started = performance.now();
  const now = Date.now();
  const { config, reader } = dependencies;
  let records: Awaited<ReturnType<MemberReader["readRefs"]>>;
  try {
    records = await withDeadline(reader.readRefs(request.members), config.budgetMs);
  } catch (error) {
    if (isCuecardError(error) && error.status < 500) throw error;
    return lastKnown(request.members, dependencies, started);
  }
  const facts: MemberFacts[] = [];
  const position = records.map((record) =>
    record === null ? -1 : facts.push(factsOf(record, now, config)) - 1,
  );
  const answer = await scoreMembers(facts, now, dependencies);
  const scores = request.members.map((member, i): MemberScores => {
    const at = position[i]!;
    if (at < 0) return { member, known: false, stage: null };
    const { scores: values, expectedValue } = answer.scored[at]!;
    const { stage } = facts[at]!;
    dependencies.lastScores.remember(facts[at]!.id, stage, values);
    return { member, known: true, stage, ...values, expectedValue };
  });
  const degraded: DegradedReason[] = answer.degraded === null ? [] : [answer.degraded];
  for (const reason of degraded) metrics.degraded.inc({ reason });
  const tookMs = performance.now() - started;
  return { scores, degraded, models: { heads: answer.version }, tookMs };
}

/** The store is out of reach: what was last computed here, flagged; the rest unknown. */
function lastKnown(
  members: readonly MemberRef[],
  { lastScores }: ScoreDependencies,
  started: number,
): ScoresResponse {
  const degraded: DegradedReason[] = ["store_unavailable"];
  const scores = members.map((member): MemberScores => {
    const last = typeof member === "string" ? lastScores.of(member) : undefined;
    if (last === undefined) return { member, known: false, stage: null };
    if (!degraded.includes("last_scores")) degraded.push("last_scores");
    return { member, known: true, stage: last.stage, ...last.scores };
  });
  for (const reason of degraded) metrics.degraded.inc({ reason });
  return { scores, degraded, models: { heads: null }, tookMs: performance.now() - started };
}
