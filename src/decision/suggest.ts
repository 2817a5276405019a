/** From scored candidates to suggestions: coupon, channel, order by expected value, words. */

import type { CandidateArtifacts } from "../candidates/artifacts.js";
import { type CandidateReason, reasonsFor, reasonText } from "../candidates/reasons.js";
import type { CandidateRequest, CandidateSet } from "../candidates/source.js";
import type { Coupon } from "../catalog/records.js";
import type { CatalogSnapshot } from "../catalog/snapshot.js";
import type { ChannelConfig, Config, PlacementConfig } from "../config.js";
import type { Stage } from "../features/stage.js";
import { windowFor } from "../policy/calling-window.js";
import type { Suggestion } from "./answer.js";
import { chooseChannel, type OpenChannel, withResponseRates } from "./channel.js";
import { chooseCoupon, costOf, heldCoupon, openCoupons } from "./coupon.js";
import type { HeldPrice } from "./decide-for.js";
import type { MemberFacts } from "./member-scores.js";
import { type Language, scriptOf } from "./script.js";
import { bestContactAt } from "./timing.js";

/** What arbitration works on. */
export interface SuggestInput {
  readonly config: Config;
  readonly placement: PlacementConfig;
  /** null: a stranger, or somebody who is to be treated as one. */
  readonly facts: MemberFacts | null;
  readonly snapshot: CatalogSnapshot;
  readonly artifacts: CandidateArtifacts;
  readonly request: CandidateRequest;
  readonly set: CandidateSet;
  /** P(buys it within 30 days), one a candidate; null where nothing calibrated can say. */
  readonly propensity: Float64Array | null;
  /** The ranker's margins, one a candidate: the order where there is no propensity; null: the sources'. */
  readonly margins: Float32Array | null;
  /** Offers that hold: their price and coupon are shown again. */
  readonly held: ReadonlyMap<string, HeldPrice>;
  /** false: only coupons that hold already. */
  readonly newCoupons: boolean;
  /** false: nothing can be written down of them, so none of what there is only so much of. */
  readonly limitedCoupons: boolean;
  /** Limited coupons that are not to be newly shown. */
  readonly withheld: ReadonlySet<string>;
  /** A product that comes first, since they asked to hear of it now; null: none. */
  readonly askedFor: string | null;
  readonly channels: readonly ChannelConfig[];
  readonly language: Language;
  readonly limit: number;
  readonly now: number;
  /** The clocks there are: a coupon is offered only while it is valid by all of them. */
  readonly instants: readonly number[];
}

interface Treatment {
  readonly i: number;
  /** Major unit; null: unknown. */
  readonly price: number | null;
  readonly coupon: Coupon | null;
  readonly channel: OpenChannel;
  /** null: nothing calibrated can say. */
  readonly expectedValue: number | null;
  /** What treatments are ordered by: expected value, else margin, else place among the sources. */
  readonly merit: number;
}

/** What is the same for every candidate of a request. */
interface Terms {
  readonly coupons: readonly Coupon[];
  readonly channels: readonly OpenChannel[];
  /** Offers that hold, by catalog index. */
  readonly held: ReadonlyMap<number, HeldTerms>;
  /** Catalog index of the product asked for; undefined: none. */
  readonly asked: number | undefined;
}

interface HeldTerms {
  readonly price: number;
  readonly coupon: Coupon | null;
}

const ASKED_FOR: CandidateReason = { code: "asked_for_later", params: {} };

/** Untrained, a channel is judged by the product's margin at a cautious rate of acceptance. */
const UNTRAINED_PROPENSITY = 0.05;

function termsOf(input: SuggestInput): Terms {
  const { snapshot, facts, instants, askedFor } = input;
  const held = new Map<number, HeldTerms>();
  for (const { product, price, coupon } of input.held.values()) {
    const index = snapshot.indexOf.get(product);
    if (index === undefined) continue;
    const still = coupon === null ? null : heldCoupon(snapshot.coupons, coupon, instants);
    held.set(index, { price, coupon: still });
  }
  return {
    coupons: input.newCoupons
      ? openCoupons(snapshot.coupons, facts?.stage ?? "prospect", instants, input)
      : [],
    channels: withResponseRates(input.channels, facts?.state.channelHabits ?? []),
    held,
    asked: askedFor === null ? undefined : snapshot.indexOf.get(askedFor),
  };
}

/** null: no open channel is worth its cost for it. */
function treat(input: SuggestInput, terms: Terms, i: number): Treatment | null {
  const { snapshot, config } = input;
  const product = input.set.product[i]!;
  const listed = snapshot.price[product]!;
  // What it costs this member: as it was shown while that holds, else as the catalog says.
  const held = terms.held.get(product);
  const price = held === undefined ? listed : held.price;
  const coupon =
    held === undefined
      ? chooseCoupon(terms.coupons, snapshot, product, config.coupons.maxMarginShare)
      : held.coupon;
  const earned = snapshot.margin[product]! + ((price || 0) - (listed || 0));
  const margin = Math.max(0, earned - (coupon === null ? 0 : costOf(coupon, price)));
  const p = input.propensity?.[i];
  const value = (p ?? UNTRAINED_PROPENSITY) * margin;
  const channel = chooseChannel(terms.channels, value);
  if (channel === null) return null;
  const expectedValue = p === undefined ? null : value - channel.cost;
  const merit =
    product === terms.asked
      ? Number.POSITIVE_INFINITY
      : (expectedValue ?? input.margins?.[i] ?? -i);
  return { i, price: Number.isNaN(price) ? null : price, coupon, channel, expectedValue, merit };
}

export interface Suggested {
  readonly suggestions: Suggestion[];
  /** Positions in the candidate set that no open channel is worth its cost for. */
  readonly unreached: readonly number[];
}

/**
 * Orders treatments by propensity × (margin − coupon cost) − contact cost; where there is no calibrated
 * propensity by the ranker's margin, untrained by the order of the sources. A treatment without a channel worth its cost is left out.
 */
export function suggest(input: SuggestInput): Suggested {
  const terms = termsOf(input);
  const shown: Treatment[] = [];
  const unreached: number[] = [];
  for (let i = 0; i < input.set.count; i++) {
    const treatment = treat(input, terms, i);
    if (treatment === null) unreached.push(i);
    else keepBest(shown, treatment, input.limit);
  }
  const contactAt = contactTime(input);
  const suggestions = shown.map((treatment, at) => present(input, treatment, at + 1, contactAt));
  return { suggestions, unreached };
}

/** `best` is in falling order and stays so, at most `limit` long; a tie goes behind. */
function keepBest(best: Treatment[], next: Treatment, limit: number): void {
  let at = best.length;
  while (at > 0 && next.merit > best[at - 1]!.merit) at--;
  if (at >= limit) return;
  if (best.length === limit) best.pop();
  best.splice(at, 0, next);
}

/** When to reach the member, ISO 8601; null where we do not start the contact, or know no hour for it. */
function contactTime({ placement, facts, config, now }: SuggestInput): string | null {
  if (placement.kind !== "outbound" || facts === null) return null;
  const window = windowFor(config.callingWindows, facts.jurisdiction);
  const at = bestContactAt(facts.state.hours, facts.zones, window, now);
  return at === null ? null : new Date(at).toISOString();
}

function present(
  input: SuggestInput,
  treatment: Treatment,
  rank: number,
  contactAt: string | null,
): Suggestion {
  const { snapshot, set, request, artifacts, language, facts, config } = input;
  const { i, price, coupon, channel, expectedValue } = treatment;
  const index = set.product[i]!;
  const product = snapshot.products[index]!;
  const found = reasonsFor(set, i, request, artifacts, snapshot);
  const told = product.id === input.askedFor ? [ASKED_FOR, ...found.slice(0, 2)] : found;
  const reasons = told.map((reason) => ({
    code: reason.code,
    text: reasonText(reason, language),
  }));
  const name = product.name ?? product.id;
  const said = price === null ? null : money(price, config.currency, language);
  const pitch = { name, price: said, coupon: coupon?.label ?? null, reason: reasons[0] };
  return {
    rank,
    kind: kindOf(facts?.stage ?? null, found),
    product: {
      id: product.id,
      name,
      price,
      url: product.url ?? null,
      image: product.image ?? null,
    },
    coupon: coupon === null ? null : { id: coupon.id, label: coupon.label },
    channel: channel.id,
    contactAt,
    script: scriptOf(pitch, language),
    ...(expectedValue === null ? {} : { propensity: input.propensity![i]!, expectedValue }),
    reasons,
  };
}

function kindOf(stage: Stage | null, reasons: readonly CandidateReason[]): Suggestion["kind"] {
  if (stage === "dormant" || stage === "churned") return "win_back";
  const first = reasons[0]?.code;
  return first === "bought_together" || first === "in_cart_together" ? "cross_sell" : "sell";
}

interface MoneyFormat {
  readonly format: Intl.NumberFormat;
  /** Amount → text: prices come again and again, and Intl takes 2 µs each time. */
  readonly known: Map<number, string>;
}

const moneyFormats = new Map<string, MoneyFormat>();
const AMOUNTS_KNOWN_MAX = 10_000;

function money(amount: number, currency: string, language: Language): string {
  const key = `${language} ${currency}`;
  let one = moneyFormats.get(key);
  if (one === undefined) {
    const locale = language === "zh" ? "zh-CN" : "en";
    const format = new Intl.NumberFormat(locale, { style: "currency", currency });
    one = { format, known: new Map() };
    moneyFormats.set(key, one);
  }
  let text = one.known.get(amount);
  if (text === undefined) {
    text = one.format.format(amount);
    if (one.known.size >= AMOUNTS_KNOWN_MAX) one.known.clear();
    one.known.set(amount, text);
  }
  return text;
}
