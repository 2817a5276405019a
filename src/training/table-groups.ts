/** Rows that belong together (a household, copies of one case) and stay on one side of every split. */
import { seededRandom, shuffle } from "./random.js";
import type { ColumnFinding } from "./table-encoder.js";
import type { Column, Table } from "./table-read.js";

export interface Groups {
  /** The column that was named; absent where rows with equal inputs were found. */
  readonly column?: string;
  /** Equal for rows of one group, by row number of the table. */
  readonly ids: Float64Array;
  /** Among the rows in use. */
  readonly count: number;
}

/** With fewer groups, or a larger one, equal inputs are no copies: the table has few inputs. */
const FEWEST_GROUPS = 20;
const LARGEST_SHARE = 0.2;

/** Rows without a value are groups of their own. */
export function groupsBy(column: Column, rows: Uint32Array): Groups {
  const ids = Float64Array.from(column.codes, (code, row) => (code < 0 ? -1 - row : code));
  return { column: column.name, ids, count: new Set(rows.map((row) => ids[row])).size };
}

/** Rows with equal inputs; undefined where there are none, or where they are no copies. */
export function copiesOf(
  table: Table,
  kinds: readonly ColumnFinding[],
  rows: Uint32Array,
): Groups | undefined {
  const ids = inputKeys(table, kinds);
  const sizes = new Map<number, number>();
  for (const row of rows) sizes.set(ids[row], (sizes.get(ids[row]) ?? 0) + 1);
  const largest = [...sizes.values()].reduce((most, size) => Math.max(most, size), 0);
  const isTogether = sizes.size >= FEWEST_GROUPS && largest <= LARGEST_SHARE * rows.length;
  return sizes.size < rows.length && isTogether ? { ids, count: sizes.size } : undefined;
}

/** A number for each row of the table that equal inputs share (53 bits of two FNV-1a hashes). */
export function inputKeys(table: Table, kinds: readonly ColumnFinding[]): Float64Array {
  const names = new Set(
    kinds.filter(({ kind }) => kind !== "identifier").map(({ column }) => column),
  );
  const first = new Uint32Array(table.rowCount).fill(0x811c9dc5);
  const second = new Uint32Array(table.rowCount).fill(0x9e3779b9);
  for (const { codes } of table.columns.filter(({ name }) => names.has(name))) {
    for (let row = 0; row < table.rowCount; row++) {
      first[row] = mixed(first[row], codes[row]);
      second[row] = mixed(second[row], codes[row] + 0x10001);
    }
  }
  return Float64Array.from(first, (high, row) => high * 2 ** 21 + (second[row] >>> 11));
}

function mixed(hash: number, value: number): number {
  const product = Math.imul(hash ^ value, 0x01000193);
  return Math.imul(product ^ (product >>> 15), 0x85ebca6b) ^ (product >>> 13);
}

/**
 * A part a row, whole groups to a part, the largest first, each where it adds least to
 * Σ n²/(share · total) over parts and strata: so that every part gets its share of every stratum.
 */
export function dealGroups(
  ids: ArrayLike<number>,
  strata: ArrayLike<number>,
  shares: readonly number[],
  seed: number,
): Uint8Array {
  const totals = new Map<number, number>();
  const members = new Map<number, number[]>();
  const rowsInTurn = Uint32Array.from({ length: ids.length }, (_, row) => row);
  for (const row of shuffle(rowsInTurn, seededRandom(seed))) {
    totals.set(strata[row], (totals.get(strata[row]) ?? 0) + 1);
    const own = members.get(ids[row]);
    if (own === undefined) members.set(ids[row], [row]);
    else own.push(row);
  }
  const dealt = shares.map(() => new Map<number, number>());
  const parts = new Uint8Array(ids.length);
  for (const rows of [...members.values()].sort((a, b) => b.length - a.length)) {
    const own = new Map<number, number>();
    for (const row of rows) own.set(strata[row], (own.get(strata[row]) ?? 0) + 1);
    const costs = shares.map((share, part) =>
      [...own].reduce((sum, [stratum, size]) => {
        const before = dealt[part].get(stratum) ?? 0;
        return sum + (size * (2 * before + size)) / (share * (totals.get(stratum) ?? 1));
      }, 0),
    );
    const part = costs.indexOf(Math.min(...costs));
    for (const row of rows) parts[row] = part;
    for (const [stratum, size] of own) {
      dealt[part].set(stratum, (dealt[part].get(stratum) ?? 0) + size);
    }
  }
  return parts;
}

/** Folds of equal size, by position. */
export const groupedFolds = (
  ids: ArrayLike<number>,
  strata: ArrayLike<number>,
  folds: number,
  seed: number,
): Uint8Array => dealGroups(ids, strata, new Array(folds).fill(1 / folds), seed);
