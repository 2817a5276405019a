/**
 * The screen pop's lookup: a call in, a card out, whatever the call's system sent. It asks the same
 * decision as everyone (through the same guards) and only speaks other formats.
 */
import type { Config } from "../config.js";
import type { RecommendationRequest, RecommendationResponse } from "../decision/answer.js";
import { type PopCall, popCallOf } from "./pop-call.js";
import { formatPop, type PopText } from "./pop-formats.js";

export interface PopParts {
  readonly config: Config;
  recommend(request: RecommendationRequest): Promise<RecommendationResponse>;
  /** Whether somebody is known under this id; false as well where nobody can tell in time. */
  isKnown(member: string): Promise<boolean>;
  /** Told about a card that had to be made without an answer. */
  onError(error: unknown): void;
}

/** Never rejects: where no answer can be had, the card is that of somebody nobody knows. */
export async function pop(
  fields: Readonly<Record<string, unknown>>,
  parts: PopParts,
): Promise<PopText> {
  const call = popCallOf(fields, parts.config.pop);
  try {
    return formatPop(await parts.recommend(await requestOf(call, parts)), call.format);
  } catch (error) {
    parts.onError(error);
    return formatPop(STRANGER, call.format);
  }
}

/** The card of somebody nobody knows, in the format asked. */
export const popFallback = (
  fields: Readonly<Record<string, unknown>>,
  config: Config["pop"],
): PopText => formatPop(STRANGER, popCallOf(fields, config).format);

async function requestOf(call: PopCall, parts: PopParts): Promise<RecommendationRequest> {
  const { placement, budgetMs } = parts.config.pop;
  return {
    ...(await whoCalls(call, parts)),
    placement,
    ...(budgetMs === undefined ? {} : { budgetMs }),
    ...(call.call === null ? {} : { context: { callId: call.call } }),
  };
}

/**
 * The id the call's system knows is believed when it is one of ours; else the number decides. Whichever
 * it is, a no to the other one is a no.
 */
async function whoCalls(
  { member, caller }: PopCall,
  parts: PopParts,
): Promise<Pick<RecommendationRequest, "member" | "alsoNamed">> {
  const number = { phone: caller ?? "anonymous" };
  if (member === null) return { member: number };
  if (caller === null) return { member };
  const isKnown = await parts.isKnown(member);
  return isKnown ? { member, alsoNamed: [number] } : { member: number, alsoNamed: [member] };
}

/** Nobody could be asked in time: help, and offer nothing. */
const STRANGER: RecommendationResponse = {
  decisionId: "",
  member: { id: null, known: false, stage: null, name: null },
  scores: {},
  suggestions: [],
  doNotSell: { code: "guard_data_unavailable", text: "Member data is out of reach: help only." },
  degraded: ["store_unavailable"],
  models: { heads: null, ranker: null },
  policyVersion: 0,
  experiment: null,
  tookMs: 0,
};
