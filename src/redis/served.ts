/**
 * Somebody is served: what works through the store in the background hears of it and goes slower, for
 * Redis serves one after the other. The mark lasts ten seconds beyond the last request, so that a floor
 * that is called every few seconds does not meet a full queue each time.
 */
import { type RedisClient, toStoreError } from "./clients.js";
import { servedKey } from "./keys.js";

const MARK_MS = 10_000;
/** Between two marks of one process. */
const MARK_EVERY_MS = 500;
/** Between two questions whether there is one. */
const ASK_EVERY_MS = 250;
/** Rest for each millisecond of work while somebody is served: who asks meets an idle store mostly. */
const REST_PER_MS = 3;
const REST_MAX_MS = 250;

/** Milliseconds the background rests after work of `tookMs` while somebody is served. */
export const restAfter = (tookMs: number): number => Math.min(REST_PER_MS * tookMs, REST_MAX_MS);

/** Held by whoever serves. */
export class ServedMark {
  #markedAt = Number.NEGATIVE_INFINITY;

  constructor(private readonly client: RedisClient) {}

  /** At a request. Two writes a second at most; one that fails is the background's good luck. */
  touch(): void {
    const now = performance.now();
    if (now - this.#markedAt < MARK_EVERY_MS) return;
    this.#markedAt = now;
    this.client.set(servedKey, "", "PX", MARK_MS).catch(() => undefined);
  }
}

/** Held by whoever works in the background. */
export class ServedWatch {
  #asked: Promise<boolean> = Promise.resolve(false);
  #askedAt = Number.NEGATIVE_INFINITY;

  constructor(private readonly client: Pick<RedisClient, "exists">) {}

  /** As of the last quarter of a second. Throws `store_unavailable`. */
  isServed(): Promise<boolean> {
    const now = performance.now();
    if (now - this.#askedAt < ASK_EVERY_MS) return this.#asked;
    this.#askedAt = now;
    this.#asked = this.#ask();
    return this.#asked;
  }

  async #ask(): Promise<boolean> {
    try {
      return (await this.client.exists(servedKey)) === 1;
    } catch (error) {
      this.#askedAt = Number.NEGATIVE_INFINITY;
      throw toStoreError(error);
    }
  }
}
