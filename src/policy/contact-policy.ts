/**
 * How often we may reach somebody: caps per member, phone, channel and offer, the rest after a refusal,
 * and "later". Pure: what counts is given. The store counts the same limits (`contact-store.ts`).
 */
import { type CapConfig, type ContactPolicyConfig, rollingMs } from "../config.js";
import { barOf, type ContactBar, type ContactLimit } from "../members/contact-limits.js";
import { type Contact, stands } from "../members/contacts.js";
import { Calendar } from "./calendar.js";

export type { ContactBar, ContactBarCode, ContactLimit } from "../members/contact-limits.js";

const DAY_MS = 86_400_000;
const MONTH_MS = 32 * DAY_MS;

/** In force where the configuration names none. */
export const DEFAULT_CAPS: readonly CapConfig[] = [
  { per: "member", channel: "phone", offer: false, max: 1, window: { calendar: "day" } },
  { per: "member", channel: "phone", offer: false, max: 3, window: { rolling: "7d" } },
  { per: "phone", offer: false, max: 2, window: { calendar: "day" } },
  { per: "member", offer: false, max: 5, window: { rolling: "7d" } },
  { per: "member", offer: true, max: 2, window: { rolling: "30d" } },
];

export interface ContactLimits {
  readonly member: readonly ContactLimit[];
  readonly phone: readonly ContactLimit[];
}

export class ContactPolicy {
  readonly reservationMs: number;
  /** How long a "later" without a time waits. */
  readonly laterMs: number;
  /** No limit looks at anything older. */
  readonly keptMs: number;
  private readonly caps: readonly CapConfig[];
  private readonly coolDownMs: number;
  private readonly channelCoolDownMs: number;
  private readonly calendar: Calendar;

  constructor({
    timezone,
    contactPolicy,
  }: { timezone: string; contactPolicy: ContactPolicyConfig }) {
    const { coolDownDays, channelCoolDownDays, laterDays, reservationSeconds } = contactPolicy;
    this.caps = contactPolicy.caps ?? DEFAULT_CAPS;
    this.coolDownMs = coolDownDays * DAY_MS;
    this.channelCoolDownMs = (channelCoolDownDays ?? coolDownDays) * DAY_MS;
    this.laterMs = laterDays * DAY_MS;
    this.reservationMs = reservationSeconds * 1_000;
    this.calendar = new Calendar(contactPolicy.timezone ?? timezone);
    const lengths = this.caps.map(({ window }) =>
      "rolling" in window ? rollingMs(window.rolling) : MONTH_MS,
    );
    this.keptMs = DAY_MS + Math.max(...lengths, this.coolDownMs, this.channelCoolDownMs, MONTH_MS);
  }

  /** What a contact on this channel about this offer (null: about none) has to keep within at `now`. */
  limits(channel: string, offer: string | null, now: number): ContactLimits {
    const member: ContactLimit[] = [];
    const phone: ContactLimit[] = [];
    for (const cap of this.caps) {
      if (cap.channel !== undefined && cap.channel !== channel) continue;
      if (cap.offer && offer === null) continue;
      (cap.per === "member" ? member : phone).push(this.limitOf(cap, offer, now));
    }
    member.push({ ...coolDown(this.channelCoolDownMs, now), channel });
    if (offer !== null) member.push({ ...coolDown(this.coolDownMs, now), offer });
    member.push(LATER);
    return { member, phone };
  }

  /**
   * Why a contact we would start with this member now is barred, and until when; null when it is not.
   * Of several bars the one that opens last. `phone`: contacts of the number that would be used.
   */
  capBar(
    member: readonly Contact[],
    phone: readonly Contact[],
    channel: string,
    offer: string | null,
    now: number,
  ): ContactBar | null {
    const limits = this.limits(channel, offer, now);
    const first = barOf(member, limits.member, now);
    const second = barOf(phone, limits.phone, now);
    return second !== null && (first === null || second.until > first.until) ? second : first;
  }

  /** Why this offer is not to be made even to somebody who calls us: refused lately. */
  offerBar(member: readonly Contact[], offer: string, now: number): ContactBar | null {
    return barOf(member, [{ ...coolDown(this.coolDownMs, now), offer }], now);
  }

  private limitOf(cap: CapConfig, offer: string | null, now: number): ContactLimit {
    const { window } = cap;
    const length = "rolling" in window ? rollingMs(window.rolling) : null;
    const span = "rolling" in window ? null : this.calendar.around(window.calendar, now);
    return {
      code: codeOf(cap),
      counts: "contacts",
      channel: cap.channel ?? null,
      offer: cap.offer ? offer : null,
      after: span === null ? now - length! : span.start - 1,
      max: cap.max,
      lengthMs: length,
      end: span?.end ?? null,
    };
  }
}

function codeOf({ per, channel, offer }: CapConfig): ContactBar["code"] {
  if (offer) return "cap_offer";
  if (per === "phone") return "cap_phone";
  return channel === undefined ? "cap_member" : "cap_channel";
}

const coolDown = (lengthMs: number, now: number): ContactLimit => ({
  code: "cool_down",
  counts: "refusals",
  channel: null,
  offer: null,
  after: now - lengthMs,
  max: 1,
  lengthMs,
  end: null,
});

/** Whoever asked to be reached later is left alone on every channel until then. */
const LATER: ContactLimit = {
  code: "later",
  counts: "laters",
  channel: null,
  offer: null,
  after: 0,
  max: 1,
  lengthMs: null,
  end: null,
};

/**
 * The "later" whose time has come and after which nobody was in touch: preferred once. Of several the
 * one that waits longest; null for none.
 */
export function dueLater(contacts: readonly Contact[], now: number): Contact | null {
  let due: Contact | null = null;
  for (const contact of contacts) {
    if (contact.outcome !== "later" || contact.again > now) continue;
    if (contacts.some((one) => stands(one, now) && one.at > contact.again - 1)) continue;
    if (due === null || contact.again < due.again) due = contact;
  }
  return due;
}
