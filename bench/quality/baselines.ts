/** What every model is measured against, and how a lead over it is told. */

/** Name of the largest; every metric of the summary grows with quality. */
export const bestOf = (baselines: Readonly<Record<string, number>>): string =>
  Object.entries(baselines).reduce((best, one) => (one[1] > best[1] ? one : best))[0];
