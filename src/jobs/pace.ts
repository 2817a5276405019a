/**
 * How fast a walk over the store may go: at full speed while nobody else asks the store anything, a
 * quarter of the time while somebody does. It listens now and then with its own hands still, so that
 * what it hears is others.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { mastersOf, type RedisClient, toStoreError } from "../redis/clients.js";

export interface PaceOptions {
  /** Work between two times of listening. Default 2 s. */
  readonly everyMs?: number;
  /** Length of one. Default 100 ms: 5 % of an undisturbed walk. */
  readonly listenMs?: number;
}

const EVERY_MS = 2_000;
const LISTEN_MS = 100;
/** Of others, over all nodes: an idle serve process asks about a dozen. */
const QUIET_COMMANDS_PER_SECOND = 100;
/** Pause for each millisecond of work while others are served. */
const BUSY_PAUSE = 3;
const PAUSE_MAX_MS = 250;

export class Pace {
  /** Whether somebody else was heard last time. */
  busy = false;
  private readonly everyMs: number;
  private readonly listenMs: number;
  private workSince = performance.now();
  private listenAt = 0;

  constructor(
    private readonly client: RedisClient,
    private readonly signal: AbortSignal,
    { everyMs = EVERY_MS, listenMs = LISTEN_MS }: PaceOptions = {},
  ) {
    this.everyMs = everyMs;
    this.listenMs = listenMs;
  }

  /** To be awaited between two pieces of work, with no command under way. */
  async step(): Promise<void> {
    if (performance.now() >= this.listenAt) await this.listen();
    if (this.busy) {
      const tookMs = performance.now() - this.workSince;
      const pauseMs = Math.min(BUSY_PAUSE * tookMs, PAUSE_MAX_MS);
      await sleep(pauseMs, undefined, { signal: this.signal });
    }
    this.workSince = performance.now();
  }

  private async listen(): Promise<void> {
    const worked = performance.now() - this.workSince;
    const began = performance.now();
    const before = await this.commands();
    await sleep(this.listenMs, undefined, { signal: this.signal });
    // Those with which it was asked the first time left out.
    const heard = (await this.commands()) - before - mastersOf(this.client).length;
    const seconds = (performance.now() - began) / 1_000;
    this.busy = heard > QUIET_COMMANDS_PER_SECOND * seconds;
    this.listenAt = performance.now() + this.everyMs;
    this.workSince = performance.now() - worked;
  }

  /** Run by all masters since they started. */
  private async commands(): Promise<number> {
    const counts = mastersOf(this.client).map(async (node) => {
      const stats = await node.info("stats").catch((error: unknown) => {
        throw toStoreError(error);
      });
      return Number(/total_commands_processed:(\d+)/.exec(stats)?.[1] ?? 0);
    });
    return (await Promise.all(counts)).reduce((sum, count) => sum + count, 0);
  }
}
