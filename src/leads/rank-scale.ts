/** Scores as the whole numbers dialers sort by. */

export const RANK_MAX = 99_999;

/**
 * A rank 0 … 99999 for each score (0 … 1), in the order given: about 99999 × score, and moved as
 * little as needed so that a higher score always has a higher rank. At most 100,000 distinct scores.
 */
export function ranksOf(scores: readonly number[]): number[] {
  const distinct = [...new Set(scores)].sort((a, b) => a - b);
  const ranks = distinct.map((score) => Math.round(Math.min(1, Math.max(0, score)) * RANK_MAX));
  for (let i = 1; i < ranks.length; i++) ranks[i] = Math.max(ranks[i]!, ranks[i - 1]! + 1);
  // Pushed beyond the top: back down from there.
  let most = RANK_MAX;
  for (let i = ranks.length - 1; i >= 0 && ranks[i]! > most; i--) ranks[i] = most--;
  const rankOf = new Map(distinct.map((score, i) => [score, ranks[i]!]));
  return scores.map((score) => rankOf.get(score)!);
}
