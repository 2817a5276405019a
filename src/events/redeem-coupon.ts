/** What a `coupon_redeemed` event changes beside being counted: the ledger of the coupon it names. */
import type { CouponLedger, CouponLimits } from "../catalog/coupon-ledger.js";
import type { MemberRecord } from "../members/member-store.js";
import type { MemberEvent } from "./event.js";
import type { Rejection } from "./validate-event.js";

export interface RedeemParts {
  readonly store: { readThrough(id: string): Promise<MemberRecord> };
  readonly ledger: Pick<CouponLedger, "redeem">;
  /** undefined: no coupon of ours, or one deleted since. */
  couponOf(id: string): CouponLimits | undefined;
  /** Told of each coupon of ours that was redeemed: shown once more it could not be redeemed again. */
  redeemed(holder: MemberRecord, coupon: CouponLimits): Promise<void>;
}

/** null: redeemed, or not an event of a coupon we know. */
export type Redeem = (subject: string, event: MemberEvent) => Promise<Rejection | null>;

/**
 * Redeems `properties.coupon` for the member, merged ones counting as one; the same event again is no
 * other redemption. Throws `store_unavailable`, `store_full`: the event is then to be sent again.
 */
export const createRedeem =
  ({ store, ledger, couponOf, redeemed }: RedeemParts): Redeem =>
  async (subject, event) => {
    const id = event.properties?.coupon;
    if (typeof id !== "string" || id === "") return null;
    const holder = await store.readThrough(subject);
    // The writer refuses the event; nothing is to be kept of the member.
    if (holder.erased) return null;
    const merged = holder.profile?.merged?.map((part) => part.id) ?? [];
    const known = couponOf(id);
    const result = await ledger.redeem(
      known ?? { id },
      [holder.id, ...new Set([subject, ...merged].filter((one) => one !== holder.id))],
      event.id,
      // A code nobody recorded is somebody else's to count.
      { places: known !== undefined },
    );
    if (result === "already") {
      const detail = "properties.coupon: redeemed by this member before";
      return { code: "coupon_already_redeemed", detail };
    }
    if (result === "not_issued" && known !== undefined) {
      const detail = "properties.coupon: not issued to this member, and its budget is spent";
      return { code: "coupon_not_issued", detail };
    }
    if (known !== undefined) await redeemed(holder, known);
    return null;
  };
