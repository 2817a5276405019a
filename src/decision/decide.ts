/**
 * POST /v1/recommendations on one screen: read the member → decide → commit what the answer promises →
 * answer, and write down why. Each step that cannot be done in the budget steps one rung down the
 * ladder, and the answer says which and why.
 */
import type { ContactStore } from "../members/contact-store.js";
import { metrics } from "../telemetry.js";
import type { RecommendationRequest, RecommendationResponse } from "./answer.js";
import { type Decided, type DecidingDependencies, decideFor } from "./decide-for.js";
import { type GatherDependencies, gather, knowing, type Open } from "./gather.js";
import { narrowed } from "./narrowed.js";
import { type OnLate, type PromiseDependencies, promise, withContact } from "./promise.js";
import type { Recordable, Versions } from "./record.js";
import type { ScoreDependencies } from "./score.js";

export interface DecideDependencies
  extends ScoreDependencies,
    DecidingDependencies,
    Omit<GatherDependencies, "contacts">,
    Omit<PromiseDependencies, "contacts"> {
  readonly contacts: Pick<ContactStore, "phoneContacts" | "reserve" | "release">;
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
    // A repeat of the call may name a decision that was committed late: it has to be found.
    const onLate: OnLate = (late, was, contact) =>
      finish(late, was, { ...withContact(contact), versions }, dependencies);
    const promised = await promise(open, decided, dependencies, onLate);
    const isLast = round >= MAX_ROUNDS;
    if (promised.status === "kept") {
      return { ...promised.answer, tookMs: performance.now() - started };
    } else if (promised.status === "ok") {
      const contact = withContact(promised.contact);
      finish(open, decided, { ...contact, versions }, dependencies);
      const tookMs = performance.now() - started;
      return { decisionId: open.id, ...decided.answer, ...contact, tookMs };
    } else if (!isLast && (promised.status === "moved" || promised.status === "barred")) {
      // Whatever bars it now, the guards see as well.
      open = await gather(request, started, dependencies);
    } else {
      open = knowing(open, narrowed(open.situation, promised, isLast), dependencies);
    }
  }
}

/** What is done about an answer that leaves. */
function finish(
  { id, dryRun, situation }: Open,
  decided: Decided,
  more: Pick<RecommendationResponse, "contact"> & {
    versions: ReturnType<DecideDependencies["versions"]>;
  },
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
  const versions = { ...more.versions, heads, ranker, catalog, policy };
  record({ id, dryRun, situation, decided, versions, contact: more.contact ?? null });
}
