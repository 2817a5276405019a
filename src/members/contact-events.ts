/**
 * Calls, messages and responses among events as contacts. Under the decision's id where the event names
 * one (`properties.decision`), so that it confirms the reservation instead of counting twice. What was
 * answered about a suggestion further down stands beside it, as `<decision>.<rank>`, and counts for no
 * cap: it was one call.
 */
import { hash } from "node:crypto";
import type { MemberEvent } from "../events/event.js";
import type { ResponseOutcome, ResponseProperties } from "../events/response.js";
import type { ContactStore } from "./contact-store.js";
import {
  type Contact,
  type ContactOutcome,
  DIGEST,
  decodeContacts,
  encodeContacts,
  liveContacts,
  NOT_COUNTED,
  settleLaters,
  unionContacts,
} from "./contacts.js";
import { parsePhone } from "./phone.js";

/** An event as the log keeps it, and the telephone number of whom it was addressed to. */
export interface ContactEvent {
  readonly subject: string;
  readonly event: MemberEvent;
  readonly phone?: string;
}

/** A longer name is kept as its digest: 64 of them have to fit into a member. */
const TOKEN_MAX = 64;
const CHANNEL_MAX = 64;
const AT_ONCE = 64;

const OUTCOMES: Partial<Record<ResponseOutcome, ContactOutcome>> = {
  accept: "accepted",
  reject: "refused",
  later: "later",
};
/** Answers that show that we reached, or tried to reach, somebody. */
const ATTEMPTS: ReadonlySet<ResponseOutcome> = new Set<ResponseOutcome>([
  "accept",
  "reject",
  "later",
  "no_contact",
  "bad_number",
  "abandoned",
  "do_not_contact",
  "wrong_person",
]);
/** Of a response that names no channel. */
const NO_CHANNEL = "none";

export class ContactEvents {
  constructor(
    private readonly contacts: Pick<ContactStore, "recordAtPhone">,
    private readonly options: {
      readonly keptMs: number;
      readonly defaultRegion: string;
      /** Channels that reach somebody by their number. */
      readonly phoneChannels: readonly string[];
    },
  ) {}

  /** The contacts this event tells of; none when no limit looks at any of them, or not any more. */
  contactsOf(subject: string, event: MemberEvent): Contact[] {
    const told = event.type === "response" ? answered(event) : made(subject, event);
    const oldest = Date.now() - this.options.keptMs;
    return told.filter(({ at, again }) => Math.max(at, again) > oldest);
  }

  /** The packed contacts with this event's; undefined when that changes nothing. */
  add(packed: Buffer | null, subject: string, event: MemberEvent): Buffer | undefined {
    const told = this.contactsOf(subject, event);
    if (told.length === 0) return undefined;
    const live = liveContacts(decodeContacts(packed), Date.now(), this.options.keptMs);
    return encodeContacts(settleLaters(unionContacts(live, told))) ?? undefined;
  }

  /** Both together; undefined when that is what is stored already. */
  merge(stored: Buffer | null, logged: Buffer | null): Buffer | undefined {
    if (logged === null) return undefined;
    const known = decodeContacts(stored);
    const packed = encodeContacts(unionContacts(known, decodeContacts(logged)))!;
    return encodeContacts(known)?.equals(packed) === true ? undefined : packed;
  }

  /**
   * Counts contacts on the number they were made on: `properties.phone`, else the member's on
   * channels that use it. Idempotent. Throws `store_unavailable`, `store_full`.
   */
  async recordPhones(events: readonly ContactEvent[]): Promise<void> {
    const made = events.flatMap(({ subject, event, phone }) => {
      const contact = this.contactsOf(subject, event).find(({ until }) => until === 0);
      if (contact === undefined) return [];
      const number = this.numberOf(event, contact.channel, phone);
      // What was answered is the member's; the number only counts.
      const counted = { ...contact, outcome: null, outcomeAt: 0, again: 0 };
      return number === undefined ? [] : [{ number, contact: counted }];
    });
    for (let from = 0; from < made.length; from += AT_ONCE) {
      await Promise.all(
        made
          .slice(from, from + AT_ONCE)
          .map(({ number, contact }) => this.contacts.recordAtPhone(number, contact)),
      );
    }
  }

  private numberOf(
    { properties }: MemberEvent,
    channel: string,
    phone: string | undefined,
  ): string | undefined {
    if (typeof properties?.phone === "string") {
      const parsed = parsePhone(properties.phone, this.options.defaultRegion);
      if (parsed.kind === "number") return parsed.e164;
    }
    return this.options.phoneChannels.includes(channel) ? phone : undefined;
  }
}

/** A call we made, a message we sent. */
function made(subject: string, event: MemberEvent): Contact[] {
  if (event.type !== "call_outbound" && event.type !== "message_sent") return [];
  const { decision, offer } = event.properties ?? {};
  const channel = event.channel ?? (event.type === "call_outbound" ? "phone" : "message");
  return [
    {
      // Ids of events are their sender's, and two members' may be alike.
      token: isToken(decision) ? decision : `${DIGEST}${digest(`${subject}\n${event.id}`)}`,
      at: event.at,
      until: 0,
      channel: channel.slice(0, CHANNEL_MAX),
      offer: isToken(offer) ? offer : (event.lines[0]?.product ?? null),
      outcome: null,
      outcomeAt: 0,
      again: 0,
    },
  ];
}

/** What came of a decision: the contact itself where we started it, and the answer where there is one. */
function answered({ at, channel, properties }: MemberEvent): Contact[] {
  const said = properties as Partial<ResponseProperties> | undefined;
  if (said?.outcome === undefined || !isToken(said.decision)) return [];
  const { decision, rank = 1, product, offer = rank === 1 ? product : undefined } = said;
  const contact: Contact = {
    token: decision,
    at,
    until: said.outbound === true && ATTEMPTS.has(said.outcome) ? 0 : NOT_COUNTED,
    channel: (channel ?? NO_CHANNEL).slice(0, CHANNEL_MAX),
    offer: isToken(offer) ? offer : null,
    outcome: null,
    outcomeAt: 0,
    again: 0,
  };
  const outcome = OUTCOMES[said.outcome];
  const counted = contact.until === 0 ? [contact] : [];
  if (outcome === undefined) return counted;
  const again = outcome === "later" ? (said.again ?? at) : 0;
  const answer = { ...contact, outcome, outcomeAt: at, again };
  if (rank === 1) return [answer];
  const about = isToken(product) ? product : null;
  const token = `${decision}.${rank}`.slice(0, TOKEN_MAX);
  return [...counted, { ...answer, token, until: NOT_COUNTED, offer: about }];
}

const isToken = (value: unknown): value is string =>
  typeof value === "string" && value !== "" && value.length <= TOKEN_MAX;

/** 72 bits: among the 64 contacts of a member or a number no two are alike. */
const digest = (text: string): string =>
  hash("sha1", text, "buffer").subarray(0, 9).toString("base64url");
