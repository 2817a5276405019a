/** Lists of products with times, for as many members or sessions as a log has: flat, 16 bytes an entry. */
import { Grow } from "./grow.js";

/** One list, oldest entry first. */
export interface TimedList {
  readonly products: Uint32Array;
  /** Epoch milliseconds of each. */
  readonly at: Float64Array;
}

export class TimedLists {
  readonly #list = new Grow(Uint32Array);
  readonly #product = new Grow(Uint32Array);
  readonly #at = new Grow(Float64Array);
  /** Lists numbered up to here, exclusive. */
  #lists = 0;

  /** Entries of a list come in any order; those of one time keep the order they came in. */
  add(list: number, product: number, at: number): void {
    this.#list.push(list);
    this.#product.push(product);
    this.#at.push(at);
    this.#lists = Math.max(this.#lists, list + 1);
  }

  /**
   * The lists that are not empty, each cut to its latest `entriesMax`: all of them by number, or,
   * where there are more than `listsMax`, so many by how late they end.
   */
  latest(listsMax: number, entriesMax: number): TimedList[] {
    const { offsets, products, at } = this.#sorted();
    const kept: number[] = [];
    for (let list = 0; list < this.#lists; list++) {
      if (offsets[list] < offsets[list + 1]) kept.push(list);
    }
    const endOf = (list: number): number => at[offsets[list + 1] - 1];
    if (kept.length > listsMax) kept.sort((a, b) => endOf(b) - endOf(a)).splice(listsMax);
    return kept.map((list) => {
      const to = offsets[list + 1];
      const from = Math.max(offsets[list], to - entriesMax);
      return { products: products.subarray(from, to), at: at.subarray(from, to) };
    });
  }

  /** Entries by list, then by time. */
  #sorted(): { offsets: Uint32Array; products: Uint32Array; at: Float64Array } {
    const length = this.#list.length;
    const offsets = new Uint32Array(this.#lists + 1);
    for (let i = 0; i < length; i++) offsets[this.#list.array[i] + 1]++;
    for (let list = 0; list < this.#lists; list++) offsets[list + 1] += offsets[list];
    const end = offsets.slice(0, this.#lists);
    const products = new Uint32Array(length);
    const at = new Float64Array(length);
    for (let i = 0; i < length; i++) {
      const list = this.#list.array[i];
      const time = this.#at.array[i];
      // Entries mostly come in order: the search for the place ends at once.
      let place = end[list]++;
      for (; place > offsets[list] && at[place - 1] > time; place--) {
        at[place] = at[place - 1];
        products[place] = products[place - 1];
      }
      at[place] = time;
      products[place] = this.#product.array[i];
    }
    return { offsets, products, at };
  }
}
