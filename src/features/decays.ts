/**
 * Family `decays`: exponentially decayed counts and money at several half-lives.
 *
 * A slot is Σ value · 2^((at − referenceAt) / halfLife) in f64 with one reference time per record
 * (f32 would lose order-independence at 1e-6). The reference is the newest event's time.
 */
import type { MemberEvent } from "../events/event.js";
import type { Family } from "./family.js";
import { DAY_SECONDS, secondsOf } from "./packed.js";

interface Slot {
  readonly feature: string;
  readonly halfLifeDays: number;
  value(event: MemberEvent): number;
}

const orderOf = (event: MemberEvent): number =>
  event.type === "purchase" && event.continuation !== true ? 1 : 0;
const moneyOf = (event: MemberEvent): number =>
  event.type === "purchase" ? event.lines.reduce((sum, line) => sum + line.amount, 0) : 0;
const oneIf =
  (...types: string[]) =>
  (event: MemberEvent): number =>
    types.includes(event.type) ? 1 : 0;

/** At most 16: the slots in use are a 16-bit mask. Append only: the index is the packed position. */
const SLOTS: readonly Slot[] = [
  { feature: "orders_decayed_7d", halfLifeDays: 7, value: orderOf },
  { feature: "orders_decayed_30d", halfLifeDays: 30, value: orderOf },
  { feature: "orders_decayed_90d", halfLifeDays: 90, value: orderOf },
  { feature: "orders_decayed_365d", halfLifeDays: 365, value: orderOf },
  { feature: "money_decayed_7d", halfLifeDays: 7, value: moneyOf },
  { feature: "money_decayed_30d", halfLifeDays: 30, value: moneyOf },
  { feature: "money_decayed_90d", halfLifeDays: 90, value: moneyOf },
  { feature: "money_decayed_365d", halfLifeDays: 365, value: moneyOf },
  { feature: "views_decayed_3d", halfLifeDays: 3, value: oneIf("view", "search", "visit") },
  { feature: "views_decayed_30d", halfLifeDays: 30, value: oneIf("view", "search", "visit") },
  { feature: "carts_decayed_7d", halfLifeDays: 7, value: oneIf("cart_add", "checkout_start") },
];

export interface DecaysState {
  /** Epoch seconds; 0 when empty. */
  readonly referenceAt: number;
  readonly sums: readonly number[];
}

const EMPTY: DecaysState = { referenceAt: 0, sums: SLOTS.map(() => 0) };

const decayed = (sum: number, slot: Slot, seconds: number): number =>
  sum === 0 ? 0 : sum * 2 ** (-seconds / (slot.halfLifeDays * DAY_SECONDS));

export const decays: Family<DecaysState> = {
  name: "decays",
  features: SLOTS.map((slot) => slot.feature),
  empty: () => EMPTY,
  isEmpty: (state) => state.referenceAt === 0,

  lift(event) {
    const sums = SLOTS.map((slot) => slot.value(event));
    return sums.some((sum) => sum !== 0) ? { referenceAt: secondsOf(event.at), sums } : EMPTY;
  },

  merge(a, b) {
    if (decays.isEmpty(a)) return b;
    if (decays.isEmpty(b)) return a;
    const referenceAt = Math.max(a.referenceAt, b.referenceAt);
    const sums = SLOTS.map(
      (slot, i) =>
        decayed(a.sums[i]!, slot, referenceAt - a.referenceAt) +
        decayed(b.sums[i]!, slot, referenceAt - b.referenceAt),
    );
    return { referenceAt, sums };
  },

  encode(writer, state) {
    writer.u32(state.referenceAt);
    let mask = 0;
    for (let i = 0; i < SLOTS.length; i++) if (state.sums[i] !== 0) mask |= 1 << i;
    writer.u16(mask);
    for (const sum of state.sums) if (sum !== 0) writer.f64(sum);
  },

  decode(reader) {
    const referenceAt = reader.u32();
    const mask = reader.u16();
    return { referenceAt, sums: SLOTS.map((_, i) => (mask & (1 << i) ? reader.f64() : 0)) };
  },

  hydrate(state, { now }, out, offset) {
    const seconds = now / 1000 - state.referenceAt;
    for (let i = 0; i < SLOTS.length; i++) {
      out[offset + i] = decayed(state.sums[i]!, SLOTS[i]!, seconds);
    }
  },
};
