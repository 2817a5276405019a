/** `explain: true`: every candidate and its fate, and the feature vector the scores came from. */
import { SOURCE_NAMES } from "../candidates/source.js";
import type { RecommendationResponse } from "./answer.js";
import type { DecidingDependencies, OfferTrace } from "./decide-for.js";
import { fatesOf } from "./fates.js";
import { hydrateRows } from "./member-scores.js";

type Explanation = NonNullable<RecommendationResponse["explanation"]>;

export function explain(
  trace: OfferTrace,
  now: number,
  dependencies: DecidingDependencies,
): Explanation {
  const { personal, set, margins } = trace;
  const candidates = fatesOf(trace).map(({ i, product, code }) => ({
    product,
    sources: sourcesOf(set.sources[i]!),
    fate: code === null ? ("kept" as const) : ("removed" as const),
    stage: "arbitrate",
    code,
    margin: margins?.[i] ?? null,
  }));
  if (personal === null) return { candidates, features: {} };
  const row = hydrateRows([personal], now, dependencies);
  const features = Object.fromEntries(
    dependencies.schema.names.map((name, i) => [name, Number.isNaN(row[i]!) ? null : row[i]!]),
  );
  return { candidates, features };
}

/** Names of the sources in a candidate's mask. */
export const sourcesOf = (mask: number): string[] =>
  SOURCE_NAMES.filter((_, bit) => mask & (1 << bit));
