/** What to say: one sentence built from the first reason, in the member's language. */
import type { Reason } from "./answer.js";

export type Language = "en" | "zh";

export interface Pitch {
  readonly name: string;
  /** Product name and price, ready to be said; null where unknown. */
  readonly price: string | null;
  readonly coupon: string | null;
  readonly reason: Reason | undefined;
}

export const languageOf = (locale: string | undefined, fallback: Language): Language =>
  locale === undefined ? fallback : locale.toLowerCase().startsWith("zh") ? "zh" : "en";

export function scriptOf(pitch: Pitch, language: Language): string {
  const { name, price, coupon, reason } = pitch;
  if (language === "zh") {
    const why = reason === undefined ? "" : `${reason.text}。`;
    const cost = price === null ? "" : `，${price}`;
    const extra = coupon === null ? "" : `，可使用优惠“${coupon}”`;
    return `${why}推荐您看看“${name}”${cost}${extra}，需要我帮您安排吗？`;
  }
  const why = reason === undefined ? "" : `${reason.text}. `;
  const cost = price === null ? "" : ` for ${price}`;
  const extra = coupon === null ? "" : `, with “${coupon}”`;
  return `${why}May I suggest ${name}${cost}${extra}?`;
}

const CARE_SCRIPTS: Record<string, Record<Language, string>> = {
  open_complaint: {
    en: "I see your complaint is still open. Let me tell you where it stands and what we do next.",
    zh: "我看到您的投诉还在处理中，我先向您说明目前的进展和下一步安排。",
  },
  refund_under_way: {
    en: "I see your refund is under way. Let me look up where it stands and tell you what comes next.",
    zh: "我看到您有一笔退款正在处理，我先帮您查一下进度，再告诉您接下来的安排。",
  },
  vulnerable: {
    en: "Take your time. How can I help you today?",
    zh: "您慢慢说，今天有什么可以帮到您？",
  },
};

const ANY_CARE: Record<Language, string> = {
  en: "How can I help you today?",
  zh: "您好，请问有什么可以帮到您？",
};

export const careScript = (code: string, language: Language): string =>
  (CARE_SCRIPTS[code] ?? ANY_CARE)[language];
