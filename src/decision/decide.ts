/**
 * POST /v1/recommendations on one screen: read the member → hydrate and score → guards →
 * candidates → rank → coupon, channel, arbitration, words → answer. Each step that cannot be done in
 * the budget steps one rung down the ladder, and the answer says which and why.
 */
import { randomUUID } from "node:crypto";
import { type CandidateArtifacts, emptyArtifacts } from "../candidates/artifacts.js";
import { CANDIDATE_FEATURES, candidateFeatures } from "../candidates/features.js";
import { CANDIDATE_LIMIT, generateCandidates } from "../candidates/generate.js";
import type { CandidateRequest, CandidateSet } from "../candidates/source.js";
import type { CatalogSnapshot } from "../catalog/snapshot.js";
import type { PlacementConfig } from "../config.js";
import { CuecardError, isCuecardError } from "../errors.js";
import { historyOf } from "../features/member-history.js";
import { EMPTY_STATE } from "../features/state.js";
import { careOnly, careText, isPersonal } from "../policy/guards.js";
import { withDeadline } from "../redis/clients.js";
import { partitionOf } from "../redis/keys.js";
import type { ModelSlot } from "../scoring/model-slot.js";
import { metrics } from "../telemetry.js";
import type {
  DegradedReason,
  RecommendationRequest,
  RecommendationResponse,
  Suggestion,
} from "./answer.js";
import { openChannels } from "./channel.js";
import { explain } from "./explain.js";
import { factsOf, type MemberFacts, type Scored, scoreMembers } from "./member-scores.js";
import type { ScoreDependencies } from "./score.js";
import { careScript, type Language, languageOf } from "./script.js";
import { suggest } from "./suggest.js";

export interface DecideDependencies extends ScoreDependencies {
  readonly ranker: Pick<ModelSlot, "lease">;
  snapshot(): CatalogSnapshot;
  artifacts(): CandidateArtifacts | null;
}

/** Time kept for everything behind the member read, so that a slow store cannot eat the budget. */
const READ_SHARE = 0.6;
/** Below this much time left, in ms, the ranker is not started. */
const RANKER_MS = 3;
const NO_ARTIFACTS = emptyArtifacts();

/** What one request has gathered so far. */
interface Decision {
  readonly request: RecommendationRequest;
  readonly placement: PlacementConfig;
  readonly now: number;
  readonly deadline: number;
  readonly degraded: Set<DegradedReason>;
  readonly models: { heads: string | null; ranker: string | null };
}

export async function decide(
  request: RecommendationRequest,
  dependencies: DecideDependencies,
): Promise<RecommendationResponse> {
  const started = performance.now();
  const { config } = dependencies;
  const decision: Decision = {
    request,
    placement: placementOf(request.placement, dependencies),
    now: request.context?.now ?? Date.now(),
    deadline: started + (request.budgetMs ?? config.budgetMs),
    degraded: new Set(),
    models: { heads: null, ranker: null },
  };
  const facts = await readMember(decision, dependencies);
  const personal = facts !== null && isPersonal(facts.profile);
  // Awaited behind the ranker: neither model needs the other, and so both run in the same turn.
  const scoring = personal
    ? scoreOne(facts, decision, dependencies)
    : Promise.resolve(lastOf(decision, dependencies));
  const language = languageOf(facts?.profile?.locale, config.locale);
  const care = careAnswer(facts, decision, language);
  const offer =
    care === null
      ? await offers(personal ? facts : null, facts, scoring, decision, dependencies)
      : null;
  const scored = await scoring;
  const degraded = [...decision.degraded];
  for (const reason of degraded) metrics.degraded.inc({ reason });
  return {
    decisionId: `d_${partitionOf(facts?.id ?? "").toString(36)}_${randomUUID()}`,
    member: {
      id: facts?.id ?? (typeof request.member === "string" ? request.member : null),
      known: facts !== null,
      stage: facts?.stage ?? null,
      name: facts?.profile?.name ?? null,
    },
    scores: scored.scores,
    suggestions: care?.suggestions ?? offer!.suggestions,
    doNotSell: care?.doNotSell ?? offer!.doNotSell,
    degraded,
    models: decision.models,
    policyVersion: 0,
    experiment: null,
    tookMs: performance.now() - started,
    ...(request.explain === true && offer !== null
      ? { explanation: explain(personal ? facts : null, offer, decision.now, dependencies) }
      : {}),
  };
}

function placementOf(id: string, { config }: DecideDependencies): PlacementConfig {
  const placement = config.placements.find((one) => one.id === id);
  if (placement !== undefined) return placement;
  const known = config.placements.map((one) => one.id).join(", ");
  throw new CuecardError("invalid_request", `placement: not declared; there are ${known}`, {
    errors: [{ path: "placement", message: `not declared; there are ${known}` }],
  });
}

/** null: unknown, or the store did not answer in time (then `degraded` says so). */
async function readMember(
  decision: Decision,
  { reader, config }: DecideDependencies,
): Promise<MemberFacts | null> {
  const timeoutMs = Math.max(1, (decision.deadline - performance.now()) * READ_SHARE);
  try {
    const record = await withDeadline(reader.readRef(decision.request.member), timeoutMs);
    return record === null ? null : factsOf(record, decision.now, config);
  } catch (error) {
    if (isCuecardError(error) && error.code !== "store_unavailable") throw error;
    decision.degraded.add("store_unavailable");
    return null;
  }
}

async function scoreOne(
  facts: MemberFacts,
  decision: Decision,
  dependencies: DecideDependencies,
): Promise<Scored> {
  const answer = await scoreMembers([facts], decision.now, dependencies);
  if (answer.degraded !== null) decision.degraded.add(answer.degraded);
  decision.models.heads = answer.version;
  const [scored] = answer.scored;
  dependencies.lastScores.remember(facts.id, facts.stage, scored!.scores);
  return scored!;
}

/** With the store out of reach, the scores computed last for this member, flagged. */
function lastOf(decision: Decision, { lastScores }: DecideDependencies): Scored {
  const { member } = decision.request;
  if (!decision.degraded.has("store_unavailable") || typeof member !== "string")
    return { scores: {} };
  const last = lastScores.of(member);
  if (last === undefined) return { scores: {} };
  decision.degraded.add("last_scores");
  return { scores: last.scores };
}

type Offer = Pick<RecommendationResponse, "suggestions" | "doNotSell">;

/** Guards that turn an answer from selling to helping; null when selling is allowed. */
function careAnswer(
  facts: MemberFacts | null,
  decision: Decision,
  language: Language,
): Offer | null {
  const code = facts === null ? null : careOnly(facts.profile, facts.state);
  if (code !== null) {
    const doNotSell = { code, text: careText(code, language) };
    return { suggestions: [careSuggestion(code, decision, language)], doNotSell };
  }
  if (!decision.degraded.has("store_unavailable") || decision.placement.kind === "web") return null;
  // Guard data is out of reach: outbound is closed, inbound only helps.
  const text =
    language === "zh"
      ? "暂时无法读取会员资料：只提供帮助。"
      : "Member data is out of reach: help only.";
  const doNotSell = { code: "guard_data_unavailable", text };
  const inbound = decision.placement.kind === "inbound";
  return {
    suggestions: inbound ? [careSuggestion("vulnerable", decision, language)] : [],
    doNotSell,
  };
}

function careSuggestion(
  code: string,
  { placement, request }: Decision,
  language: Language,
): Suggestion {
  return {
    rank: 1,
    kind: "care",
    product: null,
    coupon: null,
    channel: placement.kind === "outbound" ? null : (request.channel ?? placement.channel ?? null),
    contactAt: null,
    script: careScript(code, language),
    reasons: [],
  };
}

/** What `explain` tells of. */
export interface OfferTrace extends Offer {
  /** The one the candidates were made from: a newer one may number its products otherwise. */
  readonly snapshot: CatalogSnapshot;
  readonly set: CandidateSet;
  readonly unreached: readonly number[];
  readonly margins: Float32Array | null;
}

async function offers(
  personal: MemberFacts | null,
  facts: MemberFacts | null,
  scoring: Promise<Scored>,
  decision: Decision,
  dependencies: DecideDependencies,
): Promise<OfferTrace> {
  const { config, snapshot, artifacts } = dependencies;
  const { request, placement, now } = decision;
  const current = { snapshot: snapshot(), artifacts: artifacts() ?? NO_ARTIFACTS };
  const candidates: CandidateRequest = {
    history: historyOf(personal?.state ?? EMPTY_STATE, now),
    cart: indices(request.context?.cart, current.snapshot),
    exclude: new Set(indices(request.exclude, current.snapshot)),
    segment: personal?.stage ?? "",
  };
  const set = generateCandidates(candidates, current.artifacts, current.snapshot, CANDIDATE_LIMIT);
  if (set.count === 0) decision.degraded.add("catalog_empty");
  const ranking = rank(candidates, set, decision, current, dependencies);
  const [ranked, scored] = await Promise.all([ranking, scoring]);
  const asked = request.channel ?? null;
  const channels = openChannels(
    config.channels,
    placement,
    asked,
    facts?.profile ?? null,
    facts?.zone ?? null,
  );
  const language = languageOf(facts?.profile?.locale, config.locale);
  const { suggestions, unreached } = suggest({
    ...current,
    config,
    placement,
    facts: personal ?? asStranger(facts),
    request: candidates,
    set,
    propensity: propensityOf(ranked, scored),
    margins: ranked?.margins ?? null,
    channels,
    language,
    limit: request.limit ?? placement.limit,
    now,
  });
  const doNotSell = channels.length === 0 ? noChannel(language) : null;
  const { snapshot: used } = current;
  return {
    suggestions,
    doNotSell,
    snapshot: used,
    set,
    unreached,
    margins: ranked?.margins ?? null,
  };
}

/** Of a member who wants no personal offers only the zone counts: when it is night there. */
const asStranger = (facts: MemberFacts | null): MemberFacts | null =>
  facts === null ? null : { ...facts, state: EMPTY_STATE, stage: "prospect" };

interface Ranked {
  readonly margins: Float32Array;
  readonly calibration: { slope: number; intercept: number } | null;
}

/** Margins of the ranker, one a candidate; null where there is no model or no time for it. */
async function rank(
  request: CandidateRequest,
  set: CandidateSet,
  decision: Decision,
  current: { snapshot: CatalogSnapshot; artifacts: CandidateArtifacts },
  { ranker, onModelError }: DecideDependencies,
): Promise<Ranked | null> {
  if (set.count === 0) return null;
  const lease = ranker.lease();
  if (lease === null) {
    decision.degraded.add("untrained");
    return null;
  }
  try {
    if (decision.deadline - performance.now() < RANKER_MS) {
      decision.degraded.add("budget");
      return null;
    }
    const rows = new Float32Array(set.count * CANDIDATE_FEATURES.length);
    candidateFeatures(set, request, current.artifacts, current.snapshot, rows);
    const { margins } = await lease.scorer.run(rows, set.count);
    decision.models.ranker = lease.manifest.version;
    return { margins, calibration: lease.manifest.calibration?.ranker ?? null };
  } catch (error) {
    onModelError(error);
    decision.degraded.add("model_failed");
    return null;
  } finally {
    lease.release();
  }
}

/**
 * P(buys the product within 30 days) = P(orders within 30 days) × P(the next order holds it), the
 * latter from the ranker's margin by its own calibration. Only calibrated probabilities meet money.
 */
function propensityOf(ranked: Ranked | null, { scores }: Scored): Float64Array | null {
  if (ranked === null || ranked.calibration === null || scores.purchase === undefined) return null;
  const { slope, intercept } = ranked.calibration;
  const propensity = new Float64Array(ranked.margins.length);
  for (let i = 0; i < propensity.length; i++) {
    const margin = ranked.margins[i]!;
    propensity[i] = scores.purchase / (1 + Math.exp(-(slope * margin + intercept)));
  }
  return propensity;
}

const indices = (ids: readonly string[] | undefined, snapshot: CatalogSnapshot): number[] =>
  (ids ?? []).flatMap((id) => snapshot.indexOf.get(id) ?? []);

function noChannel(language: Language): { code: string; text: string } {
  const text =
    language === "zh"
      ? "没有获得同意的联系渠道：不要主动联系。"
      : "No channel this member agreed to: do not contact.";
  return { code: "no_open_channel", text };
}
