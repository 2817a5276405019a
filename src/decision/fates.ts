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
  const barred = unreached.length === 0 ? null : new Set(unreached);
  const barCode = doNotSell?.code ?? "channel_not_worth_cost";
  const fates: Fate[] = [];
  for (let i = 0; i < set.count; i++) {
    const { id } = snapshot.products[set.product[i]!]!;
    const why = barred?.has(i) === true ? barCode : "ranked_below_limit";
    fates.push({ i, product: id, code: kept.has(id) ? null : why });
  }
  return fates;
}
