/** The model that serves, in memory: verified, warmed and swapped without a request noticing. */
import { metrics } from "../telemetry.js";
import { type Explainer, explainerOf } from "./explainer.js";
import { Follower, type FollowOptions } from "./follower.js";
import { gatherRuns } from "./gathering-scorer.js";
import type { Manifest } from "./manifest.js";
import type { ModelRegistry } from "./model-registry.js";
import { openInThread } from "./open-in-thread.js";
import type { ExpectedModel } from "./open-model.js";
import type { Scorer } from "./scorer.js";

export type ModelSlotOptions = FollowOptions & ExpectedModel;

/** Holds a model while a request uses it. Call `release` exactly when done; a second call does nothing. */
export interface ModelLease {
  readonly scorer: Scorer;
  readonly manifest: Manifest;
  /** What tells each feature's part in a margin; null where the graph does not say enough. */
  explainer(): Explainer | null;
  release(): void;
}

class Loaded {
  leases = 0;
  retired = false;

  #explainer: Explainer | null | undefined;

  constructor(
    readonly scorer: Scorer,
    readonly manifest: Manifest,
    private readonly bytes: Uint8Array,
  ) {}

  /** Read when it is first asked for, in about 20 ms: few decisions are explained. */
  explainer(): Explainer | null {
    if (this.#explainer === undefined) this.#explainer = explainerOf(this.bytes);
    return this.#explainer;
  }

  freeIfIdle(): void {
    if (this.retired && this.leases === 0) void this.scorer.release();
  }
}

class Lease implements ModelLease {
  #loaded: Loaded | null;
  readonly #explained: Loaded;
  readonly scorer: Scorer;
  readonly manifest: Manifest;

  constructor(loaded: Loaded) {
    this.#loaded = loaded;
    this.#explained = loaded;
    this.scorer = loaded.scorer;
    this.manifest = loaded.manifest;
    loaded.leases++;
  }

  explainer(): Explainer | null {
    return this.#explained.explainer();
  }

  release(): void {
    const loaded = this.#loaded;
    if (loaded === null) return;
    this.#loaded = null;
    loaded.leases--;
    if (loaded.retired) loaded.freeIfIdle();
  }
}

/** One name's champion. Works without Redis once loaded. */
export class ModelSlot {
  readonly name: string;
  readonly #registry: ModelRegistry;
  readonly #expected: ExpectedModel;
  readonly #follower: Follower;
  #loaded: Loaded | null = null;

  constructor(name: string, registry: ModelRegistry, options: ModelSlotOptions) {
    this.name = name;
    this.#registry = registry;
    const { schema, outputs, probabilities, allowDemo } = options;
    const { names, hash } = schema;
    // Nothing but what another thread can be given.
    this.#expected = { schema: { names, hash }, outputs, probabilities, allowDemo };
    this.#follower = new Follower(
      {
        what: `model ${name}`,
        champion: () => registry.champion(name),
        load: (version) => this.#load(version),
        onRefused: () => metrics.modelSwaps.inc({ model: name, result: "refused" }),
      },
      options,
    );
  }

  /** Loads the champion there is and starts following. Never rejects. */
  async start(): Promise<this> {
    await this.#follower.start();
    return this;
  }

  /** The model of this instant, or null before the first. Costs one small object. */
  lease(): ModelLease | null {
    return this.#loaded === null ? null : new Lease(this.#loaded);
  }

  /**
   * That very version: what serves, or loaded for this lease alone.
   * @throws CuecardError `model_unknown` when it is no longer kept, `model_invalid`
   */
  async leaseOf(version: string): Promise<ModelLease> {
    if (this.#loaded?.manifest.version === version) return new Lease(this.#loaded);
    const { bytes, manifest } = await this.#registry.get(this.name, version);
    const scorer = await openInThread(bytes, manifest, this.#expected, { urgent: false });
    const loaded = new Loaded(scorer, manifest, bytes);
    loaded.retired = true;
    return new Lease(loaded);
  }

  /** The manifest of what serves. */
  manifest(): Manifest | null {
    return this.#loaded?.manifest ?? null;
  }

  /** Resolves once the champion of now is loaded or refused. @throws `store_unavailable` */
  refresh(): Promise<void> {
    return this.#follower.refresh();
  }

  /** Stops following; the model goes with its last lease. */
  async close(): Promise<void> {
    await this.#follower.close();
    this.#swap(null);
  }

  async #load(version: string): Promise<void> {
    const { bytes, manifest } = await this.#registry.get(this.name, version);
    const urgent = this.#loaded === null;
    const scorer = await openInThread(bytes, manifest, this.#expected, { urgent });
    this.#swap(new Loaded(gatherRuns(scorer), manifest, bytes));
    metrics.modelSwaps.inc({ model: this.name, result: "swapped" });
  }

  #swap(next: Loaded | null): void {
    const before = this.#loaded;
    this.#loaded = next;
    if (before === null) return;
    before.retired = true;
    before.freeIfIdle();
  }
}
