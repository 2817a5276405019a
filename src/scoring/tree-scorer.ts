/**
 * Scores rows with trees of our own planting: 100 rows of 200 trees of depth 6 take a sixth of what
 * onnxruntime takes, a row alone as little (docs/adr/0005). Only graphs of the shape our training
 * writes; `loadScorer` compares both before one of these serves.
 */
import { LANES, type PlantedTrees } from "./plant-trees.js";
import type { Scorer, Scores } from "./scorer.js";
import { groupBytes, TREE_BYTES, type TreeWalks, treeWalks } from "./tree-walks.js";

/** Rows walked at once: they stay in the processor's cache. */
const ROWS_AT_ONCE = 128;
const PAGE_BYTES = 65_536;

/** The trees where the walks read them, and room for rows and sums. Addresses in bytes. */
interface Forest {
  readonly walks: TreeWalks;
  readonly trees: number;
  readonly treesEnd: number;
  /** Rows as they come. */
  readonly given: Float32Array;
  readonly rows: number;
  readonly sums: Float64Array;
}

/** The planted trees are copied: they may be planted again. */
export function treeScorer(planted: PlantedTrees): Scorer {
  const { featureCount, base, calibration } = planted;
  const width = base.length;
  const stride = groupBytes(featureCount);
  let forest: Forest | null = forestOf(planted);

  const marginsOf = (values: Float32Array, rowCount: number, wood: Forest): Float32Array => {
    const margins = new Float32Array(rowCount * width);
    for (let from = 0; from < rowCount; from += ROWS_AT_ONCE) {
      const count = Math.min(ROWS_AT_ONCE, rowCount - from);
      const offset = from * featureCount;
      wood.given.set(values.subarray(offset, offset + count * featureCount));
      for (let i = 0; i < count * width; i++) wood.sums[i] = base[i % width]!;
      walk(wood, count);
      margins.set(wood.sums.subarray(0, count * width), from * width);
    }
    return margins;
  };

  /** Fewer than eight rows one by one, else in eights: what fills the last eight is not looked at. */
  const walk = ({ walks, trees, treesEnd, given, rows, sums }: Forest, count: number): void => {
    walks.spread(given.byteOffset, count, rows, featureCount, stride);
    const sumsAt = sums.byteOffset;
    if (count < LANES) {
      for (let row = 0; row < count; row++) {
        walks.walkTrees(trees, treesEnd, rows + 4 * row, sumsAt + 8 * row * width);
      }
    } else {
      const rowsEnd = rows + Math.ceil(count / LANES) * stride;
      walks.walkRows(trees, treesEnd, rows, rowsEnd, stride, sumsAt, 8 * width);
    }
  };

  return {
    featureCount,
    width,
    outputs: calibration === null ? ["margins"] : ["margins", "probabilities"],
    async run(rows, rowCount): Promise<Scores> {
      const length = rowCount * featureCount;
      if (rows.length < length) throw new RangeError(`${rows.length} values for ${length}`);
      if (forest === null) throw new Error("the scorer was released");
      const margins = marginsOf(rows, rowCount, forest);
      if (calibration === null) return { margins };
      const { slope, intercept } = calibration;
      const probabilities = margins.map(
        (margin, i) => 1 / (1 + Math.exp(-(slope[i % width]! * margin + intercept[i % width]!))),
      );
      return { margins, probabilities };
    },
    async release(): Promise<void> {
      forest = null;
    },
  };
}

function forestOf({ featureCount, base, words, roots, steps, targets }: PlantedTrees): Forest {
  const trees = words.byteLength;
  const treesEnd = trees + roots.length * TREE_BYTES;
  const sumsAt = treesEnd;
  const givenAt = sumsAt + 8 * ROWS_AT_ONCE * base.length;
  const rows = givenAt + 4 * ROWS_AT_ONCE * featureCount;
  const bytes = rows + (ROWS_AT_ONCE / LANES) * groupBytes(featureCount);
  const memory = new WebAssembly.Memory({ initial: Math.ceil(bytes / PAGE_BYTES) });
  new Uint32Array(memory.buffer).set(words);
  const table = new Int32Array(memory.buffer, trees);
  for (let tree = 0; tree < roots.length; tree++) {
    const first = tree - (tree % LANES);
    const together = Math.max(...steps.subarray(first, first + LANES));
    table.set([4 * roots[tree]!, steps[tree]!, 8 * targets[tree]!, together], 4 * tree);
  }
  return {
    walks: treeWalks(memory),
    trees,
    treesEnd,
    given: new Float32Array(memory.buffer, givenAt, ROWS_AT_ONCE * featureCount),
    rows,
    sums: new Float64Array(memory.buffer, sumsAt, ROWS_AT_ONCE * base.length),
  };
}
