/**
 * The answer a call got is given again to whoever asks about the same call, as long as the guards
 * would let it out now: who objects in the middle of a call is not sold to when the screen is loaded
 * anew.
 */
import type { Coupon } from "../catalog/records.js";
import { OFFERS_HELD_MAX } from "../members/sticky-offers.js";
import { guardLast } from "../policy/guard-last.js";
import { type GuardRules, type GuardSubject, guardFirst, type Verdict } from "../policy/guards.js";
import { hash32 } from "../redis/keys.js";
import type { RecommendationResponse, Suggestion } from "./answer.js";
import type { Answer, Decided } from "./decide-for.js";
import type { Open } from "./gather.js";
import { reserves } from "./reserve-place.js";

/** Beside the answer: what it was an answer to. */
interface Asked {
  readonly placement: string;
  readonly channel: string | null;
  /** A hash of the number they are called on; null: of none. */
  readonly number: number | null;
  /** What the guards allowed then: the member's own ranking, and coupons of their own. */
  readonly personal: boolean;
  readonly personalCoupons: boolean;
  /** Whether its offers were promised to the member, or are everybody's. */
  readonly isHeld: boolean;
}

export interface KeptAnswer {
  /** As it is kept. */
  readonly text: string;
  readonly answer: RecommendationResponse;
  readonly asked: Asked | undefined;
}

const askedOf = ({ situation }: Open, { trace }: Decided): Asked => ({
  placement: situation.placement.id,
  channel: situation.request.channel ?? null,
  number: situation.facts?.phone == null ? null : hash32(situation.facts.phone),
  personal: situation.verdict.personal,
  personalCoupons: situation.verdict.personalCoupons,
  isHeld: trace !== null && trace.personal !== null,
});

/**
 * What is kept of an answer. Not its explanation, which is asked for again by the decision's id, nor the
 * name, which an erasure would have to look for.
 */
export function keptText(
  open: Open,
  decided: Decided,
  more: Pick<RecommendationResponse, "contact">,
): string {
  const { explanation, ...kept } = decided.answer;
  const member = { ...kept.member, name: null };
  const whole = { decisionId: open.id, ...kept, member, ...more, tookMs: 0 };
  return JSON.stringify({ ...whole, asked: askedOf(open, decided) });
}

export function readKept(text: string): KeptAnswer {
  const { asked, ...answer } = JSON.parse(text) as RecommendationResponse & { asked?: Asked };
  return { text, answer, asked };
}

export interface RepeatRules {
  readonly rules: GuardRules;
  readonly coupons: readonly Coupon[];
}

/** `decided`: what the same request would be answered now. */
export function mayRepeat(
  { answer, asked }: KeptAnswer,
  open: Open,
  decided: Decided,
  { rules, coupons }: RepeatRules,
): boolean {
  const { situation } = open;
  const fresh = decided.answer;
  const now = askedOf(open, decided);
  if (asked?.placement !== now.placement || asked.channel !== now.channel) return false;
  if (asked.number !== now.number) return false;
  if ((asked.personal && !now.personal) || (asked.personalCoupons && !now.personalCoupons)) {
    return false;
  }
  if (answer.member.id !== fresh.member.id || answer.member.known !== fresh.member.known) {
    return false;
  }
  if (!isSameArm(answer.experiment, fresh.experiment)) return false;
  if (reserves(situation) && hasLapsed(answer, situation.now)) return false;
  const { suggestions } = answer;
  const promised = asked.isHeld ? situation.held : null;
  if (!suggestions.every((one) => hasTermsOfNow(one, promised, suggestions, fresh))) return false;
  const { use, held } = situation;
  const verdict = verdictWithout(answer.contact?.token ?? null, open, rules);
  const subject = { zones: open.subject.zones, jurisdiction: open.subject.jurisdiction };
  const look = { verdict, use, rules, subject, coupons, held };
  return guardLast(answer.suggestions, look).stopped.length === 0;
}

const isSameArm = (a: Answer["experiment"], b: Answer["experiment"]): boolean =>
  a?.name === b?.name && a?.arm === b?.arm;

/**
 * Price and coupon as they hold; as they are for everybody now where nothing is held: of a stranger, and
 * beyond what there is room for.
 */
function hasTermsOfNow(
  { product, coupon }: Suggestion,
  promised: Open["situation"]["held"] | null,
  { length: shown }: readonly Suggestion[],
  { suggestions }: Answer,
): boolean {
  if (product === null) return true;
  const held = promised?.get(product.id);
  if (promised !== null && held === undefined && shown <= OFFERS_HELD_MAX) return false;
  const now = suggestions.find((one) => one.product?.id === product.id);
  const terms = held ?? { price: now?.product?.price, coupon: now?.coupon?.id ?? null };
  return terms.price === product.price && terms.coupon === (coupon?.id ?? null);
}

/** The place it was answered with is no longer kept free. */
const hasLapsed = ({ contact, suggestions }: RecommendationResponse, now: number): boolean =>
  suggestions.length > 0 && (contact == null || Date.parse(contact.until) <= now);

/** The answer's own place among contacts does not bar the answer. */
function verdictWithout(token: string | null, open: Open, rules: GuardRules): Verdict {
  const { subject, situation } = open;
  if (token === null) return situation.verdict;
  const others = (contacts: GuardSubject["contacts"]): GuardSubject["contacts"] =>
    contacts.filter((one) => one.token !== token);
  const contacts = others(subject.contacts);
  const phoneContacts = others(subject.phoneContacts);
  return guardFirst({ ...subject, contacts, phoneContacts }, situation.use, rules);
}
