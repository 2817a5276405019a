/** What became of each candidate of one decision. */
import type { OfferTrace } from "./decide-for.js";

export interface Fate {
  /** Position in the candidate set. */
  readonly i: number;
  readonly product: string;
  /** Why it is not shown; null: it is. */
  readonly code: string | null;
}

export function fatesOf({ snapshot, set, suggestions, doNotSell, unreached }: OfferTrace): Fate[] {
  const kept = new Set(suggestions.map((suggestion) => suggestion.product?.id));
  const barred = new Set(unreached);
  const codeOf = (i: number): string => {
    if (!barred.has(i)) return "ranked_below_limit";
    return doNotSell?.code ?? "channel_not_worth_cost";
  };
  return Array.from({ length: set.count }, (_, i) => {
    const { id } = snapshot.products[set.product[i]!]!;
    return { i, product: id, code: kept.has(id) ? null : codeOf(i) };
  });
}
