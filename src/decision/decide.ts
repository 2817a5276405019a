/**
 * POST /v1/recommendations on one screen: read the member → decide → commit what the answer promises →
 * answer, and write down why. Each step that cannot be done in the budget steps one rung down the
 * ladder, and the answer says which and why.
 */
import type { OfferStore } from "../members/offer-store.js";
import { decodeOffers, holdingAt } from "../members/sticky-offers.js";
import { metrics } from "../telemetry.js";
import type { RecommendationRequest, RecommendationResponse } from "./answer.js";
import { type Decided, type DecidingDependencies, decideFor } from "./decide-for.js";
import { type GatherDependencies, gather, type Open } from "./gather.js";
import { type Promised, promise } from "./promise.js";
import type { Recordable, Versions } from "./record.js";
import type { ScoreDependencies } from "./score.js";

export interface DecideDependencies
  extends ScoreDependencies,
    DecidingDependencies,
    GatherDependencies {
  readonly offers: Pick<OfferStore, "hold">;
  /** Those that decide now and are not part of the answer. */
  versions(): Pick<Versions, "alive" | "candidates" | "config">;
  /** Takes what is to be written down of a decision; costs the answer next to nothing. */
  record(decision: Recordable): void;
}

/** Another process may answer the same member at the same time: decided again so often. */
const MAX_ROUNDS = 8;

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

/** What is done about an answer that leaves. */
function finish(
  { id, dryRun, situation }: Open,
  decided: Decided,
  versions: ReturnType<DecideDependencies["versions"]>,
  { lastScores, record }: DecideDependencies,
): void {
  const { facts } = situation;
  const { answer, catalog } = decided;
  if (facts !== null && situation.verdict.personal) {
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
