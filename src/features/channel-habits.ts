/** Family `channelHabits`: contacts, responses and orders by channel. */
import type { MemberEvent } from "../events/event.js";
import { fingerprint40 } from "../redis/keys.js";
import type { Family } from "./family.js";
import { daysSince, secondsOf } from "./packed.js";

/** Well-known channels have a slot of their own; others share two by hash. Append only. */
const KNOWN = ["phone", "sms", "email", "app", "web", "store"] as const;
const SLOT_COUNT = 8;

export interface ChannelEntry {
  readonly slot: number;
  readonly contacts: number;
  readonly responses: number;
  readonly orders: number;
  /** Epoch seconds; 0 when never contacted. */
  readonly lastContactAt: number;
}

/** Sorted by slot, one entry per slot seen. */
export type ChannelHabitsState = readonly ChannelEntry[];

const EMPTY: ChannelHabitsState = [];

export function channelSlot(channel: string): number {
  const known = (KNOWN as readonly string[]).indexOf(channel);
  return known >= 0 ? known : KNOWN.length + (fingerprint40(channel) % (SLOT_COUNT - KNOWN.length));
}

const isContact = (event: MemberEvent): boolean =>
  event.type === "call_outbound" || event.type === "message_sent";

/** An answered call, an inbound call, an opened or clicked message. */
const isResponse = (event: MemberEvent): boolean =>
  event.type === "call_inbound" ||
  event.type === "message_open" ||
  event.type === "message_click" ||
  (event.type === "call_outbound" && event.properties?.answered === true);

function channelOf(event: MemberEvent): string | undefined {
  if (event.channel !== undefined) return event.channel;
  return event.type === "call_inbound" || event.type === "call_outbound" ? "phone" : undefined;
}

/** Responses per contact, smoothed by one contact without and half a response with. */
export function responseRate(state: ChannelHabitsState, channel: string): number {
  const entry = state.find((candidate) => candidate.slot === channelSlot(channel));
  return entry === undefined ? Number.NaN : (entry.responses + 0.5) / (entry.contacts + 1.5);
}

const FEATURES = KNOWN.flatMap((channel) => [
  `${channel}_contacts`,
  `${channel}_response_rate`,
  `${channel}_orders`,
]);

/** Both of one slot. */
const sumOf = (a: ChannelEntry, b: ChannelEntry): ChannelEntry => ({
  slot: a.slot,
  contacts: a.contacts + b.contacts,
  responses: a.responses + b.responses,
  orders: a.orders + b.orders,
  lastContactAt: Math.max(a.lastContactAt, b.lastContactAt),
});

export const channelHabits: Family<ChannelHabitsState> = {
  name: "channelHabits",
  features: [...FEATURES, "days_since_contact"],
  empty: () => EMPTY,
  isEmpty: (state) => state.length === 0,

  lift(event) {
    const channel = channelOf(event);
    if (channel === undefined) return EMPTY;
    const contact = isContact(event);
    const response = isResponse(event);
    const order = event.type === "purchase" && event.continuation !== true;
    if (!contact && !response && !order) return EMPTY;
    return [
      {
        slot: channelSlot(channel),
        contacts: contact ? 1 : 0,
        responses: response ? 1 : 0,
        orders: order ? 1 : 0,
        lastContactAt: contact ? secondsOf(event.at) : 0,
      },
    ];
  },

  merge(a, b) {
    if (a.length === 0) return b;
    if (b.length === 0) return a;
    const merged: ChannelEntry[] = [];
    let i = 0;
    let j = 0;
    while (i < a.length && j < b.length) {
      const left = a[i]!;
      const right = b[j]!;
      if (left.slot <= right.slot) i++;
      if (right.slot <= left.slot) j++;
      if (left.slot < right.slot) merged.push(left);
      else if (right.slot < left.slot) merged.push(right);
      else merged.push(sumOf(left, right));
    }
    while (i < a.length) merged.push(a[i++]!);
    while (j < b.length) merged.push(b[j++]!);
    return merged;
  },

  encode(writer, state) {
    const newest = state.reduce((latest, entry) => Math.max(latest, entry.lastContactAt), 0);
    writer.u8(state.reduce((mask, { slot }) => mask | (1 << slot), 0));
    const contacts = state.map((entry) => entry.contacts);
    writer.ints(contacts.concat(state.map((entry) => entry.responses)));
    writer.ints(state.map(({ orders }) => orders));
    writer.varint(newest);
    if (newest === 0) return;
    // 0 for never.
    writer.ints(state.map(({ lastContactAt: at }) => (at === 0 ? 0 : newest - at + 1)));
  },

  decode(reader) {
    const mask = reader.u8();
    const slots: number[] = [];
    for (let slot = 0; slot < SLOT_COUNT; slot++) if (mask & (1 << slot)) slots.push(slot);
    const contacts = reader.ints(slots.length * 2);
    const orders = reader.ints(slots.length);
    const newest = reader.varint();
    const ages = newest === 0 ? orders : reader.ints(slots.length);
    return slots.map((slot, i) => ({
      slot,
      contacts: contacts[i]!,
      responses: contacts[slots.length + i]!,
      orders: orders[i]!,
      lastContactAt: newest === 0 || ages[i] === 0 ? 0 : newest + 1 - ages[i]!,
    }));
  },

  hydrate(state, { now }, out, offset) {
    out.fill(0, offset, offset + FEATURES.length);
    let lastContactAt = 0;
    for (let slot = 0; slot < KNOWN.length; slot++) out[offset + slot * 3 + 1] = Number.NaN;
    for (const entry of state) {
      lastContactAt = Math.max(lastContactAt, entry.lastContactAt);
      if (entry.slot >= KNOWN.length) continue;
      const at = offset + entry.slot * 3;
      out[at] = entry.contacts;
      out[at + 1] = (entry.responses + 0.5) / (entry.contacts + 1.5);
      out[at + 2] = entry.orders;
    }
    out[offset + FEATURES.length] = daysSince(lastContactAt, now);
  },
};
