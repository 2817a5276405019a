/**
 * Offers that hold: what a member was shown is what the member is shown again, on every channel and
 * under every account, until the offer ends. Field `o` of the member's hash.
 *
 * Layout 1: version, decisions n, n × (length, ASCII), offers n, n × (product length u16, UTF-8, price
 * f64, coupon length u16 (0: none), UTF-8, until u48 epoch ms, decision u8), latest offer first.
 */
import { CuecardError } from "../errors.js";
import { placeOfDecision } from "./decision-id.js";

export interface HeldOffer {
  readonly product: string;
  /** Major unit. */
  readonly price: number;
  readonly coupon: string | null;
  /** Epoch milliseconds: from then on it does not hold. */
  readonly until: number;
  /** The decision that showed it first. */
  readonly decision: string;
}

/** The latest of them; an older one lapses. */
export const OFFERS_HELD_MAX = 16;

const LAYOUT = 1;

const shownAt = ({ decision }: HeldOffer): number => placeOfDecision(decision)?.at ?? 0;

const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** Latest first; total, so that whoever sorts gets one order. */
const latestFirst = (a: HeldOffer, b: HeldOffer): number =>
  shownAt(b) - shownAt(a) ||
  byText(a.decision, b.decision) ||
  byText(a.product, b.product) ||
  b.until - a.until ||
  a.price - b.price ||
  byText(a.coupon ?? "", b.coupon ?? "");

/** Of each product the latest, of all the latest OFFERS_HELD_MAX: a union that commutes. */
function latestOf(offers: readonly HeldOffer[]): HeldOffer[] {
  const products = new Set<string>();
  const latest: HeldOffer[] = [];
  for (const offer of [...offers].sort(latestFirst)) {
    if (products.has(offer.product)) continue;
    products.add(offer.product);
    latest.push(offer);
    if (latest.length === OFFERS_HELD_MAX) break;
  }
  return latest;
}

/** null: none. More than OFFERS_HELD_MAX: the latest stay. */
export function encodeOffers(given: readonly HeldOffer[]): Buffer | null {
  const offers = latestOf(given);
  if (offers.length === 0) return null;
  const decisions = [...new Set(offers.map(({ decision }) => decision))];
  const parts: Buffer[] = [Buffer.from([LAYOUT, decisions.length])];
  for (const decision of decisions) {
    const text = Buffer.from(decision, "latin1");
    parts.push(Buffer.from([text.length]), text);
  }
  parts.push(Buffer.from([offers.length]));
  for (const offer of offers) parts.push(packOffer(offer, decisions.indexOf(offer.decision)));
  return Buffer.concat(parts);
}

function packOffer({ product, price, coupon, until }: HeldOffer, decision: number): Buffer {
  const productLength = Buffer.byteLength(product);
  const couponLength = coupon === null ? 0 : Buffer.byteLength(coupon);
  const packed = Buffer.allocUnsafe(19 + productLength + couponLength);
  let at = packed.writeUInt16BE(productLength, 0);
  at += packed.write(product, at);
  at = packed.writeDoubleBE(price, at);
  at = packed.writeUInt16BE(couponLength, at);
  if (coupon !== null) at += packed.write(coupon, at);
  at = packed.writeUIntBE(until, at, 6);
  packed[at] = decision;
  return packed;
}

/** @throws `store_incompatible` when a newer server wrote them. */
export function decodeOffers(packed: Buffer | null): HeldOffer[] {
  if (packed === null || packed.length === 0) return [];
  if (packed[0] !== LAYOUT) {
    throw new CuecardError("store_incompatible", `offers of layout ${packed[0]}`);
  }
  const decisions: string[] = [];
  let at = 2;
  for (let i = 0; i < packed[1]!; i++) {
    const end = at + 1 + packed[at]!;
    decisions.push(packed.toString("latin1", at + 1, end));
    at = end;
  }
  const text = (): string => {
    const end = at + 2 + packed.readUInt16BE(at);
    const found = packed.toString("utf8", at + 2, end);
    at = end;
    return found;
  };
  const count = packed[at++]!;
  const offers: HeldOffer[] = [];
  for (let i = 0; i < count; i++) {
    const product = text();
    const price = packed.readDoubleBE(at);
    at += 8;
    const coupon = text();
    const until = packed.readUIntBE(at, 6);
    const decision = decisions[packed[at + 6]!]!;
    at += 7;
    offers.push({ product, price, coupon: coupon === "" ? null : coupon, until, decision });
  }
  return offers;
}

/** Offers of two members who are one: the latest word on a product counts. Commutes, associates. */
export function mergeOffers(a: Buffer | null, b: Buffer | null): Buffer | null {
  if (a === null || b === null) return a ?? b;
  return encodeOffers([...decodeOffers(a), ...decodeOffers(b)]);
}

/** Those that hold at `now` (epoch milliseconds), by product. */
export function holdingAt(offers: readonly HeldOffer[], now: number): Map<string, HeldOffer> {
  const holding = new Map<string, HeldOffer>();
  for (const offer of offers) if (now < offer.until) holding.set(offer.product, offer);
  return holding;
}
