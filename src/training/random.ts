/** Repeatable randomness for splits, folds and bootstraps. Not for anything secret. */

/**
 * Uniform numbers in [0, 1) from a 32-bit seed: mulberry32 (Tommy Ettinger, public domain), which
 * passes gjrand and is far longer-lived than what a data set draws.
 */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Fisher–Yates, in place; returns the same array. */
export function shuffle<T extends Uint32Array | number[]>(values: T, random: () => number): T {
  for (let last = values.length - 1; last > 0; last--) {
    const pick = Math.floor(random() * (last + 1));
    [values[last], values[pick]] = [values[pick], values[last]];
  }
  return values;
}

/**
 * Stratified folds: a fold number in [0, folds) for each row, so that every class is spread evenly.
 * `classes` holds one small integer a row.
 */
export function stratifiedFolds(
  classes: ArrayLike<number>,
  folds: number,
  seed: number,
): Uint8Array {
  const random = seededRandom(seed);
  const order = shuffle(
    Uint32Array.from({ length: classes.length }, (_, row) => row),
    random,
  );
  const dealt = new Map<number, number>();
  const result = new Uint8Array(classes.length);
  for (const row of order) {
    const next = dealt.get(classes[row]) ?? 0;
    result[row] = next % folds;
    dealt.set(classes[row], next + 1);
  }
  return result;
}
