/** What came of one member in one stretch of time, from its history in the log. */
import type { StagesConfig } from "../config.js";
import type { MemberEvent } from "../events/event.js";
import type { ReplayedMember } from "../events/replay.js";
import { orders } from "../features/orders.js";
import { type Stage, stageOf } from "../features/stage.js";
import { EMPTY_STATE } from "../features/state.js";

/** From `from` up to and without `until`, epoch milliseconds. */
export interface Span {
  readonly from: number;
  readonly until: number;
}

/** Orders, and their money less what was sent back, major unit. */
export interface Sold {
  readonly orders: number;
  readonly money: number;
}

export interface MemberOutcome {
  readonly contacts: number;
  /** Offers the member said something to: accepted, refused, or asked to come back with later. */
  readonly answered: number;
  readonly accepted: number;
  /** Money of the orders of this time less all that was sent back of them, major unit. */
  readonly netSales: number;
  readonly first: Sold;
  readonly repeat: Sold;
  /** Offers that were converted, and what they brought less what was sent back, major unit. */
  readonly attributed: Sold;
  readonly promoted: boolean;
  readonly complained: boolean;
  readonly optedOut: boolean;
}

const CONTACTS: ReadonlySet<string> = new Set(["call_outbound", "message_sent"]);
/** What is asked about again for each span. */
const TOLD: ReadonlySet<string> = new Set([...CONTACTS, "complaint_opened", "opt_out", "response"]);
const ACCEPTED: ReadonlySet<unknown> = new Set(["accept", "convert"]);
const ANSWERED: ReadonlySet<unknown> = new Set([...ACCEPTED, "reject", "later", "do_not_contact"]);

/** Where a stage stands; whoever comes back from silence to buying has climbed as well. */
const HEIGHT: Record<Stage, number> = {
  churned: -2,
  dormant: -1,
  prospect: 0,
  new: 1,
  growth: 2,
  mature: 3,
};
const isPromoted = (before: Stage, after: Stage): boolean =>
  HEIGHT[after] > Math.max(HEIGHT[before], 0);

interface Order {
  /** Of its first part. */
  at: number;
  money: number;
}

const moneyOf = ({ lines }: MemberEvent): number =>
  lines.reduce((sum, { amount }) => sum + amount, 0);

const isIn = (at: number, { from, until }: Span): boolean => at >= from && at < until;

/** A member's history, read once and asked about any number of spans. */
export class History {
  /** Epoch milliseconds of what is known first. */
  readonly firstAt: number;
  readonly #orders: readonly Order[];
  readonly #looseReturns: readonly Order[];
  readonly #converted: readonly Order[];
  readonly #told: readonly MemberEvent[];
  readonly #purchases: readonly MemberEvent[];
  /** Instants at which a consent was taken back. */
  readonly #withdrawals: readonly number[];
  readonly #stages: StagesConfig;

  constructor({ events, profiles }: ReplayedMember, stages: StagesConfig) {
    this.#stages = stages;
    const all = events.map(({ event }) => event);
    this.#told = all.filter(({ type }) => TOLD.has(type));
    this.#purchases = all.filter(({ type }) => type === "purchase");
    this.#withdrawals = profiles.flatMap(({ profile }) =>
      (profile.consents ?? []).flatMap(({ status, at }) =>
        status === "granted" || at === undefined ? [] : [at],
      ),
    );
    this.#converted = convertedOf(this.#told);
    let firstAt = Number.POSITIVE_INFINITY;
    for (const { at } of all) firstAt = Math.min(firstAt, at);
    for (const { at } of profiles) firstAt = Math.min(firstAt, at);
    this.firstAt = firstAt;
    const orders = ordersOf(this.#purchases);
    this.#looseReturns = takeBack(all, orders);
    this.#orders = [...orders.values()].sort((a, b) => a.at - b.at);
  }

  /** The stage at an instant, from what had happened before it. */
  stageAt(at: number): Stage {
    const state = this.#purchases
      .filter((purchase) => purchase.at < at)
      .reduce((sum, purchase) => orders.merge(sum, orders.lift(purchase)), orders.empty());
    return stageOf({ ...EMPTY_STATE, orders: state }, at, this.#stages);
  }

  outcomeIn(span: Span): MemberOutcome {
    const events = this.#told.filter(({ at }) => isIn(at, span));
    const sold = this.#orders.filter(({ at }) => isIn(at, span));
    const first = sold.filter((order) => order === this.#orders[0]);
    const repeat = sold.filter((order) => order !== this.#orders[0]);
    const back = this.#looseReturns.filter(({ at }) => isIn(at, span));
    const said = saidTo(events);
    const converted = this.#converted.filter(({ at }) => isIn(at, span));
    return {
      contacts: events.filter(({ type }) => CONTACTS.has(type)).length,
      answered: said.size,
      accepted: [...said.values()].filter(Boolean).length,
      netSales: total(sold) - total(back),
      first: { orders: first.length, money: total(first) },
      repeat: { orders: repeat.length, money: total(repeat) },
      attributed: { orders: converted.length, money: total(converted) },
      promoted: isPromoted(this.stageAt(span.from), this.stageAt(span.until)),
      complained: events.some(({ type }) => type === "complaint_opened"),
      optedOut:
        events.some((event) => event.type === "opt_out" || outcomeOf(event) === "do_not_contact") ||
        this.#withdrawals.some((at) => isIn(at, span)),
    };
  }
}

const total = (orders: readonly Order[]): number =>
  orders.reduce((sum, { money }) => sum + money, 0);

/** Parts of one order, sent apart, are one. */
function ordersOf(purchases: readonly MemberEvent[]): Map<string, Order> {
  const orders = new Map<string, Order>();
  for (const purchase of purchases) {
    const key = purchase.order ?? `event ${purchase.id}`;
    const order = orders.get(key);
    const money = moneyOf(purchase);
    if (order === undefined) orders.set(key, { at: purchase.at, money });
    else {
      order.money += money;
      order.at = Math.min(order.at, purchase.at);
    }
  }
  return orders;
}

/** A return that names an order is taken off that order, whenever it came; the others are left. */
function takeBack(events: readonly MemberEvent[], orders: Map<string, Order>): Order[] {
  const loose: Order[] = [];
  for (const event of events) {
    if (event.type !== "return") continue;
    const order = event.order === undefined ? undefined : orders.get(event.order);
    const money = moneyOf(event);
    if (order === undefined) loose.push({ at: event.at, money });
    else order.money -= money;
  }
  return loose;
}

/** Of an event that tells what came of an offer. */
const outcomeOf = ({ type, properties }: MemberEvent): unknown =>
  type === "response" ? properties?.outcome : undefined;

/** What a response is about. */
const offerOf = ({ id, properties }: MemberEvent): string =>
  `${String(properties?.decision ?? id)} ${String(properties?.rank ?? 1)}`;

/**
 * Each offer that was converted, at its first conversion: what it brought less what was sent back of
 * it, whenever that came and never more than all. A return without an amount is of all of it.
 */
function convertedOf(events: readonly MemberEvent[]): Order[] {
  const offers = new Map<string, Order & { back: number }>();
  const amounts = new Map(
    events
      .filter((event) => outcomeOf(event) === "convert" || outcomeOf(event) === "return")
      .map((event) => [event.id, event] as const),
  );
  for (const event of amounts.values()) {
    const { amount } = event.properties!;
    const offer = offers.get(offerOf(event)) ?? { at: Number.POSITIVE_INFINITY, money: 0, back: 0 };
    offers.set(offerOf(event), offer);
    if (outcomeOf(event) === "return") {
      offer.back += typeof amount === "number" ? amount : Number.POSITIVE_INFINITY;
    } else {
      offer.money += typeof amount === "number" ? amount : 0;
      offer.at = Math.min(offer.at, event.at);
    }
  }
  return [...offers.values()]
    .filter(({ at }) => Number.isFinite(at))
    .map(({ at, money, back }) => ({ at, money: Math.max(0, money - back) }));
}

/** Each offer that was answered, and whether it was accepted: its best answer counts. */
function saidTo(events: readonly MemberEvent[]): Map<string, boolean> {
  const offers = new Map<string, boolean>();
  for (const event of events) {
    const outcome = outcomeOf(event);
    if (!ANSWERED.has(outcome)) continue;
    const offer = offerOf(event);
    offers.set(offer, (offers.get(offer) ?? false) || ACCEPTED.has(outcome));
  }
  return offers;
}
