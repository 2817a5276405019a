/** Waits a little, by chance, before another try at what others keep changing. */

const LONGEST_MS = 64;

/** `round` counts from 0: the first tries go at once, later ones spread over up to 64 ms. */
export async function backOff(round: number): Promise<void> {
  if (round <= 1) return;
  const delayMs = Math.random() * Math.min(2 ** round, LONGEST_MS);
  await new Promise((resolve) => setTimeout(resolve, delayMs));
}
