/** Waits a little, by chance, before another try at what others keep changing. */

/** `round` counts from 0; the first tries go at once, later ones up to 4 ms × round apart. */
export async function backOff(round: number): Promise<void> {
  if (round <= 2) return;
  await new Promise((resolve) => setTimeout(resolve, Math.random() * 4 * round));
}
