/** `explain: true`: every candidate and its fate, and the feature vector the scores came from. */
import { SOURCE_NAMES } from "../candidates/source.js";
import type { RecommendationResponse } from "./answer.js";
import type { DecidingDependencies, OfferTrace } from "./decide-for.js";
import { hydrateRows } from "./member-scores.js";

type Explanation = NonNullable<RecommendationResponse["explanation"]>;

export function explain(
  { personal: facts, snapshot, set, margins, suggestions, doNotSell, unreached }: OfferTrace,
  now: number,
  dependencies: DecidingDependencies,
): Explanation {
  const kept = new Set(suggestions.map((suggestion) => suggestion.product?.id));
  const barred = new Set(unreached);
  const codeOf = (i: number): string => {
    if (!barred.has(i)) return "ranked_below_limit";
    return doNotSell?.code ?? "channel_not_worth_cost";
  };
  const candidates = Array.from({ length: set.count }, (_, i) => {
    const { id } = snapshot.products[set.product[i]!]!;
    const mask = set.sources[i]!;
    return {
      product: id,
      sources: SOURCE_NAMES.filter((_, bit) => mask & (1 << bit)),
      fate: kept.has(id) ? ("kept" as const) : ("removed" as const),
      stage: "arbitrate",
      code: kept.has(id) ? null : codeOf(i),
      margin: margins?.[i] ?? null,
    };
  });
  if (facts === null) return { candidates, features: {} };
  const row = hydrateRows([facts], now, dependencies);
  const features = Object.fromEntries(
    dependencies.schema.names.map((name, i) => [name, Number.isNaN(row[i]!) ? null : row[i]!]),
  );
  return { candidates, features };
}
