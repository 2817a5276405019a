/** A member's own part of a profile: what it says after a write. */
import { latestConsents, latestPhoneMarks } from "./combine-profiles.js";
import { isWordOn } from "./consent-words.js";
import type { Consent, MemberInput, Profile } from "./profile.js";

/** Somebody of whom nothing was written yet: any word written counts as later. */
export const blank = (id: string, input: MemberInput = {}): Profile => ({
  ...input,
  id,
  createdAt: Date.now(),
  updatedAt: 0,
});

/**
 * `base` picks what stays of what was known (PUT: what protects, PATCH: all). Attributes are joined by name,
 * consents by channel and purpose, what was found out of phones by number.
 */
export function writtenPart(
  id: string,
  known: Profile | undefined,
  base: (known: MemberInput) => MemberInput,
  given: MemberInput,
): Profile {
  const { createdAt, updatedAt: _, merged: __, ...rest } = known ?? blank(id);
  const kept = base(rest);
  const attributes = { ...kept.attributes, ...given.attributes };
  const now = Date.now();
  const told = (given.consents ?? []).map((one) => timed(one, rest.consents ?? [], now));
  const consents = latestConsents([...(kept.consents ?? []), ...told]);
  const phoneMarks = latestPhoneMarks([...(kept.phoneMarks ?? []), ...(given.phoneMarks ?? [])]);
  return {
    ...kept,
    ...given,
    ...(Object.keys(attributes).length === 0 ? {} : { attributes }),
    ...(consents === undefined ? {} : { consents }),
    ...(phoneMarks === undefined ? {} : { phoneMarks }),
    id,
    createdAt: known === undefined ? now : createdAt,
    updatedAt: now,
  };
}

/**
 * A word without a time is of now. Not so a yes to what there is a word on already: lists are sent again
 * every night, and one that still says yes must not lift what the member told us since.
 */
function timed(word: Consent, known: readonly Consent[], now: number): Consent {
  if (word.at !== undefined) return word;
  if (word.status !== "granted") return { ...word, at: now };
  const { channel, purpose } = word;
  const before = known.filter((one) => isWordOn(one, channel, purpose));
  if (before.length === 0) return { ...word, at: now };
  const latest = Math.max(...before.map(({ at = 0 }) => at));
  return latest === 0 ? word : { ...word, at: latest };
}

/**
 * What a PUT leaves of what was known: words of refusal, which only a later consent lifts, and whatever
 * else protects the member, which only a word against it lifts (`false`, `on`, `confirmed`).
 */
export function protectionOf(known: MemberInput): MemberInput {
  const refusals = known.consents?.filter(({ status }) => status !== "granted") ?? [];
  return {
    ...(refusals.length === 0 ? {} : { consents: refusals }),
    ...(known.phoneMarks === undefined ? {} : { phoneMarks: known.phoneMarks }),
    ...(known.doNotContact === true ? { doNotContact: true } : {}),
    ...(known.vulnerable === true ? { vulnerable: true } : {}),
    ...(known.personalization === "off" ? { personalization: "off" } : {}),
  };
}
