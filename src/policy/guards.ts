/**
 * Hard guards: the limits of law and contract, in code. They run first (`guardFirst`: whom may we speak
 * to here and now, through what) and last (`guardLast`: each thing about to leave, once more), and
 * nothing overrides them: no rule, no lever, no experiment, no clock that a request brings along. They
 * are numbered as in docs/guards.md. Guard 2 (an opt-out is recorded by whatever route it comes) and
 * guard 9 (who was erased stays out) act where events and profiles are written; what they leave
 * behind is met here as a refused consent and as an entry of the suppression list.
 */
import type { ChannelConfig, Config } from "../config.js";
import { isWrongNumber, numberInUse, numbersOf } from "../events/number-in-use.js";
import { openComplaints, openRefunds } from "../features/activity.js";
import type { FeatureState } from "../features/state.js";
import type { Contact } from "../members/contacts.js";
import type { Profile } from "../members/profile.js";
import { countryOf, isOpenAt, nextOpening, windowFor } from "./calling-window.js";
import { consentBar, jurisdictionOf } from "./consent.js";
import type { ContactPolicy } from "./contact-policy.js";
import type { BarCode } from "./guard-texts.js";

/** What the guards must know of a person: gathered before, so that they are pure. */
export interface GuardSubject {
  /** null: nobody is known under the reference. */
  readonly profile: Profile | null;
  readonly state: FeatureState;
  /** Every IANA zone they may be in; none: unknown. */
  readonly zones: readonly string[];
  /** `CN`, `US-FL`; null: unknown. */
  readonly jurisdiction: string | null;
  /** What the suppression list names: the member, a phone of theirs, an e-mail of theirs. */
  readonly suppressed: {
    readonly member: boolean;
    readonly phone: boolean;
    readonly email: boolean;
  };
  /** Contacts made and reserved: the member's, and those of the phone they would be called on. */
  readonly contacts: readonly Contact[];
  readonly phoneContacts: readonly Contact[];
  /** E.164, where they were asked for by a number: that one would be called. */
  readonly asked?: string | null;
  /** false: something of this could not be read. */
  readonly reachable: boolean;
}

/** What is asked of the guards. */
export interface GuardUse {
  readonly kind: "inbound" | "outbound" | "web";
  /** The channel asked for, else that of the placement; null: any that is open. */
  readonly channel: string | null;
  /**
   * Where the member is already; speaking there is no contact we start. Another channel asked for needs
   * this one open as well. null, absent: nobody knows.
   */
  readonly here?: string | null;
  /** Epoch milliseconds: the real clock, and the request's own where it brings one. Both must be fine. */
  readonly instants: readonly number[];
}

export interface Bar {
  /** 1 to 12. */
  readonly guard: number;
  readonly code: BarCode;
  /** null: whatever the channel. */
  readonly channel: string | null;
  /** Epoch milliseconds at which it opens, if nothing comes between; null: by itself never. */
  readonly until: number | null;
}

/** Everything behind is bound by it. Plain data: it is kept with the decision. */
export interface Verdict {
  /** Not null: help, and sell nothing. */
  readonly care: BarCode | null;
  /** false: the same ranking and price as for everyone. */
  readonly personal: boolean;
  /** false: coupons by published eligibility alone, the same for everybody in a group. */
  readonly personalCoupons: boolean;
  /** Channels a treatment may use. */
  readonly open: readonly string[];
  readonly bars: readonly Bar[];
  /** Products that are not to be offered now: refused lately, or often enough. */
  readonly barredOffers: readonly string[];
}

type ChannelGuard = (
  subject: GuardSubject,
  channel: ChannelConfig,
  use: GuardUse,
  rules: GuardRules,
) => Omit<Bar, "guard" | "channel"> | null;

/** Configuration the guards go by. */
export interface GuardRules {
  readonly config: Pick<Config, "channels" | "callingWindows" | "coupons">;
  readonly contactPolicy: ContactPolicy;
}

const MARKETING = "marketing";
/** Each is a cap that ends or a window that opens; nobody has so many ahead of them. */
const BARS_AHEAD_MAX = 32;
const bar = (code: BarCode, until: number | null = null) => ({ code, until });

/** The number somebody would be called on. */
export const phoneOf = numberInUse;

/** Which identity a channel reaches somebody by. */
export function addressOf({
  id,
  address,
}: Pick<ChannelConfig, "id" | "address">): "phone" | "email" | "none" {
  if (address !== undefined) return address;
  if (id === "phone" || id === "sms") return "phone";
  return id === "email" ? "email" : "none";
}

/**
 * Whether a treatment there reaches out to somebody. To whoever calls, or looks at a page, a text message
 * or an e-mail is one that we begin: the door they came by opens no other.
 */
export const startsContact = ({ id, outbound }: ChannelConfig, { kind, here }: GuardUse): boolean =>
  kind === "outbound" || (outbound && id !== here);

/** Guard 1, at every door, also where the member came to us. */
const doNotContact: ChannelGuard = ({ profile, suppressed }, channel) => {
  const address = addressOf(channel);
  const isNamed = suppressed.member || (address !== "none" && suppressed[address]);
  return isNamed || profile?.doNotContact === true ? bar("do_not_contact") : null;
};

/** Guard 1: a number that reaches nobody, or a stranger, is not called for this member. */
const wrongNumber: ChannelGuard = ({ profile, asked = null }, channel, use) => {
  if (!startsContact(channel, use) || addressOf(channel) !== "phone") return null;
  const numbers = asked === null ? numbersOf(profile) : [asked];
  const isBarred = numbers.length > 0 && numbers.every((one) => isWrongNumber(profile, one));
  return isBarred ? bar("wrong_number") : null;
};

/** What guard 2 recorded: an explicit no holds at every door. */
const refused: ChannelGuard = ({ profile, jurisdiction }, channel) =>
  consentBar(profile, channel, MARKETING, jurisdiction) === "consent_refused"
    ? bar("consent_refused")
    : null;

/** Guards 2 and 6: where we begin, a yes is needed, or a channel and a law that do without. */
const unasked: ChannelGuard = ({ profile, jurisdiction }, channel, use) =>
  startsContact(channel, use) && consentBar(profile, channel, MARKETING, jurisdiction) !== null
    ? bar("consent_missing")
    : null;

const inboundOnly: ChannelGuard = (_, channel, { kind }) =>
  kind === "outbound" && !channel.outbound ? bar("channel_inbound_only") : null;

/** Guard 4. */
const zoneUnknown: ChannelGuard = ({ zones }, channel, use) =>
  startsContact(channel, use) && zones.length === 0 ? bar("timezone_unknown") : null;

/** Guards 3 and 6: on the called party's clock, in every zone they may be in. */
const outsideWindow: ChannelGuard = (subject, channel, use, { config }) => {
  if (!startsContact(channel, use)) return null;
  for (const law of lawsOf(subject, channel)) {
    const window = windowFor(config.callingWindows, law);
    if (window === null) return bar("window_missing");
    const closed = use.instants.find((at) => !isOpenAt(window, subject.zones, at));
    if (closed === undefined) continue;
    return bar("outside_window", nextOpening(window, subject.zones, closed)?.from ?? null);
  }
  return null;
};

/** The member's, and that of the number they were asked for by, which may lie in another state. */
function lawsOf(
  { profile, jurisdiction, asked = null }: GuardSubject,
  channel: ChannelConfig,
): (string | null)[] {
  if (asked === null || addressOf(channel) !== "phone") return [jurisdiction];
  const ofNumber = jurisdictionOf(profile, asked);
  return ofNumber === jurisdiction ? [jurisdiction] : [jurisdiction, ofNumber];
}

/** Guard 5. */
const capped: ChannelGuard = (subject, channel, use, { contactPolicy }) => {
  if (!startsContact(channel, use)) return null;
  const { contacts, phoneContacts } = subject;
  const phone = addressOf(channel) === "phone" ? phoneContacts : [];
  return contactPolicy.capBar(contacts, phone, channel.id, null, use.instants[0]!);
};

/** In the order they are asked. */
const CHANNEL_GUARDS: readonly { guard: number; of: ChannelGuard }[] = [
  { guard: 1, of: doNotContact },
  { guard: 1, of: wrongNumber },
  { guard: 2, of: refused },
  { guard: 6, of: inboundOnly },
  { guard: 6, of: unasked },
  { guard: 4, of: zoneUnknown },
  { guard: 3, of: outsideWindow },
  { guard: 5, of: capped },
];

/** Guard 8: whoever has a trouble with us, or must be spared, is helped and not sold to. */
export function careCodeOf(profile: Profile | null, { activity }: FeatureState): BarCode | null {
  if (openComplaints(activity) > 0) return "open_complaint";
  if (openRefunds(activity) > 0) return "refund_under_way";
  return profile?.vulnerable === true ? "vulnerable" : null;
}

/** Guards 11 and 8: what turns an answer from selling to helping. */
function careOf({ profile, state, reachable }: GuardSubject, { kind }: GuardUse): Bar | null {
  if (!reachable && kind !== "web") {
    return { guard: 11, channel: null, ...bar("guard_data_unavailable") };
  }
  const code = careCodeOf(profile, state);
  return code === null ? null : { guard: 8, channel: null, ...bar(code) };
}

/** Before anything is looked for: what the answer may be at all. */
export function guardFirst(subject: GuardSubject, use: GuardUse, rules: GuardRules): Verdict {
  const { profile, jurisdiction, reachable } = subject;
  const care = careOf(subject, use);
  const bars: Bar[] = care === null ? [] : [care];
  const open: string[] = [];
  const barHere = reachable ? barWhereTheyAre(subject, use, rules) : null;
  for (const channel of care === null ? channelsOf(use, rules) : []) {
    const found = barHere ?? (reachable ? barOf(subject, channel, use, rules) : null);
    if (found !== null) bars.push(found);
    else if (reachable || channel.id === use.here) open.push(channel.id);
  }
  const stopped = care ?? (open.length === 0 && use.kind === "inbound" ? bars[0] : undefined);
  return {
    care: stopped?.code ?? null,
    personal: reachable && profile?.personalization !== "off",
    personalCoupons: arePersonal(rules.config.coupons.personal, jurisdiction),
    open,
    bars,
    barredOffers: barredOffers(subject, use, open, rules),
  };
}

/** Whether these guards ask for the contacts of the number that would be used. */
export const asksForNumber = (use: GuardUse, rules: GuardRules): boolean =>
  use.kind === "outbound" ||
  channelsOf(use, rules).some((one) => addressOf(one) === "phone" && startsContact(one, use));

function channelsOf({ kind, channel }: GuardUse, { config }: GuardRules): readonly ChannelConfig[] {
  if (channel === null && kind === "outbound") return config.channels.filter((one) => one.outbound);
  return config.channels.filter(({ id }) => id === channel);
}

/** Asking for another channel is no way round a bar on the one they speak on. */
function barWhereTheyAre(subject: GuardSubject, use: GuardUse, rules: GuardRules): Bar | null {
  const { here = null, channel } = use;
  if (here === null || here === channel) return null;
  const found = rules.config.channels.find(({ id }) => id === here);
  return found === undefined ? null : barOf(subject, found, use, rules);
}

/**
 * The bar that is told: what time alone does not end, else what stands longest. `until` is when the
 * channel opens if nothing comes between: a cap that ends at night opens nothing before the morning.
 */
function barOf(
  subject: GuardSubject,
  channel: ChannelConfig,
  use: GuardUse,
  rules: GuardRules,
): Bar | null {
  const told = lastingBar(subject, channel, use, rules);
  if (told === null || told.until === null) return told;
  let opens: number = told.until;
  for (let round = 0; round < BARS_AHEAD_MAX; round++) {
    const next = lastingBar(subject, channel, { ...use, instants: [opens] }, rules);
    if (next === null) break;
    if (next.until === null || next.until <= opens) return { ...told, until: null };
    opens = next.until;
  }
  return { ...told, until: opens };
}

function lastingBar(
  subject: GuardSubject,
  channel: ChannelConfig,
  use: GuardUse,
  rules: GuardRules,
): Bar | null {
  let longest: Bar | null = null;
  for (const { guard, of } of CHANNEL_GUARDS) {
    const found = of(subject, channel, use, rules);
    if (found === null) continue;
    const bar: Bar = { guard, channel: channel.id, ...found };
    if (bar.until === null) return bar;
    if (longest === null || bar.until > longest.until!) longest = bar;
  }
  return longest;
}

/**
 * Guard 10: the switch of the jurisdiction, else of its country, else `*`, which does not speak for China.
 * Unknown: the strictest, China among them.
 */
function arePersonal(
  switches: Readonly<Record<string, boolean>>,
  jurisdiction: string | null,
): boolean {
  if (jurisdiction === null) {
    return switches.CN === true && Object.values(switches).every((on) => on);
  }
  const country = countryOf(jurisdiction);
  const others = country === "CN" ? undefined : switches["*"];
  return switches[jurisdiction] ?? switches[country] ?? others ?? false;
}

/** Guard 5, by offer: on any channel that is open, so that a change of channel is no way round it. */
function barredOffers(
  { contacts, phoneContacts }: GuardSubject,
  use: GuardUse,
  open: readonly string[],
  { contactPolicy, config }: GuardRules,
): string[] {
  const offers = new Set([...contacts, ...phoneContacts].flatMap(({ offer }) => offer ?? []));
  if (offers.size === 0) return [];
  const [at] = use.instants;
  const started = config.channels.filter((one) => open.includes(one.id) && startsContact(one, use));
  const isBarredOn = (channel: ChannelConfig, offer: string): boolean => {
    const phone = addressOf(channel) === "phone" ? phoneContacts : [];
    return contactPolicy.capBar(contacts, phone, channel.id, offer, at!) !== null;
  };
  const isRefused = (offer: string): boolean =>
    use.kind !== "outbound" && contactPolicy.offerBar(contacts, offer, at!) !== null;
  const isBarred = (offer: string): boolean =>
    isRefused(offer) || started.some((channel) => isBarredOn(channel, offer));
  return [...offers].filter(isBarred);
}
