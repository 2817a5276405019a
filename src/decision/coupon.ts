/** Which coupon goes with a suggestion: the plain default, published eligibility only. */

import type { Coupon } from "../catalog/records.js";
import type { CatalogSnapshot } from "../catalog/snapshot.js";

export interface CouponChoice {
  readonly coupon: Coupon;
  /** What it costs us when redeemed, major unit. */
  readonly cost: number;
}

export interface CouponQuestion {
  readonly product: number;
  readonly stage: string;
  /** Epoch milliseconds. */
  readonly now: number;
  /** Share of the product's margin a coupon may cost at most. */
  readonly maxMarginShare: number;
}

function isValidAt(coupon: Coupon, now: number): boolean {
  if (coupon.validFrom !== undefined && now < Date.parse(coupon.validFrom)) return false;
  return coupon.validUntil === undefined || now < Date.parse(coupon.validUntil);
}

function isEligible(coupon: Coupon, snapshot: CatalogSnapshot, question: CouponQuestion): boolean {
  const product = snapshot.products[question.product]!;
  if (!coupon.active || !isValidAt(coupon, question.now)) return false;
  if (coupon.stages !== undefined && !coupon.stages.includes(question.stage)) return false;
  if (coupon.products !== undefined && !coupon.products.includes(product.id)) return false;
  if (
    coupon.categories !== undefined &&
    !(product.category !== undefined && coupon.categories.includes(product.category))
  ) {
    return false;
  }
  return (snapshot.price[question.product] ?? 0) >= (coupon.minimumAmount ?? 0);
}

const costOf = (coupon: Coupon, price: number): number =>
  Math.min(price, coupon.amountOff ?? (coupon.percentOff ?? 0) * price);

/** The dearest coupon the member is eligible for and the margin can bear; null when there is none. */
export function chooseCoupon(
  snapshot: CatalogSnapshot,
  question: CouponQuestion,
): CouponChoice | null {
  const price = snapshot.price[question.product]!;
  const bearable = snapshot.margin[question.product]! * question.maxMarginShare;
  let best: CouponChoice | null = null;
  for (const coupon of snapshot.coupons) {
    if (!isEligible(coupon, snapshot, question)) continue;
    const cost = costOf(coupon, price);
    if (cost > 0 && cost <= bearable && cost > (best?.cost ?? 0)) best = { coupon, cost };
  }
  return best;
}
