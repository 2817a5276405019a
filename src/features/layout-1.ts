/**
 * Families whose packed form changed since layout 1, as they stood in it: read only, a member's next
 * write is in the present layout.
 */
import { type ActivityEntry, anEntry } from "./activity.js";
import type { ChannelEntry } from "./channel-habits.js";
import { CATEGORY_BUCKETS, type HistoryLine, type Touch } from "./history.js";
import { quantityOf } from "./lines.js";
import type { OrdersState } from "./orders.js";
import type { PackedReader } from "./packed.js";
import { kindOf } from "./touches.js";

function orders(reader: PackedReader): OrdersState {
  const count = reader.varint();
  const firstAt = reader.u32();
  const lastAt = firstAt + reader.varint();
  const grossMilli = reader.varint();
  const unitsMilli = reader.varint();
  const lineCount = reader.varint();
  const times = new Array<number>(reader.varint());
  for (let i = 0; i < times.length; i++) {
    times[i] = i === 0 ? reader.u32() : times[i - 1]! - reader.varint();
  }
  return { count, firstAt, lastAt, grossMilli, unitsMilli, lineCount, times };
}

function lines(reader: PackedReader): HistoryLine[] {
  const state = new Array<HistoryLine>(reader.varint());
  let at = 0;
  for (let i = 0; i < state.length; i++) {
    at = i === 0 ? reader.u32() : at - reader.varint();
    state[i] = { at, product: reader.u40(), quantity: quantityOf(reader.varint()) };
  }
  return state;
}

function touches(reader: PackedReader): Touch[] {
  const state = new Array<Touch>(reader.varint());
  let at = reader.u32();
  for (let i = 0; i < state.length; i++) {
    const coded = reader.varint();
    at -= Math.floor(coded / 2);
    state[i] = { at, product: reader.u40(), kind: kindOf(coded) };
  }
  return state;
}

function activity(reader: PackedReader): ActivityEntry[] {
  const newest = reader.u32();
  const state = new Array<ActivityEntry>(reader.u8());
  for (let i = 0; i < state.length; i++) {
    state[i] = anEntry(reader.u8(), reader.varint(), newest - reader.varint());
  }
  return state;
}

function channelHabits(reader: PackedReader): ChannelEntry[] {
  const state = new Array<ChannelEntry>(reader.u8());
  for (let i = 0; i < state.length; i++) {
    const tag = reader.u8();
    state[i] = {
      slot: tag >> 1,
      contacts: reader.varint(),
      responses: reader.varint(),
      orders: reader.varint(),
      lastContactAt: tag & 1 ? reader.u32() : 0,
    };
  }
  return state;
}

const counts = (reader: PackedReader, mask: number, length: number): number[] =>
  Array.from({ length }, (_, i) => (mask & (1 << i) ? reader.varint() : 0));

const hours = (reader: PackedReader): number[] =>
  counts(reader, reader.u8() + reader.u16() * 256, 24);

const categories = (reader: PackedReader): number[] =>
  counts(reader, reader.u16(), CATEGORY_BUCKETS);

export const LAYOUT_1: Readonly<Record<string, (reader: PackedReader) => unknown>> = {
  orders,
  lines,
  touches,
  activity,
  channelHabits,
  hours,
  categories,
};
