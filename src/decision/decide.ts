/**
 * POST /v1/recommendations on one screen: read the member → decide → answer. Each step that cannot be
 * done in the budget steps one rung down the ladder, and the answer says which and why.
 */
import { randomUUID } from "node:crypto";
import type { PlacementConfig } from "../config.js";
import { CuecardError, isCuecardError } from "../errors.js";
import { isPersonal } from "../policy/guards.js";
import { withDeadline } from "../redis/clients.js";
import { partitionOf } from "../redis/keys.js";
import { metrics } from "../telemetry.js";
import type { RecommendationRequest, RecommendationResponse } from "./answer.js";
import { type DecidingDependencies, decideFor, type Situation } from "./decide-for.js";
import { factsOf } from "./member-scores.js";
import type { ScoreDependencies } from "./score.js";

export type DecideDependencies = ScoreDependencies & DecidingDependencies;

/** Time kept for everything behind the member read, so that a slow store cannot eat the budget. */
const READ_SHARE = 0.6;

export async function decide(
  request: RecommendationRequest,
  dependencies: DecideDependencies,
): Promise<RecommendationResponse> {
  const started = performance.now();
  const situation = await gather(request, started, dependencies);
  const { facts } = situation;
  const { answer } = await decideFor(situation, dependencies);
  if (facts !== null && isPersonal(facts.profile)) {
    dependencies.lastScores.remember(facts.id, facts.stage, answer.scores);
  }
  for (const reason of answer.degraded) metrics.degraded.inc({ reason });
  const decisionId = `d_${partitionOf(facts?.id ?? "").toString(36)}_${randomUUID()}`;
  return { decisionId, ...answer, tookMs: performance.now() - started };
}

/** Everything a decision needs that is read: member, clock, what is left of the budget. */
async function gather(
  request: RecommendationRequest,
  started: number,
  dependencies: DecideDependencies,
): Promise<Situation> {
  const { config, lastScores } = dependencies;
  const { member } = request;
  const now = request.context?.now ?? Date.now();
  const deadline = started + (request.budgetMs ?? config.budgetMs);
  const timeLeftMs = (): number => deadline - performance.now();
  const common = { request, placement: placementOf(request.placement, dependencies), now };
  try {
    const timeoutMs = Math.max(1, timeLeftMs() * READ_SHARE);
    const record = await withDeadline(dependencies.reader.readRef(member), timeoutMs);
    const facts = record === null ? null : factsOf(record, now, config);
    return { ...common, facts, storeUp: true, lastScores: null, timeLeftMs };
  } catch (error) {
    if (isCuecardError(error) && error.code !== "store_unavailable") throw error;
    const last = typeof member === "string" ? lastScores.of(member)?.scores : undefined;
    return { ...common, facts: null, storeUp: false, lastScores: last ?? null, timeLeftMs };
  }
}

function placementOf(id: string, { config }: DecideDependencies): PlacementConfig {
  const placement = config.placements.find((one) => one.id === id);
  if (placement !== undefined) return placement;
  const known = config.placements.map((one) => one.id).join(", ");
  throw new CuecardError("invalid_request", `placement: not declared; there are ${known}`, {
    errors: [{ path: "placement", message: `not declared; there are ${known}` }],
  });
}
