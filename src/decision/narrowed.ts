/** What is known when an answer could not be promised, and binds the next one. */
import { decodeOffers, holdingAt } from "../members/sticky-offers.js";
import type { Bar, Verdict } from "../policy/guards.js";
import type { Situation } from "./decide-for.js";
import type { Promised } from "./promise.js";
import { reserves } from "./reserve-place.js";

const OUT_OF_REACH: Bar = {
  guard: 11,
  code: "guard_data_unavailable",
  channel: null,
  until: null,
};

/** `isLast`: enough was tried; what is decided from here on promises nothing that could fail again. */
export function narrowed(
  situation: Situation,
  promised: Exclude<Promised, { status: "ok" | "kept" }>,
  isLast: boolean,
): Situation {
  const { verdict, facts, now, spentCoupons } = situation;
  switch (promised.status) {
    case "barred": {
      const { code, until } = promised.bar;
      const bar: Bar = { guard: 5, code, channel: promised.channel, until };
      return { ...situation, verdict: closedBy(bar, verdict) };
    }
    case "out_of_reach":
      return { ...situation, verdict: closedBy(OUT_OF_REACH, verdict) };
    case "moved": {
      const closed = reserves(situation) ? closedBy(OUT_OF_REACH, verdict) : verdict;
      return { ...situation, verdict: closed, canHold: false };
    }
    case "spent": {
      if (isLast) return { ...situation, canHold: false };
      return { ...situation, spentCoupons: new Set([...spentCoupons, ...promised.coupons]) };
    }
    case "stale": {
      if (isLast) return { ...situation, canHold: false };
      const { offers } = promised;
      const held = holdingAt(decodeOffers(offers), now);
      return { ...situation, facts: { ...facts!, offers }, held };
    }
    default:
      return { ...situation, canHold: false };
  }
}

/** Nothing is offered, on any channel. */
const closedBy = (bar: Bar, verdict: Verdict): Verdict => ({
  ...verdict,
  care: bar.code,
  open: [],
  bars: [...verdict.bars, bar],
});
