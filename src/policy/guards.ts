/**
 * Hard guards: limits in code that run first and last and that nothing overrides. This is their first
 * form: what bars selling at all, and what bars a channel.
 */
import type { ChannelConfig } from "../config.js";
import { openComplaints } from "../features/activity.js";
import type { FeatureState } from "../features/state.js";
import type { Profile } from "../members/profile.js";
import { consentBar, jurisdictionOf } from "./consent.js";

export type CareCode = "open_complaint" | "vulnerable";
export type BarCode =
  | "do_not_contact"
  | "consent_missing"
  | "consent_refused"
  | "channel_inbound_only"
  | "timezone_unknown";

/** Why this member is to be helped and not sold to; null when selling is allowed. */
export function careOnly(profile: Profile | null, state: FeatureState): CareCode | null {
  if (openComplaints(state.activity) > 0) return "open_complaint";
  if (profile?.vulnerable === true) return "vulnerable";
  return null;
}

/** `personalization: off`: the same ranking and price as for everyone. */
export const isPersonal = (profile: Profile | null): boolean => profile?.personalization !== "off";

const MARKETING = "marketing";

/**
 * Why we may not start a contact with this member on this channel; null when we may. Jurisdiction
 * `CN` (as every channel whose configuration says so) takes an absent consent as refusal.
 */
export function outboundBar(
  profile: Profile | null,
  channel: ChannelConfig,
  zone: string | null,
): BarCode | null {
  if (!channel.outbound) return "channel_inbound_only";
  if (profile === null || profile.doNotContact === true) return "do_not_contact";
  const bar = consentBar(profile, channel, MARKETING, jurisdictionOf(profile));
  if (bar !== null) return bar;
  return zone === null ? "timezone_unknown" : null;
}

const TEXTS: Record<CareCode, { en: string; zh: string }> = {
  open_complaint: {
    en: "There is an open complaint: help first, sell nothing.",
    zh: "有未解决的投诉：先帮助会员，不要推销。",
  },
  vulnerable: {
    en: "This member is marked as vulnerable: care and advice only.",
    zh: "该会员需要特别关怀：只提供关怀和建议。",
  },
};

export const careText = (code: CareCode, language: "en" | "zh"): string => TEXTS[code][language];
