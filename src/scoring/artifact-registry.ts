/** Fitted tables that every server loads (candidate lists, P(alive) parameters): bytes by version. */
import { CuecardError, isCuecardError } from "../errors.js";
import type { RedisClient } from "../redis/clients.js";
import { artifactKey } from "../redis/keys.js";
import { Follower, type FollowOptions } from "./follower.js";
import { versionOf } from "./manifest.js";
import { sha256Of } from "./sha256.js";
import { type Fence, VersionedStore } from "./versioned-store.js";

export interface ArtifactMeta {
  readonly version: string;
  /** Epoch milliseconds. */
  readonly createdAt: number;
  /** In hex. */
  readonly sha256: string;
  readonly bytes: number;
}

export interface StoredArtifact {
  readonly bytes: Buffer;
  readonly meta: ArtifactMeta;
}

/** Every method throws `store_unavailable` when Redis is out of reach. */
export class ArtifactRegistry {
  readonly #store: VersionedStore;
  readonly #now: () => number;

  constructor(client: RedisClient, now: () => number = Date.now) {
    this.#store = new VersionedStore(client, artifactKey);
    this.#now = now;
  }

  /** Publishes and puts in force; at most five versions are kept. @throws `conflict` on a stale fence. */
  async publish(
    name: string,
    bytes: Uint8Array,
    options: { fence?: Fence } = {},
  ): Promise<ArtifactMeta> {
    const createdAt = this.#now();
    const sha256 = sha256Of(bytes);
    const version = versionOf(createdAt, sha256);
    const meta: ArtifactMeta = { version, createdAt, sha256, bytes: bytes.length };
    await this.#store.publish(name, version, bytes, JSON.stringify(meta), {
      alias: "champion",
      ...options,
    });
    return meta;
  }

  /** Version in force; null before the first. */
  current(name: string): Promise<string | null> {
    return this.#store.aliased(name, "champion");
  }

  /** @throws `model_unknown` for an unknown version, `model_invalid` when the bytes are not its own. */
  async get(name: string, version: string): Promise<StoredArtifact> {
    const stored = await this.read(name, version);
    if (sha256Of(stored.bytes) !== stored.meta.sha256) {
      throw new CuecardError("model_invalid", `the bytes of ${name} ${version} were changed`);
    }
    return stored;
  }

  /** As stored: whoever reads them verifies them. @throws `model_unknown` */
  async read(name: string, version: string): Promise<StoredArtifact> {
    const [text, bytes] = await Promise.all([
      this.#store.meta(name, version),
      this.#store.bytes(name, version),
    ]);
    if (text === null || bytes === null) {
      throw new CuecardError("model_unknown", `there is no artifact ${name} ${version}`);
    }
    return { bytes, meta: JSON.parse(text) as ArtifactMeta };
  }

  /** What is in force; null before the first. */
  async load(name: string): Promise<StoredArtifact | null> {
    const version = await this.current(name);
    return version === null ? null : this.get(name, version);
  }

  /** Back to the version before; answers it. @throws `conflict` when there is none. */
  rollback(name: string): Promise<string> {
    return this.#store.rollback(name);
  }
}

export interface ArtifactSlotOptions extends FollowOptions {
  /** `decode` notices by itself when bytes were changed. Default false: they are verified before. */
  readonly verifies?: boolean;
}

/** An artifact in memory, followed like a model. `decode` throws on bytes it cannot use. */
export class ArtifactSlot<T> {
  readonly name: string;
  readonly #follower: Follower;
  readonly #get: (version: string) => Promise<{ value: T; meta: ArtifactMeta }>;
  #current: T | null = null;
  #meta: ArtifactMeta | null = null;

  constructor(
    name: string,
    registry: ArtifactRegistry,
    decode: (bytes: Buffer) => T | Promise<T>,
    options: ArtifactSlotOptions = {},
  ) {
    this.name = name;
    this.#get = async (version) => {
      const stored = options.verifies ? registry.read(name, version) : registry.get(name, version);
      const { bytes, meta } = await stored;
      return { value: await decoded(name, bytes, decode), meta };
    };
    const load = async (version: string): Promise<void> => {
      const { value, meta } = await this.#get(version);
      this.#current = value;
      this.#meta = meta;
    };
    this.#follower = new Follower(
      { what: `artifact ${name}`, champion: () => registry.current(name), load },
      options,
    );
  }

  /** Loads what is in force and starts following. Never rejects. */
  async start(): Promise<this> {
    await this.#follower.start();
    return this;
  }

  current(): T | null {
    return this.#current;
  }

  /** That very version, in force or not. @throws `model_unknown` when it is no longer kept. */
  async at(version: string): Promise<T> {
    if (this.#meta?.version === version && this.#current !== null) return this.#current;
    return (await this.#get(version)).value;
  }

  meta(): ArtifactMeta | null {
    return this.#meta;
  }

  /** Resolves once the version in force now is loaded or refused. @throws `store_unavailable` */
  refresh(): Promise<void> {
    return this.#follower.refresh();
  }

  close(): Promise<void> {
    return this.#follower.close();
  }
}

/** What `decode` says later is its own to judge: a thread that could not start tells nothing of the bytes. */
function decoded<T>(
  name: string,
  bytes: Buffer,
  decode: (bytes: Buffer) => T | Promise<T>,
): T | Promise<T> {
  try {
    return decode(bytes);
  } catch (cause) {
    if (isCuecardError(cause) && cause.code === "model_invalid") throw cause;
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new CuecardError("model_invalid", `artifact ${name} cannot be read: ${why}`, { cause });
  }
}
