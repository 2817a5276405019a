/** `score table`: every row of a file through the ONNX graph of a model directory. */
import { createWriteStream } from "node:fs";
import { realpath } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import { CuecardError } from "../errors.js";
import { loadOnnxScorer } from "../scoring/onnx-scorer.js";
import type { TableProgress } from "./table-data.js";
import { type ColumnEncoding, type Encoder, encodeRows, valuesBy } from "./table-encoder.js";
import { readTableModel, type TableManifest } from "./table-manifest.js";
import {
  type Column,
  columnOf,
  levelCounts,
  readTable,
  type Table,
  type TableFormat,
} from "./table-read.js";

const SCORE_CHUNK_ROWS = 4096;

export interface ScoreTableOptions extends TableFormat {
  /** Directory that `trainTable` wrote. */
  readonly model: string;
  readonly file: string;
  /** CSV to write: `row,score` or `row,uplift`; row 1 is the first row of data. */
  readonly out: string;
  /** Column of the file that is copied beside row and score. */
  readonly id?: string;
  readonly threads?: number;
  readonly onProgress?: (progress: TableProgress) => void;
}

export interface ScoredTable {
  readonly rows: number;
  readonly task: TableManifest["task"];
  readonly out: string;
  /** Columns of which many cells said nothing to the model; a line each. */
  readonly notes: readonly string[];
}

/**
 * Scores every row through the ONNX graph. Separator and encoding are told from the file, or are
 * those of the training file where they cannot be.
 * @throws CuecardError `model_invalid`, `file_invalid`, `usage`
 */
export async function scoreTable(options: ScoreTableOptions): Promise<ScoredTable> {
  const { manifest, graph } = await readTableModel(options.model);
  const { source } = manifest;
  const format = {
    separator: options.separator ?? unlessGuessed(source.separator, [",", ";", "\t", "|"]),
    header: options.header ?? source.header,
    encoding: options.encoding ?? unlessGuessed(source.encoding, ["utf8", "gb18030"]),
  };
  const { onProgress } = options;
  await refuseSameFile(options.file, options.out);
  const table = await readTable(options.file, format, (done) =>
    onProgress?.({ stage: "read", done }),
  );
  const { header } = table.format;
  const id = options.id === undefined ? undefined : columnOf(table, options.id, header);
  const names = new Set(table.columns.map((column) => column.name));
  const absent = manifest.encoder.map(({ column }) => column).filter((name) => !names.has(name));
  if (absent.length > 0) {
    throw new CuecardError("file_invalid", `the model needs these columns: ${absent.join(", ")}`);
  }
  const scorer = await loadOnnxScorer(graph, { threads: options.threads });
  try {
    const { featureCount, width } = scorer;
    if (featureCount !== manifest.features.length || width !== manifest.heads.length) {
      throw new CuecardError("model_invalid", "the graph has other features than its manifest");
    }
    const lines = scoreLines(manifest, table, id, async (features, rowCount) => {
      const { probabilities } = await scorer.run(features, rowCount);
      if (probabilities === undefined) {
        throw new CuecardError("model_invalid", "the graph answers no probabilities");
      }
      return probabilities;
    });
    const counted = async function* () {
      for await (const { text, done } of lines) {
        yield text;
        onProgress?.({ stage: "score", done, total: table.rowCount });
      }
    };
    const out = createWriteStream(options.out);
    let fault: unknown;
    out.once("error", (error) => {
      fault = error;
    });
    await pipeline(counted, out).catch((error) => {
      throw error === fault ? unwritable(options.out, error) : error;
    });
  } finally {
    await scorer.release();
  }
  const notes = unreadNotes(manifest.encoder, table);
  return { rows: table.rowCount, task: manifest.task, out: options.out, notes };
}

/** Scores written over the table would leave nothing of it. */
async function refuseSameFile(file: string, out: string): Promise<void> {
  const [one, other] = await Promise.all(
    [file, out].map((path) => realpath(path).catch(() => undefined)),
  );
  if (one !== undefined && one === other) {
    throw new CuecardError("usage", `--out is ${file} itself; name another file for the scores`);
  }
}

function unwritable(out: string, cause: NodeJS.ErrnoException): CuecardError {
  const meaning: Record<string, string> = {
    ENOENT: "its directory does not exist",
    EISDIR: "it is a directory",
    EACCES: "it may not be written",
  };
  const why = meaning[cause.code ?? ""] ?? cause.message;
  return new CuecardError("usage", `${out} cannot be written: ${why}`, { cause });
}

const csvCell = (text: string): string =>
  /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;

/** Above this share of the rows a fault of a column is told. */
const TOLD_SHARE = 0.05;

/** Missing cells, numbers and dates that cannot be read, levels the model has never seen. */
function unreadNotes(encoder: Encoder, table: Table): string[] {
  return encoder.flatMap((encoding) => {
    const column = table.columns.find(({ name }) => name === encoding.column);
    if (column === undefined) return [];
    const counts = levelCounts(column);
    const filled = counts.reduce((sum, count) => sum + count, 0);
    const isKnown = knownBy(encoding);
    const odd = column.levels.reduce((sum, one, at) => sum + (isKnown(one) ? 0 : counts[at]), 0);
    const isMissing = encoding.kind === "number" || encoding.kind === "date";
    const isUnread = isMissing && odd > 0 && odd === filled;
    const after = isUnread
      ? "; none could be read, so the scores were made as if the column were empty: is it the column, and the form, of the training file?"
      : isMissing
        ? "; taken as missing there"
        : "";
    const faults = [
      [table.rowCount - filled, "no value", ""],
      [odd, UNREAD[encoding.kind], after],
    ] as const;
    return faults.flatMap(([rows, what, then]) =>
      rows > TOLD_SHARE * table.rowCount
        ? [`${encoding.column}: ${what} in ${rows} of ${table.rowCount} rows${then}`]
        : [],
    );
  });
}

const UNREAD = {
  number: "an unreadable number",
  date: "an unreadable date",
  flag: "a level never seen in training",
  levels: "a level the model does not know by itself",
  rate: "a level never seen in training",
};

function knownBy(encoding: ColumnEncoding): (level: string) => boolean {
  if (encoding.kind === "number" || encoding.kind === "date") {
    const valuesOf = valuesBy(encoding);
    return (level) => !Number.isNaN(valuesOf(level)[0]);
  }
  const known = new Set(
    encoding.kind === "rate" ? encoding.rates.map(([level]) => level) : encoding.levels,
  );
  return (level) => known.has(level);
}

/** What can be told from a file is, because it may differ from the file of training. */
const unlessGuessed = (told: string, guessed: readonly string[]): string | undefined =>
  guessed.includes(told) ? undefined : told;

/** Nine significant digits tell every float32 apart, so that the file keeps the ranking. */
const DIGITS = 9;

async function* scoreLines(
  manifest: TableManifest,
  table: Table,
  id: Column | undefined,
  run: (features: Float32Array, rowCount: number) => Promise<Float32Array>,
): AsyncGenerator<{ text: string; done: number }> {
  const encoder: Encoder = manifest.encoder;
  const isUplift = manifest.task === "uplift";
  const idOf = (row: number): string => `,${csvCell(id?.levels[id.codes[row]] ?? "")}`;
  const name = isUplift ? "uplift" : "score";
  yield { text: `row,${name}${id === undefined ? "" : `,${csvCell(id.name)}`}\n`, done: 0 };
  for (let from = 0; from < table.rowCount; from += SCORE_CHUNK_ROWS) {
    const rowCount = Math.min(SCORE_CHUNK_ROWS, table.rowCount - from);
    const rows = Uint32Array.from({ length: rowCount }, (_, index) => from + index);
    const probabilities = await run(encodeRows(encoder, table, rows), rowCount);
    let text = "";
    for (let index = 0; index < rowCount; index++) {
      const score = isUplift
        ? probabilities[index * 2] - probabilities[index * 2 + 1]
        : probabilities[index];
      const end = id === undefined ? "" : idOf(from + index);
      text += `${from + index + 1},${Number(score.toPrecision(DIGITS))}${end}\n`;
    }
    yield { text, done: from + rowCount };
  }
}
