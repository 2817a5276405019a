/** One member's life in the shop: from the hidden truth to the events it leaves behind. */
import type { EventInput } from "../events/event.js";
import type { MemberTruth } from "./people.js";
import type { Random } from "./random.js";
import type { Shop, ShopProduct } from "./shop.js";

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;

/** Sales that pull orders forward: month and day. */
const SALE_DAYS: readonly (readonly [number, number])[] = [
  [6, 18],
  [11, 11],
  [12, 12],
];

type Draft = Omit<EventInput, "id" | "member">;

/** Writes events of one member and keeps what the member remembers. */
class Life {
  readonly events: EventInput[] = [];
  /** Product index → epoch milliseconds of the latest purchase. */
  readonly boughtAt = new Map<number, number>();
  readonly firstBoughtAt = new Map<number, number>();
  staples: { product: number; everyDays: number }[];
  orders = 0;
  /** Coupon in hand and until when. */
  coupon: { id: string; until: number; percentOff: number } | null = null;
  /** Each is redeemed once; a second time it is a discount the shop gives of itself. */
  readonly redeemed = new Set<string>();
  complaintUntil = 0;

  constructor(
    readonly shop: Shop,
    readonly truth: MemberTruth,
    readonly random: Random,
    readonly now: number,
  ) {
    this.staples = truth.staples.map((staple) => ({ ...staple }));
  }

  /** Nothing happens after `now`. */
  emit(draft: Draft): void {
    const at = Math.round(draft.at);
    if (at > this.now) return;
    const id = `demo_${this.truth.id.slice(2)}_${this.events.length + 1}`;
    this.events.push({ ...draft, id, member: this.truth.id, at });
  }

  /** The instant on that day at which this member is about. */
  moment(at: number): number {
    const local = at + this.truth.utcOffsetHours * HOUR_MS;
    const midnight = Math.floor(local / DAY_MS) * DAY_MS - this.truth.utcOffsetHours * HOUR_MS;
    const hour = Math.min(23.4, Math.max(7, this.truth.hour + 1.2 * this.random.normal()));
    return Math.max(at - DAY_MS / 2, midnight + hour * HOUR_MS);
  }
}

/** All events of one member up to `now`, in the order they happen. */
export function liveLife(
  shop: Shop,
  truth: MemberTruth,
  random: Random,
  now: number,
): EventInput[] {
  const life = new Life(shop, truth, random, now);
  let at = life.moment(truth.joinedAt);
  if (truth.buys) {
    while (at < now) {
      order(life, at);
      const leaves = random.chance(truth.dropOut * (life.complaintUntil > at ? 2 : 1));
      const next = leaves ? now + DAY_MS : nextTrip(life, at);
      const interestEnds = leaves ? at + random.exponential(60) * DAY_MS : next;
      between(life, at, interestEnds);
      // The shop does not know that they left, and goes on writing for a year.
      if (leaves) contacts(life, interestEnds, Math.min(now, interestEnds + 365 * DAY_MS));
      at = life.moment(next);
    }
  } else browseOnly(life, at);
  return life.events.sort((a, b) => a.at - b.at);
}

/** When the first staple runs out, or earlier on an impulse, a coupon or a sale. */
function nextTrip(life: Life, at: number): number {
  const { random, truth } = life;
  let days = random.exponential(truth.impulseDays);
  for (const { product, everyDays } of life.staples) {
    const last = life.boughtAt.get(product) ?? at;
    const due = (last - at) / DAY_MS + everyDays * (1 + 0.14 * random.normal());
    days = Math.min(days, Math.max(1, due));
  }
  days = Math.max(1, days);
  if (life.coupon !== null && random.chance(0.6 * truth.priceSensitivity)) {
    days = Math.min(days, random.between(1, 10));
  }
  const sale = daysToSale(at);
  if (sale < days && sale > days * 0.4 && random.chance(0.25 + 0.6 * truth.priceSensitivity)) {
    return at + sale * DAY_MS;
  }
  return at + days * DAY_MS;
}

function daysToSale(at: number): number {
  const year = new Date(at).getUTCFullYear();
  const days = [year, year + 1].flatMap((one) =>
    SALE_DAYS.map(([month, day]) => (Date.UTC(one, month - 1, day) - at) / DAY_MS),
  );
  return Math.min(...days.filter((gap) => gap > 0));
}

function basketOf(life: Life, at: number): Map<number, number> {
  const { random, shop } = life;
  const basket = new Map<number, number>();
  life.staples = life.staples.map((staple) => grownOut(life, staple, at));
  for (const { product, everyDays } of life.staples) {
    const last = life.boughtAt.get(product);
    const gone = last === undefined ? 0.8 + 0.4 * random.next() : (at - last) / DAY_MS / everyDays;
    if (gone > 0.82 + 0.08 * random.normal()) basket.set(product, random.chance(0.12) ? 2 : 1);
  }
  const impulses =
    (basket.size === 0 ? 1 : 0) + (random.chance(0.35) ? 1 : 0) + (random.chance(0.15) ? 1 : 0);
  for (let i = 0; i < impulses; i++) basket.set(pickProduct(life, at).index, 1);
  for (const product of [...basket.keys()]) {
    for (const companion of shop.companions.get(product) ?? []) {
      if (random.chance(0.22) && isSold(shop.products[companion]!, at, life.now))
        basket.set(companion, 1);
    }
  }
  return basket;
}

/** A child grows out of stage 1: the staple becomes its successor. */
function grownOut(
  life: Life,
  staple: { product: number; everyDays: number },
  at: number,
): { product: number; everyDays: number } {
  const next = life.shop.successors.get(staple.product);
  const first = life.firstBoughtAt.get(staple.product);
  if (next === undefined || first === undefined) return staple;
  if (at - first < next.afterDays * DAY_MS) return staple;
  const lasts = life.shop.products[next.product]!.lastsDays;
  const before = life.shop.products[staple.product]!.lastsDays || lasts;
  return { product: next.product, everyDays: (staple.everyDays * lasts) / before };
}

function isSold(product: ShopProduct, at: number, now: number): boolean {
  if (at < now - product.ageDays * DAY_MS) return false;
  return product.months === null || product.months.has(new Date(at).getUTCMonth() + 1);
}

/** By taste, season and popularity. */
function pickProduct(life: Life, at: number): ShopProduct {
  const { shop, random, truth, now } = life;
  const month = new Date(at).getUTCMonth() + 1;
  const shelves = shop.categories.map(
    (category, i) =>
      truth.taste[i]! * (shop.shelves.get(category)!.peakMonths.includes(month) ? 3 : 1),
  );
  const shelf = shop.byCategory.get(shop.categories[random.weighted(shelves)]!)!;
  const seasonal = (product: ShopProduct): number => (product.months === null ? 1 : 6);
  return shelf[
    random.weighted(
      shelf.map((product) =>
        isSold(product, at, now) ? product.popularity * seasonal(product) : 0,
      ),
    )
  ]!;
}

/** Looking, the cart, the order, and what may follow it. */
function order(life: Life, at: number): void {
  const { random, shop, truth } = life;
  const basket = basketOf(life, at);
  const channel = random.chance(0.85) ? truth.orderChannel : random.pick(["web", "app"] as const);
  const isOnline = channel === "web" || channel === "app";
  if (isOnline) look(life, at - random.between(5, 50) * 60_000, [...basket.keys()], channel);
  const discount = redeem(life, at);
  const items = [...basket].map(([index, quantity]) => {
    const product = shop.products[index]!;
    if (!life.firstBoughtAt.has(index)) life.firstBoughtAt.set(index, at);
    life.boughtAt.set(index, at);
    const amount = Math.round(product.price * quantity * (1 - discount) * 100) / 100;
    return { product: product.id, quantity, amount };
  });
  life.orders += 1;
  const number = `o_${truth.id.slice(2)}_${life.orders}`;
  life.emit({ type: "purchase", at, order: number, items, channel });
  for (const item of items) {
    if (!random.chance(0.03)) continue;
    const back = at + random.between(3, 14) * DAY_MS;
    life.emit({ type: "return", at: back, order: number, items: [{ ...item }], channel });
  }
  if (random.chance(0.03)) complain(life, at + random.between(1, 5) * DAY_MS);
}

function look(life: Life, at: number, chosen: readonly number[], channel: string): void {
  const { random, shop } = life;
  let time = at;
  const seen = (product: ShopProduct, type: "view" | "cart_add"): void => {
    time += random.between(10, 90) * 1000;
    life.emit({ type, at: time, product: product.id, quantity: 1, channel });
  };
  if (random.chance(0.15)) {
    life.emit({
      type: "search",
      at: time,
      channel,
      properties: { query: shop.products[chosen[0]!]!.article },
    });
  }
  if (random.chance(0.4)) seen(pickProduct(life, at), "view");
  for (const index of chosen) {
    if (random.chance(0.4)) seen(shop.products[index]!, "view");
    if (random.chance(0.3)) seen(shop.products[index]!, "cart_add");
  }
  if (random.chance(0.15)) life.emit({ type: "checkout_start", at: time + 30_000, channel });
  if (random.chance(0.02)) life.emit({ type: "payment_failed", at: time + 60_000, channel });
}

/** The discount of the coupon in hand, as a share of the price. */
function redeem(life: Life, at: number): number {
  const { coupon, random, truth } = life;
  if (coupon === null || at > coupon.until) return 0;
  if (!random.chance(0.25 + 0.7 * truth.priceSensitivity)) return 0;
  if (!life.redeemed.has(coupon.id)) {
    life.emit({ type: "coupon_redeemed", at: at + 1000, properties: { coupon: coupon.id } });
    life.redeemed.add(coupon.id);
  }
  life.coupon = null;
  return coupon.percentOff;
}

function complain(life: Life, at: number): void {
  const { random } = life;
  const properties = {
    reason: random.pick(["late delivery", "damaged item", "wrong item", "billing"]),
  };
  const closesAt = at + (1 + random.exponential(6)) * DAY_MS;
  life.emit({ type: "call_inbound", at: at - 10 * 60_000, channel: "phone", properties });
  life.emit({ type: "complaint_opened", at, channel: "phone", properties });
  life.emit({ type: "complaint_closed", at: closesAt, channel: "phone", properties });
  life.complaintUntil = closesAt + 20 * DAY_MS;
}

/** From one order to the next, or to the end of interest: contacts, coupons, idle looking. */
function between(life: Life, from: number, to: number): void {
  const { random, truth } = life;
  const end = Math.min(to, life.now);
  contacts(life, from, end);
  for (let at = from; ; ) {
    at += random.exponential(45) * DAY_MS;
    if (at >= end) break;
    const time = life.moment(at);
    if (time <= from || time >= end) continue;
    const channel = random.pick(["web", "app"] as const);
    life.emit({
      type: "view",
      at: time,
      product: pickProduct(life, time).id,
      quantity: 1,
      channel,
    });
    if (random.chance(0.2)) {
      const product = pickProduct(life, time);
      life.emit({ type: "cart_add", at: time + 60_000, product: product.id, quantity: 1, channel });
    }
    if (random.chance(0.06)) life.emit({ type: "visit", at: time - 60_000, channel: "store" });
    if (random.chance(0.05)) {
      const properties = { reason: random.pick(["billing", "order status", "product question"]) };
      life.emit({ type: "call_inbound", at: time, channel: "phone", properties });
    }
  }
  if (truth.buys && end > from + DAY_MS && random.chance(0.12))
    offerCoupon(life, random.between(from, end));
}

function offerCoupon(life: Life, at: number): void {
  const coupon = life.random.pick([
    { id: "tea-15", percentOff: 0.15 },
    { id: "back-25", percentOff: 0.25 },
    { id: "beauty-10", percentOff: 0.1 },
  ]);
  life.coupon = { ...coupon, until: at + 30 * DAY_MS };
  life.emit({ type: "coupon_issued", at, properties: { coupon: coupon.id } });
}

function contacts(life: Life, from: number, to: number): void {
  const { random, truth } = life;
  for (let at = from; ; ) {
    at += random.exponential(55) * DAY_MS;
    if (at >= to) return;
    const sentAt = Math.floor(at / DAY_MS) * DAY_MS + 2.5 * HOUR_MS;
    if (sentAt <= from) continue;
    if (random.chance(0.15)) {
      const isReached = random.chance(0.25 + 0.5 * truth.patience);
      const properties = { outcome: isReached ? "answered" : "no_answer" };
      life.emit({ type: "call_outbound", at: sentAt, channel: "phone", properties });
      continue;
    }
    const channel = random.pick(["sms", "email", "app"] as const);
    life.emit({ type: "message_sent", at: sentAt, channel });
    if (random.chance(0.35)) life.emit({ type: "message_delivered", at: sentAt + 20_000, channel });
    if (!random.chance(0.6 * truth.patience)) continue;
    const openedAt = Math.max(sentAt + 60_000, life.moment(sentAt));
    life.emit({ type: "message_open", at: openedAt, channel });
    if (random.chance(0.3)) life.emit({ type: "message_click", at: openedAt + 15_000, channel });
  }
}

function browseOnly(life: Life, from: number): void {
  between(life, from, from + 120 * DAY_MS);
  const product = pickProduct(life, from);
  life.emit({ type: "view", at: from, product: product.id, quantity: 1, channel: "web" });
}
