/** From packed state to what candidate sources see. */

import type { MemberHistory } from "./history.js";
import { cadenceOf } from "./orders.js";
import { DAY_SECONDS } from "./packed.js";
import type { FeatureState } from "./state.js";

export function historyOf(state: FeatureState, now: number): MemberHistory {
  const { orders } = state;
  return {
    now,
    lines: state.lines,
    touches: state.touches,
    orderCount: orders.count,
    priceLevel: orders.unitsMilli === 0 ? Number.NaN : orders.grossMilli / orders.unitsMilli,
    categoryCounts: state.categories,
    meanGapDays: cadenceOf(orders.times).meanDays,
  };
}

export const daysSinceLastOrder = (state: FeatureState, now: number): number =>
  state.orders.count === 0 ? Number.NaN : (now / 1000 - state.orders.lastAt) / DAY_SECONDS;
