/** What became of each candidate of one decision. */
import type { OfferTrace } from "./decide-for.js";

export interface Fate {
  /** Position in the candidate set. */
  readonly i: number;
  readonly product: string;
  /** Why it is not shown; null: it is. */
  readonly code: string | null;
}

export function fatesOf(trace: OfferTrace): Fate[] {
  const { snapshot, set } = trace;
  return fateCodesOf(trace).map((code, i) => ({
    i,
    product: snapshot.products[set.product[i]!]!.id,
    code,
  }));
}

/** Of each candidate why it is not shown; null: it is. */
export function fateCodesOf({
  snapshot,
  set,
  suggestions,
  doNotSell,
  unreached,
}: OfferTrace): (string | null)[] {
  const codes = new Array<string | null>(set.count).fill("ranked_below_limit");
  for (const i of unreached) codes[i] = doNotSell?.code ?? "channel_not_worth_cost";
  for (const { product } of suggestions) {
    const at = set.product.indexOf(snapshot.indexOf.get(product?.id ?? "") ?? -1);
    if (at >= 0 && at < set.count) codes[at] = null;
  }
  return codes;
}
