/** Which baskets are learnt from, which are asked for: the protocols of `evaluate sequences`. */
import type { PurchaseRecord, SessionRecord } from "../candidates/artifacts.js";
import { CuecardError } from "../errors.js";
import type { Basket, SequenceData } from "./sequences-read.js";
import { nextInSession } from "./sequences-sessions.js";

/** One question: given the past, what comes next? */
export interface SequenceCase {
  readonly user: string;
  /** Epoch milliseconds. */
  readonly now: number;
  readonly past: readonly Basket[];
  /** Items that lie in the cart: never recommended again. */
  readonly cart: readonly number[];
  /** Items seen in the session under way, oldest first. */
  readonly session: readonly number[];
  /** Item numbers, each once. */
  readonly target: readonly number[];
}

/** Cases that share what may be learnt before them. */
export interface SequenceRound {
  readonly asOf: number;
  readonly purchases: readonly PurchaseRecord[];
  readonly sessions: readonly SessionRecord[];
  readonly cases: readonly SequenceCase[];
  /** Cases before they were thinned, where they were. */
  readonly steps?: number;
}

export interface SequenceSplit {
  /** For the ranker; none of them holds anything of what `test` asks for. */
  readonly training: readonly SequenceRound[];
  readonly test: SequenceRound;
  /** Baskets are held out by position, not by the clock. */
  readonly byPosition: boolean;
  /** What was left out, in words, for the report. */
  readonly notes: readonly string[];
}

const DAY_MS = 86_400_000;
/** Where a file has no times, the basket asked for lies here and the ones before a week apart each. */
const PSEUDO_GAP_MS = 7 * DAY_MS;
const PSEUDO_NOW = Date.UTC(2020, 0, 1);
/** Cut-off instants at which the ranker learns, a twentieth of the span apart, at most 14 days. */
const TRAINING_CUTS = 6;
const CUT_SPACING_MAX_MS = 14 * DAY_MS;

/** @throws CuecardError `usage` for an unknown protocol, `not_enough_data` when nothing can be asked */
export function splitSequences(data: SequenceData, protocol: string): SequenceSplit {
  if (data.users.length === 0) throw new CuecardError("not_enough_data", "the file holds no users");
  const split = splitBy(data, protocol);
  const trainable = split.training.some((round) => round.cases.length > 0);
  if (split.test.cases.length === 0 || !trainable) {
    throw new CuecardError(
      "not_enough_data",
      `the protocol ${protocol} leaves no cases in the file`,
    );
  }
  return split;
}

function splitBy(data: SequenceData, protocol: string): SequenceSplit {
  if (protocol === "last-basket") return lastBasket(data, false);
  if (protocol === "leave-one-out") return lastBasket(data, true);
  if (protocol === "next-in-session") return nextInSession(data);
  if (protocol.startsWith("time:")) return atTime(data, protocol.slice("time:".length));
  throw new CuecardError(
    "usage",
    `--protocol ${protocol} is none of last-basket, leave-one-out, next-in-session, time:DATE`,
  );
}

/** `oneItem`: only the last item of the last basket is asked for; the rest of it lies in the cart. */
function lastBasket(data: SequenceData, oneItem: boolean): SequenceSplit {
  const round = (heldOut: number): SequenceRound => {
    const purchases: PurchaseRecord[] = [];
    const cases: SequenceCase[] = [];
    let latest = 0;
    for (const { id, baskets } of data.users) {
      const end = baskets.length - heldOut;
      if (end < 0) continue;
      const timeOf = (position: number) =>
        data.timed
          ? baskets[position].at
          : PSEUDO_NOW - (baskets.length - 1 - position) * PSEUDO_GAP_MS;
      const past = baskets.slice(0, end).map(({ items }, i) => ({ at: timeOf(i), items }));
      const { items } = baskets[end];
      const now = timeOf(end);
      const cart = oneItem ? items.slice(0, -1) : [];
      if (past.length === 0 && cart.length === 0) continue;
      for (const basket of past) purchases.push(purchaseOf(data, id, basket));
      if (cart.length > 0) purchases.push(purchaseOf(data, id, { at: now, items: cart }));
      latest = Math.max(latest, now);
      const target = oneItem ? items.slice(-1) : items;
      cases.push({ user: id, now, past, cart, session: [], target });
    }
    return { asOf: latest + 1, purchases, sessions: [], cases };
  };
  return { training: [round(2)], test: round(1), byPosition: true, notes: [] };
}

function atTime(data: SequenceData, text: string): SequenceSplit {
  const cut = data.parseTime(text);
  if (!data.timed || Number.isNaN(cut)) {
    throw new CuecardError("usage", "time:DATE needs a date and a file with times");
  }
  let first = Number.POSITIVE_INFINITY;
  for (const { baskets } of data.users) first = Math.min(first, baskets[0].at);
  const spacing = Math.min(CUT_SPACING_MAX_MS, (cut - first) / 20);
  const round = (asOf: number, until: number): SequenceRound => {
    const purchases: PurchaseRecord[] = [];
    const cases: SequenceCase[] = [];
    for (const { id, baskets } of data.users) {
      const past = baskets.filter(({ at }) => at < asOf);
      for (const basket of past) purchases.push(purchaseOf(data, id, basket));
      const next = baskets[past.length];
      if (past.length === 0 || next === undefined || next.at >= until) continue;
      cases.push({ user: id, now: asOf, past, cart: [], session: [], target: next.items });
    }
    return { asOf, purchases, sessions: [], cases };
  };
  const training = Array.from({ length: TRAINING_CUTS }, (_, i) =>
    round(cut - (i + 1) * spacing, cut),
  );
  return { training, test: round(cut, Number.POSITIVE_INFINITY), byPosition: false, notes: [] };
}

function purchaseOf(data: SequenceData, member: string, { at, items }: Basket): PurchaseRecord {
  return { member, at, lines: items.map((item) => ({ product: data.items[item], quantity: 1 })) };
}
