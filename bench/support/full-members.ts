/**
 * Members about whom everything is known that a member can have: 64 order lines and more behind them,
 * every kind of activity, all channels, four identities, attributes and consents. Their ids lie in
 * few partitions, as many in each as in a store of a million, so that what a partition costs is
 * shared among as many.
 */
import { Random } from "../../src/demo/random.js";
import type { EventInput } from "../../src/events/event.js";
import type { MemberInput } from "../../src/members/profile.js";
import { PARTITIONS, partitionOf } from "../../src/redis/keys.js";

const MEMBERS_A_PARTITION = Math.round(1_000_000 / PARTITIONS);
const ORDERS = 70;
const OTHERS = 60;
const PRODUCTS = 500;
const DAY_MS = 86_400_000;
const CHANNELS = ["phone", "sms", "email", "app", "web", "store"];

export const fullProducts = Array.from({ length: PRODUCTS }, (_, i) => ({
  id: `p_${i}`,
  name: `Product ${i}`,
  category: `category ${i % 24}`,
  price: 20 + (i % 200),
}));

/** Ids like a shop's own, in the first partitions only. */
export function fullIds(count: number): string[] {
  const partitions = Math.max(1, Math.round(count / MEMBERS_A_PARTITION));
  const ids: string[] = [];
  for (let i = 0; ids.length < count; i++) {
    const id = `m_${10_000_000 + i}`;
    if (partitionOf(id) < partitions) ids.push(id);
  }
  return ids;
}

export function fullProfile(index: number, now: number): MemberInput {
  return {
    name: `Member Number ${index}`,
    phone: `+8613${String(100_000_000 + index)}`,
    email: `member.number.${index}@mail.example.com`,
    accounts: [`account-${100_000 + index}`],
    visitors: [`visitor-${(index * 7_919).toString(16).padStart(16, "0")}`],
    timezone: "Asia/Shanghai",
    locale: "zh-CN",
    jurisdiction: "CN",
    tags: ["loyalty", "newsletter"],
    attributes: { city: "Hangzhou", tier: "gold", memberSince: "2021-03-04", points: 1_200 },
    consents: ["phone", "sms", "email", "app"].map((channel) => ({
      channel,
      purpose: "marketing",
      status: "granted" as const,
      at: now - 90 * DAY_MS,
      source: "web form",
    })),
  };
}

/** Newest last. 70 orders of one line over two years, then whatever else happens to a member. */
export function fullEvents(id: string, now: number): EventInput[] {
  const random = new Random(`full ${id}`);
  const at = (days: number): number => Math.round(now - random.between(0.01, days) * DAY_MS);
  const product = (): string => random.pick(fullProducts).id;
  const events: EventInput[] = [];
  const add = (event: Omit<EventInput, "id" | "member">): void => {
    events.push({ ...event, id: `${id}-${events.length}`, member: id });
  };
  for (let i = 0; i < ORDERS; i++) {
    const quantity = random.whole(1, 3);
    const items = [{ product: product(), quantity, amount: 19.9 * quantity }];
    add({ type: "purchase", at: at(730), order: `o${i}`, items, channel: random.pick(CHANNELS) });
  }
  const plain = ["search", "checkout_start", "payment_failed", "visit", "custom_quiz"];
  const calls = ["call_inbound", "call_outbound", "complaint_opened", "complaint_closed"];
  const messages = ["message_sent", "message_delivered", "message_open", "message_click"];
  const coupons = ["coupon_issued", "coupon_redeemed"];
  const kinds = ["view", "view", "cart_add", "return", ...plain, ...calls, ...messages, ...coupons];
  for (let i = 0; i < OTHERS; i++) {
    const type = kinds[i % kinds.length];
    const one = ["view", "cart_add", "return"].includes(type);
    const goods = one ? { product: product(), quantity: 1, amount: 19.9 } : {};
    add({ type, at: at(120), channel: random.pick(CHANNELS), ...goods });
  }
  return events.sort((a, b) => a.at - b.at);
}
