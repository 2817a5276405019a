/**
 * How fast a walk over the store may go: at full speed while nobody is served, a quarter of the time
 * while somebody is.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { RedisClient } from "../redis/clients.js";
import { restAfter, ServedWatch } from "../redis/served.js";

export class Pace {
  /** Whether somebody was served at the last step. */
  busy = false;
  private readonly watch: ServedWatch;
  private workSince = performance.now();

  constructor(
    client: RedisClient,
    private readonly signal: AbortSignal,
  ) {
    this.watch = new ServedWatch(client);
  }

  /** To be awaited between two pieces of work. Throws `store_unavailable`. */
  async step(): Promise<void> {
    this.busy = await this.watch.isServed();
    if (this.busy) {
      const tookMs = performance.now() - this.workSince;
      await sleep(restAfter(tookMs), undefined, { signal: this.signal });
    }
    this.workSince = performance.now();
  }
}
