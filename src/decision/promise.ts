/**
 * What an answer promises is committed before it leaves: the place for the contact it advises, one of
 * each limited coupon it shows, the price and coupon of each product, and the answer itself where it
 * belongs to a call. All of it or nothing: what was taken for an answer that does not leave is given
 * back, and what cannot be given back ends by itself.
 */
import type { CatalogSnapshot } from "../catalog/snapshot.js";
import type { Config } from "../config.js";
import { isCuecardError } from "../errors.js";
import type { HoldResult, OfferStore } from "../members/offer-store.js";
import {
  decodeOffers,
  encodeOffers,
  type HeldOffer,
  OFFERS_HELD_MAX,
} from "../members/sticky-offers.js";
import { toStoreError, withDeadline } from "../redis/clients.js";
import type { ContactPlace, RecommendationResponse } from "./answer.js";
import { validityOf } from "./coupon.js";
import type { Decided } from "./decide-for.js";
import type { Open } from "./gather.js";
import { type IssueDependencies, issueCoupons, type Spent } from "./issue-coupons.js";
import {
  type NoPlace,
  type ReserveDependencies,
  reservePlace,
  wantsPlace,
} from "./reserve-place.js";
import { Taken } from "./taken.js";

export type Promised =
  | { readonly status: "ok"; readonly contact: ContactPlace | null }
  | Exclude<HoldResult, { status: "kept" | "ok" }>
  | NoPlace
  | Spent
  /** The call was answered before. */
  | { readonly status: "kept"; readonly answer: RecommendationResponse }
  /** Nothing could be committed. */
  | { readonly status: "failed" };

export interface PromiseDependencies extends ReserveDependencies, IssueDependencies {
  readonly config: Config;
  readonly offers: Pick<OfferStore, "hold">;
}

const HOUR_MS = 3_600_000;
const NOTHING: Promised = { status: "ok", contact: null };

/** Writes nothing where nothing is new, on a dry run, and while the store is out of reach. */
export async function promise(
  open: Open,
  decided: Decided,
  dependencies: PromiseDependencies,
): Promise<Promised> {
  const { situation, dryRun } = open;
  if (dryRun || !situation.storeUp) return NOTHING;
  const taken = new Taken(situation.timeLeftMs);
  try {
    const promised = await take(open, decided, taken, dependencies);
    if (promised.status !== "ok") await taken.giveBack();
    return promised;
  } catch (error) {
    await taken.giveBack();
    const failure = isCuecardError(error) ? error : toStoreError(error);
    if (failure.status >= 500 && failure.code !== "internal") return { status: "failed" };
    throw failure;
  }
}

/** The offers last: they are one step with the call's answer, and nothing takes them back. */
async function take(
  open: Open,
  decided: Decided,
  taken: Taken,
  dependencies: PromiseDependencies,
): Promise<Promised> {
  let contact: ContactPlace | null = null;
  if (wantsPlace(open, decided)) {
    const place = await reservePlace(open, decided, taken, dependencies);
    if (place.status !== "ok") return place;
    contact = place.contact;
  }
  if (!open.situation.canHold) return contact === null ? NOTHING : { status: "ok", contact };
  const fresh = freshOffers(open, decided, dependencies.config.offers.holdHours * HOUR_MS);
  const spent = await issueCoupons(open, decided, fresh, taken, dependencies);
  return spent ?? hold(open, decided, contact, fresh, dependencies);
}

async function hold(
  open: Open,
  decided: Decided,
  contact: ContactPlace | null,
  fresh: readonly HeldOffer[],
  { offers }: PromiseDependencies,
): Promise<Promised> {
  const { holder, situation } = open;
  const { facts, request, now } = situation;
  const callId = request.context?.callId ?? null;
  if (fresh.length > 0 || callId !== null) {
    const read = facts?.offers ?? null;
    const still = decodeOffers(read).filter(({ until }) => now < until);
    const holding = offers.hold({
      holder,
      known: facts !== null,
      read,
      offers: fresh.length === 0 ? null : encodeOffers([...still, ...fresh]),
      call: callId === null ? null : { id: callId, answer: textOf(open.id, decided, contact) },
    });
    const result = await withDeadline(holding, Math.max(1, situation.timeLeftMs()));
    if (result.status === "kept") {
      return { status: "kept", answer: JSON.parse(result.answer) as RecommendationResponse };
    }
    if (result.status !== "ok") return result;
  }
  return contact === null ? NOTHING : { status: "ok", contact };
}

/** An explanation is not kept: it is asked for again by the decision's id. */
function textOf(decisionId: string, { answer }: Decided, contact: ContactPlace | null): string {
  const { explanation, ...kept } = answer;
  return JSON.stringify({ decisionId, ...kept, ...withContact(contact), tookMs: 0 });
}

/** The part of an answer that tells of the place reserved for it. */
export const withContact = (
  contact: ContactPlace | null,
): Pick<RecommendationResponse, "contact"> => (contact === null ? {} : { contact });

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
  if (coupon === undefined) return Number.POSITIVE_INFINITY;
  const found = snapshot.coupons.find(({ id }) => id === coupon);
  return found === undefined ? Number.POSITIVE_INFINITY : validityOf(found).until;
}
