/**
 * Lays the trees of a graph into typed arrays, as `tree-walks.ts` walks them. A node is two words:
 * below the child and the column it asks about, above its threshold. Its children stand side by side,
 * the right one taken when the value is not below the threshold. Rows hold each column twice, a missing
 * value once as −∞ and once as +∞, so that which copy a node asks decides where a missing value goes. A
 * leaf asks about a column that is always −∞ and leads to itself: every walk of a tree takes the same
 * number of steps, without a branch to be guessed wrongly.
 */
import type { ReadEnsemble, ReadTree } from "./onnx-trees.js";

/** Walks side by side. */
export const LANES = 8;
/** A word is child · 2^10 + column: 511 features and 2 million nodes at most. */
export const COLUMN_BITS = 10;
export const COLUMN_MASK = 2 ** COLUMN_BITS - 1;
const CHILD_MAX = 2 ** (32 - COLUMN_BITS) - 1;

/** Nothing but numbers: another thread can plant what this one walks. */
export interface PlantedTrees extends Pick<ReadEnsemble, "featureCount" | "base" | "calibration"> {
  /** Two words a node, the second the bits of a float. */
  readonly words: Uint32Array<ArrayBuffer>;
  /** Per tree, and as many as fill the lanes: position of its root, steps of a walk (1 or more), target. */
  readonly roots: Int32Array<ArrayBuffer>;
  readonly steps: Int32Array<ArrayBuffer>;
  readonly targets: Int32Array<ArrayBuffer>;
}

const NO_TREE: ReadTree = {
  target: 0,
  left: [-1],
  right: [-1],
  feature: [0],
  value: [0],
  missingLeft: [false],
};

/** null: more features or nodes than a word holds, thresholds or leaves that are not finite. */
export function plantTrees({
  featureCount,
  base,
  trees: given,
  calibration,
}: ReadEnsemble): PlantedTrees | null {
  const trees = [...given];
  while (trees.length % LANES !== 0) trees.push(NO_TREE);
  const length = 2 * trees.reduce((sum, { left }) => sum + left.length, 0);
  if (length === 0 || 2 * featureCount > COLUMN_MASK || length > CHILD_MAX) return null;
  const words = new Uint32Array(length);
  const floats = new Float32Array(words.buffer);
  const roots = new Int32Array(trees.length);
  const steps = new Int32Array(trees.length);
  let at = 0;
  for (const [i, tree] of trees.entries()) {
    const depth = plantTree(tree, featureCount, words, floats, at);
    if (depth === null) return null;
    roots[i] = at;
    steps[i] = Math.max(1, depth);
    at += 2 * tree.left.length;
  }
  const targets = Int32Array.from(trees, ({ target }) => target);
  return { featureCount, base, calibration, words, roots, steps, targets };
}

/** Breadth first, so that siblings stand side by side; answers the depth, null for what is no tree. */
function plantTree(
  { left, right, feature, value, missingLeft }: ReadTree,
  featureCount: number,
  words: Uint32Array,
  floats: Float32Array,
  from: number,
): number | null {
  const nodes = [0];
  const depths = [0];
  for (let i = 0; i < nodes.length; i++) {
    const node = nodes[i]!;
    if (!Number.isFinite(value[node]) || nodes.length > left.length) return null;
    const at = from + 2 * i;
    const isLeaf = left[node] === -1;
    const asked = feature[node]! + (missingLeft[node] ? 0 : featureCount);
    const child = isLeaf ? at : from + 2 * nodes.length;
    words[at] = child * 2 ** COLUMN_BITS + (isLeaf ? 2 * featureCount : asked);
    floats[at + 1] = value[node]!;
    if (isLeaf) continue;
    nodes.push(left[node]!, right[node]!);
    depths.push(depths[i]! + 1, depths[i]! + 1);
  }
  return nodes.length === left.length ? depths.at(-1)! : null;
}
