/** When to reach a member: their own best two hours, inside decent hours of their own zone. */
import type { HoursState } from "../features/hours.js";
import { utcOffsetHours } from "../members/timezone.js";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** Local hours in which a contact may start; the guards' window (08:00–21:00) is wider. */
const FROM = 9;
const UNTIL = 20;

/** Start of the next best two-hour slot, epoch ms; null when the zone is unknown. */
export function bestContactAt(hours: HoursState, zone: string | null, now: number): number | null {
  if (zone === null) return null;
  const offset = utcOffsetHours(zone, now);
  let bestHour = FROM;
  let bestCount = -1;
  for (let local = FROM; local < UNTIL; local++) {
    const count = localCount(hours, local, offset) + localCount(hours, local + 1, offset);
    if (count > bestCount) {
      bestCount = count;
      bestHour = local;
    }
  }
  const localNow = now + offset * HOUR_MS;
  const start = Math.floor(localNow / DAY_MS) * DAY_MS + bestHour * HOUR_MS;
  const next = start > localNow ? start : start + DAY_MS;
  return next - offset * HOUR_MS;
}

function localCount(hours: HoursState, local: number, offset: number): number {
  return hours[(((local - Math.round(offset)) % 24) + 24) % 24]!;
}
