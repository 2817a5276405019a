/** Family `activity`: how often and how lately each type of event happened. */
import type { BuiltInEventType, EventType } from "../events/event.js";
import type { Family } from "./family.js";
import { INSTANTS_KEPT, mergeLatest, readInstants, writeInstants } from "./latest-instants.js";
import { daysSince, type PackedReader, type PackedWriter, secondsOf } from "./packed.js";

/** Codes in packed state: append only, never change one. */
const CODES: Readonly<Record<BuiltInEventType, number>> = {
  view: 0,
  search: 1,
  cart_add: 2,
  checkout_start: 3,
  payment_failed: 4,
  purchase: 5,
  return: 6,
  call_inbound: 7,
  call_outbound: 8,
  message_sent: 9,
  message_delivered: 10,
  message_open: 11,
  message_click: 12,
  visit: 13,
  complaint_opened: 14,
  complaint_closed: 15,
  coupon_issued: 16,
  coupon_redeemed: 17,
  refund_opened: 18,
  refund_closed: 19,
  opt_out: 20,
  response: 21,
};
/** Every `custom_…` type shares the last code. */
const CUSTOM_CODE = 63;
const codes = new Map<string, number>(Object.entries(CODES));
const codeOf = (type: EventType): number => codes.get(type) ?? CUSTOM_CODE;

/** What guards and reports read and no feature does: it leaves a member's vector as it was. */
const UNCOUNTED: readonly BuiltInEventType[] = [
  "refund_opened",
  "refund_closed",
  "opt_out",
  "response",
];
const uncountedCodes = new Set(UNCOUNTED.map((type) => CODES[type]));

export const isCounted = (type: EventType): boolean => !uncountedCodes.has(codeOf(type));

/**
 * What opens and closes keeps its instants: from counts alone a close too many would cancel whatever
 * is opened after it.
 */
const TIMED: readonly BuiltInEventType[] = [
  "complaint_opened",
  "complaint_closed",
  "refund_opened",
  "refund_closed",
];
const timedCodes = new Set(TIMED.map((type) => CODES[type]));

/** The codes seen are a mask; its lowest bit is the last code, so that it stays short. */
const bitOf = (code: number): number => (code === CUSTOM_CODE ? 0 : code + 1);

function codesIn(mask: number): number[] {
  const seen: number[] = [];
  for (let code = 0, rest = Math.floor(mask / 2); rest > 0; code++, rest = Math.floor(rest / 2)) {
    if (rest % 2 === 1) seen.push(code);
  }
  if (mask % 2 === 1) seen.push(CUSTOM_CODE);
  return seen;
}

export interface ActivityEntry {
  readonly code: number;
  readonly count: number;
  /** Epoch seconds. */
  readonly lastAt: number;
  /** Epoch milliseconds, newest first, the latest few; kept of complaints and refunds alone. */
  readonly instants: readonly number[];
}

/** Sorted by code, one entry per code seen. */
export type ActivityState = readonly ActivityEntry[];

export function activityOf(state: ActivityState, type: EventType): ActivityEntry | undefined {
  const code = codeOf(type);
  return state.find((entry) => entry.code === code);
}

/**
 * The most by which opens lead closes from any instant on: a close closes what was opened before it,
 * or nothing. One at the very instant of an open closes it: logs that know only days say so.
 */
function unclosed(opens: readonly number[], closes: readonly number[]): number {
  let most = 0;
  let closedSince = 0;
  for (let i = 0; i < opens.length; i++) {
    while (closedSince < closes.length && closes[closedSince]! >= opens[i]!) closedSince++;
    most = Math.max(most, i + 1 - closedSince);
  }
  return most;
}

/** By the counts too: they know of opens older than the instants kept. */
function openOf(state: ActivityState, opened: EventType, closed: EventType): number {
  const opens = activityOf(state, opened);
  if (opens === undefined) return 0;
  const closes = activityOf(state, closed);
  if (closes === undefined) return opens.count;
  return Math.max(opens.count - closes.count, unclosed(opens.instants, closes.instants));
}

/** Complaints opened and not closed since. */
export const openComplaints = (state: ActivityState): number =>
  openOf(state, "complaint_opened", "complaint_closed");

/** Refunds opened and not closed since. */
export const openRefunds = (state: ActivityState): number =>
  openOf(state, "refund_opened", "refund_closed");

const UNTIMED: readonly number[] = [];

const newestOf = (state: ActivityState): number =>
  state.reduce((latest, entry) => Math.max(latest, entry.lastAt), 0);

/** Epoch seconds of the newest event of any type that counts; 0 without one. */
export const lastActivityAt = (state: ActivityState): number =>
  state.reduce(
    (latest, { code, lastAt }) => (uncountedCodes.has(code) ? latest : Math.max(latest, lastAt)),
    0,
  );

const COUNTED: readonly BuiltInEventType[] = [
  "view",
  "cart_add",
  "checkout_start",
  "payment_failed",
  "call_inbound",
  "complaint_opened",
  "coupon_issued",
  "coupon_redeemed",
];
const DATED: readonly BuiltInEventType[] = [
  "view",
  "cart_add",
  "checkout_start",
  "call_inbound",
  "call_outbound",
  "message_sent",
  "message_open",
  "complaint_opened",
  "coupon_redeemed",
];

const mergeEntries = (a: ActivityEntry, b: ActivityEntry): ActivityEntry => ({
  code: a.code,
  count: a.count + b.count,
  lastAt: Math.max(a.lastAt, b.lastAt),
  instants:
    a.instants.length === 0 ? b.instants : mergeLatest(a.instants, b.instants, INSTANTS_KEPT),
});

function encodeCounts(writer: PackedWriter, state: ActivityState): void {
  const newest = newestOf(state);
  writer.varint(state.reduce((mask, { code }) => mask + 2 ** bitOf(code), 0));
  writer.u32(newest);
  writer.ints(state.map(({ count }) => count - 1));
  writer.ints(state.map(({ lastAt }) => newest - lastAt));
}

/**
 * As layout 2 has it: without instants, of which the last is known, to the second. So a close too many
 * stops cancelling what is opened from now on; what it cancelled before, `rebuild` brings back.
 */
export function decodeCounts(reader: PackedReader): ActivityEntry[] {
  const seen = codesIn(reader.varint());
  const newest = reader.u32();
  const counts = reader.ints(seen.length);
  const ages = reader.ints(seen.length);
  return seen.map((code, i) => anEntry(code, counts[i]! + 1, newest - ages[i]!));
}

/** An entry of an older layout. */
export const anEntry = (code: number, count: number, lastAt: number): ActivityEntry => ({
  code,
  count,
  lastAt,
  instants: timedCodes.has(code) ? [lastAt * 1000] : UNTIMED,
});

export const activity: Family<ActivityState> = {
  name: "activity",
  features: [
    ...COUNTED.map((type) => `${type}_count`),
    ...DATED.map((type) => `days_since_${type}`),
    "days_since_activity",
    "complaints_open",
  ],
  empty: () => [],
  isEmpty: (state) => state.length === 0,

  lift(event) {
    const code = codeOf(event.type);
    const instants = timedCodes.has(code) ? [event.at] : UNTIMED;
    return [{ code, count: 1, lastAt: secondsOf(event.at), instants }];
  },

  merge(a, b) {
    const merged: ActivityEntry[] = [];
    let i = 0;
    let j = 0;
    while (i < a.length && j < b.length) {
      const left = a[i]!;
      const right = b[j]!;
      if (left.code <= right.code) i++;
      if (right.code <= left.code) j++;
      if (left.code < right.code) merged.push(left);
      else if (right.code < left.code) merged.push(right);
      else {
        merged.push(mergeEntries(left, right));
      }
    }
    while (i < a.length) merged.push(a[i++]!);
    while (j < b.length) merged.push(b[j++]!);
    return merged;
  },

  encode(writer, state) {
    encodeCounts(writer, state);
    const timed = state.filter(({ code }) => timedCodes.has(code));
    writeInstants(
      writer,
      timed.map(({ instants }) => instants),
    );
  },

  decode(reader) {
    const entries = decodeCounts(reader);
    const timed = entries.filter(({ code }) => timedCodes.has(code));
    const lists = readInstants(
      reader,
      timed.map(({ lastAt }) => lastAt),
    );
    return entries.map((entry) => {
      const at = timed.indexOf(entry);
      return at === -1 ? entry : { ...entry, instants: lists[at]! };
    });
  },

  hydrate(state, { now }, out, offset) {
    let at = offset;
    for (const type of COUNTED) out[at++] = activityOf(state, type)?.count ?? 0;
    for (const type of DATED) out[at++] = daysSince(activityOf(state, type)?.lastAt ?? 0, now);
    out[at++] = daysSince(lastActivityAt(state), now);
    out[at] = openComplaints(state);
  },
};
