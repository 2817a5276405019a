/**
 * Scores rows with trees in plain typed arrays: 100 rows of 200 trees of depth 6 take a third of what
 * onnxruntime takes, a row alone as little (docs/adr/0005). Only graphs of the shape our training
 * writes; `loadScorer` compares both before one of these serves.
 *
 * A node is two words: below the child and the column it asks about, above its threshold. Its
 * children stand side by side, the right one taken when the value is not below the threshold. Rows
 * hold each column twice, a missing value once as −∞ and once as +∞, so that which copy a node asks
 * decides where a missing value goes. A leaf asks about a column that is always −∞ and leads to
 * itself: every walk of a tree takes the same number of steps, without a branch to be guessed
 * wrongly, and four walks at once hide one another's waiting.
 */
import type { PlantedTrees } from "./plant-trees.js";
import * as planting from "./plant-trees.js";
import type { Scorer, Scores } from "./scorer.js";

// V8 compiles constants of a module into its code, but reads what is imported or exported each time it
// is used: the walks of 100 rows took 280 µs with imported ones, 220 with these.
const { ROWS_AT_ONCE, LANES, COLUMN_BITS, COLUMN_MASK } = planting;

/** What the walks read. */
interface Forest extends PlantedTrees {
  /** The bytes of `words`. One buffer for everything costs fewer registers, and so less time. */
  readonly floats: Float32Array;
}

/** `planted` belongs to the scorer from then on. */
export function treeScorer(planted: PlantedTrees): Scorer {
  const { featureCount, base, calibration } = planted;
  const forest: Forest = { ...planted, floats: new Float32Array(planted.words.buffer) };
  const width = base.length;
  const stride = 2 * featureCount + 1;
  const sums = new Float64Array(ROWS_AT_ONCE * width);
  let released = false;

  const marginsOf = (rows: Float32Array, rowCount: number): Float32Array => {
    const margins = new Float32Array(rowCount * width);
    for (let from = 0; from < rowCount; from += ROWS_AT_ONCE) {
      const count = Math.min(ROWS_AT_ONCE, rowCount - from);
      spreadRows(rows, from * featureCount, count, featureCount, forest);
      for (let i = 0; i < count * width; i++) sums[i] = base[i % width]!;
      const inFours = count - (count % LANES);
      walkRows(forest, stride, inFours, sums, width);
      for (let row = inFours; row < count; row++) walkTrees(forest, stride, row, sums, width);
      margins.set(sums.subarray(0, count * width), from * width);
    }
    return margins;
  };

  return {
    featureCount,
    width,
    outputs: calibration === null ? ["margins"] : ["margins", "probabilities"],
    async run(rows, rowCount): Promise<Scores> {
      const length = rowCount * featureCount;
      if (rows.length < length) throw new RangeError(`${rows.length} values for ${length}`);
      if (released) throw new Error("the scorer was released");
      const margins = marginsOf(rows, rowCount);
      if (calibration === null) return { margins };
      const { slope, intercept } = calibration;
      const probabilities = margins.map(
        (margin, i) => 1 / (1 + Math.exp(-(slope[i % width]! * margin + intercept[i % width]!))),
      );
      return { margins, probabilities };
    },
    async release(): Promise<void> {
      released = true;
    },
  };
}

/** Each column twice and the one leaves ask about. */
function spreadRows(
  rows: Float32Array,
  offset: number,
  rowCount: number,
  featureCount: number,
  { floats, rowsAt }: Forest,
): void {
  let at = rowsAt;
  let from = offset;
  for (let row = 0; row < rowCount; row++) {
    for (let i = 0; i < featureCount; i++) {
      const value = rows[from++]!;
      const missing = Number.isNaN(value);
      floats[at] = missing ? Number.NEGATIVE_INFINITY : value;
      floats[at + featureCount] = missing ? Number.POSITIVE_INFINITY : value;
      at++;
    }
    at += featureCount;
    floats[at++] = Number.NEGATIVE_INFINITY;
  }
}

/** Every tree over rows four at a time; `rowCount` is a multiple of four. */
function walkRows(
  { words, floats, rowsAt, roots, steps, targets }: Forest,
  stride: number,
  rowCount: number,
  sums: Float64Array,
  width: number,
): void {
  for (let tree = 0; tree < roots.length; tree++) {
    const root = roots[tree]!;
    const depth = steps[tree]!;
    let sum = targets[tree]!;
    for (let row = 0; row < rowCount; row += LANES, sum += LANES * width) {
      const x0 = rowsAt + row * stride;
      const x1 = x0 + stride;
      const x2 = x1 + stride;
      const x3 = x2 + stride;
      let a = root;
      let b = root;
      let c = root;
      let d = root;
      for (let step = 0; step < depth; step++) {
        const p = words[a]!;
        const q = words[b]!;
        const r = words[c]!;
        const s = words[d]!;
        // `+` of a comparison is a number without a branch: what makes all this fast.
        a = (p >>> COLUMN_BITS) + (+(floats[x0 + (p & COLUMN_MASK)]! >= floats[a + 1]!) << 1);
        b = (q >>> COLUMN_BITS) + (+(floats[x1 + (q & COLUMN_MASK)]! >= floats[b + 1]!) << 1);
        c = (r >>> COLUMN_BITS) + (+(floats[x2 + (r & COLUMN_MASK)]! >= floats[c + 1]!) << 1);
        d = (s >>> COLUMN_BITS) + (+(floats[x3 + (s & COLUMN_MASK)]! >= floats[d + 1]!) << 1);
      }
      sums[sum]! += floats[a + 1]!;
      sums[sum + width]! += floats[b + 1]!;
      sums[sum + 2 * width]! += floats[c + 1]!;
      sums[sum + 3 * width]! += floats[d + 1]!;
    }
  }
}

/** One row down four trees at a time. */
function walkTrees(
  { words, floats, rowsAt, roots, steps, targets }: Forest,
  stride: number,
  row: number,
  sums: Float64Array,
  width: number,
): void {
  const x = rowsAt + row * stride;
  const at = row * width;
  for (let tree = 0; tree < roots.length; tree += LANES) {
    let a = roots[tree]!;
    let b = roots[tree + 1]!;
    let c = roots[tree + 2]!;
    let d = roots[tree + 3]!;
    const depth = Math.max(steps[tree]!, steps[tree + 1]!, steps[tree + 2]!, steps[tree + 3]!);
    for (let step = 0; step < depth; step++) {
      const p = words[a]!;
      const q = words[b]!;
      const r = words[c]!;
      const s = words[d]!;
      a = (p >>> COLUMN_BITS) + (+(floats[x + (p & COLUMN_MASK)]! >= floats[a + 1]!) << 1);
      b = (q >>> COLUMN_BITS) + (+(floats[x + (q & COLUMN_MASK)]! >= floats[b + 1]!) << 1);
      c = (r >>> COLUMN_BITS) + (+(floats[x + (r & COLUMN_MASK)]! >= floats[c + 1]!) << 1);
      d = (s >>> COLUMN_BITS) + (+(floats[x + (s & COLUMN_MASK)]! >= floats[d + 1]!) << 1);
    }
    sums[at + targets[tree]!]! += floats[a + 1]!;
    sums[at + targets[tree + 1]!]! += floats[b + 1]!;
    sums[at + targets[tree + 2]!]! += floats[c + 1]!;
    sums[at + targets[tree + 3]!]! += floats[d + 1]!;
  }
}
