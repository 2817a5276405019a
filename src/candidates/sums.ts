/** Sparse sums over a dense range, cleared by what was touched, with the largest ones on demand. */

/** A sum's rank as one number: the bits of its float, which order as positive floats do, above its key. */
const KEYS = 2 ** 22;
const FLOAT = new Float32Array(1);
const BITS = new Uint32Array(FLOAT.buffer);

function rankOf(key: number, sum: number): number {
  FLOAT[0] = sum;
  return BITS[0] * KEYS + (KEYS - 1 - key);
}

export class Sums {
  #value: Float32Array;
  /** Largest single amount of each sum. */
  #peak: Float32Array;
  #touched: Int32Array;
  #count = 0;
  /** Ranks of the largest so far, the least of them on top. */
  #heap = new Float64Array(0);

  constructor(size: number) {
    this.#value = new Float32Array(size);
    this.#peak = new Float32Array(size);
    this.#touched = new Int32Array(size);
  }

  /** Clears, and makes room for keys below `size`. */
  reset(size = this.#value.length): void {
    const [value, touched, count] = [this.#value, this.#touched, this.#count];
    // Where a good part was touched, clearing everything is quicker than finding what was.
    if (count * 8 > value.length) value.fill(0);
    else for (let i = 0; i < count; i++) value[touched[i]] = 0;
    this.#count = 0;
    if (size > this.#value.length) {
      this.#value = new Float32Array(size);
      this.#peak = new Float32Array(size);
      this.#touched = new Int32Array(size);
    }
  }

  /** `amount` > 0; `single` is what `peak` keeps the largest of. */
  add(key: number, amount: number, single = amount): void {
    const before = this.#value[key];
    if (before === 0) {
      this.#touched[this.#count++] = key;
      this.#peak[key] = single;
    } else if (single > this.#peak[key]) this.#peak[key] = single;
    this.#value[key] = before + amount;
  }

  get(key: number): number {
    return this.#value[key];
  }

  peak(key: number): number {
    return this.#value[key] === 0 ? 0 : this.#peak[key];
  }

  rescale(change: (key: number, sum: number) => number): void {
    for (let i = 0; i < this.#count; i++) {
      const key = this.#touched[i];
      this.#value[key] = change(key, this.#value[key]);
    }
  }

  /** Keys of the `limit` largest sums, largest first, ties by key; keys below 4 million. */
  top(limit: number): number[] {
    if (this.#heap.length < limit) this.#heap = new Float64Array(limit);
    const [heap, value, touched] = [this.#heap, this.#value, this.#touched];
    let size = 0;
    for (let i = 0; i < this.#count; i++) {
      const key = touched[i];
      const rank = rankOf(key, value[key]);
      if (size < limit) {
        heap[size++] = rank;
        if (size === limit) for (let p = (limit >> 1) - 1; p >= 0; p--) sink(heap, size, p);
      } else if (limit > 0 && rank > heap[0]) {
        heap[0] = rank;
        sink(heap, size, 0);
      }
    }
    // Sorting plain numbers is several times faster than calling a comparator.
    heap.subarray(0, size).sort();
    const keys: number[] = [];
    for (let i = size - 1; i >= 0; i--) keys.push(KEYS - 1 - (heap[i] % KEYS));
    return keys;
  }
}

/** Moves the rank at `start` down to its place among the `size` first. */
function sink(heap: Float64Array, size: number, start: number): void {
  const rank = heap[start];
  let parent = start;
  for (;;) {
    let child = 2 * parent + 1;
    if (child >= size) break;
    if (child + 1 < size && heap[child + 1] < heap[child]) child++;
    if (heap[child] >= rank) break;
    heap[parent] = heap[child];
    parent = child;
  }
  heap[parent] = rank;
}
