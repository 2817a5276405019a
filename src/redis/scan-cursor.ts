/** Cursors of SCAN as callers send them back: Redis refuses what does not fit into 64 bits. */

const LARGEST = 2n ** 64n - 1n;

export const isScanCursor = (text: string): boolean =>
  /^\d{1,20}$/.test(text) && BigInt(text) <= LARGEST;
