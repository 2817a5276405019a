/**
 * What an answer promises is committed before it leaves: the place for the contact it advises, one of
 * each limited coupon it shows, the price and coupon of each product, and the answer itself where it
 * belongs to a call. All of it or nothing: what was taken for an answer that does not leave is given
 * back, and what cannot be given back ends by itself.
 */
import { isLimited } from "../catalog/coupon-ledger.js";
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
import { toStoreError } from "../redis/clients.js";
import type { ContactPlace, RecommendationResponse } from "./answer.js";
import { validityOf } from "./coupon.js";
import type { Decided } from "./decide-for.js";
import type { Open } from "./gather.js";
import { type IssueDependencies, issueCoupons, type Spent } from "./issue-coupons.js";
import { keptText, mayRepeat, readKept } from "./kept-answer.js";
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
  snapshot(): CatalogSnapshot;
}

/** Told of an answer that was committed when another had left already: repeats of the call get it. */
export type OnLate = (open: Open, decided: Decided, contact: ContactPlace | null) => void;

const HOUR_MS = 3_600_000;
/** Answers of the same call that may not be repeated, one behind the other. */
const REPLACED_MAX = 4;

/** Writes nothing where nothing is new, on a dry run, and while the store is out of reach. */
export async function promise(
  open: Open,
  decided: Decided,
  dependencies: PromiseDependencies,
  onLate: OnLate,
): Promise<Promised> {
  const { situation, dryRun } = open;
  if (dryRun || !situation.storeUp) return { status: "ok", contact: null };
  const taken = new Taken(situation.timeLeftMs);
  try {
    const promised = await take(open, decided, taken, dependencies, onLate);
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
  onLate: OnLate,
): Promise<Promised> {
  let contact: ContactPlace | null = null;
  if (wantsPlace(open, decided)) {
    const place = await reservePlace(open, decided, taken, dependencies);
    if (place.status !== "ok") return place;
    contact = place.contact;
  }
  if (!open.situation.canHold) return { status: "ok", contact };
  const fresh = freshOffers(open, decided, dependencies.config.offers.holdHours * HOUR_MS);
  const spent = await issueCoupons(open, decided, fresh, taken, dependencies);
  return spent ?? hold(open, decided, contact, fresh, taken, dependencies, onLate);
}

async function hold(
  open: Open,
  decided: Decided,
  contact: ContactPlace | null,
  fresh: readonly HeldOffer[],
  taken: Taken,
  dependencies: PromiseDependencies,
  onLate: OnLate,
): Promise<Promised> {
  const { holder, situation } = open;
  const { facts, request, now } = situation;
  const callId = request.context?.callId ?? null;
  const { answer } = decided;
  const ok: Promised = { status: "ok", contact };
  if (fresh.length === 0 && callId === null) return ok;
  const read = facts?.offers ?? null;
  const still = decodeOffers(read).filter(({ until }) => now < until);
  const held = fresh.slice(0, OFFERS_HELD_MAX);
  const offers = fresh.length === 0 ? null : encodeOffers([...still, ...held]);
  const text = callId === null ? "" : keptText(open, decided, withContact(contact));
  const { rules } = dependencies;
  const { coupons } = decided.trace?.snapshot ?? dependencies.snapshot();
  let replaces: string | null = null;
  for (let round = 0; round < REPLACED_MAX; round++) {
    const call = callId === null ? null : { id: callId, answer: text, replaces };
    const holding = dependencies.offers.hold({ holder, known: facts !== null, read, offers, call });
    const late = (): void => onLate(open, decided, contact);
    const result = await taken.commit(holding, ({ status }) => status === "ok", late);
    if (result.status === "ok") return ok;
    if (result.status !== "kept") return result;
    const kept = readKept(result.answer);
    if (mayRepeat(kept, open, decided, { rules, coupons })) {
      const { name } = answer.member;
      const member = { ...kept.answer.member, name };
      return { status: "kept", answer: { ...kept.answer, member } };
    }
    replaces = kept.text;
  }
  return { status: "failed" };
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
  // There is room for so many; coupons that were issued for their offer come before others.
  const isLimitedOne = ({ coupon }: HeldOffer): boolean =>
    trace.snapshot.coupons.some((one) => one.id === coupon && isLimited(one));
  return [...fresh.filter(isLimitedOne), ...fresh.filter((one) => !isLimitedOne(one))];
}

/** Epoch milliseconds: a coupon is not promised beyond its own end. */
function endOf(snapshot: CatalogSnapshot, coupon: string | undefined): number {
  if (coupon === undefined) return Number.POSITIVE_INFINITY;
  const found = snapshot.coupons.find(({ id }) => id === coupon);
  return found === undefined ? Number.POSITIVE_INFINITY : validityOf(found).until;
}
