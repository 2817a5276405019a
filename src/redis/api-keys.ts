/**
 * API keys: only their SHA-256 is stored, in one Redis hash. Every process holds all of them in
 * memory, reads them again each second and right after its own changes, and keeps the last ones it
 * read while Redis is away.
 */
import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { z } from "zod";
import { CuecardError } from "../errors.js";
import type { Logger } from "../telemetry.js";
import type { RedisClient } from "./clients.js";
import { apiKeysKey } from "./keys.js";
import { toStoreError } from "./store-errors.js";

export const SCOPES = ["admin", "serve", "ingest", "pop", "web", "dialer"] as const;
export type Scope = (typeof SCOPES)[number];

/** Every process reads all keys each second, so their number has a limit. */
const KEYS_MAX = 1_000;
const REFRESH_MS = 1_000;
/** By then every process that reaches the store knows of a change. */
export const KEYS_FOLLOW_MS = 1_500;

const recordSchema = z.object({
  id: z.string(),
  name: z.string(),
  scopes: z.array(z.enum(SCOPES)),
  createdAt: z.number(),
});
/** `id` names the key for listing and revoking; it is no secret. */
export type ApiKeyRecord = z.infer<typeof recordSchema>;

/** What a request's key turns out to be. */
export interface KnownKey {
  readonly name: string;
  readonly scopes: ReadonlySet<Scope>;
}

/** KEYS[1] all keys; ARGV[1] hash, ARGV[2] record → 1 written, 0 an admin key exists already. */
const ENSURE_ADMIN = `
for _, text in ipairs(redis.call('HVALS', KEYS[1])) do
  local readable, record = pcall(cjson.decode, text)
  if readable and type(record) == 'table' and type(record.scopes) == 'table' then
    for _, scope in ipairs(record.scopes) do
      if scope == 'admin' then return 0 end
    end
  end
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return 1`;

/** KEYS[1] all keys; ARGV[1] hash, ARGV[2] record, ARGV[3] limit → 1 written, 0 too many keys. */
const ADD = `
if redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[3]) then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return 1`;

const sha256 = (text: string): Buffer => createHash("sha256").update(text).digest();

const ALL_SCOPES: ReadonlySet<Scope> = new Set(SCOPES);

export interface ApiKeysOptions {
  client: RedisClient;
  /** ADMIN_API_KEY: accepted besides the stored keys, with all scopes. */
  adminApiKey?: string;
  logger: Pick<Logger, "warn">;
}

export class ApiKeys {
  readonly #client: RedisClient;
  readonly #logger: Pick<Logger, "warn">;
  readonly #adminHash: Buffer | undefined;
  #byHash = new Map<string, ApiKeyRecord>();
  /** Keys that were found before: saves the hash on every request. Only valid keys enter. */
  #found = new Map<string, KnownKey>();
  #loaded = false;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;
  /** Reads are numbered, so that a slow one never overwrites what a later one brought. */
  #readsStarted = 0;
  #readShown = 0;

  constructor(options: ApiKeysOptions) {
    this.#client = options.client;
    this.#logger = options.logger;
    this.#adminHash = options.adminApiKey === undefined ? undefined : sha256(options.adminApiKey);
  }

  /** Reads the keys (a store out of reach is no error here) and goes on reading each second. */
  async start(): Promise<void> {
    await this.#tryRefresh();
    this.#schedule();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  /** false until the keys were read once: an unknown key cannot be told from a good one before. */
  get loaded(): boolean {
    return this.#loaded;
  }

  /** The record of a key as sent by a caller, or undefined. No Redis, no waiting. */
  find(key: string): KnownKey | undefined {
    const before = this.#found.get(key);
    if (before !== undefined) return before;
    const hash = sha256(key);
    const known = this.#knownBy(hash);
    if (known !== undefined) this.#found.set(key, known);
    return known;
  }

  #knownBy(hash: Buffer): KnownKey | undefined {
    if (this.#adminHash !== undefined && timingSafeEqual(hash, this.#adminHash)) {
      return { name: "ADMIN_API_KEY", scopes: ALL_SCOPES };
    }
    const record = this.#byHash.get(hash.toString("hex"));
    if (record === undefined) return undefined;
    const scopes = record.scopes.includes("admin") ? ALL_SCOPES : new Set(record.scopes);
    return { name: record.name, scopes };
  }

  /**
   * On the first start there is no way in: makes an admin key unless one is stored or ADMIN_API_KEY
   * is set, and returns it to be printed once. One of several servers that start at once makes it.
   */
  async ensureAdminKey(): Promise<string | undefined> {
    if (this.#adminHash !== undefined) return undefined;
    const { key, hash, record } = newKey("first admin key", ["admin"]);
    const written = await this.#eval(ENSURE_ADMIN, hash, JSON.stringify(record));
    await this.refresh();
    return written === 1 ? key : undefined;
  }

  /** Makes a key. `key` is shown this once and never stored. Throws `conflict` beyond 1,000 keys. */
  async create(input: {
    name: string;
    scopes: readonly Scope[];
  }): Promise<{ key: string; record: ApiKeyRecord }> {
    const { key, hash, record } = newKey(input.name, input.scopes);
    const written = await this.#eval(ADD, hash, JSON.stringify(record), String(KEYS_MAX));
    if (written !== 1)
      throw new CuecardError("conflict", `there are ${KEYS_MAX} keys: revoke some`);
    await this.refresh();
    return { key, record };
  }

  /** All keys, oldest first, without secrets. */
  async list(): Promise<ApiKeyRecord[]> {
    await this.refresh();
    return [...this.#byHash.values()].sort(
      (a, b) => a.createdAt - b.createdAt || (a.id < b.id ? -1 : 1),
    );
  }

  /** Throws `key_not_found` for an id that is none. Other processes follow within a second. */
  async revoke(id: string): Promise<void> {
    await this.refresh();
    const entry = [...this.#byHash].find(([, record]) => record.id === id);
    if (entry === undefined) throw new CuecardError("key_not_found", "no key has this id");
    try {
      await this.#client.hdel(apiKeysKey, entry[0]);
    } catch (error) {
      throw toStoreError(error);
    }
    await this.refresh();
  }

  /** Reads all keys now. Throws `store_unavailable`, and keeps what is in memory then. */
  async refresh(): Promise<void> {
    const read = ++this.#readsStarted;
    let stored: Record<string, string>;
    try {
      stored = await this.#client.hgetall(apiKeysKey);
    } catch (error) {
      throw toStoreError(error);
    }
    if (read < this.#readShown) return;
    this.#readShown = read;
    this.#byHash = this.#parse(stored);
    this.#found = new Map();
    this.#loaded = true;
  }

  #parse(stored: Record<string, string>): Map<string, ApiKeyRecord> {
    const byHash = new Map<string, ApiKeyRecord>();
    for (const [hash, text] of Object.entries(stored)) {
      try {
        byHash.set(hash, recordSchema.parse(JSON.parse(text)));
      } catch {
        // One unreadable record (a newer version's, say) must not lock out all other keys.
        this.#logger.warn({ key: `k_${hash.slice(0, 12)}` }, "keys: a stored key is unreadable");
      }
    }
    return byHash;
  }

  async #eval(script: string, ...args: string[]): Promise<unknown> {
    try {
      return await this.#client.eval(script, 1, apiKeysKey, ...args);
    } catch (error) {
      throw toStoreError(error);
    }
  }

  async #tryRefresh(): Promise<void> {
    try {
      await this.refresh();
    } catch {
      // The client says once that the store went away; the keys in memory go on working.
    }
  }

  #schedule(): void {
    if (this.#closed) return;
    this.#timer = setTimeout(async () => {
      await this.#tryRefresh();
      this.#schedule();
    }, REFRESH_MS);
    this.#timer.unref();
  }
}

function newKey(
  name: string,
  scopes: readonly Scope[],
): { key: string; hash: string; record: ApiKeyRecord } {
  const key = `ck_${randomBytes(24).toString("base64url")}`;
  const hash = sha256(key).toString("hex");
  const record = {
    id: `k_${hash.slice(0, 12)}`,
    name,
    scopes: [...new Set(scopes)],
    createdAt: Date.now(),
  };
  return { key, hash, record };
}
