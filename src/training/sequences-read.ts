/** Logs of baskets or sessions in three formats → users with their baskets in order. */
import { readFile } from "node:fs/promises";
import { gunzipSync } from "node:zlib";
import { CuecardError } from "../errors.js";
import { columnOf, readTable, type Table } from "./table-read.js";

const DAY_MS = 86_400_000;
/** Above, a number is epoch seconds (the year 1973 and later). */
const MAX_DAY_NUMBER = 1e8;

export interface Basket {
  /** Epoch milliseconds; NaN when the file has no times. */
  readonly at: number;
  /** Item numbers in order, each once. */
  readonly items: number[];
}

export interface SequenceUser {
  readonly id: string;
  /** In order of time. */
  readonly baskets: Basket[];
}

export interface SequenceData {
  readonly users: readonly SequenceUser[];
  /** Item number → name. */
  readonly items: readonly string[];
  readonly timed: boolean;
  /** A time as the file writes it → epoch milliseconds, NaN when it is none. */
  readonly parseTime: (text: string) => number;
  /** A column names the baskets; else rows of the same time are one. */
  readonly basketsNamed: boolean;
  /** What was left out, in words, for the report. */
  readonly notes: readonly string[];
}

export interface SequenceSource {
  readonly file: string;
  readonly format: "columns" | "baskets-json" | "sequences";
  /** baskets-json: one basket a user, the one to predict. */
  readonly future?: string;
  /** columns: names of the columns. */
  readonly user?: string;
  readonly item?: string;
  readonly time?: string;
  /** columns: rows of one basket share it; without it rows of the same time do. */
  readonly basket?: string;
  /** columns: rows that are not positive are returns and left out. Default: a column named Quantity. */
  readonly quantity?: string;
  readonly separator?: string;
  readonly encoding?: string;
}

/** @throws CuecardError `file_invalid` */
export async function readSequences(
  source: SequenceSource,
  onRows?: (rows: number) => void,
): Promise<SequenceData> {
  if (source.format === "columns") return readColumns(source, onRows);
  const builder = new UserBuilder();
  const history = await readText(source.file);
  if (source.format === "sequences") {
    for (const [user, items] of sequencesOf(history, source.file)) {
      for (const item of items) builder.add(user, Number.NaN, [item]);
    }
    return builder.build({ timed: false, parseTime, basketsNamed: false, notes: [] });
  }
  addBaskets(builder, history, source.file);
  const notes: string[] = [];
  if (source.future !== undefined) {
    const known = new Set(builder.users.keys());
    const asked = addBaskets(builder, await readText(source.future), source.future, known);
    const without = known.size - asked;
    if (without > 0)
      notes.push(`${without} users are not in ${source.future}: their last basket is asked`);
  }
  return builder.build({ timed: false, parseTime, basketsNamed: true, notes });
}

class UserBuilder {
  readonly users = new Map<string, Basket[]>();
  readonly #items = new Map<string, number>();

  add(user: string, at: number, items: Iterable<string>): void {
    const numbers = new Set<number>();
    for (const item of items) {
      const number = this.#items.get(item) ?? this.#items.size;
      if (number === this.#items.size) this.#items.set(item, number);
      numbers.add(number);
    }
    if (numbers.size === 0) return;
    const baskets = this.users.get(user) ?? [];
    if (baskets.length === 0) this.users.set(user, baskets);
    baskets.push({ at, items: [...numbers] });
  }

  build(rest: Pick<SequenceData, "timed" | "parseTime" | "basketsNamed" | "notes">): SequenceData {
    const users = Array.from(this.users, ([id, baskets]) => ({ id, baskets }));
    return { users, items: [...this.#items.keys()], ...rest };
  }
}

async function readText(path: string): Promise<string> {
  try {
    const bytes = await readFile(path);
    return (path.endsWith(".gz") ? gunzipSync(bytes) : bytes).toString("utf8");
  } catch (cause) {
    throw new CuecardError("file_invalid", (cause as Error).message, { cause });
  }
}

function parseJson(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new CuecardError("file_invalid", `${path} is not JSON`, { cause });
  }
}

const isItem = (value: unknown): value is string | number =>
  typeof value === "string" || typeof value === "number";

const isItemList = (value: unknown): value is (string | number)[] =>
  Array.isArray(value) && value.every(isItem);

/** `{"user": [[item, …], …]}`; baskets of −1 alone mark begin and end and are skipped. Returns users added. */
function addBaskets(
  builder: UserBuilder,
  text: string,
  path: string,
  only?: ReadonlySet<string>,
): number {
  const parsed = parseJson(text, path);
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) {
    throw new CuecardError("file_invalid", `${path} is not an object of users`);
  }
  let added = 0;
  for (const [user, baskets] of Object.entries(parsed)) {
    if (!Array.isArray(baskets) || !baskets.every(isItemList)) {
      throw new CuecardError("file_invalid", `${path}: user ${user} has no list of baskets`);
    }
    if (only !== undefined && !only.has(user)) continue;
    added++;
    for (const basket of baskets) {
      const items = basket.map(String).filter((item) => item !== "-1");
      builder.add(user, Number.NaN, items);
    }
  }
  return added;
}

/** `{"user": [item, …]}`, `[[item, …], …]`, or one line of items a sequence, split by blanks or commas. */
function sequencesOf(text: string, path: string): [string, string[]][] {
  if (!/^\s*[{[]/.test(text)) {
    const lines = text.split(/\r?\n/).filter((line) => line.trim() !== "");
    return lines.map((line, i) => [String(i + 1), line.trim().split(/[\s,]+/)]);
  }
  const parsed = parseJson(text, path);
  const entries = Object.entries(parsed as Record<string, unknown>);
  return entries.map(([user, items]) => {
    if (!isItemList(items)) {
      throw new CuecardError("file_invalid", `${path}: sequence ${user} is not a list of items`);
    }
    return [user, items.map(String)];
  });
}

async function readColumns(
  source: SequenceSource,
  onRows?: (rows: number) => void,
): Promise<SequenceData> {
  const { user, item, time } = source;
  if (user === undefined || item === undefined || time === undefined) {
    const remedy = "a log without times goes in as --format sequences, a line a session";
    throw new CuecardError("usage", `columns need --user, --item and --time; ${remedy}`);
  }
  const format = { separator: source.separator, encoding: source.encoding };
  const table = await readTable(source.file, format, onRows);
  const users = columnOf(table, user);
  const items = columnOf(table, item);
  const times = columnOf(table, time);
  const baskets = source.basket === undefined ? times : columnOf(table, source.basket);
  const timeOf = timeParserFor(times.levels);
  const at = times.levels.map(timeOf);
  const isReturn = returnsOf(table, source.quantity);
  let incomplete = 0;
  let returned = 0;
  const open = new Map<string, { user: string; at: number; items: string[] }>();
  for (let row = 0; row < table.rowCount; row++) {
    const [u, i, t, b] = [users, items, times, baskets].map(({ codes }) => codes[row]);
    if (u < 0 || i < 0 || t < 0 || b < 0 || Number.isNaN(at[t])) {
      incomplete++;
    } else if (isReturn?.(row)) {
      returned++;
    } else {
      const key = `${u} ${b}`;
      const basket = open.get(key) ?? { user: users.levels[u], at: at[t], items: [] };
      if (basket.items.length === 0) open.set(key, basket);
      basket.at = Math.min(basket.at, at[t]);
      basket.items.push(items.levels[i]);
    }
  }
  const builder = new UserBuilder();
  for (const basket of [...open.values()].sort((a, b) => a.at - b.at)) {
    builder.add(basket.user, basket.at, basket.items);
  }
  if (open.size === 0 && incomplete > 0) {
    const found = `none of ${incomplete} rows has a user, an item and a time that can be read`;
    throw new CuecardError("not_enough_data", `${source.file}: ${found}`);
  }
  const notes: string[] = [];
  if (incomplete > 0) notes.push(`${incomplete} rows without user, item or time left out`);
  if (returned > 0) notes.push(`${returned} rows with a quantity that is not positive left out`);
  return builder.build({
    timed: true,
    parseTime: timeOf,
    basketsNamed: source.basket !== undefined,
    notes,
  });
}

function returnsOf(table: Table, name: string | undefined): ((row: number) => boolean) | undefined {
  const found = table.columns.find((column) =>
    name === undefined ? /^quantity$/i.test(column.name) : column.name === name,
  );
  if (found === undefined) {
    if (name !== undefined) columnOf(table, name);
    return undefined;
  }
  const positive = found.levels.map((level) => Number(level) > 0);
  return (row) => found.codes[row] >= 0 && !positive[found.codes[row]];
}

/** Small whole numbers count days (many published logs do); everything else is a time. */
function timeParserFor(texts: readonly string[]): (text: string) => number {
  const countsDays = texts.every((text) => /^\d+$/.test(text) && Number(text) < MAX_DAY_NUMBER);
  return countsDays ? (text) => Number(text) * DAY_MS : parseTime;
}

/** ISO 8601, `yyyy-mm-dd hh:mm[:ss]` (taken as UTC), epoch seconds or milliseconds. */
function parseTime(text: string): number {
  if (/^\d+(\.\d+)?$/.test(text)) {
    const value = Number(text);
    return value < 1e11 ? value * 1000 : value;
  }
  const iso = /^(\d{4})[-/](\d{2})[-/](\d{2})(?:[ T](\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?))?$/.exec(
    text,
  );
  if (iso !== null) return Date.parse(`${iso[1]}-${iso[2]}-${iso[3]}T${iso[4] ?? "00:00"}Z`);
  return Date.parse(text);
}
