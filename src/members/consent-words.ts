/** What is meant by the words of a consent. */
import { channelCalled, plain } from "../channel-words.js";
import type { Consent } from "./profile.js";

/** A no to these is one to everything. */
const EVERYTHING = new Set(["all", "any", "every", "*"]);

const isHeardAs = (said: string, meant: string): boolean =>
  said === meant || EVERYTHING.has(plain(said)) || channelCalled(said) === plain(meant);

/** A yes counts as it was asked for; a no however it was said. */
export const isWordOn = (consent: Consent, channel: string, purpose: string): boolean =>
  consent.status === "granted"
    ? consent.channel === channel && consent.purpose === purpose
    : isHeardAs(consent.channel, channel) && isHeardAs(consent.purpose, purpose);
