/** One lead as it is answered. */
import { createHash } from "node:crypto";
import type { MemberFacts, Scored } from "../decision/member-scores.js";
import { type Contact, stands } from "../members/contacts.js";
import { dialledParts } from "../members/phone.js";
import type { ContactPolicy } from "../policy/contact-policy.js";
import type { Language } from "../policy/guard-texts.js";
import type { Callable } from "./callable.js";
import { leadReasons } from "./lead-reasons.js";
import type { Lead } from "./rank-answer.js";

/** A member whom every guard let through. */
export interface Found {
  readonly facts: MemberFacts;
  readonly contacts: readonly Contact[];
  /** Shown; null: nothing is trained. */
  readonly score: number | null;
  /** Sorted by: the score, else what rules say. */
  readonly order: number;
  /** Heads of now. */
  readonly scores: Scored["scores"];
  readonly callable: Callable;
}

export interface LeadContext {
  readonly channel: string;
  readonly campaign: string | null;
  /** The channel reaches people by phone: only then is the number given away. */
  readonly usesPhone: boolean;
  readonly language: Language;
  readonly contactPolicy: ContactPolicy;
  /** Epoch milliseconds. */
  readonly now: number;
  readonly scoredAt: number;
}

/** Dialers keep 20 characters of a lead's name. */
const LEAD_ID_BYTES = 12;
const isoOf = (at: number): string => new Date(at).toISOString();

export function leadOf(found: Found, rank: number, context: LeadContext): Lead {
  const { facts, contacts, score, scores, callable } = found;
  const { channel, now, scoredAt } = context;
  const e164 = context.usesPhone ? facts.phone : null;
  const parts = e164 === null ? null : dialledParts(e164);
  const { profile, state } = facts;
  return {
    leadId: leadIdOf(facts.id, channel, context.campaign),
    memberId: facts.id,
    phone_code: parts?.code ?? null,
    phone: parts?.national ?? null,
    e164,
    timezone: facts.zone,
    timezones: [...facts.zones],
    rank,
    score,
    scores,
    scoredAt: isoOf(scoredAt),
    expiresAt: isoOf(callable.until),
    callableFrom: isoOf(callable.from),
    callableUntil: isoOf(callable.until),
    owner: null,
    decisionId: null,
    reasons: leadReasons({ profile, state, contacts }, now, context.language),
    attempts: attemptsOf(contacts, context),
  };
}

/** One member is one lead of a campaign on a channel, however often they are ranked. */
function leadIdOf(memberId: string, channel: string, campaign: string | null): string {
  const digest = createHash("sha256")
    .update(JSON.stringify([memberId, channel, campaign]))
    .digest();
  return `l_${digest.subarray(0, LEAD_ID_BYTES).toString("base64url")}`;
}

/** Contacts on the channel within the longest window any cap of it looks at. */
function attemptsOf(
  contacts: readonly Contact[],
  { channel, contactPolicy, now }: LeadContext,
): number {
  const limits = contactPolicy.limits(channel, null, now);
  const windows = [...limits.member, ...limits.phone].filter(({ counts }) => counts === "contacts");
  const since = Math.min(...windows.map(({ after }) => after));
  return contacts.filter((one) => one.channel === channel && stands(one, now) && one.at > since)
    .length;
}
