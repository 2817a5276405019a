/**
 * When a member may be contacted: hours of the called party's own clock, by jurisdiction. A number
 * that may lie in several zones is open only while it is open in all of them.
 */
import type { CallingWindowConfig } from "../config.js";
import { stretchesOf, utcOffsetMs } from "../members/clock.js";

/** Epoch milliseconds, `until` exclusive. */
export interface OpenSpan {
  readonly from: number;
  readonly until: number;
}

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
/** How far ahead an opening is looked for: a week, and the same day of the next. */
const HORIZON_DAYS = 8;
/** Jurisdictions the window `*` does not cover: theirs must be configured. */
const OWN_WINDOW_ONLY: ReadonlySet<string> = new Set(["CN"]);

/** `US-FL` → `US`. */
export const countryOf = (jurisdiction: string): string => jurisdiction.split("-")[0]!;

/** Windows by jurisdiction, of each list: asked for every lead. */
const found = new WeakMap<
  readonly CallingWindowConfig[],
  Map<string | null, CallingWindowConfig | null>
>();
/** Jurisdictions come from members' records. */
const FOUND_MAX = 1000;

/**
 * The window that holds for a jurisdiction: its own, its country's, else `*`. null: none is configured
 * (for China `*` does not count), and outbound is closed with `window_missing`. Unknown jurisdiction
 * (null): `*`.
 */
export function windowFor(
  windows: readonly CallingWindowConfig[],
  jurisdiction: string | null,
): CallingWindowConfig | null {
  const known = found.get(windows)?.get(jurisdiction);
  if (known !== undefined) return known;
  const window = find(windows, jurisdiction);
  let all = found.get(windows);
  if (all === undefined || all.size >= FOUND_MAX) {
    all = new Map();
    found.set(windows, all);
  }
  all.set(jurisdiction, window);
  return window;
}

function find(
  windows: readonly CallingWindowConfig[],
  jurisdiction: string | null,
): CallingWindowConfig | null {
  const named = (name: string): CallingWindowConfig | undefined =>
    windows.find((window) => window.jurisdiction === name);
  if (jurisdiction === null) return named("*") ?? null;
  const country = countryOf(jurisdiction);
  const own = named(jurisdiction) ?? named(country);
  if (own !== undefined || OWN_WINDOW_ONLY.has(country)) return own ?? null;
  return named("*") ?? null;
}

/** A window as the clock reads it. */
interface Hours {
  /** Since local midnight. */
  readonly fromMs: number;
  readonly untilMs: number;
  /** By ISO day of the week, 1 = Monday. */
  readonly days: ReadonlySet<number> | null;
  /** Local days since 1970-01-01. */
  readonly closedDays: ReadonlySet<number>;
  /** Openings by zones, of the UTC day they were last asked for. */
  readonly openings: Map<string, { day: number; spans: readonly OpenSpan[] }>;
}

const read = new WeakMap<CallingWindowConfig, Hours>();
const OPENINGS_MAX = 2000;

function timeOfDayMs(text: string): number {
  const [hours, minutes] = text.split(":").map(Number);
  return (hours! * 60 + minutes!) * MINUTE_MS;
}

function hoursOf(window: CallingWindowConfig): Hours {
  let hours = read.get(window);
  if (hours === undefined) {
    hours = {
      fromMs: timeOfDayMs(window.from),
      untilMs: timeOfDayMs(window.until),
      days: window.days === undefined ? null : new Set(window.days),
      closedDays: new Set((window.closedDates ?? []).map((date) => Date.parse(date) / DAY_MS)),
      openings: new Map(),
    };
    read.set(window, hours);
  }
  return hours;
}

/** 1970-01-01 was a Thursday. */
const weekday = (day: number): number => ((day + 3) % 7) + 1;

const isOpenDay = ({ days, closedDays }: Hours, day: number): boolean =>
  (days === null || days.has(weekday(day))) && !closedDays.has(day);

/**
 * true when the clock of every zone is inside the window at this instant: `from` inclusive, `until`
 * exclusive. No zones (unknown), or one this machine does not know: never.
 */
export function isOpenAt(
  window: CallingWindowConfig,
  zones: readonly string[],
  atMs: number,
): boolean {
  const hours = hoursOf(window);
  for (const zone of zones) {
    const local = atMs + utcOffsetMs(zone, atMs);
    const day = Math.floor(local / DAY_MS);
    const time = local - day * DAY_MS;
    // NaN of an unknown zone is inside nothing.
    if (!(time >= hours.fromMs && time < hours.untilMs) || !isOpenDay(hours, day)) return false;
  }
  return zones.length > 0;
}

/** Appends; a span that begins where the last one ends lengthens it. */
function append(spans: { from: number; until: number }[], from: number, until: number): void {
  if (from >= until) return;
  const last = spans.at(-1);
  if (last?.until === from) last.until = until;
  else spans.push({ from, until });
}

/** All instants of these UTC days at which the window is open in one zone. */
function openInZone(hours: Hours, zone: string, firstDay: number, days: number): OpenSpan[] {
  const spans: { from: number; until: number }[] = [];
  for (let utcDay = firstDay; utcDay < firstDay + days; utcDay++) {
    for (const { from, until, offsetMs } of stretchesOf(zone, utcDay)) {
      const lastDay = Math.floor((until - 1 + offsetMs) / DAY_MS);
      for (let day = Math.floor((from + offsetMs) / DAY_MS); day <= lastDay; day++) {
        if (!isOpenDay(hours, day)) continue;
        const midnight = day * DAY_MS - offsetMs;
        const opens = Math.max(from, midnight + hours.fromMs);
        append(spans, opens, Math.min(until, midnight + hours.untilMs));
      }
    }
  }
  return spans;
}

/** Instants in both; each list in order and free of overlap. */
function intersect(a: readonly OpenSpan[], b: readonly OpenSpan[]): OpenSpan[] {
  const both: { from: number; until: number }[] = [];
  let [i, j] = [0, 0];
  while (i < a.length && j < b.length) {
    const [one, other] = [a[i]!, b[j]!];
    append(both, Math.max(one.from, other.from), Math.min(one.until, other.until));
    if (one.until < other.until) i++;
    else j++;
  }
  return both;
}

/** Of a whole UTC day and the horizon behind it: the same for everybody in these zones that day. */
function openingsOfDay(hours: Hours, zones: readonly string[], day: number): readonly OpenSpan[] {
  const key = zones.length === 1 ? zones[0]! : zones.join();
  const known = hours.openings.get(key);
  if (known?.day === day) return known.spans;
  // Two days more than the horizon: an opening at its end is told whole.
  const each = zones.map((zone) => openInZone(hours, zone, day - 1, HORIZON_DAYS + 3));
  const spans = each.length === 0 ? [] : each.reduce(intersect);
  if (hours.openings.size >= OPENINGS_MAX) hours.openings.clear();
  hours.openings.set(key, { day, spans });
  return spans;
}

/**
 * The openings common to all zones that are under way at `fromMs` or begin within 8 days of it, in
 * order. The one under way begins at `fromMs`.
 */
export function* openings(
  window: CallingWindowConfig,
  zones: readonly string[],
  fromMs: number,
): Generator<OpenSpan> {
  const end = fromMs + HORIZON_DAYS * DAY_MS;
  for (const span of openingsOfDay(hoursOf(window), zones, Math.floor(fromMs / DAY_MS))) {
    if (span.until <= fromMs) continue;
    if (span.from >= end) return;
    yield span.from >= fromMs ? span : { from: fromMs, until: span.until };
  }
}

/** The first of `openings`; null when there is none, as in zones too far apart or unknown ones. */
export function nextOpening(
  window: CallingWindowConfig,
  zones: readonly string[],
  fromMs: number,
): OpenSpan | null {
  for (const span of openings(window, zones, fromMs)) return span;
  return null;
}
