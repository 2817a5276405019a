/** A member's time zone: their own, else that of a phone prefix with a single zone, else unknown. */
import type { Profile } from "./profile.js";

/** Countries (by calling code) that lie in one zone; others are unknown without a zone of their own. */
const SINGLE_ZONE_PREFIXES: readonly (readonly [prefix: string, zone: string])[] = [
  ["+852", "Asia/Hong_Kong"],
  ["+853", "Asia/Macau"],
  ["+886", "Asia/Taipei"],
  ["+86", "Asia/Shanghai"],
  ["+81", "Asia/Tokyo"],
  ["+82", "Asia/Seoul"],
  ["+65", "Asia/Singapore"],
  ["+91", "Asia/Kolkata"],
  ["+44", "Europe/London"],
  ["+353", "Europe/Dublin"],
  ["+49", "Europe/Berlin"],
  ["+31", "Europe/Amsterdam"],
  ["+32", "Europe/Brussels"],
  ["+41", "Europe/Zurich"],
  ["+43", "Europe/Vienna"],
  ["+39", "Europe/Rome"],
  ["+48", "Europe/Warsaw"],
  ["+46", "Europe/Stockholm"],
];

export function zoneOf(profile: Profile | null): string | null {
  if (profile?.timezone !== undefined && isZone(profile.timezone)) return profile.timezone;
  const { phone } = profile ?? {};
  if (phone === undefined) return null;
  return SINGLE_ZONE_PREFIXES.find(([prefix]) => phone.startsWith(prefix))?.[1] ?? null;
}

const formats = new Map<string, Intl.DateTimeFormat | null>();
const offsets = new Map<string, { span: number; offsetHours: number }>();
const HOUR_MS = 3_600_000;
const SPAN_MS = HOUR_MS / 2;
/** Zones come from members' records: the caches must not grow with their imagination. */
const CACHE_LIMIT = 1000;

function formatOf(zone: string): Intl.DateTimeFormat | null {
  const known = formats.get(zone);
  if (known !== undefined) return known;
  if (formats.size >= CACHE_LIMIT) formats.clear();
  let format: Intl.DateTimeFormat | null = null;
  try {
    format = new Intl.DateTimeFormat("en-US", {
      timeZone: zone,
      hourCycle: "h23",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric",
    });
  } catch {
    // Not a zone: remembered as such.
  }
  formats.set(zone, format);
  return format;
}

export const isZone = (zone: string): boolean => formatOf(zone) !== null;

/** Hours east of UTC at an instant (epoch ms); 0 for an unknown zone. Cached by the half hour: no change of clocks lies inside one. */
export function utcOffsetHours(zone: string | null, at: number): number {
  if (zone === null) return 0;
  const span = Math.floor(at / SPAN_MS);
  const known = offsets.get(zone);
  if (known?.span === span) return known.offsetHours;
  const format = formatOf(zone);
  if (format === null) return 0;
  const parts = Object.fromEntries(
    format.formatToParts(span * SPAN_MS).map((part) => [part.type, Number(part.value)]),
  ) as Record<"year" | "month" | "day" | "hour" | "minute" | "second", number>;
  const local = Date.UTC(parts.year, parts.month - 1, parts.day, parts.hour, parts.minute);
  const offsetHours = (local - span * SPAN_MS) / HOUR_MS;
  if (offsets.size >= CACHE_LIMIT) offsets.clear();
  offsets.set(zone, { span, offsetHours });
  return offsetHours;
}
