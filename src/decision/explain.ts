/**
 * `explain: true`: every candidate and its fate, the features the models saw, and what each of them
 * did to the scores. Exact SHAP takes about 2 ms a row, so only what is shown gets it.
 */
import {
  CANDIDATE_FEATURES,
  CART_FEATURES,
  candidateFeatures,
  HISTORY_FEATURES,
} from "../candidates/features.js";
import { SOURCE_NAMES } from "../candidates/source.js";
import { contributionsOf, type Explainer } from "../scoring/explainer.js";
import type { ModelSlot } from "../scoring/model-slot.js";
import type { RecommendationResponse } from "./answer.js";
import type { DecidingDependencies, OfferTrace } from "./decide-for.js";
import { fatesOf } from "./fates.js";
import { featureWords } from "./feature-words.js";
import { HEADS, hydrateRows } from "./member-scores.js";
import type { Language } from "./script.js";

type Explanation = NonNullable<RecommendationResponse["explanation"]>;

/** `models`: the versions that decided. */
export function explain(
  trace: OfferTrace,
  models: RecommendationResponse["models"],
  now: number,
  language: Language,
  dependencies: DecidingDependencies,
): Explanation {
  const { personal, set, margins } = trace;
  const width = CANDIDATE_FEATURES.length;
  const rows = new Float32Array(set.count * width);
  candidateFeatures(set, trace.request, trace.artifacts, trace.snapshot, rows);
  const ranker = explainerOf(dependencies.ranker, models.ranker);
  const unknown = unknownOf(trace);
  const candidates = fatesOf(trace).map(({ i, product, code }) => {
    const row = rows.subarray(i * width, (i + 1) * width);
    const isTold = code === null && ranker !== null;
    return {
      product,
      sources: sourcesOf(set.sources[i]!),
      fate: code === null ? ("kept" as const) : ("removed" as const),
      stage: "arbitrate",
      code,
      margin: margins?.[i] ?? null,
      features: without(unknown, valuesOf(CANDIDATE_FEATURES, row)),
      contributions: isTold
        ? together(unknown, contributionsOf(ranker, 0, row, CANDIDATE_FEATURES))
        : null,
    };
  });
  const told = candidates.map(({ contributions }) => contributions);
  if (personal === null) {
    return { candidates, features: {}, contributions: null, ...wordsFor(told, language) };
  }
  const { names } = dependencies.schema;
  const row = hydrateRows([personal], now, dependencies);
  const heads = explainerOf(dependencies.heads, models.heads);
  const contributions =
    heads === null
      ? null
      : Object.fromEntries(HEADS.map((head, i) => [head, contributionsOf(heads, i, row, names)]));
  const all = [...told, ...Object.values(contributions ?? {})];
  return { candidates, features: valuesOf(names, row), contributions, ...wordsFor(all, language) };
}

const NOTHING_UNKNOWN: ReadonlySet<string> = new Set();

/**
 * Columns that are empty because nobody's past went into the answer: to read of a stranger's taste,
 * even that it spoke against something, would be to read of what is not there.
 */
function unknownOf({ personal, request }: OfferTrace): ReadonlySet<string> {
  if (personal !== null) return NOTHING_UNKNOWN;
  return new Set([...HISTORY_FEATURES, ...(request.cart.length === 0 ? CART_FEATURES : [])]);
}

const without = <T>(unknown: ReadonlySet<string>, values: Record<string, T>): Record<string, T> =>
  unknown.size === 0
    ? values
    : Object.fromEntries(Object.entries(values).filter(([name]) => !unknown.has(name)));

/** What is unknown did its part too: told as one, so that the parts still add up to the margin. */
function together(
  unknown: ReadonlySet<string>,
  contributions: Record<string, number>,
): Record<string, number> {
  if (unknown.size === 0) return contributions;
  const parts = Object.entries(contributions).filter(([name]) => unknown.has(name));
  const noHistory = parts.reduce((sum, [, value]) => sum + value, 0);
  return { ...without(unknown, contributions), no_history: noHistory };
}

type Contributions = Record<string, number> | null;

/** Words of the features that did anything; no `words` where nothing is told of any. */
function wordsFor(all: readonly Contributions[], language: Language): Pick<Explanation, "words"> {
  const names = new Set(all.flatMap((one) => Object.keys(one ?? {})));
  const words = [...names].flatMap((name) => {
    const said = featureWords(name, language);
    return said === undefined ? [] : [[name, said] as const];
  });
  return words.length === 0 ? {} : { words: Object.fromEntries(words) };
}

/** Of that very version; null when another took over since, or it cannot tell. */
function explainerOf(model: Pick<ModelSlot, "lease">, version: string | null): Explainer | null {
  if (version === null) return null;
  const lease = model.lease();
  const explainer = lease?.manifest.version === version ? lease.explainer() : null;
  lease?.release();
  return explainer;
}

const valuesOf = (names: readonly string[], row: Float32Array): Record<string, number | null> =>
  Object.fromEntries(names.map((name, i) => [name, Number.isNaN(row[i]!) ? null : row[i]!]));

/** Names of the sources in a candidate's mask. */
export const sourcesOf = (mask: number): string[] =>
  SOURCE_NAMES.filter((_, bit) => mask & (1 << bit));
