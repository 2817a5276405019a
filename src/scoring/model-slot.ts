/** The model that serves, in memory: verified, warmed and swapped without a request noticing. */
import { CuecardError } from "../errors.js";
import { metrics } from "../telemetry.js";
import { type Explainer, explainerOf } from "./explainer.js";
import { fasterOf } from "./faster-scorer.js";
import { Follower, type FollowOptions } from "./follower.js";
import { gatherRuns } from "./gathering-scorer.js";
import { type Manifest, sha256Of } from "./manifest.js";
import type { ModelRegistry } from "./model-registry.js";
import { loadOnnxScorer, warm } from "./onnx-scorer.js";
import type { Scorer } from "./scorer.js";

export interface ModelSlotOptions extends FollowOptions {
  /** The vector serving builds: names in order and their hash. */
  readonly schema: { readonly names: readonly string[]; readonly hash: string };
  /** Names of the output columns, in the order serving reads them. */
  readonly outputs: readonly string[];
  /** Whether the graph must give calibrated probabilities beside margins. */
  readonly probabilities: boolean;
  /** Whether a model trained on the demo world may serve here. Default false. */
  readonly allowDemo?: boolean;
}

/** Holds a model while a request uses it. Call `release` exactly when done; a second call does nothing. */
export interface ModelLease {
  readonly scorer: Scorer;
  readonly manifest: Manifest;
  /** What tells each feature's part in a margin; null where the graph does not say enough. */
  explainer(): Explainer | null;
  release(): void;
}

/** What the fields beyond the finite range do to a graph, beside the ordinary: missing, 0, ±large. */
const WARM_VALUES = [Number.NaN, 0, 1, -1e9, 1e9];

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
  readonly #options: ModelSlotOptions;
  readonly #follower: Follower;
  #loaded: Loaded | null = null;

  constructor(name: string, registry: ModelRegistry, options: ModelSlotOptions) {
    this.name = name;
    this.#registry = registry;
    this.#options = options;
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
    const loaded = new Loaded(await openVerified(bytes, manifest, this.#options), manifest, bytes);
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
    const scorer = await openVerified(bytes, manifest, this.#options);
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

/**
 * Opens a model that is what its manifest says, fits the vector of this server and answers finite
 * numbers.
 * @throws CuecardError `model_invalid`
 */
export async function openVerified(
  bytes: Uint8Array,
  manifest: Manifest,
  expected: Omit<ModelSlotOptions, keyof FollowOptions>,
): Promise<Scorer> {
  checkManifest(manifest, expected);
  if (bytes.length !== manifest.bytes || sha256Of(bytes) !== manifest.sha256) {
    throw refusal("its bytes are not those of its manifest");
  }
  const scorer = await loadOnnxScorer(bytes);
  try {
    if (scorer.featureCount !== manifest.features.length) {
      throw refusal(
        `the graph takes ${scorer.featureCount} features, not ${manifest.features.length}`,
      );
    }
    if (scorer.width !== manifest.outputs.length) {
      throw refusal(`the graph gives ${scorer.width} outputs, not ${manifest.outputs.length}`);
    }
    if (expected.probabilities && !scorer.outputs.includes("probabilities")) {
      throw refusal("the graph gives no probabilities");
    }
    await warm(scorer, warmRows(scorer.featureCount));
    return await fasterOf(bytes, scorer);
  } catch (error) {
    await scorer.release();
    throw error;
  }
}

function checkManifest(
  { features, schemaHash, outputs, demo }: Manifest,
  expected: Omit<ModelSlotOptions, keyof FollowOptions>,
): void {
  const { names, hash } = expected.schema;
  const strange = features.find((name, index) => name !== names[index]);
  if (strange !== undefined || features.length !== names.length) {
    const which = strange === undefined ? "" : `, first ${strange}`;
    throw refusal(`its features are others than this server's${which}`);
  }
  if (schemaHash !== hash) throw refusal(`its schema is ${schemaHash}, this server's ${hash}`);
  if (outputs.join() !== expected.outputs.join()) {
    throw refusal(`its outputs are ${outputs.join(", ")}, not ${expected.outputs.join(", ")}`);
  }
  if (demo === true && expected.allowDemo !== true) {
    throw refusal("it was trained on the demo world, and this store is not that");
  }
}

const warmRows = (featureCount: number): Float32Array =>
  Float32Array.from(
    { length: WARM_VALUES.length * featureCount },
    (_, index) => WARM_VALUES[Math.floor(index / featureCount)],
  );

const refusal = (why: string) => new CuecardError("model_invalid", why);
