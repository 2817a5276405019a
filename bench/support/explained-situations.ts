/** Ten situations a supervisor meets, lived by invented members of the demo world: one of each language. */

import { named } from "../../src/demo/shop.js";
import type { DemoWorld } from "../../src/demo/world.js";
import type { EventInput } from "../../src/events/event.js";
import type { MemberInput } from "../../src/members/profile.js";
import type { Language, Said } from "./explained-document.js";

export const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

export interface Ask {
  /** What happens: who calls whom. */
  readonly said: Said;
  readonly body: { readonly placement: string; readonly context?: { readonly cart: string[] } };
  /** Somebody else than the member of the situation. */
  readonly member?: Readonly<Record<Language, { readonly phone: string }>>;
}

export interface Situation {
  readonly id: string;
  readonly heading: Said;
  readonly who: Said;
  /** Times are shown on these clocks. */
  readonly zones: readonly string[];
  readonly asks: readonly Ask[];
  /** The same is asked again so much later. */
  readonly laterMs: number;
  readonly names: Said;
  readonly record: Partial<MemberInput>;
  /** Their life, without ids. */
  readonly life: readonly Omit<EventInput, "id" | "member">[];
  /** On the do-not-contact list. */
  readonly suppressed?: boolean;
  /** "Why not?" is asked of these, once. */
  readonly whyNot?: readonly string[];
}

type Life = Situation["life"];
const calls: Said = { en: "Inbound call.", zh: "会员来电。" };
const weCall: Said = {
  en: "We consider contacting the member.",
  zh: "我们考虑主动联系该会员。",
};
const inbound: Ask = { said: calls, body: { placement: "screen_pop" } };
const outbound: Ask = { said: weCall, body: { placement: "outbound" } };
const SHANGHAI = ["Asia/Shanghai"];

export function createSituations(world: DemoWorld, now: number): Situation[] {
  const idOf = (label: string): string => named(world.shop.products, label).id;
  const product = (label: string): string => idOf(label);
  const lifeOf = (who: keyof DemoWorld["featured"]): Life =>
    [...world.events()]
      .filter(({ member }) => member === world.featured[who].id)
      .map(({ id: _id, member: _member, ...event }) => event);
  const order = (daysAgo: number, ...labels: string[]): Life[number] => ({
    type: "purchase",
    at: now - daysAgo * DAY_MS,
    order: `o_${daysAgo}`,
    channel: "app",
    items: labels.map((label) => {
      const { id, price } = named(world.shop.products, label);
      return { product: id, quantity: 1, amount: price };
    }),
  });
  const called = (hoursAgo: number, label: string): Life[number] => ({
    type: "call_outbound",
    at: now - hoursAgo * HOUR_MS,
    channel: "phone",
    properties: { offer: idOf(label) },
  });
  const plain = { zones: SHANGHAI, laterMs: DAY_MS, asks: [inbound], record: {} };
  return [
    {
      ...plain,
      id: "due_again",
      heading: {
        en: "A growing member calls: what is due again",
        zh: "成长期会员来电：又该补货了",
      },
      who: {
        en: "A member in growth who bought jasmine tea three times, a month apart, the last time 31 days ago.",
        zh: "成长期会员，三次购买茉莉花茶，每次间隔约一个月，最近一次在31天前。",
      },
      names: { en: "Grace Wang", zh: "王芳" },
      life: lifeOf("growth"),
    },
    {
      ...plain,
      id: "cross_sell",
      heading: {
        en: "Something that goes with it, and why this coupon",
        zh: "搭配推荐，以及为什么用这张优惠券",
      },
      who: {
        en: "A new member with one order, a toner nine days ago. On the phone a hyaluronic serum goes into the cart.",
        zh: "新会员，九天前买过一次爽肤水。通话中把玻尿酸精华放入购物车。",
      },
      names: { en: "Ella Liu", zh: "刘洋" },
      life: [order(9, "Toner 50 ml")],
      asks: [
        {
          said: calls,
          body: { placement: "screen_pop", context: { cart: [product("Hyaluronic Serum 50 ml")] } },
        },
      ],
    },
    {
      ...plain,
      id: "win_back",
      heading: { en: "A dormant member won back", zh: "挽回沉睡会员" },
      who: {
        en: "A dormant member: bought espresso beans every 25 days, and has been silent for three such spans.",
        zh: "沉睡会员：以前约每25天买一次意式咖啡豆，现已沉默约三个周期。",
      },
      names: { en: "James Wilson", zh: "魏建国" },
      life: lifeOf("dormant"),
      asks: [outbound],
    },
    {
      ...plain,
      id: "complaint",
      heading: { en: "An open complaint: help, do not sell", zh: "投诉未解决：先帮助，不推销" },
      who: {
        en: "A regular who buys dog food every 26 days and complained two days ago about a damaged item.",
        zh: "老顾客，约每26天购买一次狗粮；两天前投诉商品破损。",
      },
      names: { en: "Leo Li", zh: "李伟" },
      life: lifeOf("complaint"),
    },
    {
      ...plain,
      id: "refund",
      heading: { en: "A refund under way", zh: "退款处理中" },
      who: {
        en: "A member who buys vitamins and asked for a refund yesterday.",
        zh: "购买维生素的会员，昨天申请了退款。",
      },
      names: { en: "Nora Zhao", zh: "赵敏" },
      life: [
        order(130, "Vitamin C 60 tablets"),
        order(75, "Vitamin C 60 tablets"),
        order(20, "Vitamin C 60 tablets"),
        { type: "refund_opened", at: now - DAY_MS, channel: "app" },
      ],
    },
    {
      ...plain,
      id: "do_not_contact",
      heading: { en: "On the do-not-contact list", zh: "在免打扰名单中" },
      who: {
        en: "A skincare buyer who is on the do-not-contact list.",
        zh: "购买护肤品的会员，已在免打扰名单中。",
      },
      names: { en: "Mia Zhang", zh: "张敏" },
      life: lifeOf("doNotContact"),
      asks: [inbound, outbound],
      suppressed: true,
    },
    {
      ...plain,
      id: "two_zones",
      heading: {
        en: "Outbound at night, with phones in two time zones",
        zh: "夜间外呼：两个号码在不同时区",
      },
      who: {
        en: "A tea drinker with one number in New York and one in Hawaii, and no time zone on file.",
        zh: "爱喝茶的会员，一个号码在纽约，一个在夏威夷，资料中没有时区。",
      },
      names: { en: "Amy Chen", zh: "陈爱美" },
      zones: ["America/New_York", "Pacific/Honolulu"],
      laterMs: 16 * HOUR_MS,
      life: [order(70, "Longjing Green Tea 100 g"), order(35, "Longjing Green Tea 100 g")],
      asks: [outbound],
      record: { timezone: undefined, jurisdiction: "US" },
    },
    {
      ...plain,
      id: "called_today",
      heading: {
        en: "Called this morning, and offered the tea twice",
        zh: "今早已联系过，同一款茶也推荐过两次",
      },
      who: {
        en: "A member who buys jasmine tea every month and honey every forty days. We called this morning and nine days ago, both times about jasmine tea.",
        zh: "每月购买茉莉花茶、约每四十天购买蜂蜜的会员。今早和九天前我们都打过电话，两次都推荐了茉莉花茶。",
      },
      names: { en: "Sam Sun", zh: "孙强" },
      life: [
        order(120, "Jasmine Green Tea 100 g", "Wildflower Honey 1 kg"),
        order(90, "Jasmine Green Tea 100 g"),
        order(80, "Wildflower Honey 1 kg"),
        order(61, "Jasmine Green Tea 100 g"),
        order(40, "Wildflower Honey 1 kg"),
        order(31, "Jasmine Green Tea 100 g"),
        called(9 * 24, "Jasmine Green Tea 100 g"),
        called(1.5, "Jasmine Green Tea 100 g"),
      ],
      asks: [outbound],
      whyNot: [product("Jasmine Green Tea 100 g")],
    },
    {
      ...plain,
      id: "same_for_everyone",
      heading: {
        en: "An unknown caller, and a member without personalization: the same for everyone",
        zh: "陌生来电与关闭个性化的会员：人人相同",
      },
      who: {
        en: "First a number nobody knows; then a coffee buyer who switched personalization off.",
        zh: "先是一个未知号码；然后是一位购买咖啡、但关闭了个性化推荐的会员。",
      },
      names: { en: "Ben Zhou", zh: "周斌" },
      life: lifeOf("dormant"),
      record: { personalization: "off" },
      asks: [
        {
          ...inbound,
          member: { en: { phone: "+8619999999998" }, zh: { phone: "+8619999999999" } },
        },
        {
          said: {
            en: "Inbound call of the member without personalization.",
            zh: "关闭个性化的会员来电。",
          },
          body: { placement: "screen_pop" },
        },
      ],
    },
    {
      ...plain,
      id: "why_not",
      heading: {
        en: "“Why not this product?”, and the same bytes again",
        zh: "“为什么不是这个产品？”以及逐字节重算",
      },
      who: {
        en: "A parent who has bought formula stage 1 and diapers S every two weeks for five months.",
        zh: "一位家长，五个月来约每两周购买1段奶粉和S码纸尿裤。",
      },
      names: { en: "Jane Chen", zh: "陈静" },
      life: lifeOf("successor"),
      whyNot: [
        product("Infant Formula Stage 2 800 g"),
        product("Toddler Formula Stage 3 800 g"),
        product("Goose Down Quilt Grey"),
        product("Espresso Machine Premium"),
      ],
    },
  ];
}

export const LANGUAGES: readonly Language[] = ["en", "zh"];

/** The member of a situation who speaks this language: id, record and life. */
export function memberOf(
  { id, names, record, life, zones }: Situation,
  language: Language,
  index: number,
): { record: MemberInput & { id: string }; events: EventInput[] } {
  const member = `${id}_${language}`;
  const number = String(100 + index * LANGUAGES.length + LANGUAGES.indexOf(language));
  const granted = ["phone", "sms", "email", "app"].map((channel) => ({
    channel,
    purpose: "marketing",
    status: "granted" as const,
    at: life[0]!.at,
    source: "signup_form",
  }));
  return {
    record: {
      id: member,
      name: names[language],
      // Ranges nobody can be called on: those of the demo world, and 555-01xx.
      ...(zones.length > 1
        ? { phone: `+1212555${`0${number}`}`, phones: [`+1808555${`0${number}`}`] }
        : { phone: `+86199${number.padStart(8, "9")}` }),
      timezone: "Asia/Shanghai",
      locale: language,
      jurisdiction: "CN",
      consents: granted,
      ...record,
    },
    events: life.map((event, i) => ({
      ...event,
      id: `${member}_${i}`,
      member,
      ...(event.order === undefined ? {} : { order: `${event.order}_${member}` }),
    })),
  };
}
