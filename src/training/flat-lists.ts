/** Lists and texts by number, flat: millions of them without an object each. */
import { Grow } from "../candidates/grow.js";

export { Grow };

/** Lists of numbers up to 2³²−1 behind one another. */
export class FlatLists {
  readonly values = new Grow(Uint32Array);
  readonly #ends = new Grow(Uint32Array);

  push(value: number): void {
    this.values.push(value);
  }

  /** Ends the list under way; it may be empty. */
  end(): void {
    this.#ends.push(this.values.length);
  }

  get count(): number {
    return this.#ends.length;
  }

  /** Where a list stands in `values`: [from, to). */
  range(list: number): [from: number, to: number] {
    return [list === 0 ? 0 : this.#ends.array[list - 1], this.#ends.array[list]];
  }
}

/** Texts numbered by first appearance. */
export class Numbered {
  readonly names: string[] = [];
  readonly #numbers = new Map<string, number>();

  of(name: string): number {
    const known = this.#numbers.get(name);
    if (known !== undefined) return known;
    this.#numbers.set(name, this.names.length);
    return this.names.push(name) - 1;
  }
}
