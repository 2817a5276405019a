/** Which coupon goes with a suggestion: the plain default, published eligibility only. */

import { isLimited } from "../catalog/coupon-ledger.js";
import type { Coupon, Product } from "../catalog/records.js";
import type { CatalogSnapshot } from "../catalog/snapshot.js";

/** At each of these instants, epoch milliseconds: the real clock and a dry run's own. */
function isValidAt(coupon: Coupon, instants: readonly number[]): boolean {
  const { from, until } = validityOf(coupon);
  return instants.every((at) => at >= from && at < until);
}

interface Validity {
  readonly from: number;
  readonly until: number;
}

const validities = new WeakMap<Coupon, Validity>();

/** Epoch milliseconds, ∓Infinity where it has no end there; reading a date costs more than all else. */
export function validityOf(coupon: Coupon): Validity {
  let known = validities.get(coupon);
  if (known === undefined) {
    const { validFrom, validUntil } = coupon;
    known = {
      from: validFrom === undefined ? Number.NEGATIVE_INFINITY : Date.parse(validFrom),
      until: validUntil === undefined ? Number.POSITIVE_INFINITY : Date.parse(validUntil),
    };
    validities.set(coupon, known);
  }
  return known;
}

/** A coupon that was promised: null when it has ended or was withdrawn since. */
export function heldCoupon(
  coupons: readonly Coupon[],
  id: string,
  instants: readonly number[],
): Coupon | null {
  return coupons.find((one) => one.id === id && one.active && isValidAt(one, instants)) ?? null;
}

/** Coupons this member may have at these instants, whatever the product. */
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

/** What it costs us when redeemed with a product of this price, major unit. */
export const costOf = (coupon: Coupon, price: number): number =>
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
): Coupon | null {
  const price = snapshot.price[product]!;
  const bearable = snapshot.margin[product]! * maxMarginShare;
  let best: Coupon | null = null;
  let dearest = 0;
  for (const coupon of open) {
    if (!fitsProduct(coupon, snapshot.products[product]!, price)) continue;
    const cost = costOf(coupon, price);
    if (cost > dearest && cost <= bearable) {
      best = coupon;
      dearest = cost;
    }
  }
  return best;
}
