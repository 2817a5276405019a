/** Rows of a file: CSV, TSV, NDJSON (each also .gz) and Parquet, streamed with backpressure. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { pipeline, type Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import { DuckDBInstance } from "@duckdb/node-api";
import { CuecardError } from "../errors.js";
import { readFault } from "./file-faults.js";
import {
  CsvReader,
  guessSeparator,
  LINE_CHARACTERS_MAX,
  lineTooLong,
  type ReadRow,
  splitRecord,
} from "./import-csv.js";
import { detectEncoding, type FileEncoding, strictDecoder } from "./import-encoding.js";

export type { BrokenRow, GoodRow, ReadRow } from "./import-csv.js";

export interface ReadOptions {
  /** Default `auto`: reads the file once to tell UTF-8 from GB18030. */
  readonly encoding?: "auto" | FileEncoding;
  /** Default: tab for .tsv, else whichever of `, ; tab |` the header holds most of. */
  readonly separator?: string;
  /** false: columns are named 1, 2, 3 … Default true. */
  readonly header?: boolean;
  /** Columns that must be there; else `file_invalid` names those missing and those present. */
  readonly columns?: readonly string[];
}

type Format = "csv" | "ndjson" | "parquet";

function formatOf(file: string): Format {
  const name = file.toLowerCase().replace(/\.gz$/, "");
  if (/\.(csv|tsv|txt)$/.test(name)) return "csv";
  if (/\.(ndjson|jsonl)$/.test(name)) return "ndjson";
  if (name.endsWith(".parquet")) return "parquet";
  throw new CuecardError(
    "file_invalid",
    "the file is none of .csv, .tsv, .ndjson (each also .gz) and .parquet",
  );
}

/** First 16 hexadecimal digits of the file's SHA-256: names the file in ids and in the ledger. */
export async function fileHash16(file: string): Promise<string> {
  const hash = createHash("sha256");
  try {
    for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
  } catch (error) {
    throw unreadable(error);
  }
  return hash.digest("hex").slice(0, 16);
}

/** One row at a time; a broken row is one of them, told by `fault`. */
export async function* readRows(file: string, options: ReadOptions = {}): AsyncGenerator<ReadRow> {
  for await (const batch of readBatches(file, options)) yield* batch;
}

/** The same rows in arrays of some hundred to thousand, which is several times faster. */
export async function* readBatches(
  file: string,
  options: ReadOptions = {},
): AsyncGenerator<ReadRow[]> {
  const format = formatOf(file);
  if (format === "parquet") {
    yield* readParquet(file, options);
    return;
  }
  const asked = options.encoding ?? "auto";
  const encoding = asked === "auto" ? await detectEncoding(() => bytesOf(file)) : asked;
  const texts = decoded(bytesOf(file), encoding);
  yield* format === "csv" ? readCsv(file, texts, options) : readNdjson(texts, options);
}

/** Raw bytes, gunzipped by name. */
async function* bytesOf(file: string): AsyncGenerator<Buffer> {
  const source = createReadStream(file, { highWaterMark: 256 * 1024 });
  let stream: Readable = source;
  if (file.toLowerCase().endsWith(".gz")) {
    // The callback is asked for by `pipeline`; the error also ends the iteration below.
    stream = pipeline(source, createGunzip({ chunkSize: 256 * 1024 }), () => undefined);
  }
  try {
    for await (const chunk of stream) yield chunk as Buffer;
  } catch (error) {
    throw unreadable(error);
  }
}

function unreadable(error: unknown): CuecardError {
  const { code = "unknown" } = error as NodeJS.ErrnoException;
  return (
    readFault(error) ??
    new CuecardError("file_invalid", `reading failed (${code})`, { cause: error })
  );
}

async function* decoded(
  chunks: AsyncIterable<Buffer>,
  encoding: FileEncoding,
): AsyncGenerator<string> {
  const decoder = strictDecoder(encoding);
  for await (const chunk of chunks) yield decoder.decode(chunk);
  const last = decoder.end();
  if (last !== "") yield last;
}

async function* readCsv(
  file: string,
  texts: AsyncIterable<string>,
  options: ReadOptions,
): AsyncGenerator<ReadRow[]> {
  let reader: CsvReader | undefined;
  let head = "";
  const isTsv = /\.tsv(\.gz)?$/i.test(file);
  const start = (text: string): { reader: CsvReader; rest: string } => {
    const end = text.indexOf("\n");
    const line = (end < 0 ? text : text.slice(0, end)).replace(/\r$/, "");
    const separator = options.separator ?? (isTsv ? "\t" : guessSeparator(line));
    const columns = columnsOf(line, separator, options);
    const rest = options.header === false ? text : end < 0 ? "" : text.slice(end + 1);
    return { reader: new CsvReader(columns, separator), rest };
  };
  for await (const text of texts) {
    let more = text;
    if (reader === undefined) {
      head += text;
      if (!head.includes("\n")) {
        if (head.length > LINE_CHARACTERS_MAX) throw lineTooLong();
        continue;
      }
      ({ reader, rest: more } = start(head));
    }
    const rows = reader.push(more);
    if (rows.length > 0) yield rows;
  }
  if (reader === undefined) {
    if (head.trim() === "") throw new CuecardError("file_invalid", "the file is empty");
    const started = start(head);
    reader = started.reader;
    yield reader.push(started.rest);
  }
  const rows = reader.end();
  if (rows.length > 0) yield rows;
}

function columnsOf(line: string, separator: string, options: ReadOptions): string[] {
  const fields = splitRecord(line, separator);
  if (!Array.isArray(fields)) {
    throw new CuecardError("file_invalid", "the header has a quote that is not closed");
  }
  const columns =
    options.header === false
      ? fields.map((_, index) => String(index + 1))
      : fields.map((field) => field.trim());
  // Spreadsheets append empty columns.
  while (columns.length > 1 && columns[columns.length - 1] === "") columns.pop();
  requireColumns(columns, options.columns ?? []);
  return columns;
}

function requireColumns(present: readonly string[], wanted: readonly string[]): void {
  const missing = [...new Set(wanted)].filter((column) => !present.includes(column));
  if (missing.length > 0) {
    const there = present.slice(0, 100).join(", ");
    throw new CuecardError(
      "file_invalid",
      `no column ${missing.join(", ")}; the file has: ${there} (is the separator right?)`,
    );
  }
  const twice = wanted.filter((column) => present.indexOf(column) !== present.lastIndexOf(column));
  if (twice.length > 0 || present.includes("__proto__")) {
    const which = [...new Set(twice)].join(", ") || "__proto__";
    throw new CuecardError("file_invalid", `column ${which} is not one clear column`);
  }
}

async function* readNdjson(
  texts: AsyncIterable<string>,
  options: ReadOptions,
): AsyncGenerator<ReadRow[]> {
  let rest = "";
  let row = 0;
  let checked = false;
  const rowsOf = (lines: readonly string[]): ReadRow[] => {
    const rows: ReadRow[] = [];
    for (const line of lines) {
      if (line.trim() === "") continue;
      row += 1;
      rows.push(jsonRow(row, line));
    }
    if (!checked && rows.length > 0) {
      // Optional keys are absent where they are empty, so the first lines together must name them all.
      const present = new Set(
        rows.flatMap((one) => ("values" in one ? Object.keys(one.values) : [])),
      );
      if (present.size > 0) requireColumns([...present], options.columns ?? []);
      checked = present.size > 0;
    }
    return rows;
  };
  for await (const text of texts) {
    const lines = (rest + text).split("\n");
    rest = lines.pop()!;
    if (rest.length > LINE_CHARACTERS_MAX) throw lineTooLong();
    const rows = rowsOf(lines);
    if (rows.length > 0) yield rows;
  }
  const rows = rowsOf([rest]);
  if (rows.length > 0) yield rows;
}

function jsonRow(row: number, line: string): ReadRow {
  let parsed: unknown;
  try {
    parsed = JSON.parse(line);
  } catch {
    return { row, fault: "not valid JSON", raw: line.slice(0, 2000) };
  }
  if (parsed === null || typeof parsed !== "object" || Array.isArray(parsed)) {
    return { row, fault: "not a JSON object", raw: line.slice(0, 2000) };
  }
  const values: Record<string, string> = {};
  flatten(parsed as Record<string, unknown>, "", values);
  return { row, values };
}

/** `{"user": {"id": 7}}` → `user.id` = "7"; lists stay JSON. */
function flatten(
  object: Record<string, unknown>,
  prefix: string,
  into: Record<string, string>,
): void {
  for (const [key, value] of Object.entries(object)) {
    const name = prefix + key;
    if (name === "__proto__") continue;
    if (value === null || value === undefined) into[name] = "";
    else if (typeof value === "object" && !Array.isArray(value)) {
      flatten(value as Record<string, unknown>, `${name}.`, into);
    } else into[name] = typeof value === "object" ? JSON.stringify(value) : String(value);
  }
}

async function* readParquet(file: string, options: ReadOptions): AsyncGenerator<ReadRow[]> {
  const instance = await DuckDBInstance.create(":memory:", { threads: "2" });
  const connection = await instance.connect();
  try {
    // Zoned times leave as UTC; every other value as DuckDB prints it.
    await connection.run("SET TimeZone = 'UTC'");
    const result = await connection
      .stream("SELECT COLUMNS(*)::VARCHAR FROM read_parquet($1)", [file])
      .catch((error: unknown) => {
        throw new CuecardError("file_invalid", "not a readable Parquet file", { cause: error });
      });
    const columns = result.columnNames();
    requireColumns(columns, options.columns ?? []);
    let row = 0;
    for await (const chunk of result) {
      yield chunk.getRows().map((fields): ReadRow => {
        row += 1;
        const values: Record<string, string> = {};
        for (let i = 0; i < columns.length; i++) values[columns[i]!] = (fields[i] ?? "") as string;
        return { row, values };
      });
    }
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}
