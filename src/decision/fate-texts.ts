/** What became of one product in one decision, in words a supervisor can nod at. */
import type { Language } from "./script.js";

/** What a text may name. */
interface Params {
  readonly place: number;
  readonly shown: number;
}
type Text = (params: Params) => string;

const TEXTS = {
  shown: {
    en: ({ place }) => `It was shown, in place ${place}.`,
    zh: ({ place }) => `已推荐，排在第${place}位。`,
  },
  ranked_below_limit: {
    en: ({ place, shown }) => `It came in place ${place}; ${countOf(shown)} shown.`,
    zh: ({ place, shown }) => `排在第${place}位，本次只展示前${shown}个。`,
  },
  channel_not_worth_cost: {
    en: () => "What it is expected to earn is less than any open channel costs.",
    zh: () => "预期收益低于任何可用渠道的联系成本。",
  },
  not_proposed: {
    en: () =>
      "No source proposed it: the member never bought it, nothing they bought or looked at leads to " +
      "it, and it is neither popular nor new enough.",
    zh: () =>
      "没有任何依据可以推荐它：会员没有买过，买过或看过的产品也与它没有关联，它既不够热销，也不够新。",
  },
  beyond_candidates: {
    en: ({ place }) => `It was proposed in place ${place}; only the first candidates are scored.`,
    zh: ({ place }) => `初选时排在第${place}位，只有靠前的候选产品才会评分。`,
  },
  offer_barred: {
    en: () => "The member refused it lately, or was offered it as often as is allowed (guard 5).",
    zh: () => "会员近期拒绝过它，或推荐次数已达上限（硬性限制5）。",
  },
  product_unknown: {
    en: () => "The catalog holds no product with this id.",
    zh: () => "产品目录中没有这个编号。",
  },
  in_cart: { en: () => "It lies in the cart already.", zh: () => "它已经在购物车里。" },
  excluded_by_request: { en: () => "The request excluded it.", zh: () => "本次请求排除了它。" },
  bought_lately: {
    en: () => "They bought it a moment ago; it rests before it is offered again.",
    zh: () => "会员刚刚买过它，过一段时间才会再次推荐。",
  },
  not_on_offer: {
    en: () => "It is switched off, or has no name or no price.",
    zh: () => "它已下架，或缺少名称或价格。",
  },
  out_of_stock: { en: () => "None is left.", zh: () => "已售罄。" },
  out_of_season: { en: () => "It is out of season.", zh: () => "不在销售季节。" },
} satisfies Record<string, Record<Language, Text>>;

export type FateCode = keyof typeof TEXTS;

const countOf = (shown: number): string => (shown === 1 ? "1 was" : `${shown} were`);

export const isFateCode = (code: string): code is FateCode => Object.hasOwn(TEXTS, code);

/** `params`: its place among all, and how many were shown; only some texts name them. */
export function fateText(code: FateCode, language: Language, params: Partial<Params> = {}): string {
  const text: Text = TEXTS[code][language];
  return text({ place: 0, shown: 0, ...params });
}
