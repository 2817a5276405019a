/** Columns that look like numbers or dates but are written so that they were read as text. */
import type { TableData } from "./table-data.js";
import { isNumber } from "./table-encoder.js";
import { type Column, levelCounts } from "./table-read.js";

/** Share of the filled cells that makes a column look like something. */
const LOOKS_SO = 0.8;
const CURRENCY = "€$£¥￥₹元円";
/** 1.234,50 · 1'234 · € 12,5 · 7 % · 12.5 EUR; whole and plain ones are numbers already. */
const OTHER_NUMBER = new RegExp(
  `^[${CURRENCY}]?\\s?[+-]?\\d[\\d.,'\\s]*\\s?(%|[${CURRENCY}]|[A-Z]{3})?$`,
  "u",
);
/** 26.06.2025 · 6/26/25 */
const OTHER_DATE = /^\d{1,2}[./-]\d{1,2}[./-](\d{2}|\d{4})([T ].*)?$/;

export function notationNotes({ table, kinds }: TableData): string[] {
  const byName = new Map(table.columns.map((column) => [column.name, column]));
  return kinds.flatMap(({ column: name, kind }) => {
    if (kind === "number" || kind === "date" || kind === "constant") return [];
    const note = noteOn(byName.get(name)!);
    return note === undefined ? [] : [`${name} ${note}`];
  });
}

function noteOn(column: Column): string | undefined {
  const example = column.levels.find((level) => !isNumber(level));
  if (example === undefined) return undefined;
  const said = `such as "${example.slice(0, 30)}"`;
  if (shareOf(column, (level) => OTHER_DATE.test(level)) >= LOOKS_SO) {
    return `looks like dates (${said}) and was read as text; write them as YYYY-MM-DD`;
  }
  const numbers = shareOf(column, isNumber);
  const others = shareOf(column, (level) => !isNumber(level) && OTHER_NUMBER.test(level));
  if (numbers >= LOOKS_SO) {
    const percent = (numbers * 100).toFixed(1);
    return `is ${percent} % numbers and was read as text for the others (${said}); leave a cell without a value empty`;
  }
  if (others > 0 && numbers + others >= LOOKS_SO) {
    return `looks like numbers (${said}) and was read as text; write them as 1234.5, without a unit`;
  }
  return undefined;
}

function shareOf(column: Column, test: (level: string) => boolean): number {
  const counts = levelCounts(column);
  let all = 0;
  let own = 0;
  column.levels.forEach((level, code) => {
    all += counts[code];
    if (test(level)) own += counts[code];
  });
  return own / Math.max(1, all);
}
