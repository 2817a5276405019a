/** Days, weeks and months of a time zone, exact across clock changes. */

export type CalendarUnit = "day" | "week" | "month";

/** Epoch milliseconds, `end` exclusive. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

const SECOND_MS = 1_000;
const DAY_MS = 86_400_000;
/** No zone is further from UTC; a day off for clock changes is far beyond any. */
const FURTHEST_MS = 26 * 3_600_000;

export class Calendar {
  private readonly format: Intl.DateTimeFormat;
  private readonly known = new Map<CalendarUnit, Span>();

  constructor(zone: string) {
    this.format = new Intl.DateTimeFormat("en-US", {
      timeZone: zone,
      year: "numeric",
      month: "numeric",
      day: "numeric",
    });
  }

  /** The day, week (from Monday) or month around an instant (epoch ms). */
  around(unit: CalendarUnit, now: number): Span {
    const known = this.known.get(unit);
    if (known !== undefined && now >= known.start && now < known.end) return known;
    const today = this.dateOf(now);
    const [first, next] = datesAround(unit, today);
    const span = { start: this.begins(first), end: this.begins(next) };
    this.known.set(unit, span);
    return span;
  }

  /** The local date as the midnight UTC of the same date. */
  private dateOf(at: number): number {
    let [year, month, day] = [0, 0, 0];
    for (const { type, value } of this.format.formatToParts(at)) {
      if (type === "year") year = Number(value);
      else if (type === "month") month = Number(value);
      else if (type === "day") day = Number(value);
    }
    return Date.UTC(year, month - 1, day);
  }

  /** The first second of a local date: not every day has a midnight. */
  private begins(date: number): number {
    let before = (date - FURTHEST_MS) / SECOND_MS;
    let from = (date + FURTHEST_MS) / SECOND_MS;
    while (from - before > 1) {
      const middle = Math.floor((before + from) / 2);
      if (this.dateOf(middle * SECOND_MS) >= date) from = middle;
      else before = middle;
    }
    return from * SECOND_MS;
  }
}

function datesAround(unit: CalendarUnit, today: number): [first: number, next: number] {
  if (unit === "day") return [today, today + DAY_MS];
  const date = new Date(today);
  if (unit === "week") {
    const monday = today - ((date.getUTCDay() + 6) % 7) * DAY_MS;
    return [monday, monday + 7 * DAY_MS];
  }
  const [year, month] = [date.getUTCFullYear(), date.getUTCMonth()];
  return [Date.UTC(year, month, 1), Date.UTC(year, month + 1, 1)];
}
