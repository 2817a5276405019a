/** The words between the answers, in both languages. */
import type { RecommendationResponse, Suggestion } from "../../src/decision/answer.js";

type Stage = NonNullable<RecommendationResponse["member"]["stage"]>;

export interface CouponCost {
  readonly label: string;
  readonly cost: number;
}

/** The coupon chosen, if any, beside the others that were open to this stage and fit the product. */
export interface CouponTold {
  readonly chosen: CouponCost | null;
  readonly margin: number;
  readonly less: readonly CouponCost[];
  readonly tooDear: readonly CouponCost[];
}

export interface Words {
  readonly title: string;
  readonly preface: string;
  readonly who: string;
  readonly screen: string;
  readonly why: string;
  readonly later: string;
  readonly record: string;
  readonly whyNot: string;
  readonly again: string;
  readonly space: string;
  readonly or: string;
  readonly comma: string;
  readonly nothing: string;
  readonly care: string;
  readonly nobody: string;
  readonly stranger: string;
  readonly everyone: string;
  readonly stages: Readonly<Record<Stage, string>>;
  readonly kinds: Readonly<Record<Suggestion["kind"], string>>;
  readonly channels: Readonly<Record<string, string>>;
  money(amount: number): string;
  time(at: number, zone: string): string;
  stage(name: string | null, stage: string | null): string;
  /** What time it is there. */
  now(when: string): string;
  doNotSell(text: string): string;
  offer(of: {
    kind: string;
    name: string;
    price: string | null;
    coupon: string | null;
    channel: string | null;
  }): string;
  contactAt(when: string): string;
  script(text: string): string;
  bar(of: { guard: number; channel: string | null; text: string; until: string | null }): string;
  reasons(texts: readonly string[]): string;
  contributions(texts: readonly string[]): string;
  contribution(words: string, value: number): string;
  worth(chance: number, value: string): string;
  coupon(told: CouponTold): string;
  second(name: string, worth: { chance: number; value: string; first: string } | null): string;
  laterClosed(when: string, isSame: boolean, text: string): string;
  laterNothing(when: string): string;
  laterOffer(of: {
    when: string;
    isSame: boolean;
    name: string;
    reason: string | null;
    value: string | null;
    opened: readonly string[];
  }): string;
  decision(id: string, heads: string | null, ranker: string | null): string;
  fate(name: string, text: string): string;
  replayed(bytes: number): string;
  versions(of: Readonly<Record<string, string | number | null>>): string;
}

const clock = (at: number, zone: string, locale: string): string =>
  new Intl.DateTimeFormat(locale, {
    timeZone: zone,
    month: "short",
    day: "numeric",
    weekday: "short",
    hour: "2-digit",
    minute: "2-digit",
    hourCycle: "h23",
  }).format(at);
const PLACES: Readonly<Record<string, readonly [en: string, zh: string]>> = {
  "Asia/Shanghai": ["Shanghai", "上海时间"],
  "America/New_York": ["New York", "纽约时间"],
  "Pacific/Honolulu": ["Honolulu", "檀香山时间"],
};
const percent = (share: number): string =>
  share < 0.001 ? "< 0.1 %" : `${(share * 100).toFixed(share < 0.01 ? 1 : 0)} %`;
const costsOf = (coupons: readonly CouponCost[]): string =>
  coupons.map(({ label, cost }) => `“${label}” (${yuan(cost)})`).join(", ");
const costsInChinese = (coupons: readonly CouponCost[]): string =>
  coupons.map(({ label, cost }) => `“${label}”（${yuan(cost)}）`).join("、");
const yuan = (amount: number): string => `¥${amount.toFixed(2)}`;
const listOf = (of: Readonly<Record<string, string | number | null>>, none: string): string =>
  Object.entries(of)
    .map(([name, version]) => `${name} \`${version ?? none}\``)
    .join(" · ");

const en: Words = {
  title: "# Ten explained decisions",
  preface:
    "Real answers of the product over its demo world: `npm run bench explain` asks them over HTTP and writes this file. What the agent " +
    "reads, the reasons, what a guard says and what a feature is called are the product's own words. The members are invented. " +
    "All was asked at one instant, 10:30 on a Tuesday in Shanghai. [中文](explained-decisions.zh-CN.md)",
  who: "Who.",
  screen: "On the screen.",
  why: "Why.",
  later: "Later.",
  record: "Record.",
  whyNot: "Why not …?",
  again: "Computed again.",
  space: " ",
  or: ", which is ",
  comma: ", ",
  nothing: "Nothing is offered, and nobody is contacted.",
  care: "Nothing is sold here.",
  nobody: "No name on the screen.",
  stranger: "Nobody is known under this number: what everyone gets, at everyone's price.",
  everyone:
    "Personalization is off: nothing of this member went into it. What everyone gets, at everyone's price.",
  stages: {
    prospect: "prospect",
    new: "new",
    growth: "growth",
    mature: "mature",
    dormant: "dormant",
    churned: "churned",
  },
  kinds: {
    sell: "Offer",
    care: "Care",
    advice: "Advice",
    renew: "Renew",
    cross_sell: "Cross-sell",
    upsell: "Upsell",
    win_back: "Win back",
    retain: "Retain",
    invite: "Invite",
    none: "Nothing",
  },
  channels: { phone: "phone", sms: "text message", email: "e-mail", app: "app", web: "web" },
  money: yuan,
  time: (at, zone) => `${clock(at, zone, "en")} in ${PLACES[zone]?.[0] ?? zone}`,
  stage: (name, stage) =>
    [
      ...(name === null ? [] : [`Name on the screen: ${name}.`]),
      ...(stage === null ? [] : [`Stage: ${stage}.`]),
    ].join(" "),
  now: (when) => `It is ${when}.`,
  doNotSell: (text) => `Do not sell: “${text}”`,
  offer: ({ kind, name, price, coupon, channel }) =>
    `${kind}: ${name}${price === null ? "" : `, ${price}`}, ${coupon === null ? "no coupon" : `coupon “${coupon}”`}` +
    `${channel === null ? "" : `, by ${channel}`}.`,
  contactAt: (when) => `Best time: ${when}.`,
  script: (text) => `The agent reads: *${text}*`,
  bar: ({ guard, channel, text, until }) =>
    `Guard ${guard} closed ${channel ?? "selling"}: “${text}” ${until === null ? "Time alone does not open it." : `Until ${until}.`}`,
  reasons: (texts) => `Reasons: ${texts.map((text) => `“${text}”`).join(", ")}.`,
  contributions: (texts) => `What moved its place most: ${texts.join("; ")}.`,
  contribution: (words, value) =>
    `${words} (${value > 0 ? "for it" : "against it"}, ${value > 0 ? "+" : "−"}${Math.abs(value).toFixed(2)})`,
  worth: (chance, value) =>
    `Chance that they buy it within 30 days: ${percent(chance)}. Expected value, chance × margin left after the coupon less the cost of the contact: ${value}.`,
  coupon: ({ chosen, margin, less, tooDear }) =>
    [
      chosen === null
        ? "Why no coupon: none that is open to this group and fits the product may be given."
        : `Why this coupon: of the coupons open to this group that fit the product, “${chosen.label}” is worth most to the member. It costs ` +
          `${yuan(chosen.cost)} of a margin of ${yuan(margin)}; at most half may go.`,
      ...(less.length === 0 ? [] : [`Worth less: ${costsOf(less)}.`]),
      ...(tooDear.length === 0
        ? []
        : [`Too dear: ${costsOf(tooDear)}, more than half of the margin of ${yuan(margin)}.`]),
    ].join(" "),
  second: (name, worth) =>
    worth === null
      ? `Second came ${name}.`
      : `Second came ${name}: chance ${percent(worth.chance)}, expected value ${worth.value} against ${worth.first}.`,
  laterClosed: (when, isSame, text) =>
    isSame ? `${when}: the same, until it changes.` : `${when}: “${text}”`,
  laterNothing: (when) => `${when}: nothing would be offered.`,
  laterOffer: ({ when, isSame, name, reason, value, opened }) =>
    `${when}: ${opened.length === 0 ? "" : `open again: ${opened.join(", ")}. `}` +
    `${isSame ? "The same product first" : `First would be ${name}`}` +
    `${value === null ? "" : `, expected value ${value}`}${reason === null ? "" : ` (${reason})`}.`,
  decision: (id, heads, ranker) =>
    heads === null && ranker === null
      ? `Decision \`${id}\`; no model was asked.`
      : `Decision \`${id}\`${heads === null ? "" : `, scores by \`${heads}\``}${ranker === null ? "" : `, order by \`${ranker}\``}.`,
  fate: (name, text) => `${name}: ${text}`,
  replayed: (bytes) =>
    `\`POST /v1/decisions/{id}/replay\` gave the same ${bytes} bytes as the answer then, but for how long it took.`,
  versions: (of) => `Versions: ${listOf(of, "none")}`,
};

const zh: Words = {
  title: "# 十个决策，逐一说明",
  preface:
    "以下都是产品在演示数据上的真实回答：`npm run bench explain` 通过HTTP提问并生成本文件。坐席话术、推荐理由、硬性限制的说明和特征名称，" +
    "均为产品自己的文字。会员均为虚构。所有提问都在同一时刻：上海时间周二10:30。[English](explained-decisions.md)",
  who: "会员：",
  screen: "坐席屏幕：",
  why: "原因：",
  later: "之后：",
  record: "记录：",
  whyNot: "为什么不是……？",
  again: "重新计算：",
  space: "",
  or: "，即",
  comma: "、",
  nothing: "不推荐任何产品，也不联系会员。",
  care: "此处不推销。",
  nobody: "屏幕不显示姓名。",
  stranger: "该号码没有对应的会员：与所有人相同的推荐，与所有人相同的价格。",
  everyone: "已关闭个性化：未使用该会员的任何信息。与所有人相同的推荐，与所有人相同的价格。",
  stages: {
    prospect: "潜在",
    new: "新会员",
    growth: "成长期",
    mature: "成熟期",
    dormant: "沉睡期",
    churned: "流失",
  },
  kinds: {
    sell: "推荐",
    care: "关怀",
    advice: "建议",
    renew: "续费",
    cross_sell: "搭配推荐",
    upsell: "升级推荐",
    win_back: "挽回",
    retain: "挽留",
    invite: "邀请",
    none: "无",
  },
  channels: { phone: "电话", sms: "短信", email: "邮件", app: "App", web: "网页" },
  money: yuan,
  time: (at, zone) => `${PLACES[zone]?.[1] ?? zone}${clock(at, zone, "zh-CN")}`,
  stage: (name, stage) =>
    [
      ...(name === null ? [] : [`屏幕显示姓名：${name}。`]),
      ...(stage === null ? [] : [`阶段：${stage}。`]),
    ].join(""),
  now: (when) => `此时为${when}。`,
  doNotSell: (text) => `不推销：“${text}”`,
  offer: ({ kind, name, price, coupon, channel }) =>
    `${kind}：${name}${price === null ? "" : `，${price}`}，${coupon === null ? "无优惠券" : `优惠券“${coupon}”`}` +
    `${channel === null ? "" : `，渠道：${channel}`}。`,
  contactAt: (when) => `最佳联系时间：${when}。`,
  script: (text) => `话术：*${text}*`,
  bar: ({ guard, channel, text, until }) =>
    `硬性限制${guard}关闭了${channel ?? "推销"}：“${text}”${until === null ? "不会随时间自动恢复。" : `至${until}。`}`,
  reasons: (texts) => `理由：${texts.map((text) => `“${text}”`).join("、")}。`,
  contributions: (texts) => `对名次影响最大的因素：${texts.join("；")}。`,
  contribution: (words, value) =>
    `${words}（${value > 0 ? "有利" : "不利"}，${value > 0 ? "+" : "−"}${Math.abs(value).toFixed(2)}）`,
  worth: (chance, value) =>
    `30天内购买的可能性：${percent(chance).replaceAll(" ", "")}。预期价值（可能性 × 扣除优惠后的毛利，再减联系成本）：${value}。`,
  coupon: ({ chosen, margin, less, tooDear }) =>
    [
      chosen === null
        ? "为什么没有优惠券：对该群体开放且适用此产品的优惠券中，没有可以使用的。"
        : `为什么用这张优惠券：在对该群体开放且适用此产品的优惠券中，“${chosen.label}”对会员最优惠。成本${yuan(chosen.cost)}，产品毛利${yuan(margin)}，优惠最多占毛利的一半。`,
      ...(less.length === 0 ? [] : [`优惠较少：${costsInChinese(less)}。`]),
      ...(tooDear.length === 0
        ? []
        : [`成本过高：${costsInChinese(tooDear)}，超过毛利${yuan(margin)}的一半。`]),
    ].join(""),
  second: (name, worth) =>
    worth === null
      ? `第二名：${name}。`
      : `第二名：${name}，可能性${percent(worth.chance).replaceAll(" ", "")}，预期价值${worth.value}，低于第一名的${worth.first}。`,
  laterClosed: (when, isSame, text) =>
    isSame ? `${when}：不变，直到情况有变化。` : `${when}：“${text}”`,
  laterNothing: (when) => `${when}：不推荐任何产品。`,
  laterOffer: ({ when, isSame, name, reason, value, opened }) =>
    `${when}：${opened.length === 0 ? "" : `${opened.join("、")}恢复可用。`}` +
    `${isSame ? "仍首推同一产品" : `首推${name}`}` +
    `${value === null ? "" : `，预期价值${value}`}${reason === null ? "" : `（${reason}）`}。`,
  decision: (id, heads, ranker) =>
    heads === null && ranker === null
      ? `决策\`${id}\`，未使用模型。`
      : `决策\`${id}\`${heads === null ? "" : `，评分模型\`${heads}\``}${ranker === null ? "" : `，排序模型\`${ranker}\``}。`,
  fate: (name, text) => `${name}：${text}`,
  replayed: (bytes) =>
    `\`POST /v1/decisions/{id}/replay\` 重新计算，除耗时外，${bytes}字节与当时的回答完全相同。`,
  versions: (of) => `版本：${listOf(of, "无")}`,
};

export const WORDS: Readonly<Record<"en" | "zh", Words>> = { en, zh };
