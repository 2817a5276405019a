/** An order for leads while nothing is trained: how often they order, and how long they have been silent. */
import type { OrdersState } from "../features/orders.js";
import { daysSince } from "../features/packed.js";
import type { RankedSet } from "./ranked-sets.js";

const SILENCE_HALF_DAYS = 90;
const AGE_MIN_DAYS = 30;
const HORIZON_DAYS = 30;

/**
 * 0 … 1, to sort by and never shown. `purchase`: 1 − e^(−30 × orders a day), halved by every 90 days of
 * silence. `churn` is its complement for who ordered at all; `renewal` goes by `purchase`.
 */
export function ruleScore(
  { count, firstAt, lastAt }: OrdersState,
  by: RankedSet,
  now: number,
): number {
  if (count === 0) return 0;
  const silence = Math.max(0, daysSince(lastAt, now));
  const age = Math.max(AGE_MIN_DAYS, daysSince(firstAt, now));
  const chance = 1 - Math.exp((-HORIZON_DAYS * count) / age);
  const purchase = chance * 2 ** (-silence / SILENCE_HALF_DAYS);
  return by === "churn" ? 1 - purchase : purchase;
}
