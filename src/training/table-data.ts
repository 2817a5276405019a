/** A flat table made ready for training: label, treatment, usable rows, what each column is. */
import { CuecardError } from "../errors.js";
import { type ColumnFinding, findKind } from "./table-encoder.js";
import { type Column, columnOf, readTable, type Table, type TableFormat } from "./table-read.js";

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
  readonly seed?: number;
  readonly threads?: number;
  readonly xgboostLibrary?: string;
  readonly onProgress?: (progress: TableProgress) => void;
}

export interface TableData {
  readonly table: Table;
  /** Rows with a label (and an arm that is compared), rising. */
  readonly rows: Uint32Array;
  /** 0 or 1 by row number of the table. */
  readonly labels: Uint8Array;
  /** 1 for treated, 0 for control, by row number of the table. */
  readonly treated?: Uint8Array;
  readonly kinds: readonly ColumnFinding[];
  readonly label: { readonly column: string; readonly positive: string };
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
  const table = await readTable(options.file, options, (done) =>
    options.onProgress?.({ stage: "read", done }),
  );
  const header = options.header ?? true;
  const labelColumn = columnOf(table, options.label, header);
  const positive = positiveLevel(labelColumn, options.positive);
  const arms = options.treatment === undefined ? undefined : findArms(table, options);
  const left = new Set([labelColumn.name, arms?.column.name]);
  for (const name of options.drop ?? []) left.add(columnOf(table, name, header).name);

  const labels = Uint8Array.from(labelColumn.codes, (code) => (code === positive ? 1 : 0));
  const treated =
    arms && Uint8Array.from(arms.column.codes, (code) => (code === arms.treated ? 1 : 0));
  const isUsable = (row: number) =>
    labelColumn.codes[row] >= 0 &&
    (arms === undefined || [arms.treated, arms.control].includes(arms.column.codes[row]));
  const rows = Uint32Array.from({ length: table.rowCount }, (_, row) => row).filter(isUsable);
  const kinds = table.columns
    .filter((column) => !left.has(column.name))
    .map((column) => ({ column: column.name, kind: findKind(column) }));
  return {
    table,
    rows,
    labels,
    treated,
    kinds,
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
