/**
 * Turns the columns of a flat table into features, the same way when training and when scoring. A
 * missing cell is NaN in every feature of its column, so that the trees learn where to send it; an
 * unseen level goes where rare ones went.
 */
import { z } from "zod";
import { stratifiedFolds } from "./random.js";
import { type Column, levelCounts, type Table } from "./table-read.js";

/** How one column becomes features; written to the manifest as it is. */
export const columnEncodingSchema = z.discriminatedUnion("kind", [
  /** One feature: the number. */
  z.object({ kind: z.literal("number"), column: z.string() }),
  /** One feature: 0 for the first level, 1 for the second, NaN for anything else. */
  z.object({ kind: z.literal("flag"), column: z.string(), levels: z.array(z.string()).length(2) }),
  /** Three features: days since 1970, month 1–12, weekday 0–6 from Sunday, in UTC. */
  z.object({ kind: z.literal("date"), column: z.string() }),
  /** One feature a level, 0 or 1, and one for every other level. */
  z.object({ kind: z.literal("levels"), column: z.string(), levels: z.array(z.string()) }),
  /** One feature: the smoothed rate of positives of the level; `prior` for an unseen one. */
  z.object({
    kind: z.literal("rate"),
    column: z.string(),
    prior: z.number(),
    rates: z.array(z.tuple([z.string(), z.number()])),
  }),
]);

export type ColumnEncoding = z.infer<typeof columnEncodingSchema>;
export type Encoder = readonly ColumnEncoding[];

export interface ColumnFinding {
  readonly column: string;
  readonly kind: ColumnEncoding["kind"] | "constant" | "identifier";
}

/** Share of the filled cells that must parse for a column to count as numbers or dates. */
const PARSE_SHARE = 0.98;
/** A text column with more distinct levels than this share of its filled cells names rows. */
const IDENTIFIER_SHARE = 0.9;
const IDENTIFIER_MIN_LEVELS = 50;
/** Up to so many levels stand as features of their own. */
const MAX_LEVEL_FEATURES = 16;
/** A level with fewer rows shares the feature of the others. */
const MIN_LEVEL_ROWS = 10;
/** Rows of the prior mixed into each level's rate. */
const RATE_PRIOR_ROWS = 20;
const RATE_FOLDS = 5;

const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/;
/** Among numbers and dates these say that there is no value; elsewhere they are words like others. */
const NO_VALUE = /^(none|n\/a|#n\/a|<na>|missing|[+-]?inf(inity)?|-+)$/i;
/** 0123: a code, not a number. */
const CODE = /^[+-]?0\d/;
const DATE =
  /^\d{4}[-/]\d{1,2}[-/]\d{1,2}([T ]\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?)?$/;
const MS_PER_DAY = 86_400_000;

export const isNumber = (text: string): boolean => NUMBER.test(text);

/** Features are float32, and the trees take no infinity: what does not fit counts as missing. */
function parseNumber(text: string): number {
  const value = isNumber(text) ? Number(text) : Number.NaN;
  return Number.isFinite(Math.fround(value)) ? value : Number.NaN;
}

/** Milliseconds since 1970; a time without a zone counts as UTC. */
function parseDate(text: string): number {
  if (!DATE.test(text)) return Number.NaN;
  const [year, month, day] = text.split(/[-/T ]/, 3).map(Number);
  return Date.UTC(year, month - 1, day);
}

/** Each row as a point in time, dates in milliseconds, numbers as they are; NaN where neither. */
export function timesOf({ levels, codes }: Column): Float64Array {
  const times = levels.map((level) => {
    const date = DATE.test(level) ? Date.parse(isoOf(level)) : Number.NaN;
    return Number.isNaN(date) ? parseNumber(level) : date;
  });
  return Float64Array.from(codes, (code) => (code < 0 ? Number.NaN : times[code]));
}

/** 2024/2/3 10:00 → 2024-02-03T10:00Z, so that times of a day are told apart. */
function isoOf(text: string): string {
  const [, year, month, day, time = ""] =
    /^(\d{4})[-/](\d{1,2})[-/](\d{1,2})(.*)$/.exec(text) ?? [];
  const zone = time === "" || /(Z|[+-]\d{2}:?\d{2})$/.test(time) ? "" : "Z";
  return `${year}-${month.padStart(2, "0")}-${day.padStart(2, "0")}${time.replace(" ", "T")}${zone}`;
}

/** Decides what a column is, from all its rows; the labels play no part. */
export function findKind(column: Column): ColumnFinding["kind"] {
  const counts = levelCounts(column);
  const filled = counts.reduce((sum, count) => sum + count, 0);
  if (column.levels.length === 0) return "constant";
  if (column.levels.length === 1 && filled === column.codes.length) return "constant";
  const countThat = (test: (level: string) => boolean) =>
    column.levels.reduce((sum, level, code) => sum + (test(level) ? counts[code] : 0), 0);
  const least = PARSE_SHARE * (filled - countThat((level) => NO_VALUE.test(level)));
  const areMost = (count: number) => count > 0 && count >= least;
  const isCode = column.levels.some((level) => CODE.test(level));
  if (!isCode && areMost(countThat(isNumber))) return countsUp(column) ? "identifier" : "number";
  if (areMost(countThat((level) => !Number.isNaN(parseDate(level))))) return "date";
  if (column.levels.length === 2) return "flag";
  const distinct = column.levels.length;
  if (distinct >= IDENTIFIER_MIN_LEVELS && distinct > IDENTIFIER_SHARE * filled)
    return "identifier";
  return distinct <= MAX_LEVEL_FEATURES ? "levels" : "rate";
}

/** 1, 2, 3, … down the file: a row number, which would only memorise the order. */
function countsUp(column: Column): boolean {
  const { codes, levels } = column;
  if (codes.length < IDENTIFIER_MIN_LEVELS || levels.length !== codes.length) return false;
  const first = Number(levels[0]);
  return levels.every((level, index) => Number(level) === first + index);
}

export function featureNames(encoder: Encoder): string[] {
  return encoder.flatMap((encoding) => {
    const { column } = encoding;
    switch (encoding.kind) {
      case "date":
        return [`${column}:day`, `${column}:month`, `${column}:weekday`];
      case "levels":
        return [...encoding.levels.map((level) => `${column}=${level}`), `${column}=(other)`];
      default:
        return [column];
    }
  });
}

const widthOf = (encoding: ColumnEncoding): number =>
  encoding.kind === "date" ? 3 : encoding.kind === "levels" ? encoding.levels.length + 1 : 1;

/** The features of one text, as a function made once a column. */
export function valuesBy(encoding: ColumnEncoding): (level: string) => number[] {
  switch (encoding.kind) {
    case "number":
      return (level) => [parseNumber(level)];
    case "flag":
      return (level) => {
        const index = encoding.levels.indexOf(level);
        return [index < 0 ? Number.NaN : index];
      };
    case "date":
      return (level) => {
        const date = new Date(parseDate(level));
        return [date.getTime() / MS_PER_DAY, date.getUTCMonth() + 1, date.getUTCDay()];
      };
    case "levels":
      return (level) => {
        const own = encoding.levels.indexOf(level);
        const at = own < 0 ? encoding.levels.length : own;
        return Array.from({ length: encoding.levels.length + 1 }, (_, i) => (i === at ? 1 : 0));
      };
    case "rate": {
      const rates = new Map(encoding.rates);
      return (level) => [rates.get(level) ?? encoding.prior];
    }
  }
}

/**
 * Fits an encoder on `rows`. `kinds` comes from `findKind`; constants and identifiers are left out.
 * `labels` is indexed by row number of the table.
 */
export function fitEncoder(
  table: Table,
  kinds: readonly ColumnFinding[],
  labels: ArrayLike<number>,
  rows: ArrayLike<number>,
): Encoder {
  const byName = new Map(table.columns.map((column) => [column.name, column]));
  const encoder: ColumnEncoding[] = [];
  for (const { column: name, kind } of kinds) {
    const column = byName.get(name);
    if (column === undefined || kind === "constant" || kind === "identifier") continue;
    if (kind === "flag") {
      encoder.push({ kind, column: name, levels: [...column.levels].sort() });
    } else if (kind === "levels") {
      const counts = levelCounts(column, rows);
      const levels = column.levels.filter((_, code) => counts[code] >= MIN_LEVEL_ROWS).sort();
      encoder.push({ kind, column: name, levels });
    } else if (kind === "rate") {
      encoder.push(fitRates(column, labels, rows));
    } else {
      encoder.push({ kind, column: name });
    }
  }
  return encoder;
}

type RateEncoding = Extract<ColumnEncoding, { kind: "rate" }>;

/** rate = (positives + 20 · prior) / (rows + 20): a level with few rows stays near the prior. */
function fitRates(
  column: Column,
  labels: ArrayLike<number>,
  rows: ArrayLike<number>,
): RateEncoding {
  const counts = levelCounts(column, rows);
  const positives = new Float64Array(column.levels.length);
  let total = 0;
  for (let index = 0; index < rows.length; index++) {
    const code = column.codes[rows[index]];
    total += labels[rows[index]];
    if (code >= 0) positives[code] += labels[rows[index]];
  }
  const prior = total / Math.max(1, rows.length);
  const rates: [string, number][] = [];
  column.levels.forEach((level, code) => {
    if (counts[code] === 0) return;
    const rate = (positives[code] + RATE_PRIOR_ROWS * prior) / (counts[code] + RATE_PRIOR_ROWS);
    rates.push([level, rate]);
  });
  return { kind: "rate", column: column.name, prior, rates };
}

/** Features of `rows`, row-major, one row after the other. Columns are found by name. */
export function encodeRows(encoder: Encoder, table: Table, rows: ArrayLike<number>): Float32Array {
  const width = encoder.reduce((sum, encoding) => sum + widthOf(encoding), 0);
  const features = new Float32Array(rows.length * width);
  let offset = 0;
  for (const encoding of encoder) {
    const column = table.columns.find((candidate) => candidate.name === encoding.column);
    if (column === undefined) throw new Error(`the table has no column ${encoding.column}`);
    const valuesOf = valuesBy(encoding);
    const byCode = column.levels.map(valuesOf);
    const size = widthOf(encoding);
    for (let index = 0; index < rows.length; index++) {
      const code = column.codes[rows[index]];
      const start = index * width + offset;
      if (code < 0) features.fill(Number.NaN, start, start + size);
      else features.set(byCode[code], start);
    }
    offset += size;
  }
  return features;
}

/**
 * Features of the training rows themselves: the rate of a level comes from the other folds, so that
 * no row's own label flows into its features (Micci-Barreca 2001 smoothing, out of fold).
 */
export function encodeTrainingRows(
  encoder: Encoder,
  table: Table,
  labels: ArrayLike<number>,
  rows: Uint32Array,
  seed: number,
): Float32Array {
  const features = encodeRows(encoder, table, rows);
  const width = features.length / rows.length;
  const folds = stratifiedFolds(
    Array.from(rows, (row) => labels[row]),
    RATE_FOLDS,
    seed,
  );
  let offset = 0;
  for (const encoding of encoder) {
    if (encoding.kind === "rate") {
      const column = table.columns.find((candidate) => candidate.name === encoding.column);
      if (column !== undefined) {
        const rates = outOfFoldRates(column, labels, rows, folds);
        for (let index = 0; index < rows.length; index++) {
          features[index * width + offset] = rates[index];
        }
      }
    }
    offset += widthOf(encoding);
  }
  return features;
}

/** One rate a row of `rows`, from the rows of the other folds; NaN where the cell is missing. */
export function outOfFoldRates(
  column: Column,
  labels: ArrayLike<number>,
  rows: Uint32Array,
  folds: ArrayLike<number>,
): Float32Array {
  const result = new Float32Array(rows.length);
  for (let fold = 0; fold < RATE_FOLDS; fold++) {
    const others = rows.filter((_, index) => folds[index] !== fold);
    const encoding = fitRates(column, labels, others);
    const valuesOf = valuesBy(encoding);
    const byCode = column.levels.map((level) => valuesOf(level)[0]);
    for (let index = 0; index < rows.length; index++) {
      if (folds[index] !== fold) continue;
      const code = column.codes[rows[index]];
      result[index] = code < 0 ? Number.NaN : byCode[code];
    }
  }
  return result;
}
