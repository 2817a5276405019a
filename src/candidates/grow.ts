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
