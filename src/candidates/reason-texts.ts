/** Reasons as sentences a person can say aloud, in the member's language. */

export type ReasonCode =
  | "asked_for_later"
  | "in_cart_together"
  | "follows_purchase"
  | "replenishment_due"
  | "bought_often"
  | "viewed_recently"
  | "bought_together"
  | "category_taste"
  | "new_arrival"
  | "popular_now";

export type ReasonParams = Readonly<Record<string, string | number>>;

export interface CandidateReason {
  readonly code: ReasonCode;
  readonly params: ReasonParams;
}

type Template = (params: ReasonParams) => string;

export const days = (n: string | number): string => (Number(n) === 1 ? "1 day" : `${n} days`);
export const ago = (n: string | number): string => (Number(n) === 0 ? "today" : `${days(n)} ago`);
export const agoChinese = (n: string | number): string => (Number(n) === 0 ? "今天" : `${n}天前`);

const english: Record<ReasonCode, Template> = {
  asked_for_later: () => "You asked us to come back to this",
  replenishment_due: (p) => `Bought ${ago(p.days)}; lasts about ${days(p.lasts)}`,
  bought_often: (p) => `Bought ${p.times} times, last ${ago(p.days)}`,
  bought_together: (p) => `Often bought by those who bought ${p.name}`,
  in_cart_together: (p) => `Goes with ${p.name} in the cart`,
  category_taste: (p) => `Fits what you like in ${p.category}`,
  popular_now: () => "Popular right now",
  new_arrival: (p) => `New: arrived ${ago(p.days)}`,
  follows_purchase: (p) => `Follows ${p.name}, bought ${ago(p.days)}`,
  viewed_recently: (p) => `You looked at it ${ago(p.days)}`,
};

const chinese: Record<ReasonCode, Template> = {
  asked_for_later: () => "您之前请我们稍后再联系您",
  replenishment_due: (p) => `${agoChinese(p.days)}购买过，一般可用约${p.lasts}天`,
  bought_often: (p) => `已购买${p.times}次，最近一次是${agoChinese(p.days)}`,
  bought_together: (p) => `买过${p.name}的顾客也常买`,
  in_cart_together: (p) => `与购物车中的${p.name}很搭配`,
  category_taste: (p) => `符合您对${p.category}的喜好`,
  popular_now: () => "近期热销",
  new_arrival: (p) => `新品，上架${p.days}天`,
  follows_purchase: (p) => `${agoChinese(p.days)}购买了${p.name}，接下来适合选它`,
  viewed_recently: (p) => `${agoChinese(p.days)}浏览过`,
};

/** `locale` as a BCP 47 tag: Chinese for `zh…`, English for everything else. */
export function reasonText(reason: CandidateReason, locale: string | undefined): string {
  const templates = /^zh\b/i.test(locale ?? "") ? chinese : english;
  return templates[reason.code](reason.params);
}
