/** A flat table made ready for training: label, treatment, usable rows, what each column is. */
import { CuecardError } from "../errors.js";
import { type ColumnFinding, findKind, timesOf } from "./table-encoder.js";
import { copiesOf, type Groups, groupsBy } from "./table-groups.js";
import {
  type Column,
  columnOf,
  type ReadTable,
  readTable,
  type Table,
  type TableFormat,
} from "./table-read.js";

export interface TableProgress {
  /** `read`, `fit`, `score` … for a person to read. */
  readonly stage: string;
  readonly done: number;
  /** Absent while it is not known. */
  readonly total?: number;
}

/** What training and evaluating a flat table have in common. */
export interface TableOptions extends TableFormat {
  /** CSV, gzipped when its name ends in .gz. */
  readonly file: string;
  readonly label: string;
  /** Level of the label that counts as 1; may be left out for 1/0, yes/no, true/false. */
  readonly positive?: string;
  /** Columns to leave out. */
  readonly drop?: readonly string[];
  /** Column that says who was treated: then uplift is modelled. */
  readonly treatment?: string;
  /** Levels of the treatment column to compare; rows of other arms are left out. */
  readonly treated?: string;
  readonly control?: string;
  /** Column whose rows of one value stay on one side of every split; not an input itself. */
  readonly group?: string;
  /** The rows of the file are in order of time. */
  readonly ordered?: boolean;
  /** Column of dates or numbers that puts the rows in order of time. */
  readonly time?: string;
  readonly seed?: number;
  readonly threads?: number;
  readonly xgboostLibrary?: string;
  readonly onProgress?: (progress: TableProgress) => void;
}

export interface TableData {
  readonly table: ReadTable;
  /** Rows with a label (and an arm that is compared); rising, or in order of time. */
  readonly rows: Uint32Array;
  /** 0 or 1 by row number of the table. */
  readonly labels: Uint8Array;
  /** 1 for treated, 0 for control, by row number of the table. */
  readonly treated?: Uint8Array;
  readonly kinds: readonly ColumnFinding[];
  /** Rows that stay together when rows are split at random. */
  readonly groups?: Groups;
  readonly label: { readonly column: string; readonly positive: string };
  /** Set when `rows` are in order of time; stated by the caller, or found in a date column. */
  readonly order?: { readonly by: string; readonly isStated: boolean };
  readonly treatment?: {
    readonly column: string;
    readonly treated: string;
    readonly control: string;
  };
}

/** Fewer than this of either class, and no honest model can be fitted and calibrated. */
export const MIN_CLASS_ROWS = 20;
const YES = /^(1|y|yes|t|true)$/i;
const CONTROL = /^(0|f|false|n|no|none|control|no[ _-].*)$/i;

/** @throws CuecardError `file_invalid`, `usage` or `not_enough_data` */
export async function loadTableData(options: TableOptions): Promise<TableData> {
  if (options.group !== undefined && (options.ordered || options.time !== undefined)) {
    throw new CuecardError("usage", "rows are split by group or by time: give one of the two");
  }
  const table = await readTable(options.file, options, (done) =>
    options.onProgress?.({ stage: "read", done }),
  );
  const header = options.header ?? true;
  const labelColumn = columnOf(table, options.label, header);
  const positive = positiveLevel(labelColumn, options.positive);
  const arms = options.treatment === undefined ? undefined : findArms(table, options);
  const group = options.group === undefined ? undefined : columnOf(table, options.group, header);
  const left = new Set([labelColumn.name, arms?.column.name, group?.name]);
  for (const name of options.drop ?? []) left.add(columnOf(table, name, header).name);

  const labels = Uint8Array.from(labelColumn.codes, (code) => (code === positive ? 1 : 0));
  const treated =
    arms && Uint8Array.from(arms.column.codes, (code) => (code === arms.treated ? 1 : 0));
  const isUsable = (row: number) =>
    labelColumn.codes[row] >= 0 &&
    (arms === undefined || [arms.treated, arms.control].includes(arms.column.codes[row]));
  const usable = Uint32Array.from({ length: table.rowCount }, (_, row) => row).filter(isUsable);
  const kinds = table.columns
    .filter((column) => !left.has(column.name))
    .map((column) => ({ column: column.name, kind: findKind(column) }));
  const { rows, order } = group
    ? { rows: usable, order: undefined }
    : inOrder(table, usable, kinds, options);
  return {
    table,
    rows,
    order,
    labels,
    treated,
    kinds,
    groups: group ? groupsBy(group, rows) : copiesOf(table, kinds, rows),
    label: { column: labelColumn.name, positive: labelColumn.levels[positive] },
    treatment: arms && {
      column: arms.column.name,
      treated: arms.column.levels[arms.treated],
      control: arms.column.levels[arms.control],
    },
  };
}

function positiveLevel(column: Column, wanted: string | undefined): number {
  const { levels, name } = column;
  if (levels.length < 2) {
    const held = levels.length === 0 ? "nothing" : `${levels[0]} only`;
    throw new CuecardError("file_invalid", `${name} holds ${held}; there is nothing to tell apart`);
  }
  if (wanted !== undefined) {
    const code = levels.indexOf(wanted.trim());
    if (code >= 0) return code;
    throw new CuecardError("file_invalid", `${name} never holds ${wanted}${listing(levels)}`);
  }
  const code = levels.findIndex((level) => YES.test(level));
  if (levels.length === 2 && code >= 0) return code;
  throw new CuecardError(
    "usage",
    `name the level of ${name} that counts with --positive${listing(levels)}`,
  );
}

/** Fewer distinct dates than this say nothing about the order of a file. */
const ORDER_MIN_DATES = 10;

/** Rows by the time column, or as they stand where the caller or a date column says so. */
function inOrder(
  table: Table,
  usable: Uint32Array,
  kinds: readonly ColumnFinding[],
  options: TableOptions,
): Pick<TableData, "rows" | "order"> {
  if (options.time !== undefined) {
    const column = columnOf(table, options.time, options.header ?? true);
    const times = timesOf(column);
    if (times.every(Number.isNaN)) {
      throw new CuecardError("file_invalid", `${column.name} holds neither dates nor numbers`);
    }
    // Rows without a time come first: what is known least about decides least.
    const at = (row: number) => (Number.isNaN(times[row]) ? Number.NEGATIVE_INFINITY : times[row]);
    const rows = usable.slice().sort((a, b) => (at(a) === at(b) ? a - b : at(a) - at(b)));
    return { rows, order: { by: column.name, isStated: true } };
  }
  if (options.ordered) return { rows: usable, order: { by: "the file", isStated: true } };
  const rising = kinds.find(({ column: name, kind }) => {
    const column = table.columns.find((candidate) => candidate.name === name);
    if (kind !== "date" || column === undefined || column.levels.length < ORDER_MIN_DATES) {
      return false;
    }
    const times = timesOf(column);
    return usable.every((row, index) => index === 0 || times[usable[index - 1]] <= times[row]);
  });
  return { rows: usable, order: rising && { by: rising.column, isStated: false } };
}

const listing = (levels: readonly string[]): string =>
  levels.length <= 10 ? `; it holds ${levels.join(", ")}` : `; it holds ${levels.length} levels`;

interface Arms {
  readonly column: Column;
  readonly treated: number;
  readonly control: number;
}

function findArms(table: Table, options: TableOptions): Arms {
  const column = columnOf(table, options.treatment ?? "", options.header ?? true);
  const { levels } = column;
  const find = (wanted: string | undefined, otherwise: () => number): number => {
    if (wanted === undefined) return otherwise();
    const code = levels.indexOf(wanted);
    if (code >= 0) return code;
    throw new CuecardError(
      "file_invalid",
      `${column.name} never holds ${wanted}${listing(levels)}`,
    );
  };
  const control = find(options.control, () => onlyOne(levels, (level) => CONTROL.test(level)));
  const treated = find(options.treated, () => onlyOne(levels, (_, code) => code !== control));
  if (control < 0 || treated < 0 || treated === control) {
    throw new CuecardError(
      "usage",
      `name the two arms of ${column.name} with --treated and --control${listing(levels)}`,
    );
  }
  return { column, treated, control };
}

/** Index of the only level that passes, −1 when none or several do. */
function onlyOne(
  levels: readonly string[],
  test: (level: string, code: number) => boolean,
): number {
  const found = levels.map((level, code) => (test(level, code) ? code : -1)).filter((c) => c >= 0);
  return found.length === 1 ? found[0] : -1;
}

/** @throws CuecardError `not_enough_data` when either class is too small among `rows`. */
export function checkClasses(
  labels: ArrayLike<number>,
  rows: ArrayLike<number>,
  where: string,
): void {
  let positives = 0;
  for (let index = 0; index < rows.length; index++) positives += labels[rows[index]];
  const fewest = Math.min(positives, rows.length - positives);
  if (fewest < MIN_CLASS_ROWS) {
    throw new CuecardError(
      "not_enough_data",
      `${where}: ${positives} positives and ${rows.length - positives} negatives; ` +
        `at least ${MIN_CLASS_ROWS} of each are needed`,
    );
  }
}

/** Labels of rows of the table, in their order. */
export const labelsOf = (data: TableData, rows: Uint32Array): Float32Array =>
  Float32Array.from(rows, (row) => data.labels[row]);

/** Groups of rows of the table, in their order; undefined where none belong together. */
export const groupsOf = ({ groups }: TableData, rows: Uint32Array): Float64Array | undefined =>
  groups && Float64Array.from(rows, (row) => groups.ids[row]);
