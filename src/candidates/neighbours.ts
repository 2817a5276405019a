/** Item-to-item neighbours from members' products and from sessions, one product at a time. */
import type { Neighbours } from "./artifacts.js";
import { Sums } from "./sums.js";

/** Common members' worth of doubt: pairs seen rarely are pulled towards 0. */
const SHRINKAGE = 5;
/** Steps within a session that still count as "next". */
const LOOK_AHEAD = 10;
const SESSION_SHRINKAGE = 2;

/** Lists by their entries: where each product stands. */
interface Inverted {
  readonly offsets: Uint32Array;
  /** List and position inside it, for each occurrence. */
  readonly list: Uint32Array;
  readonly position: Uint32Array;
}

function invert(lists: readonly (readonly number[])[], productCount: number): Inverted {
  const offsets = new Uint32Array(productCount + 1);
  for (const list of lists) for (const product of list) offsets[product + 1]++;
  for (let i = 0; i < productCount; i++) offsets[i + 1] += offsets[i];
  const cursor = offsets.slice(0, productCount);
  const listOf = new Uint32Array(offsets[productCount]);
  const position = new Uint32Array(offsets[productCount]);
  lists.forEach((list, index) => {
    for (let p = 0; p < list.length; p++) {
      const at = cursor[list[p]]++;
      listOf[at] = index;
      position[at] = p;
    }
  });
  return { offsets, list: listOf, position };
}

/** Gathers rows of neighbours into one flat table. */
class NeighbourTable {
  readonly #offsets: Uint32Array;
  readonly #neighbour: number[] = [];
  readonly #weight: number[] = [];

  constructor(productCount: number) {
    this.#offsets = new Uint32Array(productCount + 1);
  }

  setRow(product: number, sums: Sums, perProduct: number): void {
    const top = sums.top(perProduct);
    for (const other of top) {
      this.#neighbour.push(other);
      this.#weight.push(sums.get(other));
    }
    this.#offsets[product + 1] = this.#neighbour.length;
  }

  build(): Neighbours {
    return {
      offsets: this.#offsets,
      neighbour: Uint32Array.from(this.#neighbour),
      weight: Float32Array.from(this.#weight),
    };
  }
}

/**
 * Cosine between products over members (Sarwar et al. 2001) with shrinkage n/(n + 5); a member with
 * many products says less of each pair (weight 1/log2(1 + products)).
 */
export function coPurchaseNeighbours(
  histories: readonly (readonly number[])[],
  productCount: number,
  perProduct: number,
): Neighbours {
  const sets = histories.map((products) => [...new Set(products)]);
  const inverted = invert(sets, productCount);
  const memberWeight = sets.map((set) => 1 / Math.log2(1 + Math.max(1, set.length)));
  const norm = new Float64Array(productCount);
  sets.forEach((set, member) => {
    for (const product of set) norm[product] += memberWeight[member];
  });
  const sums = new Sums(productCount);
  const common = new Sums(productCount);
  const table = new NeighbourTable(productCount);
  for (let product = 0; product < productCount; product++) {
    sums.reset();
    common.reset();
    for (let at = inverted.offsets[product]; at < inverted.offsets[product + 1]; at++) {
      const member = inverted.list[at];
      for (const other of sets[member]) {
        if (other === product) continue;
        sums.add(other, memberWeight[member]);
        common.add(other, 1);
      }
    }
    sums.rescale((other, sum) => {
      const count = common.get(other);
      return ((sum / Math.sqrt(norm[product] * norm[other])) * count) / (count + SHRINKAGE);
    });
    table.setRow(product, sums, perProduct);
  }
  return table.build();
}

/**
 * Sequential rules (Ludewig and Jannach 2018): what came after a product in the same session, each
 * step further counting 1/distance, as a share of the product's occurrences.
 */
export function sessionNeighbours(
  walks: readonly (readonly number[])[],
  productCount: number,
  perProduct: number,
): Neighbours {
  const inverted = invert(walks, productCount);
  const sums = new Sums(productCount);
  const table = new NeighbourTable(productCount);
  for (let product = 0; product < productCount; product++) {
    sums.reset();
    const from = inverted.offsets[product];
    const to = inverted.offsets[product + 1];
    for (let at = from; at < to; at++) {
      const walk = walks[inverted.list[at]];
      const start = inverted.position[at];
      const end = Math.min(walk.length - 1, start + LOOK_AHEAD);
      for (let p = start + 1; p <= end; p++) {
        if (walk[p] !== product) sums.add(walk[p], 1 / (p - start));
      }
    }
    sums.rescale((_, sum) => sum / (to - from + SESSION_SHRINKAGE));
    table.setRow(product, sums, perProduct);
  }
  return table.build();
}
