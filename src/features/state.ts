/**
 * A member's feature state: every family's state side by side, a commutative monoid.
 * `fold(state, event) = merge(state, lift(event))`.
 *
 * Packed: layout version (u8), presence mask (u16, one bit a family), the families present, in the
 * order of FAMILIES, and the times of orders (`order-times.ts`). A new family is appended to the
 * others; an older layout is upgraded here, a newer refused.
 */
import { CuecardError } from "../errors.js";
import type { MemberEvent } from "../events/event.js";
import { activity, decodeCounts } from "./activity.js";
import { categories } from "./categories.js";
import { channelHabits } from "./channel-habits.js";
import { decays } from "./decays.js";
import type { Family } from "./family.js";
import { hours } from "./hours.js";
import { LAYOUT_1 } from "./layout-1.js";
import { lines } from "./lines.js";
import { readOrderTimes, writeOrderTimes } from "./order-times.js";
import { decodeWithTimes, orders } from "./orders.js";
import { PackedReader, PackedWriter } from "./packed.js";
import { returns } from "./returns.js";
import { tenure } from "./tenure.js";
import { touches } from "./touches.js";

export const LAYOUT_VERSION = 4;

/** The first layout with the times of orders behind the families. */
const TIMES_STAND_LAST = 4;

/** Families as they stood in a layout before this one, where they stood otherwise. */
const OLDER: Readonly<Record<number, Readonly<Record<string, (reader: PackedReader) => unknown>>>> =
  {
    1: LAYOUT_1,
    2: { orders: decodeWithTimes, activity: decodeCounts },
    3: { orders: decodeWithTimes },
  };

const families = {
  orders,
  decays,
  lines,
  touches,
  activity,
  returns,
  channelHabits,
  hours,
  categories,
  tenure,
};

export type FeatureState = {
  readonly [Name in keyof typeof families]: ReturnType<(typeof families)[Name]["empty"]>;
};

/**
 * Families in packed order. Typed loosely here only: each family sees its own state. `lift` and
 * `merge` name every family instead: run for each event, they are several times faster so.
 */
export const FAMILIES = Object.values(families) as unknown as readonly Family<unknown>[];

type Slots = Record<string, unknown>;

export const EMPTY_STATE = Object.freeze(
  Object.fromEntries(FAMILIES.map((family) => [family.name, family.empty()])),
) as unknown as FeatureState;

export function lift(event: MemberEvent): FeatureState {
  return {
    orders: orders.lift(event),
    decays: decays.lift(event),
    lines: lines.lift(event),
    touches: touches.lift(event),
    activity: activity.lift(event),
    returns: returns.lift(event),
    channelHabits: channelHabits.lift(event),
    hours: hours.lift(event),
    categories: categories.lift(event),
    tenure: tenure.lift(event),
  };
}

export function merge(a: FeatureState, b: FeatureState): FeatureState {
  return {
    orders: orders.merge(a.orders, b.orders),
    decays: decays.merge(a.decays, b.decays),
    lines: lines.merge(a.lines, b.lines),
    touches: touches.merge(a.touches, b.touches),
    activity: activity.merge(a.activity, b.activity),
    returns: returns.merge(a.returns, b.returns),
    channelHabits: channelHabits.merge(a.channelHabits, b.channelHabits),
    hours: hours.merge(a.hours, b.hours),
    categories: categories.merge(a.categories, b.categories),
    tenure: tenure.merge(a.tenure, b.tenure),
  };
}

export const fold = (state: FeatureState, event: MemberEvent): FeatureState =>
  merge(state, lift(event));

const writer = new PackedWriter();

export function encodeState(state: FeatureState): Buffer {
  let mask = 0;
  for (let bit = 0; bit < FAMILIES.length; bit++) {
    const family = FAMILIES[bit]!;
    if (!family.isEmpty((state as Slots)[family.name])) mask |= 1 << bit;
  }
  writer.reset();
  writer.u8(LAYOUT_VERSION);
  writer.u16(mask);
  for (let bit = 0; bit < FAMILIES.length; bit++) {
    const family = FAMILIES[bit]!;
    if (mask & (1 << bit)) family.encode(writer, (state as Slots)[family.name]);
  }
  if (!orders.isEmpty(state.orders)) writeOrderTimes(writer, state.orders.times, state.lines);
  return writer.take();
}

/** Throws `store_incompatible` for a layout newer than this server's. */
export function decodeState(packed: Buffer | null): FeatureState {
  if (packed === null || packed.length === 0) return EMPTY_STATE;
  const reader = new PackedReader(packed);
  const version = reader.u8();
  if (version > LAYOUT_VERSION) {
    throw new CuecardError(
      "store_incompatible",
      `packed layout ${version} is newer than this server's ${LAYOUT_VERSION}`,
    );
  }
  const mask = reader.u16();
  // Of one shape with every other state, so that what reads them stays fast.
  const state: Slots = { ...EMPTY_STATE };
  for (let bit = 0; bit < FAMILIES.length; bit++) {
    const family = FAMILIES[bit]!;
    if (!(mask & (1 << bit))) continue;
    const decode = OLDER[version]?.[family.name] ?? family.decode;
    state[family.name] = decode(reader);
  }
  const { orders: ordered, lines: known } = state as unknown as FeatureState;
  if (version >= TIMES_STAND_LAST && !orders.isEmpty(ordered)) {
    state.orders = { ...ordered, times: readOrderTimes(reader, known) };
  }
  return state as unknown as FeatureState;
}
