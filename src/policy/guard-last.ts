/**
 * The guards' last look: each thing about to leave, checked against the verdict it was made under. It
 * shares no code with what chose the thing, so that a fault there stops here: dropped, counted, and
 * told in the log as the fault of ours that it is.
 */
import type { Coupon } from "../catalog/records.js";
import { isOpenAt, windowFor } from "./calling-window.js";
import type { GuardRules, GuardSubject, GuardUse, Verdict } from "./guards.js";

/** What the guards must see of something that is offered. */
export interface Leaving {
  readonly kind: string;
  readonly product: { readonly id: string; readonly price: number | null } | null;
  readonly coupon: { readonly id: string } | null;
  readonly channel: string | null;
  /** ISO 8601. */
  readonly contactAt: string | null;
}

export interface LastLook {
  readonly verdict: Verdict;
  readonly use: GuardUse;
  readonly rules: GuardRules;
  readonly subject: Pick<GuardSubject, "zones" | "jurisdiction">;
  readonly coupons: readonly Coupon[];
  /** Offers that hold for this member, by product. */
  readonly held: ReadonlyMap<string, { readonly price: number; readonly coupon: string | null }>;
}

const HELP: ReadonlySet<string> = new Set(["care", "advice", "none"]);

/** What may leave, in order, and the number of the guard that stopped each of the others. */
export function guardLast<T extends Leaving>(
  leaving: readonly T[],
  look: LastLook,
): { passed: T[]; stopped: number[] } {
  const passed: T[] = [];
  const stopped: number[] = [];
  for (const one of leaving) {
    const guard = guardAgainst(one, look);
    if (guard === null) passed.push(one);
    else stopped.push(guard);
  }
  return { passed, stopped };
}

function guardAgainst(one: Leaving, look: LastLook): number | null {
  const { verdict, use } = look;
  if (HELP.has(one.kind)) return use.kind === "outbound" && verdict.care !== null ? 8 : null;
  if (verdict.care !== null) return 8;
  if (one.channel === null || !verdict.open.includes(one.channel)) return 1;
  if (one.product !== null && verdict.barredOffers.includes(one.product.id)) return 5;
  if (!isInsideWindow(one, look)) return 3;
  if (one.coupon !== null && !isValid(one.coupon.id, look)) return 10;
  return isAsHeld(one, look) ? null : 12;
}

function isInsideWindow({ contactAt }: Leaving, { use, rules, subject }: LastLook): boolean {
  if (use.kind !== "outbound" || contactAt === null) return true;
  const window = windowFor(rules.config.callingWindows, subject.jurisdiction);
  return window !== null && isOpenAt(window, subject.zones, Date.parse(contactAt));
}

function isValid(id: string, { coupons, use }: LastLook): boolean {
  const coupon = coupons.find((one) => one.id === id);
  if (coupon === undefined || !coupon.active) return false;
  const { validFrom, validUntil } = coupon;
  return use.instants.every(
    (at) =>
      (validFrom === undefined || at >= Date.parse(validFrom)) &&
      (validUntil === undefined || at < Date.parse(validUntil)),
  );
}

/** What was said once is said again while it holds, whichever the channel; a coupon that ended is not. */
function isAsHeld({ product, coupon }: Leaving, look: LastLook): boolean {
  const offer = product === null ? undefined : look.held.get(product.id);
  if (offer === undefined) return true;
  if (offer.price !== product!.price) return false;
  const isOver = offer.coupon !== null && !isValid(offer.coupon, look);
  return coupon === null ? offer.coupon === null || isOver : coupon.id === offer.coupon;
}
