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
  readonly of: "orders" | "money" | "views" | "carts";
}

const orderOf = (event: MemberEvent): number =>
  event.type === "purchase" && event.continuation !== true ? 1 : 0;
const moneyOf = (event: MemberEvent): number =>
  event.type === "purchase" ? event.lines.reduce((sum, line) => sum + line.amount, 0) : 0;
const oneIf = (event: MemberEvent, types: readonly string[]): number =>
  types.includes(event.type) ? 1 : 0;
const VIEWS = ["view", "search", "visit"];
const CARTS = ["cart_add", "checkout_start"];

/** At most 16: the slots in use are a 16-bit mask. Append only: the index is the packed position. */
const SLOTS: readonly Slot[] = [
  { feature: "orders_decayed_7d", halfLifeDays: 7, of: "orders" },
  { feature: "orders_decayed_30d", halfLifeDays: 30, of: "orders" },
  { feature: "orders_decayed_90d", halfLifeDays: 90, of: "orders" },
  { feature: "orders_decayed_365d", halfLifeDays: 365, of: "orders" },
  { feature: "money_decayed_7d", halfLifeDays: 7, of: "money" },
  { feature: "money_decayed_30d", halfLifeDays: 30, of: "money" },
  { feature: "money_decayed_90d", halfLifeDays: 90, of: "money" },
  { feature: "money_decayed_365d", halfLifeDays: 365, of: "money" },
  { feature: "views_decayed_3d", halfLifeDays: 3, of: "views" },
  { feature: "views_decayed_30d", halfLifeDays: 30, of: "views" },
  { feature: "carts_decayed_7d", halfLifeDays: 7, of: "carts" },
];

export interface DecaysState {
  /** Epoch seconds; 0 when empty. */
  readonly referenceAt: number;
  readonly sums: readonly number[];
}

const EMPTY: DecaysState = { referenceAt: 0, sums: SLOTS.map(() => 0) };

const decayed = (sum: number, slot: Slot, seconds: number): number =>
  sum === 0 || seconds === 0 ? sum : sum * 2 ** (-seconds / (slot.halfLifeDays * DAY_SECONDS));

export const decays: Family<DecaysState> = {
  name: "decays",
  features: SLOTS.map((slot) => slot.feature),
  empty: () => EMPTY,
  isEmpty: (state) => state.referenceAt === 0,

  lift(event) {
    const values = {
      orders: orderOf(event),
      money: moneyOf(event),
      views: oneIf(event, VIEWS),
      carts: oneIf(event, CARTS),
    };
    const { orders, money, views, carts } = values;
    if (orders === 0 && money === 0 && views === 0 && carts === 0) return EMPTY;
    // A loop: with a million events `map` and its function show.
    const sums = new Array<number>(SLOTS.length);
    for (let i = 0; i < SLOTS.length; i++) sums[i] = values[SLOTS[i]!.of];
    return { referenceAt: secondsOf(event.at), sums };
  },

  merge(a, b) {
    if (decays.isEmpty(a)) return b;
    if (decays.isEmpty(b)) return a;
    const referenceAt = Math.max(a.referenceAt, b.referenceAt);
    const sums = new Array<number>(SLOTS.length);
    for (let i = 0; i < SLOTS.length; i++) {
      const slot = SLOTS[i]!;
      sums[i] =
        decayed(a.sums[i]!, slot, referenceAt - a.referenceAt) +
        decayed(b.sums[i]!, slot, referenceAt - b.referenceAt);
    }
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
