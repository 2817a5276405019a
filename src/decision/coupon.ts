/** Which coupon goes with a suggestion: the plain default, published eligibility only. */

import { isLimited } from "../catalog/coupon-ledger.js";
import type { Coupon, Product } from "../catalog/records.js";
import type { CatalogSnapshot } from "../catalog/snapshot.js";

export interface CouponChoice {
  readonly coupon: Coupon;
  /** What it costs us when redeemed, major unit. */
  readonly cost: number;
}

/** At each of these instants, epoch milliseconds: the real clock and a dry run's own. */
function isValidAt({ validFrom, validUntil }: Coupon, instants: readonly number[]): boolean {
  const from = validFrom === undefined ? Number.NEGATIVE_INFINITY : Date.parse(validFrom);
  const until = validUntil === undefined ? Number.POSITIVE_INFINITY : Date.parse(validUntil);
  return instants.every((at) => at >= from && at < until);
}

/** A coupon that was promised: null when it has ended or was withdrawn since. */
export function heldCoupon(
  coupons: readonly Coupon[],
  id: string,
  price: number,
  instants: readonly number[],
): CouponChoice | null {
  const coupon = coupons.find((one) => one.id === id && one.active && isValidAt(one, instants));
  return coupon === undefined ? null : { coupon, cost: costOf(coupon, price) };
}

/**
 * Coupons this member may have at these instants, whatever the product: asked once a
 * request, since reading a date costs more than all that is asked of a candidate.
 */
export const openCoupons = (
  coupons: readonly Coupon[],
  stage: string,
  instants: readonly number[],
  { limitedCoupons, withheld }: LimitedCoupons,
): Coupon[] =>
  coupons.filter(
    (coupon) =>
      coupon.active &&
      (coupon.stages === undefined || coupon.stages.includes(stage)) &&
      (!isLimited(coupon) || (limitedCoupons && !withheld.has(coupon.id))) &&
      isValidAt(coupon, instants),
  );

/** Of coupons there are only so many of: whether any may be shown, and which not. */
export interface LimitedCoupons {
  readonly limitedCoupons: boolean;
  readonly withheld: ReadonlySet<string>;
}

function fitsProduct(coupon: Coupon, { id, category }: Product, price: number): boolean {
  if (coupon.products !== undefined && !coupon.products.includes(id)) return false;
  if (
    coupon.categories !== undefined &&
    !(category !== undefined && coupon.categories.includes(category))
  ) {
    return false;
  }
  return (price || 0) >= (coupon.minimumAmount ?? 0);
}

const costOf = (coupon: Coupon, price: number): number =>
  Math.min(price, coupon.amountOff ?? (coupon.percentOff ?? 0) * price);

/**
 * The dearest of the open coupons that fits the product (a catalog index) and that its margin can
 * bear; null when there is none. Published facts alone decide, so that everybody of a group the coupons
 * are open to gets the same: guard 10 asks for no less. `maxMarginShare`: share of the margin a coupon may cost at most.
 */
export function chooseCoupon(
  open: readonly Coupon[],
  snapshot: CatalogSnapshot,
  product: number,
  maxMarginShare: number,
): CouponChoice | null {
  const price = snapshot.price[product]!;
  const bearable = snapshot.margin[product]! * maxMarginShare;
  let best: CouponChoice | null = null;
  for (const coupon of open) {
    if (!fitsProduct(coupon, snapshot.products[product]!, price)) continue;
    const cost = costOf(coupon, price);
    if (cost > 0 && cost <= bearable && cost > (best?.cost ?? 0)) best = { coupon, cost };
  }
  return best;
}
