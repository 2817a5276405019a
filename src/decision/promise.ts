/**
 * What an answer promises is committed before it leaves: the price and coupon of each product shown,
 * and the answer itself where it belongs to a call.
 */
import type { CatalogSnapshot } from "../catalog/snapshot.js";
import type { Config } from "../config.js";
import type { HoldResult, OfferStore } from "../members/offer-store.js";
import {
  decodeOffers,
  encodeOffers,
  type HeldOffer,
  OFFERS_HELD_MAX,
} from "../members/sticky-offers.js";
import { toStoreError, withDeadline } from "../redis/clients.js";
import type { RecommendationResponse } from "./answer.js";
import type { Decided } from "./decide-for.js";
import type { Open } from "./gather.js";

export type Promised =
  | Exclude<HoldResult, { status: "kept" }>
  /** The call was answered before. */
  | { readonly status: "kept"; readonly answer: RecommendationResponse }
  /** Nothing could be committed. */
  | { readonly status: "failed" };

export interface PromiseDependencies {
  readonly config: Config;
  readonly offers: Pick<OfferStore, "hold">;
}

const HOUR_MS = 3_600_000;

/** Writes nothing where nothing is new. */
export async function promise(
  open: Open,
  decided: Decided,
  { config, offers }: PromiseDependencies,
): Promise<Promised> {
  const { id, holder, situation } = open;
  const { facts, request, now } = situation;
  const fresh = freshOffers(open, decided, config.offers.holdHours * HOUR_MS);
  const callId = request.context?.callId ?? null;
  if (fresh.length === 0 && callId === null) return { status: "ok" };
  const read = facts?.offers ?? null;
  const still = decodeOffers(read).filter(({ until }) => now < until);
  const hold = {
    holder,
    known: facts !== null,
    read,
    offers: fresh.length === 0 ? null : encodeOffers([...still, ...fresh]),
    call: callId === null ? null : { id: callId, answer: textOf(id, decided) },
  };
  try {
    const result = await withDeadline(offers.hold(hold), Math.max(1, situation.timeLeftMs()));
    if (result.status !== "kept") return result;
    return { status: "kept", answer: JSON.parse(result.answer) as RecommendationResponse };
  } catch (error) {
    const failure = toStoreError(error);
    if (failure.status >= 500 && failure.code !== "internal") return { status: "failed" };
    throw failure;
  }
}

/** An explanation is not kept: it is asked for again by the decision's id. */
function textOf(decisionId: string, { answer }: Decided): string {
  const { explanation, ...kept } = answer;
  return JSON.stringify({ decisionId, ...kept, tookMs: 0 });
}

/** What the answer shows of products that nothing holds for yet. */
function freshOffers(
  { id, situation }: Open,
  { answer, trace }: Decided,
  holdMs: number,
): HeldOffer[] {
  const { held, now } = situation;
  // Of a stranger, and of somebody who wants no personal offers, nothing is remembered.
  if (trace === null || trace.personal === null) return [];
  const fresh: HeldOffer[] = [];
  for (const { product, coupon } of answer.suggestions) {
    if (product === null || product.price === null || held.has(product.id)) continue;
    const until = Math.min(now + holdMs, endOf(trace.snapshot, coupon?.id));
    const { id: name, price } = product;
    fresh.push({ product: name, price, coupon: coupon?.id ?? null, until, decision: id });
  }
  return fresh.slice(0, OFFERS_HELD_MAX);
}

/** Epoch milliseconds: a coupon is not promised beyond its own end. */
function endOf(snapshot: CatalogSnapshot, coupon: string | undefined): number {
  const until = snapshot.coupons.find(({ id }) => id === coupon)?.validUntil;
  return coupon === undefined || until === undefined ? Number.POSITIVE_INFINITY : Date.parse(until);
}
