/** The oracle's own clocks: what Intl says of an instant in a zone, and nothing else. */

export interface Local {
  /** `2026-03-08`. */
  readonly date: string;
  /** ISO, 1 = Monday. */
  readonly weekday: number;
  /** The date of the week's Monday. */
  readonly monday: string;
  /** Since midnight by the clock on the wall. */
  readonly seconds: number;
}

const formats = new Map<string, Intl.DateTimeFormat | null>();
const DAY_MS = 86_400_000;

function formatOf(zone: string): Intl.DateTimeFormat | null {
  const known = formats.get(zone);
  if (known !== undefined) return known;
  let format: Intl.DateTimeFormat | null = null;
  try {
    format = new Intl.DateTimeFormat("sv-SE", {
      timeZone: zone,
      dateStyle: "short",
      timeStyle: "medium",
    });
  } catch {
    // No such zone.
  }
  formats.set(zone, format);
  return format;
}

/** The same instants are asked about for each channel. */
const known = new Map<string, Local | null>();
const KNOWN_MAX = 5_000;

/** null: there is no such zone. */
export function localOf(zone: string, at: number): Local | null {
  const key = `${at} ${zone}`;
  let local = known.get(key);
  if (local === undefined) {
    local = readLocal(zone, at);
    if (known.size >= KNOWN_MAX) known.clear();
    known.set(key, local);
  }
  return local;
}

function readLocal(zone: string, at: number): Local | null {
  // Swedish dates read 2026-03-08 02:00:00.
  const text = formatOf(zone)?.format(at);
  if (text === undefined) return null;
  const [date, time] = text.split(" ") as [string, string];
  const [hours, minutes, seconds] = time.split(":").map(Number) as [number, number, number];
  const noon = Date.parse(`${date}T12:00:00Z`);
  const weekday = new Date(noon).getUTCDay() || 7;
  const monday = new Date(noon - (weekday - 1) * DAY_MS).toISOString().slice(0, 10);
  return { date, weekday, monday, seconds: hours * 3600 + minutes * 60 + seconds };
}
