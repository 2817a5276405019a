/** What candidate sources see of a member: the packed state's lists, decoded, at one instant. */

/** Purchase lines kept per member; recall on next baskets grows with it (20: .1215, 64: .1333, all: .1353). */
export const LINES_KEPT = 64;
/** Viewed and carted products kept per member. */
export const TOUCHES_KEPT = 10;
/** Hashed category buckets. */
export const CATEGORY_BUCKETS = 16;

export interface HistoryLine {
  /** fingerprint40 of the product id. */
  readonly product: number;
  /** Epoch seconds. */
  readonly at: number;
  readonly quantity: number;
}

export interface Touch {
  readonly product: number;
  /** Epoch seconds. */
  readonly at: number;
  readonly kind: "view" | "cart_add";
}

export interface MemberHistory {
  /** Epoch milliseconds. */
  readonly now: number;
  /** Purchase lines, newest first, at most LINES_KEPT. */
  readonly lines: readonly HistoryLine[];
  /** Latest viewed and carted products, newest first, at most TOUCHES_KEPT. */
  readonly touches: readonly Touch[];
  /** Distinct orders ever. */
  readonly orderCount: number;
  /** Mean money per unit bought, major unit; NaN without a purchase. */
  readonly priceLevel: number;
  /** Purchased lines by hashed category, CATEGORY_BUCKETS long. */
  readonly categoryCounts: readonly number[];
  /** Mean gap between the latest orders, days; NaN with fewer than two. */
  readonly meanGapDays: number;
}
