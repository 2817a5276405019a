/**
 * A map key → index that the next version extends without copying: versions share one Map, and each
 * sees only the indices below its own size. (Copying two maps of 100,000 takes 65 ms.)
 */
export class GrowingIndex<Key> implements ReadonlyMap<Key, number> {
  readonly size: number;
  readonly #shared: Map<Key, number>;

  private constructor(shared: Map<Key, number>) {
    this.#shared = shared;
    this.size = shared.size;
  }

  /** Key at position i gets index i. @throws when a key stands twice */
  static of<Key>(keys: Iterable<Key>): GrowingIndex<Key> {
    const shared = new Map<Key, number>();
    let index = 0;
    for (const key of keys) shared.set(key, index++);
    if (shared.size !== index) throw new Error("two products share an id or a fingerprint");
    return new GrowingIndex(shared);
  }

  /** This version with `keys` (all of them new) at the end. */
  extended(keys: readonly Key[]): GrowingIndex<Key> {
    // Somebody else extended this version already: the two futures must not see each other's keys.
    const shared = this.#shared.size === this.size ? this.#shared : new Map(this);
    for (const key of keys) shared.set(key, shared.size);
    return new GrowingIndex(shared);
  }

  get(key: Key): number | undefined {
    const index = this.#shared.get(key);
    return index !== undefined && index < this.size ? index : undefined;
  }

  has(key: Key): boolean {
    return this.get(key) !== undefined;
  }

  forEach(callback: (value: number, key: Key, map: ReadonlyMap<Key, number>) => void): void {
    for (const [key, index] of this) callback(index, key, this);
  }

  *entries(): MapIterator<[Key, number]> {
    for (const entry of this.#shared) if (entry[1] < this.size) yield entry;
  }

  *keys(): MapIterator<Key> {
    for (const [key] of this.entries()) yield key;
  }

  *values(): MapIterator<number> {
    for (const [, index] of this.entries()) yield index;
  }

  [Symbol.iterator](): MapIterator<[Key, number]> {
    return this.entries();
  }
}
