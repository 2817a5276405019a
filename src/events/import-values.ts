/** Times and numbers as they stand in exported files. */

/** What spreadsheets and databases write for nothing. */
const EMPTY = new Set(["", "NULL", "null", "\\N", "NaN", "nan", "None", "N/A", "#N/A"]);

/** The cell without blanks around it; undefined when it stands for nothing. */
export function cell(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const trimmed = text.trim();
  // The longest of them has four characters: most cells need no look-up.
  return trimmed.length <= 4 && EMPTY.has(trimmed) ? undefined : trimmed;
}

const PLAIN_NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?$/;

/**
 * `12.5`, `1,234.50`, `1.234,50`, `1 234,50`, `¥12`, `12.5元`, `USD 12`, `(12.00)` = −12. NaN if not a number.
 * The separator that stands last, once, is the decimal one; `1,234` is a thousand, `1.234` a decimal.
 */
export function parseNumber(text: string): number {
  if (PLAIN_NUMBER.test(text)) return Number(text);
  let plain = text.normalize("NFKC").replace(/[\s'_]/g, "");
  let sign = 1;
  if (/^\(.*\)$/.test(plain)) {
    sign = -1;
    plain = plain.slice(1, -1);
  }
  plain = plain
    .replace(/^([+-]?)(?:\p{Sc}|[A-Z]{3})/u, "$1")
    .replace(/(?:\p{Sc}|[A-Z]{3}|元)$/u, "");
  if (!/^[+-]?[\d.,]+$/.test(plain)) return Number.NaN;
  const [comma, dot] = [plain.lastIndexOf(","), plain.lastIndexOf(".")];
  const isGrouped = (separator: string): boolean =>
    new RegExp(`^[+-]?\\d{1,3}(?:\\${separator}\\d{3})+$`).test(plain);
  if (comma >= 0 && dot >= 0) {
    const grouping = comma > dot ? "." : ",";
    plain = plain.replaceAll(grouping, "").replace(",", ".");
  } else if (comma >= 0) {
    plain = isGrouped(",") ? plain.replaceAll(",", "") : plain.replace(",", ".");
  } else if (plain.indexOf(".") !== dot && isGrouped(".")) plain = plain.replaceAll(".", "");
  return PLAIN_NUMBER.test(plain) ? sign * Number(plain) : Number.NaN;
}

const ZONED = /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?\s?(?:Z|[+-]\d\d(?::?\d\d)?)$/i;
const YEAR_FIRST =
  /^(\d{4})(?:[-/.年])(\d{1,2})(?:[-/.月])(\d{1,2})日?(?:[T\s]*(\d{1,2})[:时](\d{1,2})(?:[:分](\d{1,2})(?:[.,](\d{1,9}))?秒?|分)?)?$/;
const YEAR_LAST =
  /^(\d{1,2})[-/.](\d{1,2})[-/.](\d{4})(?:[T\s]+(\d{1,2}):(\d{2})(?::(\d{2}))?\s*([AaPp][Mm])?)?$/;
const COMPACT = /^(\d{4})(\d{2})(\d{2})(?:(\d{2})(\d{2})(\d{2}))?$/;

export interface TimeFormat {
  /** IANA zone of times that name none. */
  readonly timezone: string;
  /** How 03/04/2026 is meant; without it such a time is refused, not guessed. */
  readonly dateOrder?: "dmy" | "mdy";
}

/**
 * A reader of times: ISO 8601, `2010-12-01 08:26:00`, dates, `2010年12月1日 8时26分`, `20101201[082600]`,
 * epoch seconds (9 or 10 digits) and milliseconds (12 or 13). Answers epoch milliseconds, or why not.
 */
export function timeReader({ timezone, dateOrder }: TimeFormat): (text: string) => number | string {
  const toEpoch = localClock(timezone);
  // Lines of one order share their time, and files are sorted: one remembered value saves half the work.
  let lastText = "";
  let lastValue: number | string = "empty";
  return (text) => {
    if (text === lastText) return lastValue;
    lastText = text;
    lastValue = readTime(text, toEpoch, dateOrder);
    return lastValue;
  };
}

function readTime(
  text: string,
  toEpoch: (naive: number) => number,
  dateOrder: TimeFormat["dateOrder"],
): number | string {
  const plain = plainTime(text);
  if (plain !== undefined) return typeof plain === "number" ? toEpoch(plain) : plain;
  const local = YEAR_FIRST.exec(text) ?? COMPACT.exec(text);
  if (local !== null) return checked(local.slice(1), toEpoch);
  if (ZONED.test(text)) {
    const iso = text
      .replace(" ", "T")
      .replace(/\s/g, "")
      .replace(/([+-]\d\d)(\d\d)?$/, fullOffset);
    const epoch = Date.parse(iso);
    return Number.isNaN(epoch) ? NO_TIME : epoch;
  }
  if (/^\d{9,10}(?:\.\d+)?$/.test(text)) return Math.round(Number(text) * 1000);
  if (/^\d{12,13}$/.test(text)) return Number(text);
  const last = YEAR_LAST.exec(text);
  if (last === null) return "not a time Cuecard knows";
  if (dateOrder === undefined)
    return "day and month cannot be told apart: say --date-order dmy or mdy";
  const [, first, second, year, hour, minute, seconds, half] = last;
  const [day, month] = dateOrder === "dmy" ? [first, second] : [second, first];
  return checked([year, month, day, toHours(hour, half), minute, seconds], toEpoch);
}

const NO_TIME = "not a time that exists";

/** The number that the two characters from `at` stand for; NaN if they are no digits. */
function twoDigits(text: string, at: number): number {
  const tens = text.charCodeAt(at) - 48;
  const ones = text.charCodeAt(at + 1) - 48;
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : Number.NaN;
}

/** `2010-12-01 08:26:00`, as nearly every export writes it, without a look at other formats. */
function plainTime(text: string): number | string | undefined {
  if (text.length !== 19 || text[4] !== "-" || text[7] !== "-") return undefined;
  if (text[13] !== ":" || text[16] !== ":" || (text[10] !== " " && text[10] !== "T")) {
    return undefined;
  }
  const year = twoDigits(text, 0) * 100 + twoDigits(text, 2);
  const [month, day] = [twoDigits(text, 5), twoDigits(text, 8)];
  const [hour, minute, second] = [twoDigits(text, 11), twoDigits(text, 14), twoDigits(text, 17)];
  if (Number.isNaN(year + month + day + hour + minute + second)) return undefined;
  return naiveTime(year, month, day, hour, minute, second, 0) ?? NO_TIME;
}

/** Local time as if it were UTC; undefined on 31 February and at 24:00. */
function naiveTime(
  year: number,
  month: number,
  day: number,
  hour: number,
  minute: number,
  second: number,
  millisecond: number,
): number | undefined {
  const naive = Date.UTC(year, month - 1, day, hour, minute, second, millisecond);
  const date = new Date(naive);
  const exists =
    date.getUTCMonth() === month - 1 &&
    date.getUTCDate() === day &&
    hour < 24 &&
    minute < 60 &&
    second < 60;
  return exists ? naive : undefined;
}

const fullOffset = (_: string, hours: string, minutes?: string): string =>
  `${hours}:${minutes ?? "00"}`;

function toHours(hour: string | undefined, half: string | undefined): string | undefined {
  if (hour === undefined || half === undefined) return hour;
  return String((Number(hour) % 12) + (half.toLowerCase() === "pm" ? 12 : 0));
}

/** Year, month, day, hour, minute, second, fraction → epoch milliseconds; 31 February is refused. */
function checked(
  parts: readonly (string | undefined)[],
  toEpoch: (naive: number) => number,
): number | string {
  const [year, month, day, hour, minute, second] = parts.map((part) => Number(part ?? 0));
  const fraction = parts[6] === undefined ? 0 : Math.floor(Number(`0.${parts[6]}`) * 1000);
  const naive = naiveTime(year!, month!, day!, hour!, minute!, second!, fraction);
  return naive === undefined ? NO_TIME : toEpoch(naive);
}

const QUARTER_MS = 900_000;
const DAY_MS = 86_400_000;

/**
 * Local time of a zone (as if it were UTC) → epoch. Offsets are remembered by day; around a change, by
 * quarter of an hour, the finest step at which any zone changes. A time that occurs twice in autumn is the earlier; one that
 * spring skips moves forward.
 */
export function localClock(timezone: string): (naive: number) => number {
  const format = new Intl.DateTimeFormat("en-US", {
    timeZone: timezone,
    hourCycle: "h23",
    year: "numeric",
    month: "numeric",
    day: "numeric",
    hour: "numeric",
    minute: "numeric",
    second: "numeric",
  });
  const offsetAt = (epoch: number): number => {
    const part: Record<string, number> = {};
    for (const { type, value } of format.formatToParts(epoch)) part[type] = Number(value);
    const { year, month, day, hour, minute, second } = part;
    const wall = Date.UTC(year!, month! - 1, day, hour, minute, second);
    return wall - Math.floor(epoch / 1000) * 1000;
  };
  const days = new Map<number, number>();
  /** The offset of a whole day and of those beside it; NaN where it changes. */
  const offsetOfDay = (day: number): number => {
    let offset = days.get(day);
    if (offset === undefined) {
      const middle = (day + 0.5) * DAY_MS;
      offset = offsetAt(middle);
      const changes = [-2, -1, 1, 2].some((away) => offsetAt(middle + away * DAY_MS) !== offset);
      if (changes) offset = Number.NaN;
      if (days.size > 200_000) days.clear();
      days.set(day, offset);
    }
    return offset;
  };
  const offsets = new Map<number, number>();
  return (naive) => {
    const ofDay = offsetOfDay(Math.floor(naive / DAY_MS));
    if (!Number.isNaN(ofDay)) return naive - ofDay;
    const quarter = Math.floor(naive / QUARTER_MS);
    let offset = offsets.get(quarter);
    if (offset === undefined) {
      const start = quarter * QUARTER_MS;
      // The larger offset of a day before and after is the earlier reading of a time that occurs twice.
      const before = offsetAt(start - 86_400_000);
      const after = offsetAt(start + 86_400_000);
      const early = offsetAt(start - before) === before;
      offset = early || offsetAt(start - after) !== after ? before : after;
      if (offsets.size > 200_000) offsets.clear();
      offsets.set(quarter, offset);
    }
    return naive - offset;
  };
}
