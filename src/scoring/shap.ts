/**
 * Exact SHAP values of a tree ensemble in TypeScript, for explanations where XGBoost is not
 * installed. Source: Lundberg, Erion, Lee 2018, "Consistent individualized feature attribution for
 * tree ensembles", algorithm 2, with the trees' own training rows as the background. About 2 ms a
 * row for 200 trees of depth 6: for `explain`, records and reports, not for the hot path.
 */

/** As trees are read and trained; node 0 is the root, a leaf has `left` −1 and its output as `value`. */
export interface ExplainedTree {
  readonly left: ArrayLike<number>;
  readonly right: ArrayLike<number>;
  readonly feature: ArrayLike<number>;
  readonly value: ArrayLike<number>;
  /** 1: a missing value goes left. */
  readonly defaultLeft: ArrayLike<number>;
  /** Weight of the training rows that reached the node. */
  readonly cover: ArrayLike<number>;
}

export interface ExplainedModel {
  readonly trees: readonly ExplainedTree[];
  readonly baseMargin: number;
  readonly featureCount: number;
}

/**
 * Contributions on the margin scale, `featureCount + 1` long; the last entry is the bias, and all
 * of them add up to the row's margin. `row` holds NaN where a value is missing.
 */
export function shapValues(model: ExplainedModel, row: Float32Array): Float64Array {
  const contributions = new Float64Array(model.featureCount + 1);
  contributions[model.featureCount] = model.baseMargin;
  for (const tree of model.trees) {
    contributions[model.featureCount] += expectedValue(tree, 0);
    new TreeWalk(tree, row, contributions).run();
  }
  return contributions;
}

/** Mean output of the subtree over the training rows, by their hessians. */
function expectedValue(tree: ExplainedTree, node: number): number {
  if (tree.left[node] === -1) return tree.value[node];
  const [left, right] = [tree.left[node], tree.right[node]];
  const weighted =
    tree.cover[left] * expectedValue(tree, left) + tree.cover[right] * expectedValue(tree, right);
  return weighted / tree.cover[node];
}

function depthOf(tree: ExplainedTree, node = 0): number {
  if (tree.left[node] === -1) return 0;
  return 1 + Math.max(depthOf(tree, tree.left[node]), depthOf(tree, tree.right[node]));
}

/**
 * What came into a node: the split feature, and the shares of rows without and with it that pass.
 */
interface Incoming {
  readonly feature: number;
  readonly zero: number;
  readonly one: number;
}

/**
 * Follows every path of one tree. The path of a node at depth d starts at its own offset of the
 * arrays, so that siblings see their parent's path unchanged.
 */
class TreeWalk {
  readonly #tree: ExplainedTree;
  readonly #row: Float32Array;
  readonly #contributions: Float64Array;
  readonly #feature: Int32Array;
  readonly #zero: Float64Array;
  readonly #one: Float64Array;
  /** Share of the feature subsets of each size that lead here. */
  readonly #weight: Float64Array;

  constructor(tree: ExplainedTree, row: Float32Array, contributions: Float64Array) {
    const depth = depthOf(tree) + 2;
    const size = (depth * (depth + 1)) / 2;
    this.#tree = tree;
    this.#row = row;
    this.#contributions = contributions;
    this.#feature = new Int32Array(size);
    this.#zero = new Float64Array(size);
    this.#one = new Float64Array(size);
    this.#weight = new Float64Array(size);
  }

  run(): void {
    this.#visit(0, 0, 0, 0, { feature: -1, zero: 1, one: 1 });
  }

  /**
   * `parent` and `start` are the offsets of the parent's path, `length` entries long, and of ours.
   */
  #visit(node: number, parent: number, start: number, length: number, incoming: Incoming): void {
    this.#copyPath(parent, start, length);
    this.#extend(start, length, incoming);
    const tree = this.#tree;
    if (tree.left[node] === -1) {
      for (let index = 1; index <= length; index++) {
        const at = start + index;
        const share = this.#unwoundWeight(start, length, index) * (this.#one[at] - this.#zero[at]);
        this.#contributions[this.#feature[at]] += share * tree.value[node];
      }
      return;
    }
    const feature = tree.feature[node];
    const value = this.#row[feature];
    const goesLeft = Number.isNaN(value) ? tree.defaultLeft[node] === 1 : value < tree.value[node];
    const [hot, cold] = goesLeft
      ? [tree.left[node], tree.right[node]]
      : [tree.right[node], tree.left[node]];
    // A feature met before on this path is taken out first: it counts once, with both shares.
    let [zero, one, kept] = [1, 1, length];
    for (let index = 1; index <= length; index++) {
      if (this.#feature[start + index] !== feature) continue;
      zero = this.#zero[start + index];
      one = this.#one[start + index];
      this.#unwind(start, length, index);
      kept = length - 1;
      break;
    }
    const next = start + kept + 1;
    const share = (child: number) => (zero * tree.cover[child]) / tree.cover[node];
    this.#visit(hot, start, next, kept + 1, { feature, zero: share(hot), one });
    this.#visit(cold, start, next, kept + 1, { feature, zero: share(cold), one: 0 });
  }

  #copyPath(from: number, to: number, length: number): void {
    for (const values of [this.#feature, this.#zero, this.#one, this.#weight]) {
      values.copyWithin(to, from, from + length);
    }
  }

  /** Puts `incoming` at the end of the path, which becomes `length + 1` entries long. */
  #extend(start: number, length: number, { feature, zero, one }: Incoming): void {
    const weight = this.#weight;
    this.#feature[start + length] = feature;
    this.#zero[start + length] = zero;
    this.#one[start + length] = one;
    weight[start + length] = length === 0 ? 1 : 0;
    for (let index = length - 1; index >= 0; index--) {
      weight[start + index + 1] += (one * weight[start + index] * (index + 1)) / (length + 1);
      weight[start + index] = (zero * weight[start + index] * (length - index)) / (length + 1);
    }
  }

  /** Undoes the extension by the entry at `index`; `length` is the last index of the path. */
  #unwind(start: number, length: number, index: number): void {
    const weight = this.#weight;
    const zero = this.#zero[start + index];
    const one = this.#one[start + index];
    let carried = weight[start + length];
    for (let at = length - 1; at >= 0; at--) {
      if (one !== 0) {
        const before = weight[start + at];
        weight[start + at] = (carried * (length + 1)) / ((at + 1) * one);
        carried = before - (weight[start + at] * zero * (length - at)) / (length + 1);
      } else {
        weight[start + at] = (weight[start + at] * (length + 1)) / (zero * (length - at));
      }
    }
    for (const values of [this.#feature, this.#zero, this.#one]) {
      values.copyWithin(start + index, start + index + 1, start + length + 1);
    }
  }

  /** Sum of the weights as if the entry at `index` were unwound, without touching the path. */
  #unwoundWeight(start: number, length: number, index: number): number {
    const weight = this.#weight;
    const zero = this.#zero[start + index];
    const one = this.#one[start + index];
    let carried = weight[start + length];
    let sum = 0;
    for (let at = length - 1; at >= 0; at--) {
      if (one !== 0) {
        const unwound = (carried * (length + 1)) / ((at + 1) * one);
        sum += unwound;
        carried = weight[start + at] - (unwound * zero * (length - at)) / (length + 1);
      } else {
        sum += (weight[start + at] * (length + 1)) / (zero * (length - at));
      }
    }
    return sum;
  }
}
