/** When to reach a member: their own best two hours, inside the calling window of their own zones. */
import type { CallingWindowConfig } from "../config.js";
import type { HoursState } from "../features/hours.js";
import { utcOffsetMs } from "../members/clock.js";
import { type OpenSpan, openings } from "../policy/calling-window.js";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** Local hours in which we would rather begin; the window itself may be wider. */
const FROM = 9;
const UNTIL = 20;

interface Slot {
  readonly at: number;
  readonly isDecent: boolean;
  readonly count: number;
}

/**
 * Start of the best two-hour slot, epoch ms: among the openings that begin within a day (else in the
 * next that has room), where the member is most active; the earliest of equals. Never outside the
 * window, never before `now`; where every opening is shorter than two hours, the beginning of the
 * next. null: no zone is known, or it never opens.
 */
export function bestContactAt(
  hours: HoursState,
  zones: readonly string[],
  window: CallingWindowConfig | null,
  now: number,
): number | null {
  if (window === null || zones.length === 0) return null;
  const tomorrow = now + DAY_MS;
  let best: Slot | null = null;
  let first: number | null = null;
  for (const span of openings(window, zones, now)) {
    const isNear = span.from <= tomorrow;
    if (best !== null && !isNear) break;
    first ??= span.from;
    best = bestOf(hours, zones, span, now, isNear ? tomorrow : span.until, best);
  }
  return best?.at ?? first;
}

/** The best of `best` and the slots of one opening that begin by `last`. */
function bestOf(
  hours: HoursState,
  zones: readonly string[],
  { from, until }: OpenSpan,
  now: number,
  last: number,
  best: Slot | null,
): Slot | null {
  const offset = utcOffsetMs(zones[0]!, from);
  // Whole hours of the local clock, as people think of them.
  let at = Math.ceil((from + offset) / HOUR_MS) * HOUR_MS - offset;
  if (at === now) at += HOUR_MS;
  for (; at <= last && at + 2 * HOUR_MS <= until; at += HOUR_MS) {
    const slot = { at, isDecent: isDecent(zones, at), count: countAt(hours, at) };
    if (best === null || isBetter(slot, best)) best = slot;
  }
  return best;
}

const isBetter = (a: Slot, b: Slot): boolean =>
  a.isDecent === b.isDecent ? a.count > b.count : a.isDecent;

/** What the member did of their own accord in these two hours; counts are by hour in UTC. */
function countAt(hours: HoursState, at: number): number {
  const hour = Math.floor(at / HOUR_MS) % 24;
  return hours[hour]! + hours[(hour + 1) % 24]!;
}

function isDecent(zones: readonly string[], at: number): boolean {
  for (const zone of zones) {
    const local = at + utcOffsetMs(zone, at);
    const hour = Math.floor((local % DAY_MS) / HOUR_MS);
    if (hour < FROM || hour >= UNTIL) return false;
  }
  return true;
}
