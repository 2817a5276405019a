/**
 * Sends `total` requests evenly spaced, `rate` a second, whether or not earlier ones were answered, and
 * waits for all of them. Returns how late each was sent, in milliseconds.
 */
export async function sendEvenly(
  total: number,
  rate: number,
  send: () => Promise<void>,
): Promise<number[]> {
  const late: number[] = [];
  const pending: Promise<void>[] = [];
  const begun = performance.now();
  for (let sent = 0; sent < total; ) {
    const due = begun + (sent * 1000) / rate;
    const now = performance.now();
    if (due > now) {
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, due - now - 0.5)));
      continue;
    }
    late.push(now - due);
    pending.push(send());
    // Answers are read also while the sender is behind.
    if (++sent % 16 === 0) await new Promise(setImmediate);
  }
  await Promise.all(pending);
  return late;
}

/** The value below which `share` of the values lie; NaN of none. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}
