/**
 * The walks down planted trees as WebAssembly: no access is checked for its bounds, and eight walks at
 * once hide one another's waiting (docs/adr/0005). Rows stand in groups of eight, each column of the
 * eight side by side, so that one address serves all of them.
 */
import { COLUMN_BITS, COLUMN_MASK, LANES } from "./plant-trees.js";
import {
  add,
  addToDouble,
  and,
  type Code,
  choose,
  float,
  floatAtLeast,
  floatsDiffer,
  get,
  increase,
  int,
  type Local,
  less,
  load,
  loadFloat,
  moduleOf,
  multiply,
  repeat,
  set,
  shiftLeft,
  shiftRight,
  storeFloat,
  type WasmFunction,
} from "./wasm-code.js";

/** Bytes of one column of a group of rows. */
const COLUMN_BYTES = 4 * LANES;
const COLUMN_SHIFT = Math.log2(COLUMN_BYTES);

/** Bytes a group of rows takes: each column twice, and the one leaves ask about. */
export const groupBytes = (featureCount: number): number => (2 * featureCount + 1) * COLUMN_BYTES;

/** Of the table of trees: addresses in bytes, all i32. */
export const TREE_BYTES = 16;
const ROOT = 0;
const STEPS = 4;
/** Bytes from the first sum of a row to the tree's. */
const TARGET = 8;
/** The most steps among the eight trees that begin here. */
const STEPS_OF_EIGHT = 12;

/** All addresses in bytes of the memory the walks were made over; every count is at least 1. */
export interface TreeWalks {
  /** Rows as they come, from `from`, laid out as the walks read them, from `to`. */
  spread(from: number, rows: number, to: number, features: number, groupBytes: number): void;
  /** Every tree of the table over groups of rows; adds to the doubles at `sums`, row by row. */
  walkRows(
    trees: number,
    treesEnd: number,
    rows: number,
    rowsEnd: number,
    groupBytes: number,
    sums: number,
    sumBytes: number,
  ): void;
  /** One row down eight trees at a time; adds to its sums. */
  walkTrees(trees: number, treesEnd: number, row: number, sums: number): void;
}

let compiled: WebAssembly.Module | undefined;

export function treeWalks(memory: WebAssembly.Memory): TreeWalks {
  compiled ??= new WebAssembly.Module(moduleOf([spread(), walkRows(), walkTrees()]));
  const instance = new WebAssembly.Instance(compiled, { env: { memory } });
  return instance.exports as unknown as TreeWalks;
}

const eight = (code: (lane: number) => Code): Code =>
  Array.from({ length: LANES }, (_, lane) => code(lane)).flat();

/** One step down: `node` becomes its left child, or the right one, which stands behind it. */
function step(node: Local, word: Local, row: Local, lane: number): Code {
  const column = shiftLeft(and(get(word), int(COLUMN_MASK)), COLUMN_SHIFT);
  const value = loadFloat(add(get(row), column), 4 * lane);
  const isRight = floatAtLeast(value, loadFloat(get(node), 4));
  const left = shiftLeft(shiftRight(get(word), COLUMN_BITS), 2);
  return set(node, add(left, shiftLeft(isRight, 3)));
}

/**
 * As many steps for all of them: who is at a leaf stays there. `rowsApart`: 1 where each lane has a row of
 * its own, 0 where they share one.
 */
function descend(nodes: Local, words: Local, steps: Local, row: Local, rowsApart: 0 | 1): Code {
  const body = [
    ...eight((lane) => set(words + lane, load(get(nodes + lane)))),
    ...eight((lane) => step(nodes + lane, words + lane, row, lane * rowsApart)),
    ...increase(steps, int(-1)),
  ];
  return repeat(body, get(steps));
}

function walkRows(): WasmFunction {
  const [trees, treesEnd, rows, rowsEnd, bytes, sums, sumBytes] = [0, 1, 2, 3, 4, 5, 6];
  const [row, sum, steps] = [7, 8, 9];
  const nodes = 10;
  const words = nodes + LANES;
  const group = [
    ...eight((lane) => set(nodes + lane, load(get(trees), ROOT))),
    ...set(steps, load(get(trees), STEPS)),
    ...descend(nodes, words, steps, row, 1),
    ...eight((lane) => [
      ...addToDouble(get(sum), loadFloat(get(nodes + lane), 4)),
      ...increase(sum, get(sumBytes)),
    ]),
    ...increase(row, get(bytes)),
  ];
  const tree = [
    ...set(sum, add(get(sums), load(get(trees), TARGET))),
    ...set(row, get(rows)),
    ...repeat(group, less(get(row), get(rowsEnd))),
    ...increase(trees, int(TREE_BYTES)),
  ];
  const body = repeat(tree, less(get(trees), get(treesEnd)));
  return { name: "walkRows", parameters: 7, locals: 3 + 2 * LANES, floats: 0, body };
}

function walkTrees(): WasmFunction {
  const [trees, treesEnd, row, sums, steps] = [0, 1, 2, 3, 4];
  const nodes = 5;
  const words = nodes + LANES;
  const treesOfEight = [
    ...eight((lane) => set(nodes + lane, load(get(trees), lane * TREE_BYTES + ROOT))),
    ...set(steps, load(get(trees), STEPS_OF_EIGHT)),
    ...descend(nodes, words, steps, row, 0),
    ...eight((lane) => {
      const sum = add(get(sums), load(get(trees), lane * TREE_BYTES + TARGET));
      return addToDouble(sum, loadFloat(get(nodes + lane), 4));
    }),
    ...increase(trees, int(LANES * TREE_BYTES)),
  ];
  const body = repeat(treesOfEight, less(get(trees), get(treesEnd)));
  return { name: "walkTrees", parameters: 4, locals: 1 + 2 * LANES, floats: 0, body };
}

/** A missing value once as −∞ and once as +∞; behind both copies the column leaves ask about. */
function spread(): WasmFunction {
  const [from, rows, to, features, bytes] = [0, 1, 2, 3, 4];
  const [done, at, second, left, value] = [5, 6, 7, 8, 9];
  const isMissing = floatsDiffer(get(value), get(value));
  const copy = (address: Code, missing: number): Code =>
    storeFloat(address, choose(isMissing, float(missing), get(value)));
  const column = [
    ...set(value, loadFloat(get(from))),
    ...copy(get(at), Number.NEGATIVE_INFINITY),
    ...copy(add(get(at), get(second)), Number.POSITIVE_INFINITY),
    ...increase(from, int(4)),
    ...increase(at, int(COLUMN_BYTES)),
    ...increase(left, int(-1)),
  ];
  const group = multiply(shiftRight(get(done), Math.log2(LANES)), get(bytes));
  const lane = shiftLeft(and(get(done), int(LANES - 1)), 2);
  const row = [
    ...set(at, add(add(get(to), group), lane)),
    ...set(left, get(features)),
    ...repeat(column, get(left)),
    ...storeFloat(add(get(at), get(second)), float(Number.NEGATIVE_INFINITY)),
    ...increase(done, int(1)),
  ];
  const body = [
    ...set(second, shiftLeft(get(features), COLUMN_SHIFT)),
    ...repeat(row, less(get(done), get(rows))),
  ];
  return { name: "spread", parameters: 5, locals: 4, floats: 1, body };
}
