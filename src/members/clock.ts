/**
 * Offsets of time zones from UTC, exact to the second of a change of clocks. Intl is asked about the
 * two ends of a UTC day once (a change inside is then searched for); everything after is two look-ups.
 */

const SECOND_MS = 1000;
const DAY_MS = 86_400_000;

/** One UTC day in one zone: `before` until `changeAt`, `after` from it on. Offsets in ms. */
interface Day {
  readonly before: number;
  /** Epoch ms; the day's end where clocks do not change. */
  readonly changeAt: number;
  readonly after: number;
}

interface Zone {
  readonly format: Intl.DateTimeFormat;
  readonly days: Map<number, Day>;
}

/** null: no such zone, remembered as such. */
const zones = new Map<string, Zone | null>();
/** Zones come from members' records and days from their history: the caches must not grow with them. */
const ZONES_MAX = 1000;
const DAYS_MAX = 100_000;
let daysKept = 0;

function zoneNamed(name: string): Zone | null {
  const known = zones.get(name);
  if (known !== undefined) return known;
  if (zones.size >= ZONES_MAX) clear();
  let zone: Zone | null = null;
  try {
    const format = new Intl.DateTimeFormat("en-US", {
      timeZone: name,
      hourCycle: "h23",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric",
    });
    zone = { format, days: new Map() };
  } catch {
    // Not a zone.
  }
  zones.set(name, zone);
  return zone;
}

function clear(): void {
  zones.clear();
  daysKept = 0;
}

/** What Intl says, at a whole second. */
function askOffsetMs({ format }: Zone, at: number): number {
  const parts = Object.fromEntries(
    format.formatToParts(at).map((part) => [part.type, Number(part.value)]),
  ) as Record<"year" | "month" | "day" | "hour" | "minute" | "second", number>;
  const { year, month, day, hour, minute, second } = parts;
  return Date.UTC(year, month - 1, day, hour, minute, second) - at;
}

/** Clocks change at most once in a UTC day; the instant is searched for to the second. */
function readDay(zone: Zone, day: number): Day {
  const start = day * DAY_MS;
  const end = start + DAY_MS;
  const before = askOffsetMs(zone, start);
  const after = askOffsetMs(zone, end);
  if (before === after) return { before, changeAt: end, after };
  let [low, high] = [start / SECOND_MS, end / SECOND_MS];
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (askOffsetMs(zone, middle * SECOND_MS) === before) low = middle;
    else high = middle;
  }
  return { before, changeAt: high * SECOND_MS, after };
}

function dayOf(name: string, day: number): Day | null {
  const zone = zoneNamed(name);
  if (zone === null) return null;
  const known = zone.days.get(day);
  if (known !== undefined) return known;
  const read = readDay(zone, day);
  if (daysKept >= DAYS_MAX) clear();
  zone.days.set(day, read);
  daysKept++;
  return read;
}

export const isZone = (name: string): boolean => zoneNamed(name) !== null;

/** Milliseconds east of UTC at an instant (epoch ms); NaN for what is no zone. */
export function utcOffsetMs(zone: string, at: number): number {
  const day = dayOf(zone, Math.floor(at / DAY_MS));
  if (day === null) return Number.NaN;
  return at < day.changeAt ? day.before : day.after;
}

/**
 * The stretches of unchanging clocks that one UTC day (days since 1970) consists of, in order: one, or
 * two around a change. [] for what is no zone.
 */
export function stretchesOf(
  zone: string,
  day: number,
): readonly { from: number; until: number; offsetMs: number }[] {
  const found = dayOf(zone, day);
  if (found === null) return [];
  const [start, end] = [day * DAY_MS, (day + 1) * DAY_MS];
  const { before, changeAt, after } = found;
  const stretches = [
    { from: start, until: changeAt, offsetMs: before },
    { from: changeAt, until: end, offsetMs: after },
  ];
  return stretches.filter(({ from, until }) => from < until);
}
