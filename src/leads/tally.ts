/** What became of those who are no leads: counts, and some of them by id. */
import { type BarCode, barText, type Language } from "../policy/guard-texts.js";
import { EXAMPLES_MAX, type RankResponse } from "./rank-answer.js";

/** What keeps somebody from being a lead that is no guard's matter. */
export type SkipCode =
  | "member_unknown"
  | "duplicate"
  | "not_matched"
  | "no_phone"
  | "no_email"
  | "held_out";

/** Guard 7: who asked not to be profiled has no place in an order made of profiles. */
export const PERSONALIZATION_OFF = "personalization_off";

const OWN_TEXTS: Readonly<Record<string, Readonly<Record<Language, string>>>> = {
  [PERSONALIZATION_OFF]: {
    en: "Asked not to be profiled: not ranked.",
    zh: "会员已关闭个性化推荐：不参与排序。",
  },
};

export interface BlockedBy {
  readonly guard: number;
  readonly code: BarCode | typeof PERSONALIZATION_OFF;
  /** Epoch milliseconds. */
  readonly until: number | null;
}

export class Tally {
  readonly blocked: Record<string, number> = {};
  readonly examples: RankResponse["blockedExamples"] = [];
  readonly skipped: Record<string, number> = {};

  skip(code: SkipCode): void {
    this.skipped[code] = (this.skipped[code] ?? 0) + 1;
  }

  block(memberId: string, { guard, code, until }: BlockedBy, language: Language): void {
    const key = `${guard} ${code}`;
    this.blocked[key] = (this.blocked[key] ?? 0) + 1;
    if (this.examples.length >= EXAMPLES_MAX) return;
    const text = OWN_TEXTS[code]?.[language] ?? barText(code as BarCode, language);
    const opens = until === null ? null : new Date(until).toISOString();
    this.examples.push({ memberId, guard, code, text, until: opens });
  }
}
