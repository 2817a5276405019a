/** Sparse sums over a dense range, cleared by what was touched, with the largest ones on demand. */
export class Sums {
  #value: Float32Array;
  /** Largest single amount of each sum. */
  #peak: Float32Array;
  #touched: Int32Array;
  #count = 0;
  readonly #heap: number[] = [];

  constructor(size: number) {
    this.#value = new Float32Array(size);
    this.#peak = new Float32Array(size);
    this.#touched = new Int32Array(size);
  }

  /** Clears, and makes room for keys below `size`. */
  reset(size = this.#value.length): void {
    for (let i = 0; i < this.#count; i++) this.#value[this.#touched[i]] = 0;
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

  /** Keys of the `limit` largest sums, largest first, ties by key. Valid until the next call. */
  top(limit: number): readonly number[] {
    const heap = this.#heap;
    heap.length = 0;
    for (let i = 0; i < this.#count; i++) {
      const key = this.#touched[i];
      if (heap.length < limit) {
        heap.push(key);
        if (heap.length === limit) for (let p = (limit >> 1) - 1; p >= 0; p--) this.#sink(p);
      } else if (limit > 0 && this.#less(heap[0], key)) {
        heap[0] = key;
        this.#sink(0);
      }
    }
    return heap.sort((a, b) => this.#value[b] - this.#value[a] || a - b);
  }

  #less(a: number, b: number): boolean {
    const difference = this.#value[a] - this.#value[b];
    return difference < 0 || (difference === 0 && a > b);
  }

  #sink(start: number): void {
    const heap = this.#heap;
    let parent = start;
    for (;;) {
      const left = 2 * parent + 1;
      let least = parent;
      if (left < heap.length && this.#less(heap[left], heap[least])) least = left;
      if (left + 1 < heap.length && this.#less(heap[left + 1], heap[least])) least = left + 1;
      if (least === parent) return;
      const key = heap[parent];
      heap[parent] = heap[least];
      heap[least] = key;
      parent = least;
    }
  }
}
