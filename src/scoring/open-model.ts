/** Opens a model and makes sure that it may serve: heavy work, 100 ms for the graph of three heads. */
import { CuecardError } from "../errors.js";
import { treesOf } from "./faster-scorer.js";
import type { Manifest } from "./manifest.js";
import { loadOnnxScorer, warm } from "./onnx-scorer.js";
import type { PlantedTrees } from "./plant-trees.js";
import type { Scorer } from "./scorer.js";
import { sha256Of } from "./sha256.js";
import { treeScorer } from "./tree-scorer.js";

export interface ExpectedModel {
  /** The vector serving builds: names in order and their hash. */
  readonly schema: { readonly names: readonly string[]; readonly hash: string };
  /** Names of the output columns, in the order serving reads them. */
  readonly outputs: readonly string[];
  /** Whether the graph must give calibrated probabilities beside margins. */
  readonly probabilities: boolean;
  /** Whether a model trained on the demo world may serve here. Default false. */
  readonly allowDemo?: boolean;
}

/** What the fields beyond the finite range do to a graph, beside the ordinary: missing, 0, ±large. */
const WARM_VALUES = [Number.NaN, 0, 1, -1e9, 1e9];

/**
 * Opens a model that is what its manifest says, fits the vector of this server and answers finite
 * numbers.
 * @throws CuecardError `model_invalid`
 */
export async function openVerified(
  bytes: Uint8Array,
  manifest: Manifest,
  expected: ExpectedModel,
): Promise<Scorer> {
  const { reference, trees } = await examine(bytes, manifest, expected);
  if (trees === null) return reference;
  await reference.release();
  return treeScorer(trees);
}

export interface Examined {
  /** onnxruntime over the graph; whoever asked releases it. */
  readonly reference: Scorer;
  /** What serves in its place; null: nothing can. */
  readonly trees: PlantedTrees | null;
}

/** The same as far as another thread can do it. @throws CuecardError `model_invalid` */
export async function examine(
  bytes: Uint8Array,
  manifest: Manifest,
  expected: ExpectedModel,
): Promise<Examined> {
  checkManifest(manifest, expected);
  if (bytes.length !== manifest.bytes || sha256Of(bytes) !== manifest.sha256) {
    throw refusal("its bytes are not those of its manifest");
  }
  const reference = await loadOnnxScorer(bytes);
  try {
    checkGraph(reference, manifest, expected);
    await warm(reference, warmRows(reference.featureCount));
    return { reference, trees: await treesOf(bytes, reference) };
  } catch (error) {
    await reference.release();
    throw error;
  }
}

function checkGraph(
  { featureCount, width, outputs }: Scorer,
  manifest: Manifest,
  { probabilities }: ExpectedModel,
): void {
  if (featureCount !== manifest.features.length) {
    throw refusal(`the graph takes ${featureCount} features, not ${manifest.features.length}`);
  }
  if (width !== manifest.outputs.length) {
    throw refusal(`the graph gives ${width} outputs, not ${manifest.outputs.length}`);
  }
  if (probabilities && !outputs.includes("probabilities")) {
    throw refusal("the graph gives no probabilities");
  }
}

function checkManifest(
  { features, schemaHash, outputs, demo }: Manifest,
  expected: ExpectedModel,
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
