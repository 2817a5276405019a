/**
 * The catalog as serving sees it: an immutable snapshot in memory, followed by every process. The
 * version in Redis is asked a few times a second, and at once after a write of this process.
 */
import { isStoreUnavailable, type RedisClient } from "../redis/clients.js";
import { type Logger, metrics } from "../telemetry.js";
import { buildSnapshot, emptySnapshot, nextSnapshot } from "./build-snapshot.js";
import {
  type CatalogChanges,
  CatalogStore,
  dayOf,
  PLAIN_KINDS,
  type PlainKind,
  type PlainRecords,
  type SeenProduct,
} from "./catalog-store.js";
import type { CatalogSnapshot } from "./snapshot.js";

export interface CatalogOptions {
  /** How often the version is asked. */
  pollMs?: number;
  logger?: Pick<Logger, "warn" | "error">;
}

const POLL_MS = 250;
/** Changed products above which loading everything is cheaper than asking for each. */
const INCREMENTAL_MAX = 20_000;

export class Catalog {
  readonly store: CatalogStore;
  readonly #pollMs: number;
  readonly #logger: CatalogOptions["logger"];
  #snapshot = emptySnapshot();
  #running: Promise<void> = Promise.resolve();
  #queued: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;
  #failing = false;

  constructor(client: RedisClient, options: CatalogOptions = {}) {
    this.store = new CatalogStore(client);
    this.#pollMs = options.pollMs ?? POLL_MS;
    this.#logger = options.logger;
  }

  /**
   * Loads everything and starts following. With the store out of reach it starts empty and keeps
   * trying; any other failure is thrown.
   */
  async start(): Promise<this> {
    try {
      await this.refresh();
    } catch (error) {
      if (!isStoreUnavailable(error)) throw error;
      this.#report(error);
    }
    this.#schedule();
    return this;
  }

  current(): CatalogSnapshot {
    return this.#snapshot;
  }

  /**
   * Resolves once `current()` holds everything written before this call.
   * @throws what the store throws; the snapshot then stays as it was
   */
  refresh(): Promise<void> {
    // A refresh under way may have read the version already: only one that starts later counts.
    this.#queued ??= this.#running
      .catch(() => undefined)
      .then(() => {
        this.#running = this.#queued as Promise<void>;
        this.#queued = undefined;
        return this.#sync();
      });
    return this.#queued;
  }

  /**
   * Registers products named by events, skipping those of which the events say nothing new.
   * @throws like `CatalogStore.registerSeen`
   */
  async registerSeen(lines: readonly SeenProduct[]): Promise<void> {
    const news = lines.filter((line) => this.#tellsNews(line));
    if (news.length === 0) return;
    try {
      await this.store.registerSeen(news);
    } finally {
      await this.refresh();
    }
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  #tellsNews(line: SeenProduct): boolean {
    const index = this.#snapshot.indexOf.get(line.id);
    if (index === undefined) return true;
    const known = this.#snapshot.products[index];
    if (known.source === "record") return false;
    return (
      (known.name === undefined && Boolean(line.name)) ||
      (known.category === undefined && Boolean(line.category)) ||
      (known.price === undefined && (line.unitPrice ?? 0) > 0) ||
      (line.at !== undefined && (known.launchedAt ?? "9999") > dayOf(line.at))
    );
  }

  #schedule(): void {
    if (this.#closed) return;
    this.#timer = setTimeout(async () => {
      await this.refresh().catch((error: unknown) => this.#report(error));
      this.#schedule();
    }, this.#pollMs);
    this.#timer.unref();
  }

  /** Once per outage: the store's own client already says that it is away. */
  #report(error: unknown): void {
    if (this.#failing || this.#closed) return;
    this.#failing = true;
    const reason = error instanceof Error ? error.message : String(error);
    this.#logger?.warn({ reason }, "catalog: not refreshed; the last snapshot keeps serving");
  }

  async #sync(): Promise<void> {
    if (this.#closed) return;
    const before = this.#snapshot;
    const changes = await this.#changes(before.version);
    if (changes.version !== before.version) {
      this.#snapshot =
        changes.everything || changes.ids.products.length > INCREMENTAL_MAX
          ? await this.#load(changes.version)
          : await this.#follow(before, changes);
      metrics.catalogVersion.set(this.#snapshot.version);
    }
    this.#failing = false;
  }

  /** A process that holds nothing yet need not read how it came about. */
  async #changes(since: number): Promise<CatalogChanges> {
    if (since > 0) return this.store.changesSince(since);
    return { version: await this.store.version(), everything: true };
  }

  /** The version was read first: what is written meanwhile comes again with the next change. */
  async #load(version: number): Promise<CatalogSnapshot> {
    const products = await this.store.getAll("products");
    return buildSnapshot(version, products, await this.#plain(PLAIN_KINDS));
  }

  async #follow(
    before: CatalogSnapshot,
    { version, ids }: Extract<CatalogChanges, { everything: false }>,
  ): Promise<CatalogSnapshot> {
    const written = await this.store.getMany("products", ids.products);
    const found = new Set(written.map(({ id }) => id));
    return nextSnapshot(before, {
      version,
      written,
      deleted: ids.products.filter((id) => !found.has(id)),
      ...(await this.#plain(PLAIN_KINDS.filter((kind) => ids[kind].length > 0))),
    });
  }

  async #plain(kinds: readonly PlainKind[]): Promise<Partial<PlainRecords>> {
    const all = await Promise.all(
      kinds.map(async (kind) => [kind, await this.store.getAll(kind)] as const),
    );
    return Object.fromEntries(all);
  }
}
