/**
 * POST /v1/recommendations on one screen: read the member → decide → commit what the answer promises →
 * answer, and write down why. Each step that cannot be done in the budget steps one rung down the
 * ladder, and the answer says which and why.
 */
import { createHash } from "node:crypto";
import type { PlacementConfig } from "../config.js";
import { CuecardError, isCuecardError } from "../errors.js";
import { newDecisionId } from "../members/decision-id.js";
import type { OfferStore } from "../members/offer-store.js";
import { decodeOffers, holdingAt } from "../members/sticky-offers.js";
import { isPersonal } from "../policy/guards.js";
import { withDeadline } from "../redis/clients.js";
import { hash32, partitionOf } from "../redis/keys.js";
import { metrics } from "../telemetry.js";
import type { RecommendationRequest, RecommendationResponse } from "./answer.js";
import {
  type Decided,
  type DecidingDependencies,
  decideFor,
  type Situation,
} from "./decide-for.js";
import { factsOf, type MemberFacts } from "./member-scores.js";
import { type Promised, promise } from "./promise.js";
import type { Recordable, Versions } from "./record.js";
import type { ScoreDependencies } from "./score.js";

export interface DecideDependencies extends ScoreDependencies, DecidingDependencies {
  readonly offers: Pick<OfferStore, "hold">;
  /** Those that decide now and are not part of the answer. */
  versions(): Pick<Versions, "alive" | "candidates" | "config">;
  /** Takes what is to be written down of a decision; costs the answer next to nothing. */
  record(decision: Recordable): void;
}

/** Time kept for everything behind the member read, so that a slow store cannot eat the budget. */
const READ_SHARE = 0.6;
/** Another process may answer the same member at the same time: decided again so often. */
const MAX_ROUNDS = 8;

/** One decision under way. */
export interface Open {
  readonly id: string;
  /** Whose it is: a member's id, else what stands for somebody unknown. */
  readonly holder: string;
  readonly dryRun: boolean;
  readonly situation: Situation;
}

export async function decide(
  request: RecommendationRequest,
  dependencies: DecideDependencies,
): Promise<RecommendationResponse> {
  const started = performance.now();
  let open = await gather(request, started, dependencies);
  for (let round = 1; ; round++) {
    const versions = dependencies.versions();
    const decided = await decideFor(open.situation, dependencies);
    const promised: Promised =
      open.dryRun || !open.situation.storeUp || !open.situation.canHold
        ? { status: "ok" }
        : await promise(open, decided, dependencies);
    const again = round < MAX_ROUNDS;
    if (promised.status === "kept") {
      return { ...promised.answer, tookMs: performance.now() - started };
    } else if (promised.status === "ok") {
      finish(open, decided, versions, dependencies);
      return { decisionId: open.id, ...decided.answer, tookMs: performance.now() - started };
    } else if (promised.status === "moved" && again) {
      open = await gather(request, started, dependencies);
    } else if (promised.status === "stale" && again) {
      const held = holdingAt(decodeOffers(promised.offers), open.situation.now);
      const facts = { ...open.situation.facts!, offers: promised.offers };
      open = { ...open, situation: { ...open.situation, facts, held } };
    } else {
      open = { ...open, situation: { ...open.situation, canHold: false } };
    }
  }
}

/** Everything a decision needs that is read: member, clock, what is left of the budget. */
async function gather(
  request: RecommendationRequest,
  started: number,
  dependencies: DecideDependencies,
): Promise<Open> {
  const { config, lastScores } = dependencies;
  const { member } = request;
  const placement = placementOf(request.placement, dependencies);
  const clock = Date.now();
  const now = request.context?.now ?? clock;
  const deadline = started + (request.budgetMs ?? config.budgetMs);
  const timeLeftMs = (): number => deadline - performance.now();
  const openWith = (
    facts: MemberFacts | null,
    read: Pick<Situation, "storeUp" | "lastScores" | "canHold">,
  ): Open => {
    const holder = facts?.id ?? (typeof member === "string" ? member : strangerOf(member));
    const id = newDecisionId(partitionOf(holder), clock);
    const held = holdingAt(decodeOffers(facts?.offers ?? null), now);
    const seed = hash32(id);
    const situation = { request, placement, now, facts, held, seed, timeLeftMs, ...read };
    return { id, holder, dryRun: request.context?.now != null, situation };
  };
  try {
    const timeoutMs = Math.max(1, timeLeftMs() * READ_SHARE);
    const record = await withDeadline(dependencies.reader.readRef(member), timeoutMs);
    const facts = record === null ? null : factsOf(record, now, config);
    return openWith(facts, { storeUp: true, lastScores: null, canHold: true });
  } catch (error) {
    if (isCuecardError(error) && error.code !== "store_unavailable") throw error;
    const last = typeof member === "string" ? lastScores.of(member)?.scores : undefined;
    return openWith(null, { storeUp: false, lastScores: last ?? null, canHold: false });
  }
}

/** Stands for somebody who is known by no id, without naming them. */
const strangerOf = (identity: Exclude<RecommendationRequest["member"], string>): string =>
  `~${createHash("sha256").update(JSON.stringify(identity)).digest("base64url").slice(0, 22)}`;

/** What is done about an answer that leaves. */
function finish(
  { id, dryRun, situation }: Open,
  decided: Decided,
  versions: ReturnType<DecideDependencies["versions"]>,
  { lastScores, record }: DecideDependencies,
): void {
  const { facts } = situation;
  const { answer, catalog } = decided;
  if (facts !== null && isPersonal(facts.profile)) {
    lastScores.remember(facts.id, facts.stage, answer.scores);
  }
  for (const reason of answer.degraded) metrics.degraded.inc({ reason });
  const { heads, ranker } = answer.models;
  const policy = answer.policyVersion;
  record({
    id,
    dryRun,
    situation,
    decided,
    versions: { ...versions, heads, ranker, catalog, policy },
  });
}

function placementOf(id: string, { config }: DecideDependencies): PlacementConfig {
  const placement = config.placements.find((one) => one.id === id);
  if (placement !== undefined) return placement;
  const known = config.placements.map((one) => one.id).join(", ");
  throw new CuecardError("invalid_request", `placement: not declared; there are ${known}`, {
    errors: [{ path: "placement", message: `not declared; there are ${known}` }],
  });
}
