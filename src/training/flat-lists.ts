/** Growing flat arrays: millions of numbers without an object each. */

type NumberArray = Float64Array | Float32Array | Uint32Array | Uint8Array;

/** A typed array that doubles when it is full. */
export class Grow<T extends NumberArray> {
  array: T;
  length = 0;
  readonly #kind: new (
    length: number,
  ) => T;

  constructor(kind: new (length: number) => T, capacity = 1024) {
    this.#kind = kind;
    this.array = new kind(capacity);
  }

  push(value: number): void {
    if (this.length === this.array.length) {
      const grown = new this.#kind(this.array.length * 2);
      grown.set(this.array);
      this.array = grown;
    }
    this.array[this.length++] = value;
  }
}

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
