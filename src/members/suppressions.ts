/**
 * The suppression list: who must not be contacted, and who was erased and must not come back. One a
 * store. It keeps keyed hashes only (HMAC-SHA-256 of `kind\nvalue`, 16 bytes), so that nobody can
 * read from it whom it names. Every process holds all of it in memory and asks before each guarded
 * answer whether it moved: a change counts from the next request on.
 *
 * Memory: about 120 bytes an entry in each process, at most 2,000,000 entries.
 */
import { createHmac, randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { CuecardError } from "../errors.js";
import { isStoreUnavailable, type RedisClient, toStoreError } from "../redis/clients.js";
import { askAtEndOfTurn } from "../redis/end-of-turn.js";
import {
  partitionOf,
  suppressionSecretKey,
  suppressionsChangesKey,
  suppressionsKey,
  suppressionsVersionKey,
} from "../redis/keys.js";
import { isScanCursor } from "../redis/scan-cursor.js";
import { runScript } from "../redis/scripts.js";
import type { Logger } from "../telemetry.js";
import type { Commit, MemberStore } from "./member-store.js";
import type { SuppressionIdentity, SuppressionKind } from "./suppression-identity.js";
import { suppressScript } from "./suppression-scripts.js";

export const SUPPRESSION_REASONS = ["do_not_contact", "opt_out", "erasure"] as const;
export type SuppressionReason = (typeof SUPPRESSION_REASONS)[number];

export interface Suppressed {
  /** Who or what said so; holds nothing personal. */
  readonly source: string;
  readonly reason: SuppressionReason;
  /** Epoch milliseconds. */
  readonly at: number;
}

/** An entry as the list shows it: whom it names cannot be told from it. */
export interface Suppression extends Suppressed {
  readonly hash: string;
  readonly kind: SuppressionKind;
}

/** What the log keeps of a change, so that a list that was lost comes back with `rebuild`. */
export interface SuppressionRecord extends Suppressed {
  readonly hash: string;
  /** false: it left the list. */
  readonly on: boolean;
  readonly of: SuppressionKind;
  /** Tells the secret it was hashed with from another one, and nothing else of it. */
  readonly check: string;
}

export interface SuppressionOptions {
  readonly client: RedisClient;
  readonly store: Pick<MemberStore, "commit">;
  /** undefined: the one the store made for itself. */
  readonly secret: string | undefined;
  readonly logger?: Pick<Logger, "warn">;
  /** How often the copy looks for news by itself. */
  readonly pollMs?: number;
  /** Entries at most. */
  readonly maxEntries?: number;
}

export interface SuppressionPage {
  readonly items: Suppression[];
  readonly nextCursor: string | null;
}

const MAX_ENTRIES = 2_000_000;
const POLL_MS = 2_000;
const CHANGES_AT_ONCE = 1_000;
const SCAN_COUNT = 1_000;
/** Of one script: Redis serves others in between. */
const ENTRIES_AT_ONCE = 500;
const HASH_BYTES = 16;
const CHECK_BYTES = 6;
const NEVER = "0-0";
const KEYS = [suppressionsKey, suppressionsVersionKey, suppressionsChangesKey];

type Kept = Suppressed & { readonly kind: SuppressionKind };

export class Suppressions {
  readonly #options: SuppressionOptions;
  #secret: string | null = null;
  /** Hash → why; null until it was read once. */
  #copy: Map<string, SuppressionReason> | null = null;
  /** Entries of the copy that are erasures: mostly none, and then nothing need be hashed. */
  #erasures = 0;
  #version = NEVER;
  #asking: Promise<void> | undefined;
  #following: Promise<void> = Promise.resolve();
  #stop = new AbortController();

  constructor(options: SuppressionOptions) {
    this.#options = options;
  }

  /** Id of the latest change in the copy; "0-0" before the first one ever. */
  get version(): string {
    return this.#version;
  }

  /**
   * Reads the list and follows it. With the store out of reach it keeps trying. Throws
   * `config_invalid` when the secret given is not the one this list was made with.
   */
  async start(): Promise<this> {
    await this.refresh().catch((error: unknown) => {
      if (!isStoreUnavailable(error)) throw error;
    });
    void this.#poll();
    return this;
  }

  close(): void {
    this.#stop.abort();
  }

  /**
   * On return the copy holds every change made before this call. One GET unless there are news; calls
   * of one turn of the event loop share it. Throws `store_unavailable`: then nobody may be contacted.
   */
  refresh(): Promise<void> {
    this.#asking ??= new Promise((resolve) => {
      askAtEndOfTurn(() => {
        this.#asking = undefined;
        resolve(this.#look());
      });
    });
    return this.#asking;
  }

  /** Why this identity is on the list, as of the last refresh. Throws `store_unavailable` before it. */
  reasonFor(kind: SuppressionKind, value: string): SuppressionReason | null {
    if (this.#copy === null) {
      throw new CuecardError("store_unavailable", "the suppression list was not read yet");
    }
    if (this.#copy.size === 0) return null;
    return this.#copy.get(this.hashOf({ kind, value })) ?? null;
  }

  /** The identity was erased: nothing that names it is written or answered. */
  isErased(kind: SuppressionKind, value: string): boolean {
    return this.#erasures > 0 && this.reasonFor(kind, value) === "erasure";
  }

  hashOf({ kind, value }: SuppressionIdentity): string {
    return this.#digest(`${kind}\n${value}`, HASH_BYTES);
  }

  /** Entry of the identity; null: it is not on the list. */
  async get(identity: SuppressionIdentity): Promise<Suppression | null> {
    await this.refresh();
    const hash = this.hashOf(identity);
    const json = await this.#run(() => this.#options.client.hget(suppressionsKey, hash));
    return json === null ? null : { hash, ...(JSON.parse(json) as Kept) };
  }

  /**
   * From the next request on nobody contacts the identity. Again is the same: the first word and its
   * time stay; an erasure outweighs every other reason. Throws `store_full` when the list is.
   */
  put(identity: SuppressionIdentity, why: Suppressed): Promise<void> {
    return this.putAll([identity], why);
  }

  async putAll(identities: readonly SuppressionIdentity[], why: Suppressed): Promise<void> {
    await this.refresh();
    const { source, reason, at } = why;
    const entries = identities
      .map((one): Suppression => ({ hash: this.hashOf(one), kind: one.kind, source, reason, at }))
      .filter(({ hash }) => {
        const known = this.#copy!.get(hash);
        return known !== reason && known !== "erasure";
      });
    if (entries.length === 0) return;
    this.#requireRoom(entries.length);
    // The log first: what it lacks would be gone with the store, and the caller repeats what failed.
    await this.#log(entries.map((entry) => this.#recordOf(entry, true)));
    await this.restore(entries);
  }

  /** Lets the identity in again; `source`: who says so. false: it was not on the list. */
  async remove(identity: SuppressionIdentity, source: string): Promise<boolean> {
    const found = await this.get(identity);
    if (found === null) return false;
    await this.#log([this.#recordOf({ ...found, source, at: Date.now() }, false)]);
    await this.#run(() =>
      runScript(this.#options.client, suppressScript, KEYS, [0, found.hash, ""]),
    );
    await this.refresh();
    return true;
  }

  /**
   * At least `limit` entries where there are as many, in no order (SCAN gives whole batches, so a page
   * may be longer; an entry may come twice while the list changes).
   */
  async list({ limit, cursor }: { limit: number; cursor?: string }): Promise<SuppressionPage> {
    if (cursor !== undefined && !isScanCursor(cursor)) {
      throw new CuecardError("invalid_request", "cursor: not one we gave");
    }
    const { client } = this.#options;
    const items: Suppression[] = [];
    let at = cursor ?? "0";
    do {
      const [next, fields] = await this.#run(() =>
        client.hscan(suppressionsKey, at, "COUNT", limit),
      );
      for (let i = 0; i < fields.length; i += 2) {
        items.push({ hash: fields[i]!, ...(JSON.parse(fields[i + 1]!) as Kept) });
      }
      at = next;
    } while (at !== "0" && items.length < limit);
    return { items, nextCursor: at === "0" ? null : at };
  }

  /** Entries as the log tells of them, without telling the log again. Throws `store_full`. */
  async restore(entries: readonly Suppression[]): Promise<void> {
    const { client, maxEntries = MAX_ENTRIES } = this.#options;
    for (let from = 0; from < entries.length; from += ENTRIES_AT_ONCE) {
      const args = entries
        .slice(from, from + ENTRIES_AT_ONCE)
        .flatMap(({ hash, ...kept }) => [hash, JSON.stringify(kept)]);
      const made = await this.#run(() =>
        runScript(client, suppressScript, KEYS, [maxEntries, ...args]),
      );
      if (made < 0) throw this.#full();
    }
    await this.refresh();
  }

  /** Whether a record of the log was hashed with the secret in use. */
  isOurs({ check }: Pick<SuppressionRecord, "check">): boolean {
    return check === this.#check();
  }

  #check(): string {
    return this.#digest("check", CHECK_BYTES);
  }

  #digest(text: string, bytes: number): string {
    if (this.#secret === null) {
      throw new CuecardError("store_unavailable", "the suppression list was not read yet");
    }
    const hash = createHmac("sha256", this.#secret).update(text).digest();
    return hash.subarray(0, bytes).toString("base64url");
  }

  #recordOf({ hash, kind, source, reason, at }: Suppression, on: boolean): SuppressionRecord {
    return { hash, on, of: kind, source, reason, at, check: this.#check() };
  }

  async #log(records: readonly SuppressionRecord[]): Promise<void> {
    const commits = records.map(
      (record): Commit => ({
        partition: partitionOf(record.hash),
        members: [],
        records: [{ kind: "suppression", ...record }],
        claims: [],
      }),
    );
    for (const result of await this.#options.store.commit(commits)) {
      if (result.status === "failed") throw result.error;
    }
  }

  #requireRoom(entries: number): void {
    const { maxEntries = MAX_ENTRIES } = this.#options;
    if (this.#copy!.size + entries > maxEntries) throw this.#full();
  }

  #full(): CuecardError {
    const { maxEntries = MAX_ENTRIES } = this.#options;
    return new CuecardError("store_full", `the suppression list holds ${maxEntries} identities`);
  }

  async #poll(): Promise<void> {
    const { signal } = this.#stop;
    let failing = false;
    while (!signal.aborted) {
      const { pollMs = POLL_MS } = this.#options;
      await sleep(pollMs, undefined, { signal, ref: false }).catch(() => undefined);
      if (signal.aborted) return;
      try {
        await this.refresh();
        failing = false;
      } catch (error) {
        if (signal.aborted) return;
        const reason = error instanceof Error ? error.message : String(error);
        if (!failing) this.#options.logger?.warn({ reason }, "suppression list: not refreshed");
        failing = true;
      }
    }
  }

  async #look(): Promise<void> {
    if (this.#secret === null) this.#secret = await this.#openSecret();
    const version = await this.#readVersion();
    if (this.#copy !== null && version === this.#version) return;
    // One at a time: two that apply changes at once could apply them in the wrong order.
    this.#following = this.#following.catch(() => undefined).then(() => this.#follow());
    await this.#following;
  }

  async #follow(): Promise<void> {
    while (this.#copy === null || (await this.#readVersion()) !== this.#version) {
      if (this.#copy === null || !(await this.#applyChanges(this.#copy))) await this.#readAll();
    }
  }

  /** false: the last change this copy knows is no longer there, or never was (a lost store). */
  async #applyChanges(copy: Map<string, SuppressionReason>): Promise<boolean> {
    const changes = await this.#run(() =>
      this.#options.client.xrange(
        suppressionsChangesKey,
        this.#version,
        "+",
        "COUNT",
        CHANGES_AT_ONCE,
      ),
    );
    if (changes.length < 2 || changes[0]![0] !== this.#version) return false;
    for (const [id, [, hash, , reason]] of changes.slice(1)) {
      if (copy.get(hash!) === "erasure") this.#erasures--;
      if (reason === "erasure") this.#erasures++;
      if (reason === "") copy.delete(hash!);
      else copy.set(hash!, reason as SuppressionReason);
      this.#version = id;
    }
    return true;
  }

  /** The version first: what changes while this reads is applied once more after it. */
  async #readAll(): Promise<void> {
    const version = await this.#readVersion();
    // A store that was lost lacks the secret too: all processes must agree on one again.
    if (version === NEVER) this.#secret = await this.#openSecret();
    const copy = new Map<string, SuppressionReason>();
    let erasures = 0;
    let cursor = "0";
    do {
      const [next, fields] = await this.#run(() =>
        this.#options.client.hscan(suppressionsKey, cursor, "COUNT", SCAN_COUNT),
      );
      for (let i = 0; i < fields.length; i += 2) {
        const { reason } = JSON.parse(fields[i + 1]!) as Kept;
        // HSCAN may give a field twice.
        if (reason === "erasure" && copy.get(fields[i]!) !== reason) erasures++;
        copy.set(fields[i]!, reason);
      }
      cursor = next;
    } while (cursor !== "0");
    this.#copy = copy;
    this.#erasures = erasures;
    this.#version = version;
  }

  async #readVersion(): Promise<string> {
    return (await this.#run(() => this.#options.client.get(suppressionsVersionKey))) ?? NEVER;
  }

  /** Made once for the life of the store: with another one no hash would be found again. */
  async #openSecret(): Promise<string> {
    const { client, secret } = this.#options;
    const own = secret ?? this.#secret ?? randomBytes(32).toString("base64url");
    const stored = await this.#run(async () => {
      await client.set(suppressionSecretKey, own, "NX");
      return await client.get(suppressionSecretKey);
    });
    if (secret !== undefined && stored !== secret) {
      const detail = "SUPPRESSION_SECRET is not the one this store's list was made with";
      throw new CuecardError("config_invalid", detail);
    }
    return stored ?? own;
  }

  async #run<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw toStoreError(error);
    }
  }
}
