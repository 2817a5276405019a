/** Reads a flat CSV table (optionally gzipped) into dictionary-coded columns. */
import { createReadStream } from "node:fs";
import { type Duplex, pipeline, type Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import { parse } from "csv-parse";
import iconv from "iconv-lite";
import { CuecardError } from "../errors.js";
import { readFault } from "../events/file-faults.js";
import { guessSeparator } from "../events/import-csv.js";
import { detectEncoding } from "../events/import-encoding.js";

export interface TableFormat {
  /** Default: what stands most often in the first line. */
  readonly separator?: string;
  /** false: the first line is data and columns are called c1, c2, … Default true. */
  readonly header?: boolean;
  /**
   * Any name iconv knows; default UTF-8 or GB18030, told apart by the bytes. A byte-order mark is
   * dropped.
   */
  readonly encoding?: string;
}

/**
 * Each distinct text once, and a number a row; memory stays small and every text is parsed once.
 */
export interface Column {
  readonly name: string;
  readonly levels: readonly string[];
  /** Index into `levels` for each row, −1 where the cell is missing. */
  readonly codes: Int32Array;
}

export interface Table {
  readonly columns: readonly Column[];
  readonly rowCount: number;
}

export interface ReadTable extends Table {
  /** How the file was read, guessed or told. */
  readonly format: Required<TableFormat>;
}

/** Cells that say "no value", after trimming. */
const MISSING = new Set(["", "NA", "N/A", "NaN", "nan", "null", "NULL", "?"]);

const PROGRESS_EVERY_ROWS = 10_000;

class ColumnBuilder {
  readonly #codes = new Map<string, number>();
  readonly #levels: string[] = [];
  #rows = new Int32Array(1024);

  set(row: number, cell: string): void {
    if (row === this.#rows.length) {
      const larger = new Int32Array(row * 2);
      larger.set(this.#rows);
      this.#rows = larger;
    }
    this.#rows[row] = this.#codeOf(cell.trim());
  }

  #codeOf(text: string): number {
    if (MISSING.has(text)) return -1;
    const known = this.#codes.get(text);
    if (known !== undefined) return known;
    const code = this.#levels.push(text) - 1;
    this.#codes.set(text, code);
    return code;
  }

  finish(name: string, rowCount: number): Column {
    return { name, levels: this.#levels, codes: this.#rows.slice(0, rowCount) };
  }
}

/**
 * @param onRows called now and then with the number of rows read.
 * @throws CuecardError `file_invalid` naming the line and fault.
 */
export async function readTable(
  path: string,
  format: TableFormat = {},
  onRows?: (rows: number) => void,
): Promise<ReadTable> {
  const { separator, header, encoding } = await settledFormat(path, format);
  const parser = parse({ delimiter: separator, bom: true, skip_empty_lines: true });
  let names: string[] = [];
  let builders: ColumnBuilder[] = [];
  let rowCount = 0;
  // A fault of any stream destroys the parser with it, so the loop below throws it.
  pipeline([...bytesOf(path), iconv.decodeStream(encoding) as Duplex, parser], () => undefined);
  try {
    for await (const record of parser as AsyncIterable<string[]>) {
      if (builders.length === 0) {
        builders = record.map(() => new ColumnBuilder());
        names = namesOf(record, header, separator);
        if (header) continue;
      }
      for (let column = 0; column < builders.length; column++) {
        builders[column].set(rowCount, record[column]);
      }
      rowCount++;
      if (rowCount % PROGRESS_EVERY_ROWS === 0) onRows?.(rowCount);
    }
  } catch (cause) {
    throw fileFault(cause);
  }
  if (rowCount === 0) throw new CuecardError("file_invalid", "the file holds no rows");
  onRows?.(rowCount);
  const columns = builders.map((builder, index) => builder.finish(names[index], rowCount));
  return { columns, rowCount, format: { separator, header, encoding } };
}

const fileFault = (cause: unknown): CuecardError =>
  cause instanceof CuecardError
    ? cause
    : (readFault(cause) ?? new CuecardError("file_invalid", (cause as Error).message, { cause }));

function bytesOf(path: string): (Readable | Duplex)[] {
  const file = createReadStream(path);
  return path.toLowerCase().endsWith(".gz") ? [file, createGunzip()] : [file];
}

/** The bytes of the file, unpacked; a fault of any stream is thrown while they are read. */
function readBytes(path: string): Readable {
  const [file, unzip] = bytesOf(path);
  if (unzip === undefined) return file;
  pipeline([file, unzip], () => undefined);
  return unzip;
}

async function settledFormat(path: string, format: TableFormat): Promise<Required<TableFormat>> {
  if (format.encoding !== undefined && !iconv.encodingExists(format.encoding)) {
    throw new CuecardError("file_invalid", `${format.encoding} is not a known encoding`);
  }
  try {
    const encoding = format.encoding ?? (await detectEncoding(() => readBytes(path)));
    const separator = format.separator ?? guessSeparator(await firstLine(path, encoding));
    return { separator, header: format.header ?? true, encoding };
  } catch (cause) {
    throw fileFault(cause);
  }
}

/** Enough for any header. */
const FIRST_LINE_BYTES = 65_536;

async function firstLine(path: string, encoding: string): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of readBytes(path) as AsyncIterable<Uint8Array>) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (chunk.includes(10) || bytes > FIRST_LINE_BYTES) break;
  }
  return iconv.decode(Buffer.concat(chunks), encoding).split(/\r?\n/, 1)[0];
}

function namesOf(record: readonly string[], header: boolean, separator: string): string[] {
  if (!header) return record.map((_, index) => `c${index + 1}`);
  const names = record.map((name) => name.trim());
  if (new Set(names).size !== names.length || names.includes("")) {
    throw new CuecardError("file_invalid", "a column name is empty or stands twice in the header");
  }
  const other = [";", "\t", ",", "|"].find((mark) => mark !== separator && names[0].includes(mark));
  if (names.length === 1 && other !== undefined) {
    const mark = JSON.stringify(other);
    throw new CuecardError("file_invalid", `there is one column only; is the separator ${mark}?`);
  }
  return names;
}

/**
 * The column of that name; without a header also by its number from 1.
 * @throws CuecardError `file_invalid` when there is none.
 */
export function columnOf(table: Table, name: string, header = true): Column {
  const wanted = !header && /^\d+$/.test(name) ? `c${name}` : name;
  const column = table.columns.find((candidate) => candidate.name === wanted);
  if (column === undefined) {
    const names = table.columns.map((candidate) => candidate.name).join(", ");
    throw new CuecardError("file_invalid", `there is no column ${name}; there are ${names}`);
  }
  return column;
}

/** How often each level occurs among `rows` (all rows when not given). */
export function levelCounts(column: Column, rows?: ArrayLike<number>): Uint32Array {
  const counts = new Uint32Array(column.levels.length);
  const length = rows?.length ?? column.codes.length;
  for (let index = 0; index < length; index++) {
    const code = column.codes[rows === undefined ? index : rows[index]];
    if (code >= 0) counts[code]++;
  }
  return counts;
}
