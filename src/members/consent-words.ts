/** What is meant by the words of a consent, and by those people and their systems use for a channel. */
import type { Consent } from "./profile.js";

/** What is not plain stays out. */
const CALLED: Readonly<Record<string, string>> = {
  telephone: "phone",
  tel: "phone",
  call: "phone",
  calls: "phone",
  voice: "phone",
  text: "sms",
  texts: "sms",
  "e-mail": "email",
};

/** Without regard to case and blanks around it. */
export const plain = (text: string): string => text.trim().toLowerCase();

/** The usual name of what somebody called a channel. */
export function channelCalled(said: string): string {
  const word = plain(said);
  return Object.hasOwn(CALLED, word) ? CALLED[word]! : word;
}

/** A no to these is one to everything. */
const EVERYTHING = new Set(["all", "any", "every", "*"]);

const isHeardAs = (said: string, meant: string): boolean =>
  said === meant || EVERYTHING.has(plain(said)) || channelCalled(said) === plain(meant);

/** A yes counts as it was asked for; a no however it was said. */
export const isWordOn = (consent: Consent, channel: string, purpose: string): boolean =>
  consent.status === "granted"
    ? consent.channel === channel && consent.purpose === purpose
    : isHeardAs(consent.channel, channel) && isHeardAs(consent.purpose, purpose);
