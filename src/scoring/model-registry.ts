/** Models published through Redis: every server follows the champion of each name. */
import { CuecardError } from "../errors.js";
import type { RedisClient } from "../redis/clients.js";
import { modelKey } from "../redis/keys.js";
import { type Manifest, parseManifest } from "./manifest.js";
import { sha256Of } from "./sha256.js";
import { type Alias, type PublishOptions, VersionedStore } from "./versioned-store.js";

export interface ListedModel {
  readonly manifest: Manifest;
  readonly aliases: readonly Alias[];
}

export interface StoredModel {
  readonly bytes: Buffer;
  readonly manifest: Manifest;
}

/** Every method throws `store_unavailable` when Redis is out of reach. */
export class ModelRegistry {
  readonly #store: VersionedStore;

  constructor(client: RedisClient) {
    this.#store = new VersionedStore(client, modelKey);
  }

  /**
   * Publishes bytes, then manifest and alias; at most five versions a name are kept.
   * @throws `model_invalid` when manifest and bytes do not belong together, `conflict` when a run with
   * a higher fencing token published before.
   */
  async publish(
    name: string,
    bytes: Uint8Array,
    manifest: Manifest,
    options: PublishOptions,
  ): Promise<void> {
    if (manifest.name !== name || manifest.sha256 !== sha256Of(bytes)) {
      throw new CuecardError("model_invalid", `the manifest is not that of this ${name}`);
    }
    await this.#store.publish(name, manifest.version, bytes, JSON.stringify(manifest), options);
  }

  /** Names under which anything was published. */
  names(): Promise<string[]> {
    return this.#store.names();
  }

  /** Latest published first; of all names when none is given. */
  async list(name?: string): Promise<ListedModel[]> {
    const names = name === undefined ? await this.names() : [name];
    const lists = await Promise.all(names.map((one) => this.#store.list(one)));
    return lists.flat().map(({ meta, aliases }) => ({ manifest: parseManifest(meta), aliases }));
  }

  /** Bytes as stored: whoever runs them verifies them. @throws `model_unknown` */
  async get(name: string, version: string): Promise<StoredModel> {
    const [meta, bytes] = await Promise.all([
      this.#store.meta(name, version),
      this.#store.bytes(name, version),
    ]);
    if (meta === null || bytes === null) {
      throw new CuecardError("model_unknown", `there is no ${name} ${version}`);
    }
    return { manifest: parseManifest(meta), bytes };
  }

  /** Version that serves; null before the first one. */
  champion(name: string): Promise<string | null> {
    return this.#store.aliased(name, "champion");
  }

  challenger(name: string): Promise<string | null> {
    return this.#store.aliased(name, "challenger");
  }

  /** Makes a version serve (default: the challenger). @throws `model_unknown` */
  async promote(name: string, version?: string): Promise<string> {
    const chosen = version ?? (await this.challenger(name));
    if (chosen === null) throw new CuecardError("model_unknown", `${name} has no challenger`);
    await this.#store.promote(name, chosen);
    return chosen;
  }

  /** Back to the version that served before; answers it. @throws `conflict` when there is none. */
  rollback(name: string): Promise<string> {
    return this.#store.rollback(name);
  }
}
