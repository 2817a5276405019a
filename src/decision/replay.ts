/**
 * Computes a decision again from its record: on the features, models and artifacts of then, and the
 * catalog and configuration of now. Where those moved since, the answer says so.
 */
import type { CandidateArtifacts } from "../candidates/artifacts.js";
import type { PlacementConfig } from "../config.js";
import { CuecardError, isCuecardError } from "../errors.js";
import type { AliveModel } from "../features/alive.js";
import { decodeState } from "../features/state.js";
import type { Profile } from "../members/profile.js";
import type { ModelLease } from "../scoring/model-slot.js";
import type { RecommendationRequest, RecommendationResponse } from "./answer.js";
import {
  type Decided,
  type DecidingDependencies,
  decideFor,
  type Situation,
} from "./decide-for.js";
import type { MemberFacts } from "./member-scores.js";
import { withContact } from "./promise.js";
import type { Counted, DecisionRecord } from "./record.js";

/** What is kept of earlier versions. Each throws `model_unknown` when it is gone. */
export interface Past {
  heads(version: string): Promise<ModelLease>;
  ranker(version: string): Promise<ModelLease>;
  alive(version: string): Promise<AliveModel>;
  candidates(version: string): Promise<CandidateArtifacts>;
  /** Hash of the configuration of now; see `Versions`. */
  config(): string;
  /** The member's name of now; null: none, or nobody. */
  nameOf(member: string): Promise<string | null>;
}

export interface ReplayDependencies extends DecidingDependencies {
  readonly past: Past;
}

/** Parts of the past that were not at hand: the answer was computed with those of now. */
export type Difference = "catalog" | "config" | "request";

/** `differs` is absent where nothing does: then decisionId and tookMs aside it is what was answered. */
export type Replayed = RecommendationResponse & { differs?: Difference[] };

/** @throws `replay_unavailable`, `store_unavailable` */
export async function replay(
  record: DecisionRecord,
  dependencies: ReplayDependencies,
): Promise<Replayed> {
  const started = performance.now();
  const { answer } = await decideAgain(record, dependencies);
  const differs = differencesOf(record, dependencies);
  return {
    decisionId: record.id,
    ...answer,
    ...contactThen(record),
    tookMs: performance.now() - started,
    ...(differs.length === 0 ? {} : { differs }),
  };
}

/** The place that was reserved with it; whether it is still, the record does not know. */
const contactThen = ({ id, shown, reservedUntil }: DecisionRecord) =>
  withContact(
    reservedUntil === null
      ? null
      : { token: id, channel: shown[0]!.channel!, until: new Date(reservedUntil).toISOString() },
  );

/** `limit`: another one than the request's. */
export async function decideAgain(
  record: DecisionRecord,
  dependencies: ReplayDependencies,
  limit = record.request.limit,
): Promise<Decided> {
  const situation = await situationOf(record, dependencies, limit);
  const { past } = dependencies;
  const { versions } = record;
  const [heads, ranker] = await Promise.all([
    leaseThen("heads", versions.heads, record, past),
    leaseThen("ranker", versions.ranker, record, past),
  ]);
  try {
    const [alive, candidates] = await Promise.all([
      then("alive", versions.alive, past.alive),
      then("candidates", versions.candidates, past.candidates),
    ]);
    return await decideFor(situation, {
      ...dependencies,
      heads: { lease: () => heads },
      ranker: { lease: () => ranker },
      alive: () => alive,
      artifacts: () => candidates,
      // It failed then as well: that is what is shown.
      onModelError: () => undefined,
      onGuardStop: () => undefined,
    });
  } finally {
    heads?.release();
    ranker?.release();
  }
}

async function then<T>(
  name: string,
  version: string | null,
  load: (version: string) => Promise<T>,
): Promise<T | null> {
  if (version === null) return null;
  try {
    return await load(version);
  } catch (error) {
    if (!isCuecardError(error) || !/^model_/.test(error.code)) throw error;
    throw new CuecardError("replay_unavailable", `${name} ${version} is no longer kept`, {
      cause: error,
    });
  }
}

/** The model of then; one that fails where it failed; null where there was none. */
async function leaseThen(
  name: "heads" | "ranker",
  version: string | null,
  { degraded, versions }: DecisionRecord,
  past: Past,
): Promise<ModelLease | null> {
  if (version !== null) return then(name, version, past[name]);
  // Both may be missing for two reasons: then either order gives the same answer.
  const untrained =
    degraded.includes("untrained") &&
    (name === "heads" || versions.heads !== null || !degraded.includes("model_failed"));
  const outOfTime = name === "ranker" && degraded.includes("budget");
  return untrained && !outOfTime ? null : FAILED;
}

/** Stands for a model that failed, or that there was no time for. */
const FAILED: ModelLease = {
  get scorer(): never {
    throw new Error("this model failed when the decision was made");
  },
  get manifest(): never {
    throw new Error("this model failed when the decision was made");
  },
  explainer: () => null,
  release: () => undefined,
};

async function situationOf(
  record: DecisionRecord,
  { config, past }: ReplayDependencies,
  limit: number | undefined,
): Promise<Situation> {
  const { request, degraded, member, counted } = record;
  const placement = config.placements.find(({ id }) => id === request.placement);
  if (placement === undefined) {
    throw new CuecardError(
      "replay_unavailable",
      `placement ${request.placement} is no longer declared`,
    );
  }
  const storeUp = !degraded.includes("store_unavailable");
  return {
    request: requestOf(record, limit),
    placement,
    now: record.at,
    use: useThen(record, placement),
    verdict: record.verdict,
    facts:
      member === null || counted === null
        ? null
        : factsThen(member, counted, record.state, await past.nameOf(member)),
    storeUp,
    lastScores: record.lastScores,
    held: new Map(
      record.held.map(([product, price, coupon]) => [product, { product, price, coupon }]),
    ),
    spentCoupons: new Set(record.withheld),
    askedFor: record.askedFor,
    canHold: storeUp && !degraded.includes("offers_not_held"),
    seed: record.seed,
    timeLeftMs: () => (degraded.includes("budget") ? 0 : Number.POSITIVE_INFINITY),
  };
}

function useThen(
  { request, at, clock }: DecisionRecord,
  { kind, channel }: PlacementConfig,
): Situation["use"] {
  const here = kind === "outbound" ? null : (channel ?? null);
  return {
    kind,
    channel: request.channel ?? here,
    here,
    instants: clock === null ? [at] : [clock, at],
  };
}

function requestOf(
  { member, request }: DecisionRecord,
  limit: number | undefined,
): RecommendationRequest {
  const { placement, channel, cart, page, callReason, callId, exclude, explain } = request;
  return {
    // Somebody without an id was answered as nobody in particular.
    member: member ?? { visitor: "somebody" },
    placement,
    channel,
    context: { cart: cart && [...cart], page, callReason, callId },
    exclude: exclude && [...exclude],
    limit,
    explain,
  };
}

function factsThen(
  id: string,
  counted: Counted,
  state: string | null,
  name: string | null,
): MemberFacts {
  const { stage, zones, jurisdiction, hasProfile, ...rest } = counted;
  const zone = zones.length === 1 ? zones[0]! : null;
  const packed = state === null ? null : Buffer.from(state, "base64");
  const profile: Profile = {
    id,
    createdAt: 0,
    updatedAt: 0,
    ...rest,
    ...(name === null ? {} : { name }),
    ...(zone === null ? {} : { timezone: zone }),
    ...(jurisdiction === null ? {} : { jurisdiction }),
  };
  return {
    id,
    stage,
    zone,
    zones,
    jurisdiction,
    // Nobody is called by a replay, and records name no numbers.
    phone: null,
    packed,
    offers: null,
    state: decodeState(packed),
    profile: hasProfile ? profile : null,
  };
}

export function differencesOf(
  { versions, cut }: DecisionRecord,
  { snapshot, past }: ReplayDependencies,
): Difference[] {
  const differs: Difference[] = [];
  if (snapshot().version !== versions.catalog) differs.push("catalog");
  if (past.config() !== versions.config) differs.push("config");
  const counts = ["exclude", "cart", "attributes", "consents"] as const;
  if (counts.some((part) => cut.includes(part))) differs.push("request");
  return differs;
}
