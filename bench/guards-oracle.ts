/**
 * Judges answers by the guards as they are written down, from the plain facts of a scene. It shares no
 * code with the product: its own arithmetic of time zones (Intl), its own plan of the numbers that
 * occur, its own counting of contacts, its own reading of consents.
 */
import type { Coupon, Product } from "../src/catalog/records.js";
import type { CapConfig, ChannelConfig, PlacementConfig } from "../src/config.js";
import type { RecommendationResponse } from "../src/decision/answer.js";
import type { EventType } from "../src/events/event.js";
import type { Contact } from "../src/members/contacts.js";
import type { Profile } from "../src/members/profile.js";
import type { Facts, Part } from "./guards-scene.js";
import { localOf } from "./guards-zones.js";

export interface Violation {
  readonly guard: number;
  readonly what: string;
}

/** What was shown of a product, as the person will remember it. */
export interface Shown {
  readonly price: number;
  readonly coupon: string | null;
  readonly at: number;
  readonly until: number;
}
/** By account of the person, then by product. */
export type Memory = Map<string, Map<string, Shown>>;

export interface Judgement {
  readonly violations: Violation[];
  /** Guards that had something to bar. */
  readonly tested: ReadonlySet<number>;
  /** Of these, those that barred a channel, or everything, that no other one did. */
  readonly alone: ReadonlySet<number>;
  /** Products left out for everybody who asks like this person, for the comparison with a stranger. */
  readonly barredProducts: readonly string[];
  /** The answer is to be that of a stranger. */
  readonly asStranger: boolean;
}

const DAY_MS = 86_400_000;
const HELP = ["care", "advice", "none"];

/** Beginning of a number → jurisdiction and zones it may lie in; none: nobody knows. */
const PLAN: Readonly<Record<string, readonly [string | null, ...string[]]>> = {
  "+1212": ["US-NY", "America/New_York"],
  "+1305": ["US-FL", "America/New_York"],
  "+1850": ["US-FL", "America/New_York", "America/Chicago"],
  "+1808": ["US-HI", "Pacific/Honolulu"],
  "+1480": ["US-AZ", "America/Phoenix"],
  "+1928": ["US-AZ", "America/Phoenix", "America/Denver"],
  "+1214": ["US-TX", "America/Chicago"],
  "+1800": [null, "America/St_Johns", "America/New_York", "America/Chicago", "Pacific/Honolulu"],
  "+1604": ["CA-BC", "America/Vancouver"],
  "+86138": ["CN", "Asia/Shanghai"],
  "+49301": ["DE", "Europe/Berlin"],
  "+44207": ["GB", "Europe/London"],
  "+852": ["HK", "Asia/Hong_Kong"],
  "+346": ["ES", "Europe/Madrid", "Atlantic/Canary"],
  "+6141": ["AU", "Australia/Perth", "Australia/Adelaide", "Australia/Sydney"],
  "+88162": [null],
  "+551199": ["BR", "America/Sao_Paulo"],
  "+3361": ["FR", "Europe/Paris"],
};

const planOf = (number: string): readonly [string | null, ...string[]] => {
  for (const [start, plan] of Object.entries(PLAN)) if (number.startsWith(start)) return plan;
  return [null];
};

/** The person as the law sees them: all accounts that are known to be theirs. */
interface Who {
  readonly known: boolean;
  readonly parts: readonly Part[];
  readonly phones: readonly string[];
  /** The number that would be called. */
  readonly called: string | null;
  readonly emails: readonly string[];
  readonly zones: readonly string[];
  readonly jurisdiction: string | null;
  readonly contacts: readonly Contact[];
}

const phonesOf = ({ phone, phones = [] }: Profile): string[] => [
  ...(phone === undefined ? [] : [phone]),
  ...phones,
];

type Ref = Facts["request"]["member"];

const namesAsked = ({ member, alsoNamed = [] }: Facts["request"]): Ref[] => [member, ...alsoNamed];

/** Numbers the request names; one that is withheld is none. */
const numbersAsked = (request: Facts["request"]): string[] =>
  namesAsked(request).flatMap((one) =>
    typeof one !== "string" && "phone" in one && one.phone.startsWith("+") ? [one.phone] : [],
  );

function whoAsks({ request, parts, merged, erased }: Facts): Who {
  const { member } = request;
  const isAsked = ({ id, profile }: Part): boolean => {
    if (typeof member === "string") return member === id;
    if ("phone" in member) return phonesOf(profile).includes(member.phone);
    if ("email" in member) return profile.email === member.email;
    return "account" in member && profile.accounts?.includes(member.account) === true;
  };
  const asked = erased ? [] : parts.filter(isAsked).slice(0, 1);
  const theirs = asked.length > 0 && merged ? [...parts] : asked;
  // The latest word last.
  theirs.sort((a, b) => a.profile.updatedAt - b.profile.updatedAt || (a.id < b.id ? -1 : 1));
  const latest = <K extends keyof Profile>(key: K): Profile[K] | undefined =>
    theirs.findLast(({ profile }) => profile[key] !== undefined)?.profile[key];
  const all = [...new Set(theirs.flatMap(({ profile }) => phonesOf(profile)))];
  const phones = theirs.length > 1 ? all.sort() : all;
  const first = latest("phone") ?? phones[0] ?? null;
  const byToken = new Map<string, Contact>();
  for (const one of theirs.flatMap(({ contacts }) => contacts)) byToken.set(one.token, one);
  return {
    known: theirs.length > 0,
    parts: theirs,
    phones,
    called: theirs.length === 0 ? null : (numbersAsked(request)[0] ?? first),
    emails: theirs.flatMap(({ profile }) => profile.email ?? []),
    zones: zonesOf(latest("timezone"), phones),
    jurisdiction: jurisdictionOf(latest("jurisdiction"), first, phones),
    contacts: [...byToken.values()],
  };
}

function zonesOf(own: string | undefined, phones: readonly string[]): string[] {
  if (own !== undefined && localOf(own, 0) !== null) return [own];
  const each = phones.map((phone) => planOf(phone).slice(1) as string[]);
  return each.some((zones) => zones.length === 0) ? [] : [...new Set(each.flat())];
}

function jurisdictionOf(
  said: string | undefined,
  first: string | null,
  phones: readonly string[],
): string | null {
  const own = said === undefined ? "" : said.toUpperCase().replace("_", "-");
  const ofNumber = first === null ? null : planOf(first)[0];
  if (/^[A-Z]{2}-/.test(own)) return own;
  if (/^[A-Z]{2}$/.test(own)) return ofNumber?.startsWith(own) ? ofNumber : own;
  return phones.some((phone) => planOf(phone)[0] === "CN") ? "CN" : ofNumber;
}

const countryOf = (jurisdiction: string | null): string | null => jurisdiction?.slice(0, 2) ?? null;

const placementOf = ({ config, request }: Facts) =>
  config.placements.find(({ id }) => id === request.placement)!;

/** We would begin there: outbound, or on another channel than the one they are on. */
const isBegun = (facts: Facts, { id, outbound }: ChannelConfig): boolean => {
  const { kind, channel } = placementOf(facts);
  return kind === "outbound" || (outbound && id !== channel);
};

/** Guard data that this request needs can be read. */
function isReadable(facts: Facts, { called }: Who): boolean {
  const { store, config, request } = facts;
  if (store !== "phones_down") return store === "up" || store === "holds_fail";
  const asked = config.channels.find(({ id }) => id === request.channel);
  const needsNumber =
    placementOf(facts).kind === "outbound" ||
    (asked !== undefined && usesPhone(asked) && isBegun(facts, asked));
  return !(needsNumber && called !== null);
}

const usesPhone = ({ id, address }: ChannelConfig): boolean =>
  address === undefined ? id === "phone" || id === "sms" : address === "phone";
const usesEmail = ({ id, address }: ChannelConfig): boolean =>
  address === undefined ? id === "email" : address === "email";

/** Guard 1. */
function isListed({ listed, request }: Facts, who: Who, channel: ChannelConfig): boolean {
  const has = (kind: string, values: readonly string[]): boolean =>
    listed.some((one) => one.kind === kind && values.includes(one.value));
  const asked = (kind: string): string[] =>
    namesAsked(request).flatMap((name) => {
      if (typeof name === "string") return kind === "member" ? [name] : [];
      return Object.entries(name).flatMap(([key, value]) => (key === kind ? [value] : []));
    });
  const ids = who.parts.map(({ id }) => id);
  const accounts = who.parts.flatMap(({ profile }) => profile.accounts ?? []);
  if (has("member", [...ids, ...asked("member")])) return true;
  if (has("account", [...accounts, ...asked("account")])) return true;
  if (who.parts.some(({ profile }) => profile.doNotContact === true)) return true;
  if (usesPhone(channel) && has("phone", [...who.phones, ...asked("phone")])) return true;
  return usesEmail(channel) && has("email", [...who.emails, ...asked("email")]);
}

/** The last word on marketing there; of several at one time the worst. */
function wordOn(who: Who, channel: string): "yes" | "no" | "none" {
  const words = who.parts
    .flatMap(({ profile }) => profile.consents ?? [])
    .filter((one) => one.channel === channel && one.purpose === "marketing");
  if (words.length === 0) return "none";
  const last = Math.max(...words.map(({ at = 0 }) => at));
  const final = words.filter(({ at = 0 }) => at === last);
  return final.every(({ status }) => status === "granted") ? "yes" : "no";
}

/** Guard 3: null: no window is configured. */
function isOpen({ config }: Facts, { jurisdiction, zones }: Who, at: number): boolean | null {
  const named = (name: string | null) =>
    config.callingWindows.find((one) => one.jurisdiction === name);
  const country = countryOf(jurisdiction);
  const window = named(jurisdiction) ?? named(country) ?? (country === "CN" ? null : named("*"));
  if (window === undefined || window === null) return null;
  return zones.every((zone) => {
    const { date, weekday, seconds } = localOf(zone, at)!;
    if (window.closedDates?.includes(date) === true) return false;
    if (window.days !== undefined && !window.days.includes(weekday)) return false;
    return seconds >= secondsOf(window.from) && seconds < secondsOf(window.until);
  });
}

const secondsOf = (time: string): number =>
  Number(time.slice(0, 2)) * 3600 + Number(time.slice(3)) * 60;

const takesPlace = ({ until }: Contact, now: number): boolean => until === 0 || until > now;

function isInside(cap: CapConfig, at: number, now: number, zone: string): boolean {
  if ("rolling" in cap.window) {
    const { rolling } = cap.window;
    const hours = Number(rolling.slice(0, -1)) * (rolling.endsWith("d") ? 24 : 1);
    return at > now - hours * 3_600_000;
  }
  const [then, today] = [localOf(zone, at)!, localOf(zone, now)!];
  const unit = cap.window.calendar;
  if (unit === "day") return then.date === today.date;
  if (unit === "month") return then.date.slice(0, 7) === today.date.slice(0, 7);
  return then.monday === today.monday;
}

const DEFAULT_CAPS: readonly CapConfig[] = [
  { per: "member", channel: "phone", offer: false, max: 1, window: { calendar: "day" } },
  { per: "member", channel: "phone", offer: false, max: 3, window: { rolling: "7d" } },
  { per: "phone", offer: false, max: 2, window: { calendar: "day" } },
  { per: "member", offer: false, max: 5, window: { rolling: "7d" } },
  { per: "member", offer: true, max: 2, window: { rolling: "30d" } },
];

/** Guard 5: a contact on this channel, about this product (null: about none). */
function isCapped(facts: Facts, who: Who, channel: ChannelConfig, offer: string | null): boolean {
  const { config, clock, phoneContacts } = facts;
  const { contactPolicy } = config;
  const zone = contactPolicy.timezone ?? config.timezone;
  const onNumber =
    usesPhone(channel) && who.called !== null ? (phoneContacts[who.called] ?? []) : [];
  if (who.contacts.some(({ outcome, again }) => outcome === "later" && again > clock)) return true;
  const days = contactPolicy.channelCoolDownDays ?? contactPolicy.coolDownDays;
  const refusedHere = who.contacts.some(
    (one) => one.channel === channel.id && isRefusedSince(one, clock - days * DAY_MS),
  );
  if (refusedHere) return true;
  return (contactPolicy.caps ?? DEFAULT_CAPS).some((cap) => {
    if (cap.channel !== undefined && cap.channel !== channel.id) return false;
    if (cap.offer && offer === null) return false;
    const counted = (cap.per === "member" ? who.contacts : onNumber).filter(
      (one) =>
        takesPlace(one, clock) &&
        (cap.channel === undefined || one.channel === cap.channel) &&
        (!cap.offer || one.offer === offer) &&
        isInside(cap, one.at, clock, zone),
    );
    return counted.length >= cap.max;
  });
}

const isRefusedSince = ({ outcome, outcomeAt }: Contact, since: number): boolean =>
  outcome === "refused" && outcomeAt > since;

const isRefusedOffer = ({ config, clock }: Facts, who: Who, product: string): boolean =>
  who.contacts.some(
    (one) =>
      one.offer === product &&
      isRefusedSince(one, clock - config.contactPolicy.coolDownDays * DAY_MS),
  );

/** Through what happened in the order of time: a close closes what is open, or nothing. */
function isLeftOpen({ parts }: Who, opened: EventType, closed: EventType): boolean {
  const steps = parts
    .flatMap(({ events }) => events)
    .filter(({ type }) => type === opened || type === closed)
    .sort((a, b) => a.at - b.at || (a.type === opened ? -1 : 1));
  let open = 0;
  for (const { type } of steps) open = Math.max(0, open + (type === opened ? 1 : -1));
  return open > 0;
}

/** Guard 8. */
const needsCare = (who: Who): boolean =>
  who.parts.some(({ profile }) => profile.vulnerable === true) ||
  isLeftOpen(who, "complaint_opened", "complaint_closed") ||
  isLeftOpen(who, "refund_opened", "refund_closed");

/** Guard 10: the switch for choosing coupons person by person. */
function isPersonalCouponLaw({ config }: Facts, { jurisdiction }: Who): boolean {
  const switches = config.coupons.personal;
  // It might be China, of which the star does not speak.
  if (jurisdiction === null)
    return switches.CN === true && !Object.values(switches).includes(false);
  const country = countryOf(jurisdiction)!;
  const others = country === "CN" ? undefined : switches["*"];
  return switches[jurisdiction] ?? switches[country] ?? others ?? false;
}

const isValid = ({ active, validFrom, validUntil }: Coupon, at: number): boolean =>
  active &&
  (validFrom === undefined || at >= Date.parse(validFrom)) &&
  (validUntil === undefined || at < Date.parse(validUntil));

const worthOf = ({ amountOff, percentOff = 0 }: Coupon, price: number): number =>
  Math.min(price, amountOff ?? percentOff * price);

const isFor = (coupon: Coupon, { id, category = "", price = 0 }: Product, stage: string): boolean =>
  (coupon.products?.includes(id) ?? true) &&
  (coupon.categories?.includes(category) ?? true) &&
  (coupon.stages?.includes(stage) ?? true) &&
  price >= (coupon.minimumAmount ?? 0);

/** What the guards say of one channel; in the order of their numbers. */
function barsOf(facts: Facts, who: Who, channel: ChannelConfig): number[] {
  const { config } = facts;
  const { channel: here } = placementOf(facts);
  const own = config.channels.find(({ id }) => id === here);
  const isElsewhere =
    placementOf(facts).kind !== "outbound" && own !== undefined && own !== channel;
  return [...(isElsewhere ? barsOn(facts, who, own) : []), ...barsOn(facts, who, channel)];
}

function barsOn(facts: Facts, who: Who, channel: ChannelConfig): number[] {
  const { clock, request } = facts;
  const bars: number[] = [];
  if (isListed(facts, who, channel)) bars.push(1);
  const word = wordOn(who, channel.id);
  if (word === "no") bars.push(2);
  if (!isBegun(facts, channel)) return bars;
  if (!channel.outbound) bars.push(6);
  else if (word === "none") {
    const country = countryOf(who.jurisdiction);
    const isAssumed = who.known && channel.consentByDefault && country !== null && country !== "CN";
    if (!isAssumed) bars.push(6);
  }
  if (who.zones.length === 0) bars.push(4);
  const asked = request.context?.now as number | undefined;
  const opens = (asked === undefined ? [clock] : [clock, asked]).map((at) =>
    isOpen(facts, who, at),
  );
  if (opens.includes(null)) bars.push(6);
  else if (who.zones.length > 0 && opens.includes(false)) bars.push(3);
  if (isCapped(facts, who, channel, null)) bars.push(5);
  return bars;
}

export function judge(facts: Facts, answer: RecommendationResponse, memory: Memory): Judgement {
  const { config, catalog, request, clock } = facts;
  const who = whoAsks(facts);
  const placement = placementOf(facts);
  const outbound = placement.kind === "outbound";
  const readable = isReadable(facts, who);
  const wanted = request.channel ?? (outbound ? null : (placement.channel ?? null));
  const channels = config.channels.filter(({ id }) => (wanted === null ? outbound : id === wanted));
  const bars = new Map(channels.map((one) => [one.id, barsOf(facts, who, one)]));
  const begun = channels.filter((one) => isBegun(facts, one));
  const care = needsCare(who);
  const barredProducts = catalog.products.flatMap(({ id }) =>
    isRefusedOffer(facts, who, id) || begun.some((one) => isCapped(facts, who, one, id))
      ? [id]
      : [],
  );
  const off = who.parts.some(({ profile }) => profile.personalization === "off");
  const held = heldOf(memory, who, (request.context?.now as number | undefined) ?? clock);
  const violations: Violation[] = [];
  const blame = (guard: number, what: string): void => void violations.push({ guard, what });

  const sold = answer.suggestions.filter(({ kind }) => !HELP.includes(kind));
  if (!readable) judgeUnreadable(facts, answer, sold, placement, blame);
  else if (care && sold.length > 0) blame(8, "something is sold to somebody who needs help");
  if (outbound && sold.length < answer.suggestions.length)
    blame(8, "contacted only to be consoled");
  if (facts.erased && (answer.member.known || answer.member.name !== null)) {
    blame(9, "somebody erased is known");
  }
  for (const one of readable ? sold : []) {
    const channel = channels.find(({ id }) => id === one.channel);
    if (channel === undefined) {
      blame(1, `${one.channel} was not asked for`);
      continue;
    }
    for (const guard of bars.get(channel.id)!) blame(guard, `${channel.id} is closed`);
    const product = catalog.products.find(({ id }) => id === one.product?.id)!;
    if (isRefusedOffer(facts, who, product.id)) blame(5, `${product.id} was refused`);
    if (begun.includes(channel) && isCapped(facts, who, channel, product.id))
      blame(5, `${product.id} is capped`);
    if (
      outbound &&
      one.contactAt !== null &&
      isOpen(facts, who, Date.parse(one.contactAt)) !== true
    ) {
      blame(3, `to be contacted at ${one.contactAt}`);
    }
    judgeTerms({ facts, who, off, held, answer, product, one, blame });
  }
  return {
    violations,
    ...countTested({ facts, readable, care, bars, barredProducts, off, held, sold }),
    barredProducts,
    asStranger: off && readable && !care && begun.length === 0,
  };
}

/** Guard 11. */
function judgeUnreadable(
  { catalog }: Facts,
  answer: RecommendationResponse,
  sold: RecommendationResponse["suggestions"],
  { kind, channel: here }: PlacementConfig,
  blame: (guard: number, what: string) => void,
): void {
  if (kind === "outbound" && answer.suggestions.length > 0) blame(11, "outbound is open");
  if (answer.member.name !== null) blame(11, "a name is known of somebody unread");
  for (const { product, coupon, channel } of sold) {
    if (channel !== here) blame(11, "something is sold elsewhere than where they are");
    if (kind !== "web") blame(11, "something is sold");
    if (coupon !== null) blame(11, "a coupon is given to nobody knows whom");
    const listed = catalog.products.find(({ id }) => id === product?.id)?.price;
    if (product?.price !== listed) blame(12, "another price than everybody's");
  }
}

interface Terms {
  readonly facts: Facts;
  readonly who: Who;
  readonly off: boolean;
  readonly held: ReadonlyMap<string, Shown>;
  readonly answer: RecommendationResponse;
  readonly product: Product;
  readonly one: RecommendationResponse["suggestions"][number];
  blame(guard: number, what: string): void;
}

/** Guards 10 and 12: price and coupon. */
function judgeTerms({ facts, who, off, held, answer, product, one, blame }: Terms): void {
  const { catalog, clock, request, config } = facts;
  const asked = request.context?.now as number | undefined;
  const instants = asked === undefined ? [clock] : [clock, asked];
  const isGood = (coupon: Coupon | undefined): boolean =>
    coupon !== undefined && instants.every((at) => isValid(coupon, at));
  const coupon = catalog.coupons.find(({ id }) => id === one.coupon?.id);
  if (one.coupon !== null && !isGood(coupon)) blame(10, `${one.coupon.id} is not valid`);
  const before = off ? undefined : held.get(product.id);
  // At another time than now nothing is promised: only where both clocks say the same it can be judged.
  if (asked !== undefined && before?.until !== undefined && before.until <= clock) return;
  if (before !== undefined) {
    const promised = catalog.coupons.find(({ id }) => id === before.coupon);
    if (one.product!.price !== before.price) blame(12, `${product.id} cost ${before.price} before`);
    if (isGood(promised) && one.coupon?.id !== before.coupon)
      blame(12, `${product.id}: coupon lost`);
    if (one.coupon !== null && one.coupon.id !== before.coupon)
      blame(12, `${product.id}: new coupon`);
    return;
  }
  if (one.product!.price !== product.price) blame(12, `${product.id}: no price of ours`);
  const isHeldOut = answer.experiment !== null && holds(facts, answer.experiment);
  const stage = off || isHeldOut || !who.known ? "prospect" : (answer.member.stage ?? "prospect");
  if (coupon !== undefined && !isFor(coupon, product, stage))
    blame(10, `${coupon.id} does not fit`);
  if (answer.degraded.includes("offers_not_held")) {
    if (one.coupon !== null) blame(12, "a coupon that cannot be promised");
    return;
  }
  if (isPersonalCouponLaw(facts, who) && !off) return;
  // Everybody of the group gets the same: the dearest of those published for it.
  const price = product.price!;
  const most = product.margin! * config.coupons.maxMarginShare;
  const worths = catalog.coupons
    .filter((each) => isGood(each) && isFor(each, product, stage))
    .map((each) => worthOf(each, price))
    .filter((worth) => worth > 0 && worth <= most);
  const best = Math.max(0, ...worths);
  const given = coupon === undefined ? 0 : worthOf(coupon, price);
  if (given !== best) blame(off ? 7 : 10, `${product.id}: ${given} off, others get ${best}`);
}

const holds = (
  { catalog }: Facts,
  { name, arm }: NonNullable<RecommendationResponse["experiment"]>,
): boolean =>
  arm === "holdout" ||
  catalog.experiments
    .find(({ id }) => id === name)
    ?.arms.some((one) => one.name === arm && one.treatment.hold === true) === true;

/** What the person was shown and what still holds: of two accounts the later word. */
function heldOf(memory: Memory, { parts }: Who, at: number): Map<string, Shown> {
  const held = new Map<string, Shown>();
  for (const { id } of parts) {
    for (const [product, shown] of memory.get(id) ?? []) {
      const known = held.get(product);
      if (known === undefined || shown.at > known.at) held.set(product, shown);
    }
  }
  for (const [product, { until }] of held) if (until <= at) held.delete(product);
  return held;
}

/** To be called behind `judge`: what this answer showed is to be shown again. */
export function remember(facts: Facts, answer: RecommendationResponse, memory: Memory): void {
  const { request, clock, config, catalog, store } = facts;
  const who = whoAsks(facts);
  const isKept = store !== "holds_fail" && isReadable(facts, who);
  const off = who.parts.some(({ profile }) => profile.personalization === "off");
  const heldOut = answer.experiment !== null && holds(facts, answer.experiment);
  if (!who.known || off || heldOut || !isKept || request.context?.now != null) return;
  const held = heldOf(memory, who, clock);
  const own = memory.get(who.parts[0]!.id) ?? new Map<string, Shown>();
  memory.set(who.parts[0]!.id, own);
  for (const { product, coupon, kind } of answer.suggestions) {
    if (HELP.includes(kind) || held.has(product!.id)) continue;
    const end = catalog.coupons.find(({ id }) => id === coupon?.id)?.validUntil;
    const until = Math.min(
      clock + config.offers.holdHours * 3_600_000,
      end === undefined ? Number.POSITIVE_INFINITY : Date.parse(end),
    );
    const shown = { price: product!.price!, coupon: coupon?.id ?? null, at: clock, until };
    for (const { id } of who.parts) memory.get(id)?.delete(product!.id);
    own.set(product!.id, shown);
  }
}

interface Tested {
  readonly facts: Facts;
  readonly readable: boolean;
  readonly care: boolean;
  readonly bars: ReadonlyMap<string, readonly number[]>;
  readonly barredProducts: readonly string[];
  readonly off: boolean;
  readonly held: ReadonlyMap<string, Shown>;
  readonly sold: RecommendationResponse["suggestions"];
}

/** Which guards had something to bar here, so that "no violation" is not "no test". */
function countTested(about: Tested): Pick<Judgement, "tested" | "alone"> {
  const { facts, readable, care, bars, barredProducts, off, held, sold } = about;
  const { catalog, clock, erased } = facts;
  const tested = new Set<number>();
  const alone = new Set<number>();
  if (!readable) return { tested: tested.add(11), alone: alone.add(11) };
  for (const guards of bars.values()) {
    for (const guard of guards) tested.add(guard);
    if (guards.length === 1 && !care) alone.add(guards[0]!);
  }
  if (care) tested.add(8);
  const isOpenOtherwise = [...bars.values()].some((guards) => guards.length === 0);
  if (care && isOpenOtherwise) alone.add(8);
  if (erased) tested.add(9);
  if (!isOpenOtherwise || care) return { tested, alone };
  const also = (guard: number): void => {
    tested.add(guard);
    alone.add(guard);
  };
  if (barredProducts.length > 0) also(5);
  if (off) also(7);
  if (catalog.coupons.some((coupon) => !isValid(coupon, clock))) also(10);
  const listed = (id: string) => catalog.products.find((one) => one.id === id)?.price;
  const moved = sold.some(({ product }) => {
    const before = product === null ? undefined : held.get(product.id);
    return before !== undefined && before.price !== listed(product!.id);
  });
  if (moved) also(12);
  return { tested, alone };
}
