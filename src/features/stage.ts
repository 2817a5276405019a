/** The lifecycle stage, derived at `now` from orders and cadence; thresholds are configuration. */
import type { StagesConfig } from "../config.js";
import { cadenceOf } from "./orders.js";
import { DAY_SECONDS, daysSince } from "./packed.js";
import type { FeatureState } from "./state.js";

export const STAGES = ["prospect", "new", "growth", "mature", "dormant", "churned"] as const;
export type Stage = (typeof STAGES)[number];

/** Silences, in days, from which a member is dormant and churned. */
export function silenceThresholds(
  state: FeatureState,
  config: StagesConfig,
): { dormantDays: number; churnedDays: number } {
  const { meanDays } = cadenceOf(state.orders.times);
  const gap = Number.isNaN(meanDays) ? config.defaultGapDays : meanDays;
  const dormantDays = Math.min(
    Math.max(gap * config.dormantGaps, config.dormantMinDays),
    config.churnedMaxDays,
  );
  const churnedDays = Math.min(
    Math.max(gap * config.churnedGaps, 2 * config.dormantMinDays),
    config.churnedMaxDays,
  );
  return { dormantDays, churnedDays: Math.max(churnedDays, dormantDays) };
}

export function stageOf(state: FeatureState, now: number, config: StagesConfig): Stage {
  const { count, firstAt, lastAt, times } = state.orders;
  if (count === 0) return "prospect";
  const silence = daysSince(lastAt, now);
  const { dormantDays, churnedDays } = silenceThresholds(state, config);
  if (silence >= churnedDays) return "churned";
  if (silence >= dormantDays) return "dormant";
  if (count === 1) return "new";
  if (count >= config.matureOrders) return "mature";
  const secondAt = count === 2 ? times[0]! : times[times.length - 2]!;
  const secondAfterDays = (secondAt - firstAt) / DAY_SECONDS;
  return secondAfterDays <= config.growthDays ? "growth" : "mature";
}
