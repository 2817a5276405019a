/**
 * Records set aside under a key until the log was read to its end. Beyond a limit they go to bucket
 * files in a private temporary directory, so that memory stays bounded however many there are.
 */
import { appendFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hash32 } from "../redis/keys.js";
import type { LoggedRecord } from "./log-reader.js";

const BUCKETS = 64;

export class DeferredRecords {
  private held: [key: string, record: LoggedRecord][] = [];
  private directory: string | undefined;

  constructor(private readonly limit = 200_000) {}

  add(key: string, record: LoggedRecord): void {
    this.held.push([key, record]);
    if (this.held.length >= this.limit) this.spill();
  }

  /** Every key once, with its records in the order they were added. */
  *drain(): Generator<[key: string, records: LoggedRecord[]]> {
    if (this.directory === undefined) {
      yield* grouped(this.held);
      this.held = [];
      return;
    }
    this.spill();
    for (let bucket = 0; bucket < BUCKETS; bucket++) yield* grouped(this.bucket(bucket));
  }

  /** Removes what was spilled. */
  close(): void {
    if (this.directory !== undefined) rmSync(this.directory, { recursive: true, force: true });
    this.directory = undefined;
    this.held = [];
  }

  private spill(): void {
    this.directory ??= mkdtempSync(join(tmpdir(), "cuecard-replay-"));
    const lines = new Map<number, string[]>();
    for (const entry of this.held) {
      const bucket = hash32(entry[0]) % BUCKETS;
      const known = lines.get(bucket);
      if (known === undefined) lines.set(bucket, [JSON.stringify(entry)]);
      else known.push(JSON.stringify(entry));
    }
    for (const [bucket, texts] of lines) {
      appendFileSync(join(this.directory, `${bucket}`), `${texts.join("\n")}\n`, { mode: 0o600 });
    }
    this.held = [];
  }

  private bucket(bucket: number): [string, LoggedRecord][] {
    let text: string;
    try {
      text = readFileSync(join(this.directory!, `${bucket}`), "utf8");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
      throw error;
    }
    return text
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as [string, LoggedRecord]);
  }
}

function grouped(entries: readonly [string, LoggedRecord][]): Map<string, LoggedRecord[]> {
  const groups = new Map<string, LoggedRecord[]>();
  for (const [key, record] of entries) {
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [record]);
    else group.push(record);
  }
  return groups;
}
