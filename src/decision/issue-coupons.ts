/** Coupons there are only so many of are issued before the answer that shows them leaves. */
import { type CouponLedger, isLimited, type MemberIds } from "../catalog/coupon-ledger.js";
import type { Coupon } from "../catalog/records.js";
import type { HeldOffer } from "../members/sticky-offers.js";
import type { Decided } from "./decide-for.js";
import type { Open } from "./gather.js";
import type { MemberFacts } from "./member-scores.js";
import type { Taken } from "./taken.js";

export interface IssueDependencies {
  readonly couponLedger: Pick<CouponLedger, "issue" | "release">;
}

/** None is left of these, or the member has had theirs. */
export interface Spent {
  readonly status: "spent";
  readonly coupons: readonly string[];
}

/**
 * One issue of each limited coupon, whatever number of products it is shown with, until the offer
 * ends; it is named by the decision. null: all are issued. Throws what the ledger throws.
 */
export async function issueCoupons(
  { id, situation }: Open,
  { trace }: Decided,
  fresh: readonly HeldOffer[],
  taken: Taken,
  { couponLedger }: IssueDependencies,
): Promise<Spent | null> {
  const limited = new Map<Coupon, number>();
  for (const { coupon, until } of fresh) {
    if (coupon === null) continue;
    const record = trace!.snapshot.coupons.find((one) => one.id === coupon)!;
    if (isLimited(record)) limited.set(record, until);
  }
  if (limited.size === 0) return null;
  const members = idsOf(situation.facts!);
  const spent: string[] = [];
  await Promise.all(
    Array.from(limited, async ([coupon, until]) => {
      const issuing = couponLedger.issue(coupon, members, id, until, situation.now);
      const result = await taken.take(issuing, () => couponLedger.release(coupon.id, id));
      if (result !== "issued") spent.push(coupon.id);
    }),
  );
  return spent.length === 0 ? null : { status: "spent", coupons: spent };
}

/** Whoever was merged into them counts as them. */
function idsOf({ id, profile }: MemberFacts): MemberIds {
  const merged = profile?.merged?.map((part) => part.id) ?? [];
  return [id, ...merged.filter((one) => one !== id)];
}
