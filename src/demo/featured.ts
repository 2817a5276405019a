/** A few members whose lives are written, not drawn: the ones the README and the first look meet. */
import type { EventInput } from "../events/event.js";
import type { MemberInput } from "../members/profile.js";
import { demoPhone } from "./people.js";
import { named, type Shop } from "./shop.js";

const DAY_MS = 86_400_000;

export interface FeaturedMember {
  readonly id: string;
  readonly phone: string;
  readonly name: string;
  /** Why a reader should look at this one. */
  readonly note: string;
}

export interface Featured {
  /** Bought jasmine tea three times a month apart; it ran out yesterday. */
  readonly growth: FeaturedMember;
  /** A regular whose complaint is open. */
  readonly complaint: FeaturedMember;
  /** A regular coffee drinker, silent for three of their own gaps. */
  readonly dormant: FeaturedMember;
  /** A parent whose child grows out of formula stage 1. */
  readonly successor: FeaturedMember;
  /** Asked not to be contacted. */
  readonly doNotContact: FeaturedMember;
}

export interface FeaturedStory {
  readonly who: keyof Featured;
  readonly note: string;
  readonly record: MemberInput & { id: string };
  readonly events: EventInput[];
}

/** Members 0 to 4 of every demo world. */
export function createFeatured(shop: Shop, now: number): FeaturedStory[] {
  return [
    story(shop, now, 0, "growth", "王芳", "growth, tea: replenishment is due", {}, [
      [95, ["Jasmine Green Tea 100 g"]],
      [63, ["Jasmine Green Tea 100 g"]],
      [31, ["Jasmine Green Tea 100 g"]],
    ]),
    story(shop, now, 1, "complaint", "李伟", "a regular with an open complaint: no selling", {}, [
      ...every(160, 4, 26, ["Adult Dog Food Chicken 6 kg", "Dental Chews 1.5 kg"]),
    ]),
    story(
      shop,
      now,
      2,
      "dormant",
      "James Wilson",
      "dormant coffee drinker: win back",
      { locale: "en" },
      [...every(300, 70, 25, ["Italian Espresso Blend 500 g"])],
    ),
    story(
      shop,
      now,
      3,
      "successor",
      "陈静",
      "formula stage 1 for five months: stage 2 is next",
      {},
      [...every(158, 12, 14, ["Infant Formula Stage 1 800 g", "Diapers S 76"])],
    ),
    story(
      shop,
      now,
      4,
      "doNotContact",
      "张敏",
      "asked not to be contacted",
      { doNotContact: true },
      [...every(200, 20, 40, ["Hyaluronic Serum 50 ml", "Toner 50 ml"])],
    ),
  ];
}

type Order = readonly [daysAgo: number, labels: readonly string[]];

/** Orders of the same basket from `first` to `last` days ago, `gap` days apart. */
function every(first: number, last: number, gap: number, labels: readonly string[]): Order[] {
  const orders: Order[] = [];
  for (let daysAgo = first; daysAgo >= last; daysAgo -= gap) orders.push([daysAgo, labels]);
  return orders;
}

function story(
  shop: Shop,
  now: number,
  index: number,
  who: keyof Featured,
  name: string,
  note: string,
  more: Partial<MemberInput>,
  orders: readonly Order[],
): FeaturedStory {
  const id = `m_${1001 + index}`;
  const joinedAt = now - orders[0]![0] * DAY_MS;
  const events: EventInput[] = [];
  const emit = (draft: Omit<EventInput, "id" | "member">): void => {
    events.push({ ...draft, id: `demo_${1001 + index}_${events.length + 1}`, member: id });
  };
  orders.forEach(([daysAgo, labels], which) => {
    const at = now - daysAgo * DAY_MS - 2 * 3_600_000;
    const products = labels.map((label) => named(shop.products, label));
    for (const product of products) {
      emit({ type: "view", at: at - 600_000, product: product.id, quantity: 1, channel: "app" });
    }
    const items = products.map((product) => ({
      product: product.id,
      quantity: 1,
      amount: product.price,
    }));
    emit({ type: "purchase", at, order: `o_${1001 + index}_${which + 1}`, items, channel: "app" });
  });
  if (who === "complaint") {
    const properties = { reason: "damaged item" };
    emit({ type: "call_inbound", at: now - 2 * DAY_MS - 600_000, channel: "phone", properties });
    emit({ type: "complaint_opened", at: now - 2 * DAY_MS, channel: "phone", properties });
  }
  const consents = ["phone", "sms", "email", "app"].map((channel) => ({
    channel,
    purpose: "marketing",
    status: "granted" as const,
    at: Math.round(joinedAt),
    source: "signup_form",
  }));
  const record = {
    id,
    name,
    phone: demoPhone(index),
    email: `featured.${index}@example.com`,
    accounts: [`acct_${100_001 + index}`],
    timezone: "Asia/Shanghai",
    locale: "zh",
    jurisdiction: "CN",
    tags: [],
    attributes: { city: "Shanghai", memberSince: new Date(joinedAt).toISOString().slice(0, 10) },
    consents,
    ...more,
  };
  return {
    who,
    note,
    record,
    events: events.map((event) => ({ ...event, at: Math.round(event.at) })),
  };
}
