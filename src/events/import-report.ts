/** What an import says: its last line, the file of rows it refused, and its progress. */
import { createWriteStream, type WriteStream } from "node:fs";
import { access, constants } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { finished } from "node:stream/promises";
import { Presets, SingleBar } from "cli-progress";
import type { RejectedRow } from "./import-map.js";

export interface ImportSummary {
  /** Data rows of the file: those in events, anonymous, repeated and rejected ones together. */
  rows: number;
  /** Events accepted by this run. */
  events: number;
  /** Distinct members the file names. */
  members: number;
  /** Distinct products the file names. */
  products: number;
  /** Events accepted that are returns. */
  returns: number;
  /** Rows without a member. */
  anonymous: number;
  /** Rows whose event was imported before. */
  duplicates: number;
  rejected: number;
  seconds: number;
  /** Where rejected rows stand with their reasons; null without any. */
  rejectFile: string | null;
}

export const emptySummary = (): ImportSummary => ({
  rows: 0,
  events: 0,
  members: 0,
  products: 0,
  returns: 0,
  anonymous: 0,
  duplicates: 0,
  rejected: 0,
  seconds: 0,
  rejectFile: null,
});

/** The last line of an import; its form is API. */
export function formatSummary(summary: ImportSummary): string {
  const { rows, events, members, products, returns, anonymous, duplicates, rejected } = summary;
  return (
    `imported: rows=${rows} events=${events} members=${members} products=${products} ` +
    `returns=${returns} anonymous=${anonymous} duplicates=${duplicates} rejected=${rejected} ` +
    `seconds=${summary.seconds.toFixed(1)}`
  );
}

/** `<file>.rejects.csv`, next to the input where that can be written, else in this directory. */
export async function rejectFileOf(file: string): Promise<string> {
  const name = `${basename(file)}.rejects.csv`;
  const directory = dirname(resolve(file));
  const writable = await access(directory, constants.W_OK).then(
    () => true,
    () => false,
  );
  return writable ? join(directory, name) : resolve(name);
}

const quoted = (text: string): string =>
  /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;

/** A CSV of rejected rows (row, code, detail, raw); made when there is a first one. */
export class RejectFile {
  private stream: WriteStream | undefined;

  constructor(private readonly path: string) {}

  async add(rows: readonly RejectedRow[]): Promise<void> {
    if (rows.length === 0) return;
    if (this.stream === undefined) {
      this.stream = createWriteStream(this.path, { mode: 0o600 });
      this.stream.write("row,code,detail,raw\n");
    }
    const lines = rows.map(({ row, code, detail, raw }) =>
      [String(row), code, detail, raw].map(quoted).join(","),
    );
    if (!this.stream.write(`${lines.join("\n")}\n`)) {
      await new Promise<void>((drained, failed) => {
        this.stream?.once("drain", drained).once("error", failed);
      });
    }
  }

  /** The path, or null when nothing was rejected. */
  async close(): Promise<string | null> {
    if (this.stream === undefined) return null;
    this.stream.end();
    await finished(this.stream);
    return this.path;
  }
}

export interface ImportProgress {
  rows(done: number): void;
  /** A line for a person, e.g. why it waits. */
  say(message: string): void;
  stop(): void;
}

const LINE_EVERY_MS = 5_000;

/** A bar on a terminal; elsewhere a line every few seconds. */
export function importProgress(stream: NodeJS.WriteStream = process.stderr): ImportProgress {
  return stream.isTTY ? showBar(stream) : showLines(stream);
}

function showBar(stream: NodeJS.WriteStream): ImportProgress {
  const started = Date.now();
  const format = "importing  {value} rows  {rate} rows/s  {duration_formatted}";
  const bar = new SingleBar({ stream, format, hideCursor: true }, Presets.shades_classic);
  bar.start(0, 0, { rate: 0 });
  return {
    rows: (done) => bar.update(done, { rate: rateOf(done, started) }),
    say: (message) => void stream.write(`\n${message}\n`),
    stop: () => bar.stop(),
  };
}

function showLines(stream: NodeJS.WriteStream): ImportProgress {
  const started = Date.now();
  let last = started;
  return {
    rows(done) {
      if (Date.now() - last < LINE_EVERY_MS) return;
      last = Date.now();
      stream.write(`importing: rows=${done} rows/s=${rateOf(done, started)}\n`);
    },
    say: (message) => void stream.write(`${message}\n`),
    stop: () => undefined,
  };
}

const rateOf = (rows: number, started: number): number =>
  Math.round(rows / Math.max(0.001, (Date.now() - started) / 1000));
