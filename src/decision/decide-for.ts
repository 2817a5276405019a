/**
 * One decision as a function: of the request, the member's facts, the models, artifacts and catalog
 * of this instant, and `now`. It reads no store and no clock and draws no lots, so that the same
 * inputs give the same answer again.
 */
import { type CandidateArtifacts, emptyArtifacts } from "../candidates/artifacts.js";
import { CANDIDATE_LIMIT, generateCandidates } from "../candidates/generate.js";
import type { CandidateRequest, CandidateSet } from "../candidates/source.js";
import type { CatalogSnapshot } from "../catalog/snapshot.js";
import type { Config, PlacementConfig } from "../config.js";
import { historyOf } from "../features/member-history.js";
import { EMPTY_STATE } from "../features/state.js";
import type { HeldOffer } from "../members/sticky-offers.js";
import { guardLast } from "../policy/guard-last.js";
import { type BarCode, barText } from "../policy/guard-texts.js";
import type { GuardRules, GuardUse, Verdict } from "../policy/guards.js";
import type { ModelSlot } from "../scoring/model-slot.js";
import {
  type DegradedReason,
  degradedReasons,
  type RecommendationRequest,
  type RecommendationResponse,
  type Scores,
  type Suggestion,
} from "./answer.js";
import { boughtLately } from "./bought-lately.js";
import { openChannels } from "./channel.js";
import {
  DRAWN_AMONG,
  drawAmongTop,
  heldOut,
  type TreatmentInForce,
  treatmentFor,
} from "./experiments.js";
import { explain } from "./explain.js";
import {
  type MemberFacts,
  type Scored,
  type ScoringDependencies,
  scoreMembers,
} from "./member-scores.js";
import { propensityOf, rank } from "./rank.js";
import { careScript, type Language, languageOf } from "./script.js";
import { suggest } from "./suggest.js";

/** The versions a decision is made with. */
export interface DecidingDependencies extends ScoringDependencies {
  readonly ranker: Pick<ModelSlot, "lease">;
  snapshot(): CatalogSnapshot;
  artifacts(): CandidateArtifacts | null;
  readonly rules: GuardRules;
  /** Told the guard that stopped something at the last look: a fault of ours. */
  onGuardStop(guard: number): void;
}

/** What one decision is about: gathered before, changed by nothing. */
export interface Situation {
  readonly request: RecommendationRequest;
  readonly placement: PlacementConfig;
  /** Epoch milliseconds. */
  readonly now: number;
  /** null: nobody is known under the reference, or the store did not answer. */
  readonly facts: MemberFacts | null;
  /** false: nothing could be read, so the guards do not know whom they protect. */
  readonly storeUp: boolean;
  /** What the guards were asked, and said. */
  readonly use: GuardUse;
  readonly verdict: Verdict;
  /** Computed before for this member; used only while the store is out of reach. */
  readonly lastScores: Scores | null;
  /** Offers this member was shown that hold at `now`, by product. */
  readonly held: ReadonlyMap<string, HeldPrice>;
  /** false: nothing new can be promised, so no coupon is shown that does not hold already. */
  readonly canHold: boolean;
  /** Limited coupons that are not to be had: none is left, or the member has had theirs. */
  readonly spentCoupons: ReadonlySet<string>;
  /** The product they asked to hear of later, now that it is time; null: none. */
  readonly askedFor: string | null;
  /** All that is drawn is drawn from this; 0 … 2³²−1. */
  readonly seed: number;
  /** Asked once, before the ranker would start. */
  timeLeftMs(): number;
}

/** What a member was shown of a product, and is to be shown again. */
export type HeldPrice = Pick<HeldOffer, "product" | "price" | "coupon">;

/** The answer but for its id, the contact reserved for it, and how long it took. */
export type Answer = Omit<RecommendationResponse, "decisionId" | "contact" | "tookMs">;

export interface Decided {
  readonly answer: Answer;
  /** null: nothing was to be offered. */
  readonly trace: OfferTrace | null;
  /** Version of the catalog. */
  readonly catalog: number;
}

const NO_ARTIFACTS = emptyArtifacts();
const NOTHING_HELD: ReadonlyMap<string, HeldPrice> = new Map();

/** A situation and what became of it so far. */
export interface Draft extends Situation {
  readonly treatment: TreatmentInForce;
  readonly degraded: Set<DegradedReason>;
  readonly models: { heads: string | null; ranker: string | null };
}

/**
 * Everything of a moment is taken before the first wait: a model or catalog that is swapped meanwhile
 * does not mix with the one before.
 */
export async function decideFor(
  situation: Situation,
  dependencies: DecidingDependencies,
): Promise<Decided> {
  const { request, facts, placement, now } = situation;
  const pinned = pin(dependencies);
  const { experiments } = pinned.snapshot();
  const assigning = { experiments, config: pinned.config };
  const treatment = treatmentFor(facts, placement.id, now, assigning);
  const decision: Draft = {
    ...situation,
    treatment,
    degraded: new Set([
      ...(situation.storeUp ? [] : (["store_unavailable"] as const)),
      ...(situation.canHold || !situation.storeUp ? [] : (["offers_not_held"] as const)),
    ]),
    models: { heads: null, ranker: null },
  };
  const personal = facts !== null && situation.verdict.personal && !treatment.hold;
  // Awaited behind the ranker: neither model needs the other, and so both run in the same turn.
  const scoring = personal ? scoreOne(facts, decision, pinned) : Promise.resolve(lastOf(decision));
  const language = languageOf(facts?.profile?.locale, pinned.config.locale);
  const care = careAnswer(decision, language) ?? heldOut(treatment, placement, language);
  const trace =
    care === null ? await offers(personal ? facts : null, facts, scoring, decision, pinned) : null;
  const { scores } = await scoring;
  const answer: Answer = {
    member: {
      id: facts?.id ?? (typeof request.member === "string" ? request.member : null),
      known: facts !== null,
      stage: facts?.stage ?? null,
      name: facts?.profile?.name ?? null,
    },
    scores,
    suggestions: care?.suggestions ?? trace!.suggestions,
    doNotSell: care?.doNotSell ?? trace!.doNotSell,
    // In one order, whichever model failed first.
    degraded: degradedReasons.filter((reason) => decision.degraded.has(reason)),
    models: decision.models,
    ...(situation.verdict.bars.length === 0 ? {} : { blocked: blockedOf(situation.verdict) }),
    policyVersion: 0,
    experiment: treatment.assignment,
    ...(request.explain === true && trace !== null
      ? { explanation: explain(trace, decision.models, now, language, pinned) }
      : {}),
  };
  return { answer, trace, catalog: pinned.snapshot().version };
}

const blockedOf = ({ bars }: Verdict): NonNullable<RecommendationResponse["blocked"]> =>
  bars.map(({ guard, code, channel, until }) => ({
    guard,
    code,
    channel,
    until: until === null ? null : new Date(until).toISOString(),
  }));

/** The same models, artifacts and catalog from the first look to the last. */
function pin(dependencies: DecidingDependencies): DecidingDependencies {
  const [alive, snapshot, artifacts] = [
    dependencies.alive(),
    dependencies.snapshot(),
    dependencies.artifacts(),
  ];
  return {
    ...dependencies,
    alive: () => alive,
    snapshot: () => snapshot,
    artifacts: () => artifacts,
  };
}

async function scoreOne(
  facts: MemberFacts,
  decision: Draft,
  dependencies: DecidingDependencies,
): Promise<Scored> {
  const answer = await scoreMembers([facts], decision.now, dependencies);
  if (answer.degraded !== null) decision.degraded.add(answer.degraded);
  decision.models.heads = answer.version;
  return answer.scored[0]!;
}

/** With the store out of reach, the scores computed last for this member, flagged. */
function lastOf({ storeUp, lastScores, degraded }: Draft): Scored {
  if (storeUp || lastScores === null) return { scores: {} };
  degraded.add("last_scores");
  return { scores: lastScores };
}

type Offer = Pick<RecommendationResponse, "suggestions" | "doNotSell">;

/** Where the guards say to help, that and why; null when selling is allowed. */
function careAnswer({ verdict, placement, request }: Draft, language: Language): Offer | null {
  const code = verdict.care;
  if (code === null) return null;
  const doNotSell = { code, text: barText(code, language) };
  // Nobody is called to be told that we are sorry.
  if (placement.kind === "outbound") return { suggestions: [], doNotSell };
  const care: Suggestion = {
    rank: 1,
    kind: "care",
    product: null,
    coupon: null,
    // Said where they are: help is no reason to reach out on a channel that may be closed to us.
    channel: placement.channel ?? request.channel ?? null,
    contactAt: null,
    script: careScript(code, language),
    reasons: [],
  };
  return { suggestions: [care], doNotSell };
}

/** What `explain` tells of. */
export interface OfferTrace extends Offer {
  /** Whoever went into it; null: nothing of a member did. */
  readonly personal: MemberFacts | null;
  /** The one the candidates were made from: a newer one may number its products otherwise. */
  readonly snapshot: CatalogSnapshot;
  readonly set: CandidateSet;
  /** What the candidates were proposed from. */
  readonly request: CandidateRequest;
  readonly artifacts: CandidateArtifacts;
  readonly unreached: readonly number[];
  readonly margins: Float32Array | null;
  /** The chance this order had; 1: nothing was drawn. */
  readonly drawn: number;
  /** Limited coupons among these were not to be newly shown. */
  readonly withheld: ReadonlySet<string>;
}

async function offers(
  personal: MemberFacts | null,
  facts: MemberFacts | null,
  scoring: Promise<Scored>,
  decision: Draft,
  dependencies: DecidingDependencies,
): Promise<OfferTrace> {
  const { config, snapshot, artifacts } = dependencies;
  const { request, placement, verdict, treatment, now } = decision;
  const current = { snapshot: snapshot(), artifacts: artifacts() ?? NO_ARTIFACTS };
  const candidates = candidateRequestOf(personal, decision, current.snapshot, config.offers);
  const set = generateCandidates(candidates, current.artifacts, current.snapshot, CANDIDATE_LIMIT);
  if (set.count === 0) decision.degraded.add("catalog_empty");
  const ranking = rank(candidates, set, decision, current, dependencies);
  const [ranked, scored] = await Promise.all([ranking, scoring]);
  const channels = openChannels(config.channels, placement.kind, verdict.open).filter(
    ({ id }) => placement.kind !== "outbound" || treatment.channels?.has(id) !== false,
  );
  const language = languageOf(facts?.profile?.locale, config.locale);
  const limit = request.limit ?? placement.limit;
  const askedFor = personal === null ? null : decision.askedFor;
  // Nothing is drawn for whoever gets what everyone gets, or what they asked for.
  const explorationShare = personal === null || askedFor !== null ? 0 : treatment.explorationShare;
  // Of somebody who wants no personal offers nothing is remembered: everyone's price it is. Whoever is
  // held out was promised what they were promised.
  const held = verdict.personal ? decision.held : NOTHING_HELD;
  const withheld = withheldOf(decision.spentCoupons, held);
  const { suggestions: chosen, unreached } = suggest({
    config,
    placement,
    facts: personal ?? asStranger(facts),
    snapshot: current.snapshot,
    artifacts: current.artifacts,
    request: candidates,
    set,
    propensity: propensityOf(ranked, scored),
    margins: ranked?.margins ?? null,
    held,
    // No experiment chooses coupons where everybody gets the same (guard 7), nor where they are not
    // chosen person by person (guard 10).
    newCoupons: decision.canHold && (treatment.coupons || !mayDiffer(verdict)),
    limitedCoupons: personal !== null,
    withheld,
    askedFor,
    channels,
    language,
    limit: explorationShare > 0 ? Math.max(limit, DRAWN_AMONG) : limit,
    now,
    instants: decision.use.instants,
  });
  const passed = lastLook(chosen, decision, held, facts, current.snapshot, dependencies);
  const { order, propensity: drawn } = drawAmongTop(passed, decision.seed, explorationShare);
  const suggestions = numbered(order.slice(0, limit));
  const doNotSell = channels.length === 0 ? closed(verdict, language) : null;
  const { snapshot: used } = current;
  return {
    personal,
    suggestions,
    doNotSell,
    snapshot: used,
    request: candidates,
    artifacts: current.artifacts,
    set,
    unreached,
    margins: ranked?.margins ?? null,
    drawn,
    withheld,
  };
}

/** While they hold one of a limited coupon, no second is issued. */
function withheldOf(
  spent: ReadonlySet<string>,
  held: ReadonlyMap<string, HeldPrice>,
): ReadonlySet<string> {
  if (held.size === 0) return spent;
  return new Set([...spent, ...[...held.values()].flatMap(({ coupon }) => coupon ?? [])]);
}

function candidateRequestOf(
  personal: MemberFacts | null,
  { request, verdict, now }: Draft,
  snapshot: CatalogSnapshot,
  { boughtRestHours }: Config["offers"],
): CandidateRequest {
  const history = historyOf(personal?.state ?? EMPTY_STATE, now);
  const excluded = indices([...(request.exclude ?? []), ...verdict.barredOffers], snapshot);
  return {
    history,
    cart: indices(request.context?.cart, snapshot),
    exclude: new Set([...excluded, ...boughtLately(history, snapshot, boughtRestHours)]),
    segment: personal?.stage ?? "",
  };
}

/** Whether one person may be offered other coupons than the next. */
const mayDiffer = ({ personal, personalCoupons }: Verdict): boolean => personal && personalCoupons;

const numbered = (order: readonly Suggestion[]): Suggestion[] =>
  order.map((one, i) => (one.rank === i + 1 ? one : { ...one, rank: i + 1 }));

/** Of a member who wants no personal offers only the zone counts: when it is night there. */
const asStranger = (facts: MemberFacts | null): MemberFacts | null =>
  facts === null ? null : { ...facts, state: EMPTY_STATE, stage: "prospect" };

const indices = (ids: readonly string[] | undefined, snapshot: CatalogSnapshot): number[] =>
  (ids ?? []).flatMap((id) => snapshot.indexOf.get(id) ?? []);

/** Nothing leaves that the guards would not let out; whatever they stop here should not have come so far. */
function lastLook(
  chosen: readonly Suggestion[],
  { verdict, use }: Draft,
  held: ReadonlyMap<string, HeldPrice>,
  facts: MemberFacts | null,
  { coupons }: CatalogSnapshot,
  { rules, onGuardStop }: DecidingDependencies,
): Suggestion[] {
  const subject = { zones: facts?.zones ?? [], jurisdiction: facts?.jurisdiction ?? null };
  const look = { verdict, use, rules, subject, coupons, held };
  const { passed, stopped } = guardLast(chosen, look);
  for (const guard of stopped) onGuardStop(guard);
  return passed;
}

/** One word where one thing closed every channel, else that none is open. */
function closed({ bars }: Verdict, language: Language): { code: BarCode; text: string } {
  const codes = new Set(bars.map(({ code }) => code));
  const [first = "no_open_channel"] = codes;
  const code = codes.size === 1 ? first : "no_open_channel";
  return { code, text: barText(code, language) };
}
