/** Trees of a fixed shape: every one full to its depth, every leaf reached by rows like those given. */
import type { Random } from "../../src/demo/random.js";
import type { ParsedModel, Tree } from "../../src/training/xgboost-json.js";

export interface Grown {
  /** Row-major, NaN where a value is missing. */
  readonly rows: Float32Array;
  readonly columnCount: number;
  readonly trees: number;
  readonly depth: number;
  readonly random: Random;
}

/** Rows that decide the splits of one tree. */
const SAMPLE = 512;
/** Features tried at a node before any split will do. */
const TRIES = 12;

/** Cost is what counts: splits are chance, near the middle of the rows that reach them. */
export function referenceModel(options: Grown): ParsedModel {
  const trees = Array.from({ length: options.trees }, () => growTree(options));
  return { objective: "reference", trees, baseMargin: 0, featureCount: options.columnCount };
}

interface Split {
  readonly feature: number;
  readonly threshold: number;
  readonly left: number[];
  readonly right: number[];
}

function growTree({ rows, columnCount, depth, random }: Grown): Tree {
  const rowCount = rows.length / columnCount;
  const nodes = 2 ** (depth + 1) - 1;
  const inner = 2 ** depth - 1;
  const tree = {
    left: new Int32Array(nodes).fill(-1),
    right: new Int32Array(nodes).fill(-1),
    feature: new Int32Array(nodes),
    value: new Float32Array(nodes),
    defaultLeft: new Uint8Array(nodes),
    cover: new Float32Array(nodes),
  };
  const reaching: number[][] = [
    Array.from({ length: SAMPLE }, () => random.whole(0, rowCount - 1)),
  ];
  for (let node = 0; node < nodes; node++) {
    tree.cover[node] = reaching[node].length;
    if (node >= inner) {
      tree.value[node] = random.normal() * 0.02;
      continue;
    }
    const split = splitOf(reaching[node], rows, columnCount, random);
    tree.left[node] = 2 * node + 1;
    tree.right[node] = 2 * node + 2;
    tree.feature[node] = split.feature;
    tree.value[node] = split.threshold;
    tree.defaultLeft[node] = 1;
    reaching[2 * node + 1] = split.left;
    reaching[2 * node + 2] = split.right;
  }
  return tree;
}

/** The most even of a few splits at values that rows here have. A missing value goes left. */
function splitOf(
  here: readonly number[],
  rows: Float32Array,
  columnCount: number,
  random: Random,
): Split {
  let best: Split | undefined;
  for (let attempt = 0; attempt < TRIES; attempt++) {
    const feature = random.whole(0, columnCount - 1);
    const at = (row: number): number => rows[row * columnCount + feature];
    const threshold = here.length === 0 ? 0 : at(random.pick(here));
    if (Number.isNaN(threshold)) continue;
    const right = here.filter((row) => at(row) >= threshold);
    const left = here.filter((row) => !(at(row) >= threshold));
    const least = Math.min(left.length, right.length);
    if (best === undefined || least > Math.min(best.left.length, best.right.length)) {
      best = { feature, threshold, left, right };
    }
    if (least * 4 >= here.length) break;
  }
  return best ?? { feature: 0, threshold: 0, left: [...here], right: [] };
}
