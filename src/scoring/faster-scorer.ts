/** Chooses what serves a graph: trees of our own where they answer as onnxruntime does, else that. */
import { type ReadEnsemble, readTrees } from "./onnx-trees.js";
import { type PlantedTrees, plantTrees } from "./plant-trees.js";
import type { Scorer } from "./scorer.js";
import { treeScorer } from "./tree-scorer.js";

/** Rows both are asked about before one stands in for the other; about 3 ms with three heads. */
const PROBE_ROWS = 64;
const MISSING_SHARE = 0.2;
const PROBABILITY_TOLERANCE = 1e-6;
const MARGIN_TOLERANCE = 1e-5;

/**
 * The graph's trees, where they answer as `reference` does, which is onnxruntime over the same bytes:
 * margins within 1e-5·max(1, |margin|) and probabilities within 1e-6 on rows made of thresholds. null:
 * the graph is of another shape, or answers differ.
 */
export async function treesOf(bytes: Uint8Array, reference: Scorer): Promise<PlantedTrees | null> {
  const ensemble = readTrees(bytes);
  const trees = ensemble === null ? null : plantTrees(ensemble);
  if (ensemble === null || trees === null) return null;
  return (await agree(treeScorer(trees), reference, probeRows(ensemble))) ? trees : null;
}

/** The scorer to serve with. `reference` is released when the trees take its place. */
export async function fasterOf(bytes: Uint8Array, reference: Scorer): Promise<Scorer> {
  const trees = await treesOf(bytes, reference);
  if (trees === null) return reference;
  await reference.release();
  return treeScorer(trees);
}

async function agree(trees: Scorer, reference: Scorer, rows: Float32Array): Promise<boolean> {
  const { featureCount, width } = reference;
  if (trees.featureCount !== featureCount || trees.width !== width) return false;
  if (trees.outputs.length !== reference.outputs.length) return false;
  const ours = await trees.run(rows, PROBE_ROWS);
  const theirs = await reference.run(rows, PROBE_ROWS);
  const margins = theirs.margins.every(
    (margin, i) =>
      Math.abs(ours.margins[i]! - margin) <= MARGIN_TOLERANCE * Math.max(1, Math.abs(margin)),
  );
  const probabilities = (theirs.probabilities ?? new Float32Array(0)).every(
    (value, i) => Math.abs(ours.probabilities![i]! - value) <= PROBABILITY_TOLERANCE,
  );
  return margins && probabilities;
}

/** Values at the very thresholds, where `<` and `≤` part ways, and missing ones; always the same. */
function probeRows({ featureCount, trees }: ReadEnsemble): Float32Array {
  const thresholds: number[][] = Array.from({ length: featureCount }, () => [0]);
  for (const { left, feature, value } of trees) {
    for (let node = 0; node < left.length; node++) {
      if (left[node] !== -1) thresholds[feature[node]!]?.push(value[node]!);
    }
  }
  let seed = 1;
  const random = (): number => {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
    return seed / 2 ** 32;
  };
  return Float32Array.from({ length: PROBE_ROWS * featureCount }, (_, i) => {
    const known = thresholds[i % featureCount]!;
    const value = known[Math.floor(random() * known.length)]!;
    return random() < MISSING_SHARE ? Number.NaN : value;
  });
}
