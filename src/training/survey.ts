/**
 * The first pass over the log: where it begins and ends, who bought what and when. Kept in flat arrays
 * (about 16 bytes an order and 8 a line), from which candidate artifacts and P(alive) are fitted as of
 * any instant.
 */
import type { PurchaseRecord, SessionRecord } from "../candidates/artifacts.js";
import type { StagesConfig } from "../config.js";
import type { Line, MemberEvent } from "../events/event.js";
import type { LogReader } from "../events/log-reader.js";
import { type ReplayedMember, replayAnonymous, replayMembers } from "../events/replay.js";
import type { AliveModel } from "../features/alive.js";
import { orders } from "../features/orders.js";
import { DAY_SECONDS, secondsOf } from "../features/packed.js";
import { STAGES, type Stage, stageOf } from "../features/stage.js";
import { EMPTY_STATE } from "../features/state.js";
import { type AliveCustomer, fitAlive } from "./fit-alive.js";
import { FlatLists, Grow, Numbered } from "./flat-lists.js";

export const DAY_MS = 86_400_000;
/** Silence that ends a browsing session. */
const SESSION_GAP_MS = 30 * 60_000;
/** Products of one session that count. */
const SESSION_LENGTH_MAX = 30;
/** Share of the orders that must lie in the 30 days before the log's end: strays do not move it. */
const END_SHARE = 0.001;

/** Orders of one member or of nobody, as flat numbers. */
export class Purchases {
  readonly members = new Numbered();
  readonly products = new Numbered();
  readonly #member = new Grow(Uint32Array);
  readonly #at = new Grow(Float64Array);
  readonly #stage = new Grow(Uint8Array);
  /** Product numbers, and quantities beside them; a return has negative ones. */
  readonly #lines = new FlatLists();
  readonly #quantity = new Grow(Float32Array);

  add(
    member: string,
    at: number,
    stage: Stage | null,
    { lines }: { readonly lines: readonly Line[] },
    sign = 1,
  ) {
    this.#member.push(this.members.of(member));
    this.#at.push(at);
    this.#stage.push(stage === null ? STAGES.length : STAGES.indexOf(stage));
    for (const { product, quantity } of lines) {
      this.#lines.push(this.products.of(product));
      this.#quantity.push(sign * quantity);
    }
    this.#lines.end();
  }

  get count(): number {
    return this.#at.length;
  }

  at(index: number): number {
    return this.#at.array[index];
  }

  /** Records in the order they were read; those at or after `asOf` are left out. */
  *before(asOf: number): Generator<PurchaseRecord> {
    for (let index = 0; index < this.count; index++) {
      const at = this.#at.array[index];
      if (at >= asOf) continue;
      const [from, to] = this.#lines.range(index);
      const lines = Array.from({ length: to - from }, (_, offset) => ({
        product: this.products.names[this.#lines.values.array[from + offset]],
        quantity: this.#quantity.array[from + offset],
      }));
      const segment: string | undefined = STAGES[this.#stage.array[index]];
      yield { member: this.members.names[this.#member.array[index]], at, segment, lines };
    }
  }
}

/** Products viewed or carted one after another. */
export class Sessions {
  readonly #products: Numbered;
  readonly #at = new Grow(Float64Array);
  readonly #lists = new FlatLists();

  constructor(products: Numbered) {
    this.#products = products;
  }

  add(at: number, products: readonly string[]): void {
    this.#at.push(at);
    for (const product of products) this.#lists.push(this.#products.of(product));
    this.#lists.end();
  }

  *before(asOf: number): Generator<SessionRecord> {
    for (let index = 0; index < this.#at.length; index++) {
      const at = this.#at.array[index];
      if (at >= asOf) continue;
      const [from, to] = this.#lists.range(index);
      const numbers = this.#lists.values.array.subarray(from, to);
      yield { at, products: Array.from(numbers, (number) => this.#products.names[number]) };
    }
  }
}

export interface Survey {
  /** Epoch milliseconds of the first and last order, strays far from the rest left out. */
  readonly from: number;
  readonly to: number;
  readonly memberCount: number;
  readonly orderCount: number;
  readonly purchases: Purchases;
  readonly sessions: Sessions;
  /** Order times (epoch seconds, ascending) of each member who bought. */
  readonly orderTimes: FlatLists;
}

export interface SurveyOptions {
  readonly stages: StagesConfig;
  readonly onMember?: (done: number) => void;
  readonly signal?: AbortSignal;
  /** Only what happened up to then (epoch milliseconds). */
  readonly until?: number;
}

/** Reads every member once, and the orders of nobody known, which inform popularity. */
export async function surveyLog(
  reader: LogReader,
  { stages, onMember, signal, until }: SurveyOptions,
): Promise<Survey> {
  const purchases = new Purchases();
  const sessions = new Sessions(purchases.products);
  const orderTimes = new FlatLists();
  const times = new Grow(Float64Array);
  let memberCount = 0;
  for await (const member of replayMembers(reader, { until })) {
    signal?.throwIfAborted();
    const events = inTime(member);
    surveyOrders(member.id, events, stages, purchases, orderTimes, times);
    surveySessions(events, sessions);
    memberCount++;
    onMember?.(memberCount);
  }
  for await (const order of replayAnonymous(reader, { until })) {
    purchases.add("", order.at, null, order);
  }
  const { from, to } = windowOf(times.array.slice(0, times.length));
  return { from, to, memberCount, orderCount: times.length, purchases, sessions, orderTimes };
}

/** A member's events by their own time: what counts as known at an instant, however late it arrived. */
export const inTime = (member: ReplayedMember): MemberEvent[] =>
  member.events.map(({ event }) => event).sort((a, b) => a.at - b.at);

export const isOrder = (event: MemberEvent): boolean =>
  event.type === "purchase" && event.continuation !== true;

function surveyOrders(
  id: string,
  events: readonly MemberEvent[],
  stages: StagesConfig,
  purchases: Purchases,
  orderTimes: FlatLists,
  times: Grow<Float64Array>,
): void {
  let state = orders.empty();
  for (const event of events) {
    if (event.type === "return") purchases.add(id, event.at, null, event, -1);
    if (event.type !== "purchase") continue;
    purchases.add(
      id,
      event.at,
      stageOf({ ...EMPTY_STATE, orders: state }, event.at, stages),
      event,
    );
    state = orders.merge(state, orders.lift(event));
    if (event.continuation === true) continue;
    orderTimes.push(secondsOf(event.at));
    times.push(event.at);
  }
  if (state.count > 0) orderTimes.end();
}

function surveySessions(events: readonly MemberEvent[], sessions: Sessions): void {
  let products: string[] = [];
  let startedAt = 0;
  let lastAt = Number.NEGATIVE_INFINITY;
  const close = (): void => {
    if (products.length > 1) sessions.add(startedAt, products);
    products = [];
  };
  for (const event of events) {
    if (event.type !== "view" && event.type !== "cart_add") continue;
    if (event.at - lastAt > SESSION_GAP_MS) {
      close();
      startedAt = event.at;
    }
    lastAt = event.at;
    for (const { product } of event.lines) {
      if (products.length < SESSION_LENGTH_MAX && products.at(-1) !== product)
        products.push(product);
    }
  }
  close();
}

/** A stray order years away (a test, a wrong clock) must not move every snapshot off the data. */
function windowOf(times: Float64Array): { from: number; to: number } {
  if (times.length === 0) return { from: 0, to: 0 };
  times.sort();
  const needed = Math.max(5, Math.floor(times.length * END_SHARE));
  const far = (a: number, b: number): boolean => times[b] - times[a] > 30 * DAY_MS;
  let last = times.length - 1;
  while (last >= needed && far(last - needed, last)) last--;
  let first = 0;
  while (first + needed <= last && far(first, first + needed)) first++;
  return { from: times[first], to: times[last] };
}

/**
 * P(alive) parameters from the orders before `asOf` (epoch milliseconds), on at most `customersMax`
 * buyers; null when there are fewer than 20.
 */
export function fitAliveAsOf(
  { orderTimes }: Survey,
  asOf: number,
  customersMax = 20_000,
): AliveModel | null {
  const customers: AliveCustomer[] = [];
  const limit = asOf / 1000;
  for (let list = 0; list < orderTimes.count && customers.length < customersMax; list++) {
    const [from, to] = orderTimes.range(list);
    const times = orderTimes.values.array;
    let end = from;
    while (end < to && times[end] < limit) end++;
    if (end === from) continue;
    // Whole days, so that one-time buyers of a day coincide and the fit is fast.
    const days = (seconds: number): number => Math.round(seconds / DAY_SECONDS);
    const tx = days(times[end - 1] - times[from]);
    customers.push({ x: end - from - 1, tx, T: Math.max(tx, days(limit - times[from])) });
  }
  return customers.length < 20 ? null : fitAlive(customers, { evaluationsMax: 2500 }).model;
}
