/** Everything one decision needs that is read: person, guards' verdict, clock, what is left of the budget. */
import { createHash } from "node:crypto";
import type { Config, PlacementConfig } from "../config.js";
import { CuecardError, isCuecardError } from "../errors.js";
import { newDecisionId } from "../members/decision-id.js";
import { identityOf } from "../members/identity.js";
import { decodeOffers, holdingAt } from "../members/sticky-offers.js";
import { dueLater } from "../policy/contact-policy.js";
import {
  asksForNumber,
  type GuardRules,
  type GuardSubject,
  type GuardUse,
  guardFirst,
} from "../policy/guards.js";
import { withDeadline } from "../redis/clients.js";
import { hash32, partitionOf } from "../redis/keys.js";
import type { RecommendationRequest } from "./answer.js";
import type { Situation } from "./decide-for.js";
import type { LastScores } from "./last-scores.js";
import { OUT_OF_REACH, type Person, type PersonDependencies, readPerson } from "./read-person.js";

export interface GatherDependencies extends PersonDependencies {
  readonly lastScores: LastScores;
  readonly rules: GuardRules;
  /** The real time, epoch milliseconds; Date.now where a test gives none. */
  clock?(): number;
}

/** One decision under way. */
export interface Open {
  readonly id: string;
  /** Whose it is: a member's id, else what stands for somebody unknown. */
  readonly holder: string;
  readonly dryRun: boolean;
  /** Whom the guards were asked about. */
  readonly subject: GuardSubject;
  readonly situation: Situation;
}

/** Time kept for everything behind the member read, so that a slow store cannot eat the budget. */
const READ_SHARE = 0.6;
const NONE_SPENT: ReadonlySet<string> = new Set();

/** `started`: of the request, as performance.now. */
export async function gather(
  request: RecommendationRequest,
  started: number,
  dependencies: GatherDependencies,
): Promise<Open> {
  const { config, lastScores, rules } = dependencies;
  const { member } = request;
  const placement = placementOf(request.placement, dependencies);
  const clock = dependencies.clock?.() ?? Date.now();
  const now = request.context?.now ?? clock;
  const use = useOf(request, placement, clock, now);
  const deadline = started + (request.budgetMs ?? config.budgetMs);
  const timeLeftMs = (): number => deadline - performance.now();
  const openWith = (
    { facts, subject }: Person,
    read: Pick<Situation, "storeUp" | "lastScores" | "canHold">,
  ): Open => {
    const holder = facts?.id ?? (typeof member === "string" ? member : strangerOf(member, config));
    const id = newDecisionId(partitionOf(holder), clock);
    const verdict = guardFirst(subject, use, rules);
    const held = holdingAt(decodeOffers(facts?.offers ?? null), now);
    const seed = hash32(id);
    const due = use.kind === "outbound" ? dueLater(subject.contacts, now) : null;
    // Written out: spreading fields into one another costs microseconds, here and wherever it is read.
    const situation: Situation = {
      request,
      placement,
      now,
      facts,
      storeUp: read.storeUp,
      use,
      verdict,
      lastScores: read.lastScores,
      held,
      canHold: read.canHold,
      spentCoupons: NONE_SPENT,
      askedFor: due?.offer ?? null,
      seed,
      timeLeftMs,
    };
    return { id, holder, dryRun: request.context?.now != null, subject, situation };
  };
  try {
    const timeoutMs = Math.max(1, timeLeftMs() * READ_SHARE);
    const refs = [member, ...(request.alsoNamed ?? [])] as const;
    const reading = readPerson(refs, now, asksForNumber(use, rules), dependencies);
    const person = await withDeadline(reading, timeoutMs);
    return openWith(person, { storeUp: true, lastScores: null, canHold: true });
  } catch (error) {
    if (isCuecardError(error) && error.code !== "store_unavailable") throw error;
    const last = typeof member === "string" ? lastScores.of(member)?.scores : undefined;
    return openWith(OUT_OF_REACH, { storeUp: false, lastScores: last ?? null, canHold: false });
  }
}

/**
 * Another decision about the same, as it is known now. It has an id of its own: what was taken under
 * the one before may be given back late.
 */
export function knowing(
  open: Open,
  situation: Situation,
  { clock }: Pick<GatherDependencies, "clock">,
): Open {
  const id = newDecisionId(partitionOf(open.holder), clock?.() ?? Date.now());
  return { ...open, id, situation: { ...situation, seed: hash32(id) } };
}

/**
 * Stands for somebody who is known by no id, without naming them: one for every notation of a number. What
 * is no number (withheld, impossible) stands for itself.
 */
export function strangerOf(
  ref: Exclude<RecommendationRequest["member"], string>,
  { defaultRegion }: Pick<Config, "defaultRegion">,
): string {
  const named = identityOf(ref, defaultRegion);
  const name = JSON.stringify(named !== null && "identity" in named ? named.identity : ref);
  return `~${createHash("sha256").update(name).digest("base64url").slice(0, 22)}`;
}

/** What the guards are asked: the channel wanted, else where the member is; both clocks there are. */
function useOf(
  { channel }: RecommendationRequest,
  placement: PlacementConfig,
  clock: number,
  now: number,
): GuardUse {
  const here = placement.kind === "outbound" ? null : (placement.channel ?? null);
  const instants = now === clock ? [clock] : [clock, now];
  return { kind: placement.kind, channel: channel ?? here, here, instants };
}

function placementOf(id: string, { config }: Pick<GatherDependencies, "config">): PlacementConfig {
  const placement = config.placements.find((one) => one.id === id);
  if (placement !== undefined) return placement;
  const known = config.placements.map((one) => one.id).join(", ");
  throw new CuecardError("invalid_request", `placement: not declared; there are ${known}`, {
    errors: [{ path: "placement", message: `not declared; there are ${known}` }],
  });
}
