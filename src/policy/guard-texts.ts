/** What the guards say, in words an agent can read out and a dialer's admin can act on. */
import type { ContactBarCode } from "../members/contact-limits.js";

export type Language = "en" | "zh";

export type BarCode =
  | ContactBarCode
  | "channel_inbound_only"
  | "consent_missing"
  | "consent_refused"
  | "do_not_contact"
  | "guard_data_unavailable"
  | "no_open_channel"
  | "open_complaint"
  | "outside_window"
  | "refund_under_way"
  | "timezone_unknown"
  | "vulnerable"
  | "window_missing"
  | "wrong_number";

type Texts = Readonly<Record<Language, string>>;

const TEXTS: Readonly<Record<BarCode, Texts>> = {
  cap_channel: {
    en: "Contacted often enough on this channel for now.",
    zh: "该渠道近期联系次数已达上限。",
  },
  cap_member: { en: "Contacted often enough for now.", zh: "该会员近期联系次数已达上限。" },
  cap_offer: { en: "This was offered often enough for now.", zh: "该产品近期推荐次数已达上限。" },
  cap_phone: {
    en: "This number was called often enough for now.",
    zh: "该号码近期呼叫次数已达上限。",
  },
  channel_inbound_only: {
    en: "We do not start contacts on this channel.",
    zh: "该渠道不主动联系会员。",
  },
  consent_missing: {
    en: "No channel this member agreed to: do not contact.",
    zh: "没有获得同意的联系渠道：不要主动联系。",
  },
  consent_refused: {
    en: "This member said no to offers here: help only.",
    zh: "会员已拒绝在此渠道接受推荐：只提供帮助。",
  },
  cool_down: { en: "They said no lately: leave them in peace.", zh: "会员近期已拒绝：暂不打扰。" },
  do_not_contact: {
    en: "On the do-not-contact list: offer nothing.",
    zh: "在免打扰名单中：不要推荐任何产品。",
  },
  guard_data_unavailable: {
    en: "Member data is out of reach: help only.",
    zh: "暂时无法读取会员资料：只提供帮助。",
  },
  later: { en: "They asked to be contacted later.", zh: "会员要求稍后再联系。" },
  no_open_channel: {
    en: "No channel is open to this member now: do not contact.",
    zh: "目前没有可用的联系渠道：不要主动联系。",
  },
  open_complaint: {
    en: "There is an open complaint: help first, sell nothing.",
    zh: "有未解决的投诉：先帮助会员，不要推销。",
  },
  outside_window: {
    en: "Outside the hours in which this member may be contacted.",
    zh: "不在可联系该会员的时段内。",
  },
  refund_under_way: {
    en: "A refund is under way: help first, sell nothing.",
    zh: "退款正在处理中：先帮助会员，不要推销。",
  },
  timezone_unknown: {
    en: "Their local time is unknown: do not contact.",
    zh: "会员所在时区未知：不要主动联系。",
  },
  vulnerable: {
    en: "This member is marked as vulnerable: care and advice only.",
    zh: "该会员需要特别关怀：只提供关怀和建议。",
  },
  window_missing: {
    en: "No calling hours are configured for this jurisdiction: do not contact.",
    zh: "该地区尚未配置可联系时段：不要主动联系。",
  },
  wrong_number: {
    en: "No number reaches this member: do not call.",
    zh: "没有可联系到该会员的号码：不要呼叫。",
  },
};

export const barText = (code: BarCode, language: Language): string => TEXTS[code][language];
