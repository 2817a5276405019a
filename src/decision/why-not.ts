/** "Why not product X?": the fate of one product in one decision, computed again. */

import { z } from "zod";
import { generateCandidates } from "../candidates/generate.js";
import type { CandidateRequest } from "../candidates/source.js";
import { type CatalogSnapshot, inSeason, inStock } from "../catalog/snapshot.js";
import type { Decided } from "./decide-for.js";
import { sourcesOf } from "./explain.js";
import { type FateCode, fateText, isFateCode } from "./fate-texts.js";
import { fatesOf } from "./fates.js";
import type { DecisionRecord } from "./record.js";
import { decideAgain, type ReplayDependencies } from "./replay.js";
import { type Language, languageOf } from "./script.js";

export const productFateSchema = z.object({
  product: z.string(),
  fate: z.enum(["shown", "ranked_below", "removed", "not_a_candidate"]),
  code: z.string().nullable().describe("Which guard, rule or step said no; null: it was shown."),
  text: z.string(),
  /** Who proposed it. */
  sources: z.array(z.string()),
  place: z.number().int().nullable().describe("Among all candidates that could be shown, from 1."),
  margin: z.number().nullable().describe("The ranker's."),
  expectedValue: z.number().nullable(),
  lastShown: z
    .object({ product: z.string(), expectedValue: z.number().nullable() })
    .nullable()
    .describe("What it would have had to beat."),
});
export type ProductFate = z.infer<typeof productFateSchema>;

/** More than there are candidates: everything that could be shown, in its order. */
const EVERYTHING = 1000;
/** Looked through for a product that some source proposed but the candidates had no room for. */
const PROPOSED_MAX = 2000;

/** @throws `replay_unavailable`, `store_unavailable` */
export async function whyNot(
  record: DecisionRecord,
  product: string,
  dependencies: ReplayDependencies,
): Promise<ProductFate> {
  const decided = await decideAgain(record, dependencies, EVERYTHING);
  const fate = { product, sources: [], place: null, margin: null };
  const none = { ...fate, expectedValue: null, lastShown: null };
  const { trace } = decided;
  const language = languageOf(record.counted?.locale, dependencies.config.locale);
  if (trace === null) {
    const { code, text } = decided.answer.doNotSell ?? { code: "not_selling", text: "" };
    return { ...none, fate: "removed", code, text };
  }
  const candidate = fatesOf(trace).find((one) => one.product === product);
  if (candidate === undefined) {
    return {
      ...none,
      fate: "not_a_candidate",
      ...whyNoCandidate(trace, product, record, language),
    };
  }
  const common = {
    product,
    sources: sourcesOf(trace.set.sources[candidate.i]!),
    margin: trace.margins?.[candidate.i] ?? null,
  };
  return candidate.code === null
    ? { ...common, ...placeOf(decided, product, record, language) }
    : {
        ...common,
        fate: "removed",
        code: candidate.code,
        text: isFateCode(candidate.code)
          ? fateText(candidate.code, language)
          : (decided.answer.doNotSell?.text ?? candidate.code),
        place: null,
        expectedValue: null,
        lastShown: null,
      };
}

type Placed = Pick<ProductFate, "fate" | "code" | "text" | "place" | "expectedValue" | "lastShown">;

/** Everything could be shown: `decided` holds all of it in order, `record` what was. */
function placeOf(
  { answer }: Decided,
  product: string,
  { shown }: DecisionRecord,
  language: Language,
): Placed {
  const at = answer.suggestions.findIndex((one) => one.product?.id === product);
  const last = answer.suggestions[Math.min(shown.length, answer.suggestions.length) - 1];
  const expectedValue = answer.suggestions[at]?.expectedValue ?? null;
  const place = at + 1;
  if (shown.some((one) => one.product === product)) {
    const text = fateText("shown", language, { place });
    return { fate: "shown", code: null, text, place, expectedValue, lastShown: null };
  }
  return {
    fate: "ranked_below",
    code: "ranked_below_limit",
    text: fateText("ranked_below_limit", language, { place, shown: shown.length }),
    place,
    expectedValue,
    lastShown:
      last?.product == null
        ? null
        : { product: last.product.id, expectedValue: last.expectedValue ?? null },
  };
}

type Trace = NonNullable<Decided["trace"]>;

function whyNoCandidate(
  { snapshot, request, artifacts }: Trace,
  product: string,
  { verdict, request: { exclude: asked = [] } }: DecisionRecord,
  language: Language,
): { code: FateCode; text: string; sources: string[] } {
  const none = (code: FateCode) => ({ code, text: fateText(code, language), sources: [] });
  if (verdict.barredOffers.includes(product)) return none("offer_barred");
  const index = snapshot.indexOf.get(product);
  const code = index === undefined ? "product_unknown" : barOf(snapshot, request, index, asked);
  if (code !== null) return none(code);
  const all = generateCandidates(request, artifacts, snapshot, PROPOSED_MAX);
  const at = all.product.indexOf(index!);
  if (at < 0) return none("not_proposed");
  return {
    code: "beyond_candidates",
    text: fateText("beyond_candidates", language, { place: at + 1 }),
    sources: sourcesOf(all.sources[at]!),
  };
}

function barOf(
  snapshot: CatalogSnapshot,
  request: CandidateRequest,
  index: number,
  asked: readonly string[],
): FateCode | null {
  if (request.cart.includes(index)) return "in_cart";
  if (asked.includes(snapshot.products[index]!.id)) return "excluded_by_request";
  if (request.exclude.has(index)) return "bought_lately";
  if (snapshot.offerable[index] !== 1) return "not_on_offer";
  if (!inStock(snapshot, index)) return "out_of_stock";
  return inSeason(snapshot, index, request.history.now) ? null : "out_of_season";
}
