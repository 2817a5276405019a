/** Whether a member agreed: by channel, purpose and jurisdiction, on the latest word we have. */
import type { ChannelConfig } from "../config.js";
import { latestConsents } from "../members/combine-profiles.js";
import { isWordOn } from "../members/consent-words.js";
import { regionOfPhone } from "../members/phone-zones.js";
import type { Consent, Profile } from "../members/profile.js";
import { countryOf } from "./calling-window.js";

export type ConsentBar = "consent_missing" | "consent_refused";

const WRITTEN = /^[A-Z]{2}(-[A-Z0-9]{1,3})?$/;
const read = new Map<string, string | null>();
/** What stands there comes from members' records. */
const READ_MAX = 1000;

/** What a record says in this field, as `CN` or `US-FL`; null for what cannot be read as either. */
function written(text: string | undefined): string | null {
  if (text === undefined) return null;
  const known = read.get(text);
  if (known !== undefined) return known;
  const upper = text.trim().toUpperCase().replace("_", "-");
  const jurisdiction = WRITTEN.test(upper) ? upper : null;
  if (read.size >= READ_MAX) read.clear();
  read.set(text, jurisdiction);
  return jurisdiction;
}

/** China wherever one of the phones is Chinese: it asks the most. Else the main phone's. */
function ofPhones(profile: Profile | null): string | null {
  if (profile === null) return null;
  const { phone, phones = [] } = profile;
  for (const one of phones) if (regionOfPhone(one)?.country === "CN") return "CN";
  const main = phone ?? phones[0];
  return main === undefined ? null : (regionOfPhone(main)?.jurisdiction ?? null);
}

/**
 * Whose law counts: the profile's own jurisdiction, else that of `phone`, else of the member's phones;
 * null = unknown. A country alone is completed by the state of a phone in that country. Unknown is
 * treated with care: no consent is assumed, and the window `*` holds.
 */
export function jurisdictionOf(profile: Profile | null, phone?: string): string | null {
  const own = written(profile?.jurisdiction);
  if (own !== null && own.length > 2) return own;
  const called = phone ?? (own === null ? undefined : (profile?.phone ?? profile?.phones?.[0]));
  if (called === undefined) return own ?? ofPhones(profile);
  const found = regionOfPhone(called);
  if (own === null || found?.country === own) return found?.jurisdiction ?? null;
  return own;
}

/** The latest word on this channel and purpose, with its `at` and `source`: the proof. */
export function consentOf(
  profile: Profile | null,
  channel: string,
  purpose: string,
): Consent | undefined {
  const words = profile?.consents?.filter((consent) => isWordOn(consent, channel, purpose));
  if (words === undefined || words.length < 2) return words?.[0];
  return latestConsents(words.map((consent) => ({ ...consent, channel, purpose })))![0];
}

/**
 * Why we may not contact somebody on a channel for a purpose; null when we may. No word at all is
 * enough only where the channel says so (`consentByDefault`) and the jurisdiction is known and not
 * China. A granted consent without a source stays valid: whether it proves anything is the
 * operator's to say, who sees `at` and `source` in the member's record.
 */
export function consentBar(
  profile: Profile | null,
  channel: ChannelConfig,
  purpose: string,
  jurisdiction: string | null,
): ConsentBar | null {
  const consent = consentOf(profile, channel.id, purpose);
  if (consent !== undefined) return consent.status === "granted" ? null : "consent_refused";
  const isAssumed =
    channel.consentByDefault && jurisdiction !== null && countryOf(jurisdiction) !== "CN";
  return isAssumed && profile !== null ? null : "consent_missing";
}
