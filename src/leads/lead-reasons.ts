/** Why this member, in words the agent can say aloud: what is near, how they order, how long ago. */
import { ago, agoChinese, days } from "../candidates/reason-texts.js";
import { cadenceOf } from "../features/orders.js";
import { daysSince } from "../features/packed.js";
import type { FeatureState } from "../features/state.js";
import type { Contact } from "../members/contacts.js";
import type { Profile } from "../members/profile.js";
import { dueLater } from "../policy/contact-policy.js";
import type { Language } from "../policy/guard-texts.js";

export interface LeadReason {
  readonly code: string;
  readonly text: string;
}

export interface LeadStory {
  readonly profile: Profile | null;
  readonly state: FeatureState;
  readonly contacts: readonly Contact[];
}

const DAY_MS = 86_400_000;
/** Attributes that hold the day a membership ends, ISO date or epoch milliseconds. */
const RENEWAL_ATTRIBUTES = ["renewalDate", "renewal_date"] as const;
const RENEWAL_AHEAD_DAYS = 45;
const RENEWAL_BEHIND_DAYS = 14;
/** Silence as a multiple of the member's own mean gap. */
const DUE_FROM = 0.8;
const QUIET_FROM = 1.5;

const wholeDaysSince = (seconds: number, now: number): number =>
  Math.max(0, Math.floor(daysSince(seconds, now)));

type Words = Readonly<Record<Language, string>>;

const asksForUs = ({ contacts }: LeadStory, now: number): [string, Words] | null =>
  dueLater(contacts, now) === null
    ? null
    : ["asked_for_later", { en: "Asked to be called back", zh: "会员要求过稍后再联系" }];

function renewalNear({ profile }: LeadStory, now: number): [string, Words] | null {
  const attributes = profile?.attributes ?? {};
  const value = RENEWAL_ATTRIBUTES.map((name) => attributes[name]).find((one) => one != null);
  if (value === undefined || value === null || typeof value === "boolean") return null;
  const left = Math.ceil(((typeof value === "number" ? value : Date.parse(value)) - now) / DAY_MS);
  if (!(left <= RENEWAL_AHEAD_DAYS && left >= -RENEWAL_BEHIND_DAYS)) return null;
  if (left < 0) {
    const en = `Membership ended ${days(-left)} ago`;
    return ["renewal_near", { en, zh: `会员资格已到期${-left}天` }];
  }
  const [en, zh] = left === 0 ? ["today", "今天"] : [`in ${days(left)}`, `${left}天后`];
  return ["renewal_near", { en: `Membership ends ${en}`, zh: `会员资格${zh}到期` }];
}

/** How they usually order, against how long ago they last did. */
function rhythm({ state }: LeadStory, now: number): [string, Words] | null {
  const { count, lastAt, times } = state.orders;
  const { meanDays } = cadenceOf(times);
  if (count < 2 || !(meanDays >= 1)) return null;
  const silence = wholeDaysSince(lastAt, now);
  const gap = Math.round(meanDays);
  if (silence < DUE_FROM * meanDays) return null;
  if (silence < QUIET_FROM * meanDays) {
    const en = `Orders about every ${days(gap)}; the last order was ${ago(silence)}`;
    return [
      "replenishment_due",
      { en, zh: `大约每${gap}天下单一次，上一单是${agoChinese(silence)}` },
    ];
  }
  const en = `Used to order about every ${days(gap)}; the last order was ${ago(silence)}`;
  return ["gone_quiet", { en, zh: `以前大约每${gap}天下单一次，上一单已是${agoChinese(silence)}` }];
}

function history({ state }: LeadStory, now: number): [string, Words] {
  const { count, lastAt } = state.orders;
  if (count === 0) {
    const known = state.tenure === 0 ? 0 : wholeDaysSince(state.tenure, now);
    const en = known === 0 ? "No order yet" : `No order yet; first seen ${ago(known)}`;
    return [
      "no_order_yet",
      { en, zh: known === 0 ? "还没有下过单" : `${known}天前认识，还没有下过单` },
    ];
  }
  const silence = wholeDaysSince(lastAt, now);
  const orders = count === 1 ? "One order" : `${count} orders`;
  const zh = `共下过${count}单，最近一次是${agoChinese(silence)}`;
  return ["order_history", { en: `${orders} so far, the last one ${ago(silence)}`, zh }];
}

const REASONS = [asksForUs, renewalNear, rhythm, history];

/** One to four, the most pressing first. */
export function leadReasons(story: LeadStory, now: number, language: Language): LeadReason[] {
  return REASONS.flatMap((reason) => {
    const found = reason(story, now);
    return found === null ? [] : [{ code: found[0], text: found[1][language] }];
  });
}
