/** Scores of members: hydrate at `now`, one ONNX run for all of them. */
import type { Config } from "../config.js";
import { type AliveModel, probabilityAlive } from "../features/alive.js";
import type { FeatureSchema } from "../features/feature-schema.js";
import { aliveSummaryOf } from "../features/orders.js";
import { type Stage, stageOf } from "../features/stage.js";
import { decodeState, type FeatureState } from "../features/state.js";
import type { MemberRecord } from "../members/member-store.js";
import type { Profile } from "../members/profile.js";
import { zonesOf } from "../members/timezone.js";
import { jurisdictionOf } from "../policy/consent.js";
import { phoneOf } from "../policy/guards.js";
import { hydrateContext } from "../scoring/hydrate-context.js";
import type { ModelSlot } from "../scoring/model-slot.js";
import type { Scores } from "./answer.js";

/** Columns of the heads model, in the order serving reads them. */
export const HEADS = ["purchase", "purchase7", "churn"] as const;

/** Share of an order's money taken for earned where no product's margin says better. */
const ASSUMED_MARGIN_SHARE = 0.3;

/** A member as one request sees them: decoded once. */
export interface MemberFacts {
  readonly id: string;
  readonly profile: Profile | null;
  readonly state: FeatureState;
  /** The state as it was read; null: there is none yet. */
  readonly packed: Buffer | null;
  /** Offers shown before, as they were read. */
  readonly offers: Buffer | null;
  readonly stage: Stage;
  /** The one zone they are in, for display; null where it may be several. */
  readonly zone: string | null;
  /** Every zone they may be in; [] = unknown. */
  readonly zones: readonly string[];
  /** Whose law counts, `US-FL` or `CN`; null = unknown. */
  readonly jurisdiction: string | null;
  /**
   * E.164 of the number they would be called on, and no other: the one they were asked for by, else the
   * first in use; null: none. What counts contacts, reserves places and dials takes it from here.
   */
  readonly phone: string | null;
}

export interface Scored {
  readonly scores: Scores;
  readonly expectedValue?: number;
}

export interface HeadsAnswer {
  readonly scored: readonly Scored[];
  readonly version: string | null;
  readonly degraded: "untrained" | "model_failed" | null;
}

export interface ScoringDependencies {
  readonly config: Config;
  readonly schema: FeatureSchema;
  readonly heads: Pick<ModelSlot, "lease">;
  alive(): AliveModel | null;
  /** Told about a model that failed while serving; the answer degrades. */
  onModelError(error: unknown): void;
}

/** `asked`: the number they were asked for by. */
export function factsOf(
  record: MemberRecord,
  now: number,
  config: Config,
  asked: string | null = null,
): MemberFacts {
  const state = decodeState(record.state);
  const { profile, id } = record;
  const zones = zonesOf(profile);
  return {
    id,
    profile,
    state,
    packed: record.state,
    offers: record.offers,
    stage: stageOf(state, now, config.stages),
    zone: zones.length === 1 ? zones[0]! : null,
    zones,
    jurisdiction: jurisdictionOf(profile),
    phone: asked ?? phoneOf(profile),
  };
}

/** One feature vector a member, row after row. */
export function hydrateRows(
  members: readonly MemberFacts[],
  now: number,
  { schema, config, alive }: ScoringDependencies,
): Float32Array {
  const rows = new Float32Array(members.length * schema.length);
  const model = alive();
  members.forEach(({ state, profile }, i) => {
    const context = hydrateContext(profile, now, model, config.timezone);
    schema.hydrate(state, context, rows, i * schema.length);
  });
  return rows;
}

function aliveOf(facts: MemberFacts, now: number, model: AliveModel | null): Scores {
  if (model === null || facts.state.orders.count === 0) return {};
  return { alive: probabilityAlive(model, aliveSummaryOf(facts.state.orders, now)) };
}

/** Chance of an order within 30 days times what this member's orders usually earn, major unit. */
function expectedValueOf({ state }: MemberFacts, purchase: number): number {
  const { count, grossMilli } = state.orders;
  return count === 0 ? 0 : purchase * (grossMilli / 1000 / count) * ASSUMED_MARGIN_SHARE;
}

/** Probabilities are absent until a model is trained on this store's own data. */
export async function scoreMembers(
  members: readonly MemberFacts[],
  now: number,
  dependencies: ScoringDependencies,
): Promise<HeadsAnswer> {
  const model = dependencies.alive();
  const plain = (): Scored[] => members.map((facts) => ({ scores: aliveOf(facts, now, model) }));
  const lease = dependencies.heads.lease();
  if (lease === null) return { scored: plain(), version: null, degraded: "untrained" };
  try {
    const rows = hydrateRows(members, now, dependencies);
    const { probabilities } = await lease.scorer.run(rows, members.length);
    const { version } = lease.manifest;
    const scored = members.map((facts, i): Scored => {
      const [purchase, purchase7, churn] = probabilities!.subarray(i * HEADS.length);
      // A prospect has no orders to stop: churn is not asked of them.
      const churns = facts.state.orders.count === 0 ? {} : { churn };
      const scores = { purchase, purchase7, ...churns, ...aliveOf(facts, now, model) };
      return { scores, expectedValue: expectedValueOf(facts, purchase!) };
    });
    return { scored, version, degraded: null };
  } catch (error) {
    dependencies.onModelError(error);
    return { scored: plain(), version: null, degraded: "model_failed" };
  } finally {
    lease.release();
  }
}
