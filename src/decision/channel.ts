/** Through which channel: the one asked for, or the best consented one that is worth its cost. */
import type { ChannelConfig, PlacementConfig } from "../config.js";
import { type ChannelHabitsState, responseRate } from "../features/channel-habits.js";

/** A channel of the configuration, with how often this member answers there. */
export interface OpenChannel {
  readonly id: string;
  /** Cost of the contact, major unit; 0 where the member contacted us. */
  readonly cost: number;
  readonly minimumReturn: number;
  /** 0 … 1 */
  readonly responseRate: number;
}

/** Response rate assumed where a member was never contacted on a channel. */
const PRIOR_RESPONSE_RATE = 0.1;

/**
 * The channels the guards left open, as arbitration sees them: where the member came to us, speaking
 * costs nothing.
 */
export function openChannels(
  channels: readonly ChannelConfig[],
  kind: PlacementConfig["kind"],
  open: readonly string[],
): ChannelConfig[] {
  const left = channels.filter(({ id }) => open.includes(id));
  return kind === "outbound"
    ? left
    : left.map((channel) => ({ ...channel, cost: 0, minimumReturn: 0 }));
}

/** Asked once a request, not once a candidate. */
export const withResponseRates = (
  channels: readonly ChannelConfig[],
  habits: ChannelHabitsState,
): OpenChannel[] =>
  channels.map(({ id, cost, minimumReturn }) => {
    const rate = responseRate(habits, id);
    return {
      ...{ id, cost, minimumReturn },
      responseRate: Number.isNaN(rate) ? PRIOR_RESPONSE_RATE : rate,
    };
  });

/** The open channel with the highest response-weighted value net of cost; null: none is worth it. */
export function chooseChannel(open: readonly OpenChannel[], value: number): OpenChannel | null {
  let best: OpenChannel | null = null;
  let bestNet = Number.NEGATIVE_INFINITY;
  for (const channel of open) {
    if (value < channel.cost * channel.minimumReturn) continue;
    const net = value * channel.responseRate - channel.cost;
    if (net > bestNet) {
      bestNet = net;
      best = channel;
    }
  }
  return best;
}
