/**
 * Follows a published version: asks for the champion a few times a second, loads it when it moved and
 * keeps what it has whenever that fails. What models and artifacts have in common.
 */
import { isCuecardError } from "../errors.js";
import { isStoreUnavailable } from "../redis/clients.js";
import type { Logger } from "../telemetry.js";

export interface FollowOptions {
  readonly logger?: Pick<Logger, "info" | "warn" | "error">;
  /** How often the champion is asked for. Default 500 ms. */
  readonly pollMs?: number;
  /** A moved champion is loaded after a random wait up to this, so that processes take turns. */
  readonly staggerMs?: number;
}

export interface Followed {
  /** For the log: `model heads`. */
  readonly what: string;
  champion(): Promise<string | null>;
  /** Loads and takes over a version; throws what is wrong with it, and then nothing has changed. */
  load(version: string): Promise<void>;
  onRefused?(version: string): void;
}

const POLL_MS = 500;

export class Follower {
  readonly #followed: Followed;
  readonly #options: FollowOptions;
  #version: string | null = null;
  /** Refused for good: not asked for again until the alias moves. */
  #refused: string | null = null;
  #running: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;
  #closed = false;
  #failing = false;

  constructor(followed: Followed, options: FollowOptions) {
    this.#followed = followed;
    this.#options = options;
  }

  /** Loads what there is and starts following. Never rejects: without the store it keeps trying. */
  async start(): Promise<void> {
    await this.#quietly(0);
    this.#schedule();
  }

  /**
   * Resolves once the champion of now is loaded or refused.
   * @throws `store_unavailable` when the store cannot be asked
   */
  refresh(staggerMs = 0): Promise<void> {
    const next = this.#running.catch(() => undefined).then(() => this.#sync(staggerMs));
    this.#running = next;
    return next;
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#running.catch(() => undefined);
  }

  #schedule(): void {
    if (this.#closed) return;
    this.#timer = setTimeout(async () => {
      await this.#quietly(this.#options.staggerMs ?? 0);
      this.#schedule();
    }, this.#options.pollMs ?? POLL_MS);
    this.#timer.unref();
  }

  async #quietly(staggerMs: number): Promise<void> {
    try {
      await this.refresh(staggerMs);
      this.#failing = false;
    } catch (error) {
      // Once per outage: the store's own client already says that it is away.
      if (this.#failing || this.#closed) return;
      this.#failing = true;
      const reason = error instanceof Error ? error.message : String(error);
      const line = `${this.#followed.what}: not refreshed; what is loaded keeps serving`;
      if (isStoreUnavailable(error)) this.#options.logger?.warn({ reason }, line);
      else this.#options.logger?.error({ reason }, line);
    }
  }

  async #sync(staggerMs: number): Promise<void> {
    if (this.#closed) return;
    let version = await this.#followed.champion();
    if (version === null || version === this.#version) {
      this.#refused = null;
      return;
    }
    if (version === this.#refused) return;
    if (staggerMs > 0 && this.#version !== null) {
      await pause(Math.random() * staggerMs);
      version = await this.#followed.champion();
      if (this.#closed || version === null || version === this.#version) return;
    }
    await this.#take(version);
  }

  async #take(version: string): Promise<void> {
    try {
      await this.#followed.load(version);
    } catch (error) {
      // Only what is wrong with the version itself refuses it; trouble on the way is tried again.
      if (!isCuecardError(error) || error.code !== "model_invalid") throw error;
      this.#refused = version;
      this.#followed.onRefused?.(version);
      const fields = { version, serving: this.#version, reason: error.detail };
      this.#options.logger?.error(fields, `${this.#followed.what}: a version was refused`);
      return;
    }
    const from = this.#version;
    this.#version = version;
    this.#refused = null;
    this.#options.logger?.info({ version, from }, `${this.#followed.what}: loaded`);
  }
}

const pause = (ms: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, ms).unref());
