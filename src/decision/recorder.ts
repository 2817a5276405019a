/**
 * Writes decisions down off the answer's path: a bounded queue, flushed in pipelines every few
 * milliseconds. A store out of reach delays records, up to a bound; the oldest go first.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Config } from "../config.js";
import { placeOfDecision } from "../members/decision-id.js";
import type { RedisClient } from "../redis/clients.js";
import { groupedPipeline } from "../redis/grouped.js";
import { logKey } from "../redis/keys.js";
import { metrics } from "../telemetry.js";
import { type Recordable, recordOf } from "./record.js";
import { encodeDecision } from "./record-codec.js";

/** Decisions wait for company no longer than this: with each flush the store waits for its disk once. */
const FLUSH_MS = 20;
/** Of a store that does not take them: between two attempts. */
const RETRY_MS = 250;
/** Records of one pipeline. */
const BATCH = 256;
/** Records kept while the store does not take them, about 2 KB each. */
export const RECORDS_WAITING_MAX = 10_000;
/** Time `close` gives the store to take what is left. */
const CLOSE_MS = 2_000;

export interface RecorderOptions {
  readonly client: RedisClient;
  readonly config: Pick<Config, "attributes">;
  /** false: the store is nearly full, and what is left of it is for events. */
  hasRoom(): boolean;
  readonly waitingMax?: number;
}

interface Line {
  readonly id: string;
  readonly partition: number;
  readonly text: string;
}

export class DecisionRecorder {
  readonly #options: RecorderOptions;
  readonly #waitingMax: number;
  /** As they came; written out behind the answers of this turn of the event loop. */
  #fresh: Recordable[] = [];
  /** Oldest first. */
  #lines: Line[] = [];
  #flushing: Promise<void> | null = null;
  #started = false;
  #closed = false;
  /** The time of `close` is over. */
  #givenUp = false;

  constructor(options: RecorderOptions) {
    this.#options = options;
    this.#waitingMax = options.waitingMax ?? RECORDS_WAITING_MAX;
  }

  /** What is decided before (a server that warms up) is nobody's decision, and not recorded. */
  start(): void {
    this.#started = true;
  }

  /** Costs the answer next to nothing. */
  add(decision: Recordable): void {
    if (!this.#started) return;
    if (this.#fresh.push(decision) === 1) setImmediate(() => this.#writeOut());
    if (this.#fresh.length + this.#lines.length > this.#waitingMax) this.#dropOldest();
    this.#flushing ??= this.#flushSoon();
  }

  /** The record of one that is not in the store yet, as it will be logged. */
  waiting(id: string): string | null {
    const fresh = this.#fresh.find((one) => one.id === id);
    if (fresh !== undefined) return lineOf(fresh, this.#options.config).text;
    return this.#lines.find((line) => line.id === id)?.text ?? null;
  }

  /** Resolves when everything so far was written or the time for it is over. */
  async close(): Promise<void> {
    this.#closed = true;
    const late = sleep(CLOSE_MS, undefined, { ref: false });
    await Promise.race([this.#flushing ?? this.#flush(), late]);
    this.#givenUp = true;
    const left = this.#fresh.length + this.#lines.length;
    if (left > 0) metrics.decisionRecordsDropped.inc(left);
  }

  /** Soon: a decision holds all it was made from, which had better die young. */
  #writeOut(): void {
    const { config } = this.#options;
    for (const one of this.#fresh) this.#lines.push(lineOf(one, config));
    this.#fresh = [];
  }

  #dropOldest(): void {
    if (this.#lines.length > 0) this.#lines.shift();
    else this.#fresh.shift();
    metrics.decisionRecordsDropped.inc();
  }

  async #flushSoon(): Promise<void> {
    let waitMs = FLUSH_MS;
    while (!this.#givenUp && this.#fresh.length + this.#lines.length > 0) {
      // The last ones of a process that ends go at once.
      if (!this.#closed || waitMs === RETRY_MS) await sleep(waitMs, undefined, { ref: false });
      waitMs = (await this.#flush()) ? FLUSH_MS : RETRY_MS;
    }
    this.#flushing = null;
  }

  /** false: the store did not take all. */
  async #flush(): Promise<boolean> {
    const { client, hasRoom } = this.#options;
    this.#writeOut();
    if (!hasRoom()) return false;
    while (this.#lines.length > 0) {
      const batch = this.#lines.slice(0, BATCH);
      const outcomes = await groupedPipeline(
        client,
        batch.map(({ partition, text }) => ["xadd", logKey(partition), "*", "r", text]),
      );
      const written = new Set(batch.filter((_, i) => outcomes[i]!.error === undefined));
      this.#lines = this.#lines.filter((line) => !written.has(line));
      if (written.size < batch.length) return false;
    }
    return true;
  }
}

const lineOf = (one: Recordable, config: Pick<Config, "attributes">): Line => ({
  id: one.id,
  partition: placeOfDecision(one.id)!.partition,
  text: encodeDecision(recordOf(one, config)),
});
