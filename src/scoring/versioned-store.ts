/**
 * Versioned bytes in Redis, for models and artifacts alike. All keys of a kind share one hash tag, so
 * that one script commits a version. Per name there are
 *   bytes:NAME     hash version → bytes
 *   meta:NAME      hash version → JSON; a version exists once it stands here
 *   versions:NAME  sorted set of versions by order of publication
 *   aliases:NAME   hash: champion, challenger, fence:LEASE (highest token seen), sequence
 *   history:NAME   list of former champions, latest first
 * Bytes are written first and alone; a crash in between leaves bytes nobody names, which the next
 * publish under that name removes.
 */
import { CuecardError } from "../errors.js";
import { type RedisClient, toStoreError } from "../redis/clients.js";
import { defineScript, runScript, type Script } from "../redis/scripts.js";

export type Alias = "champion" | "challenger";

/** Versions kept per name; champion and challenger are always among them. */
export const VERSIONS_KEPT = 5;

const MOVE_CHAMPION = `
local function crown(version)
  local before = redis.call('HGET', KEYS[4], 'champion')
  if before and before ~= version then
    redis.call('LREM', KEYS[5], 0, before)
    redis.call('LPUSH', KEYS[5], before)
    redis.call('LTRIM', KEYS[5], 0, 15)
  end
  redis.call('HSET', KEYS[4], 'champion', version)
  if redis.call('HGET', KEYS[4], 'challenger') == version then
    redis.call('HDEL', KEYS[4], 'challenger')
  end
end
local function fenced(lease, token)
  if token == '' then return false end
  local seen = tonumber(redis.call('HGET', KEYS[4], 'fence:' .. lease) or '-1')
  if tonumber(token) < seen then return true end
  redis.call('HSET', KEYS[4], 'fence:' .. lease, token)
  return false
end
`;

/**
 * KEYS bytes, meta, versions, aliases, history, names. ARGV name, version, meta JSON, alias, lease,
 * fencing token or '', versions kept. Commits a version whose bytes are there. Returns `ok`, `fenced` (a newer
 * token was seen) or `missing` (another publish swept the bytes away: write them again).
 */
const commitScript = defineScript<Buffer>({
  name: "versioned-commit",
  numberOfKeys: 6,
  lua: `${MOVE_CHAMPION}
local version = ARGV[2]
if fenced(ARGV[5], ARGV[6]) then
  if redis.call('HEXISTS', KEYS[2], version) == 0 then redis.call('HDEL', KEYS[1], version) end
  return 'fenced'
end
if redis.call('HEXISTS', KEYS[1], version) == 0 then return 'missing' end
redis.call('SADD', KEYS[6], ARGV[1])
redis.call('HSET', KEYS[2], version, ARGV[3])
redis.call('ZADD', KEYS[3], redis.call('HINCRBY', KEYS[4], 'sequence', 1), version)
if ARGV[4] == 'champion' then crown(version)
elseif redis.call('HGET', KEYS[4], 'champion') ~= version then
  redis.call('HSET', KEYS[4], 'challenger', version)
end
local champion = redis.call('HGET', KEYS[4], 'champion')
local challenger = redis.call('HGET', KEYS[4], 'challenger')
local surplus = redis.call('ZCARD', KEYS[3]) - tonumber(ARGV[7])
for _, old in ipairs(redis.call('ZRANGE', KEYS[3], 0, -1)) do
  if surplus <= 0 then break end
  if old ~= champion and old ~= challenger and old ~= version then
    redis.call('ZREM', KEYS[3], old)
    redis.call('HDEL', KEYS[2], old)
    redis.call('LREM', KEYS[5], 0, old)
    surplus = surplus - 1
  end
end
for _, held in ipairs(redis.call('HKEYS', KEYS[1])) do
  if redis.call('HEXISTS', KEYS[2], held) == 0 then redis.call('HDEL', KEYS[1], held) end
end
return 'ok'`,
});

/** KEYS as above. ARGV version ('' goes back to the former champion). Returns the champion, or ''. */
const crownScript = defineScript<Buffer>({
  name: "versioned-crown",
  numberOfKeys: 6,
  lua: `${MOVE_CHAMPION}
local version = ARGV[1]
if version ~= '' then
  if redis.call('HEXISTS', KEYS[2], version) == 0 then return '' end
  crown(version)
  return version
end
while true do
  local former = redis.call('LPOP', KEYS[5])
  if not former then return '' end
  if redis.call('HEXISTS', KEYS[2], former) == 1 then
    redis.call('HSET', KEYS[4], 'champion', former)
    return former
  end
end`,
});

export interface StoredVersion {
  readonly version: string;
  readonly meta: string;
  /** Where the aliases point. */
  readonly aliases: readonly Alias[];
}

export interface PublishOptions {
  readonly alias: Alias;
  readonly fence?: Fence;
}

/** Tokens of one lease grow for ever: one lower than the highest seen under a name is refused. */
export interface Fence {
  /** Name of the lease. */
  readonly lease: string;
  readonly token: number;
}

/** Every method throws `store_unavailable` or `store_full` when the store cannot do it. */
export class VersionedStore {
  readonly #client: RedisClient;
  readonly #keyOf: (part: string) => string;

  constructor(client: RedisClient, keyOf: (part: string) => string) {
    this.#client = client;
    this.#keyOf = keyOf;
  }

  /** Bytes first, then metadata and alias in one script. @throws `conflict` when the fence is stale. */
  async publish(
    name: string,
    version: string,
    bytes: Uint8Array,
    meta: string,
    { alias, fence }: PublishOptions,
  ): Promise<void> {
    const token = fence === undefined ? "" : String(fence.token);
    const args = [name, version, meta, alias, fence?.lease ?? "", token];
    for (let attempt = 0; attempt < 3; attempt++) {
      await this.#try(() =>
        this.#client.hset(this.#keyOf(`bytes:${name}`), version, asBuffer(bytes)),
      );
      const outcome = await this.#run(commitScript, name, [...args, String(VERSIONS_KEPT)]);
      if (outcome === "ok") return;
      if (outcome === "fenced") {
        throw new CuecardError("conflict", `a later run published ${name} already`);
      }
    }
    throw new CuecardError("conflict", `${name} is being published by several at once`);
  }

  async names(): Promise<string[]> {
    return (await this.#try(() => this.#client.smembers(this.#keyOf("names")))).sort();
  }

  /** Latest published first. */
  async list(name: string): Promise<StoredVersion[]> {
    const versions = await this.#try(() =>
      this.#client.zrevrange(this.#keyOf(`versions:${name}`), 0, -1),
    );
    if (versions.length === 0) return [];
    const metas = await this.#try(() =>
      this.#client.hmget(this.#keyOf(`meta:${name}`), ...versions),
    );
    const aliases = await this.#try(() => this.#client.hgetall(this.#keyOf(`aliases:${name}`)));
    return versions.flatMap((version, index) => {
      const meta = metas[index];
      if (meta === null) return [];
      const held = (["champion", "challenger"] as const).filter((a) => aliases[a] === version);
      return [{ version, meta, aliases: held }];
    });
  }

  async aliased(name: string, alias: Alias): Promise<string | null> {
    return this.#try(() => this.#client.hget(this.#keyOf(`aliases:${name}`), alias));
  }

  async meta(name: string, version: string): Promise<string | null> {
    return this.#try(() => this.#client.hget(this.#keyOf(`meta:${name}`), version));
  }

  async bytes(name: string, version: string): Promise<Buffer | null> {
    return this.#try(() => this.#client.hgetBuffer(this.#keyOf(`bytes:${name}`), version));
  }

  /** @throws `model_unknown` */
  async promote(name: string, version: string): Promise<void> {
    if ((await this.#run(crownScript, name, [version])) === "") {
      throw new CuecardError("model_unknown", `there is no ${name} ${version}`);
    }
  }

  /** Back to the version that served before; answers it. @throws `conflict` when there is none. */
  async rollback(name: string): Promise<string> {
    const former = await this.#run(crownScript, name, [""]);
    if (former === "") throw new CuecardError("conflict", `${name} has no earlier version`);
    return former;
  }

  async #run(script: Script<Buffer>, name: string, args: readonly string[]): Promise<string> {
    const keys = ["bytes", "meta", "versions", "aliases", "history"].map((part) =>
      this.#keyOf(`${part}:${name}`),
    );
    keys.push(this.#keyOf("names"));
    return (await this.#try(() => runScript(this.#client, script, keys, args))).toString();
  }

  async #try<T>(call: () => Promise<T>): Promise<T> {
    try {
      return await call();
    } catch (error) {
      throw toStoreError(error);
    }
  }
}

const asBuffer = (bytes: Uint8Array): Buffer =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
