/**
 * Experiments: who is in which arm, what that changes about a decision, and the draw that lets later
 * estimates see what the usual order never shows. Pure; the same in every process and at any time.
 */
import { type Experiment, HOLDOUT, type Treatment } from "../catalog/experiment.js";
import type { Config, PlacementConfig } from "../config.js";
import type { Stage } from "../features/stage.js";
import { hash32 } from "../redis/keys.js";
import type { RecommendationResponse } from "./answer.js";
import type { Language } from "./script.js";

/** What an arm follows from, beside the member. */
export type Shares = Pick<Experiment, "id" | "arms" | "holdout" | "period">;

const ARM_SEED = 0x51ed270b;
const RANGE = 2 ** 32;

/** The stretch of time one assignment lasts: "" for always, "2026-05", "2026-Q2"; months of UTC. */
export function periodOf(period: Experiment["period"], at: number): string {
  if (period === "always") return "";
  const date = new Date(at);
  const year = date.getUTCFullYear();
  const month = date.getUTCMonth();
  if (period === "quarter") return `${year}-Q${Math.floor(month / 3) + 1}`;
  return `${year}-${String(month + 1).padStart(2, "0")}`;
}

/**
 * The arm `memberId` is in at `at` (epoch milliseconds): `holdout`, an arm's name, or null for who
 * takes no part. A point in [0, 1) is hashed from experiment, period and member; the hold-out takes
 * the first part of that range and the arms theirs behind it, in order.
 */
export function armOf(experiment: Shares, memberId: string, at: number): string | null {
  const { id, holdout, arms, period } = experiment;
  // No id has a control character in it, so no two triples read alike.
  const point = hash32(`${id}\n${periodOf(period, at)}\n${memberId}`, ARM_SEED) / RANGE;
  if (point < holdout) return HOLDOUT;
  let end = holdout;
  for (const { name, share } of arms) {
    end += share;
    if (point < end) return name;
  }
  return null;
}

/** The permanent hold-out as an experiment of its own; everyone else is its one arm. */
export const permanentHoldout = ({ experiments }: Pick<Config, "experiments">): Shares => ({
  id: HOLDOUT,
  holdout: experiments.holdoutShare,
  arms: [{ name: "everyone", share: 1 - experiments.holdoutShare, treatment: {} }],
  period: "always",
});

export const isHeldOut = (memberId: string, config: Pick<Config, "experiments">): boolean =>
  config.experiments.holdoutShare > 0 && armOf(permanentHoldout(config), memberId, 0) === HOLDOUT;

export interface Assignment {
  readonly name: string;
  readonly arm: string;
}

/** What experiments leave of a decision: never more than it had without them. */
export interface TreatmentInForce {
  /** The hold-out, else the first by id of those the member takes part in. */
  readonly assignment: Assignment | null;
  /** Nothing proactive: outbound none, else the answer everyone gets. */
  readonly hold: boolean;
  /** false: no coupon. */
  readonly coupons: boolean;
  /** Channels that contacts we start may use; null: as the guards say. */
  readonly channels: ReadonlySet<string> | null;
  /** Share of decisions whose first place is drawn. */
  readonly explorationShare: number;
}

export interface Assigning {
  readonly experiments: readonly Experiment[];
  readonly config: Pick<Config, "experiments" | "exploration">;
}

function isRunning(
  { active, from, until, placements, stages }: Experiment,
  stage: Stage,
  placement: string,
  now: number,
): boolean {
  if (!active || placements?.includes(placement) === false) return false;
  if (stages?.includes(stage) === false) return false;
  if (from !== undefined && now < Date.parse(from)) return false;
  return until === undefined || now < Date.parse(until);
}

const treatmentOf = ({ arms }: Experiment, arm: string): Treatment =>
  arm === HOLDOUT ? { hold: true } : arms.find(({ name }) => name === arm)!.treatment;

/**
 * What is done to this member here and now. Experiments do not know of each other: whoever is in
 * several gets what all of them allow. Somebody unknown (null) is in none.
 */
export function treatmentFor(
  who: { readonly id: string; readonly stage: Stage } | null,
  placement: string,
  now: number,
  { experiments, config }: Assigning,
): TreatmentInForce {
  const usual = { hold: false, coupons: true, channels: null };
  const explorationShare = config.exploration.share;
  if (who === null) return { assignment: null, explorationShare, ...usual };
  if (isHeldOut(who.id, config)) {
    const assignment = { name: HOLDOUT, arm: HOLDOUT };
    return { ...usual, assignment, hold: true, explorationShare: 0 };
  }
  const taking: { assignment: Assignment; treatment: Treatment }[] = [];
  for (const experiment of experiments) {
    if (!isRunning(experiment, who.stage, placement, now)) continue;
    const arm = armOf(experiment, who.id, now);
    if (arm === null) continue;
    const assignment = { name: experiment.id, arm };
    taking.push({ assignment, treatment: treatmentOf(experiment, arm) });
  }
  const treatments = taking.map(({ treatment }) => treatment);
  const lists = treatments.flatMap(({ channels }) => (channels === undefined ? [] : [channels]));
  const [first, ...others] = lists;
  const explores = treatments.map(({ explore }) => explore);
  return {
    assignment: taking[0]?.assignment ?? null,
    hold: treatments.some(({ hold }) => hold === true),
    coupons: treatments.every(({ coupons }) => coupons !== false),
    channels:
      first === undefined
        ? null
        : new Set(first.filter((id) => others.every((list) => list.includes(id)))),
    explorationShare: explores.includes(false) ? 0 : explores.includes(true) ? 1 : explorationShare,
  };
}

/** What goes out to somebody held out: nothing; null where the usual answer is right. */
export function heldOut(
  { hold }: TreatmentInForce,
  { kind }: Pick<PlacementConfig, "kind">,
  language: Language,
): Pick<RecommendationResponse, "suggestions" | "doNotSell"> | null {
  if (!hold || kind !== "outbound") return null;
  const text =
    language === "zh"
      ? "该会员属于对照组：不要主动联系。"
      : "This member is in a control group: do not contact.";
  return { suggestions: [], doNotSell: { code: "held_out", text } };
}

/** How many of the first may be drawn. */
export const DRAWN_AMONG = 3;

export interface Drawn<T> {
  readonly order: readonly T[];
  /** The chance this order had of being shown. */
  readonly propensity: number;
}

/**
 * In `share` of decisions the first place is drawn uniformly among the first three; whatever is drawn
 * moves to the front, the others keep their order. `seed` (0 … 2³²−1) decides, so that the same
 * decision draws the same again.
 */
export function drawAmongTop<T>(ranked: readonly T[], seed: number, share: number): Drawn<T> {
  const among = Math.min(DRAWN_AMONG, ranked.length);
  if (among < 2 || share <= 0) return { order: ranked, propensity: 1 };
  const point = seed / RANGE;
  // Below `share` the point is uniform again.
  const drawn = point < share ? Math.floor((point / share) * among) : 0;
  const order =
    drawn === 0 ? ranked : [ranked[drawn]!, ...ranked.slice(0, drawn), ...ranked.slice(drawn + 1)];
  return { order, propensity: share / among + (drawn === 0 ? 1 - share : 0) };
}
