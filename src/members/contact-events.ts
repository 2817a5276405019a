/**
 * Calls and messages among events as contacts made. Under the decision's id where the event names one
 * (`properties.decision`), so that it confirms the reservation instead of counting twice.
 */
import { hash } from "node:crypto";
import type { MemberEvent } from "../events/event.js";
import type { ContactStore } from "./contact-store.js";
import {
  type Contact,
  decodeContacts,
  encodeContacts,
  liveContacts,
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

  /** The contact this event is; null when it is none, or so old that no limit looks at it. */
  contactOf(subject: string, event: MemberEvent): Contact | null {
    if (event.type !== "call_outbound" && event.type !== "message_sent") return null;
    if (event.at <= Date.now() - this.options.keptMs) return null;
    const { decision, offer } = event.properties ?? {};
    const channel = event.channel ?? (event.type === "call_outbound" ? "phone" : "message");
    return {
      // Ids of events are their sender's, and two members' may be alike.
      token: isToken(decision) ? decision : `e_${digest(`${subject}\n${event.id}`)}`,
      at: event.at,
      until: 0,
      channel: channel.slice(0, CHANNEL_MAX),
      offer: isToken(offer) ? offer : (event.lines[0]?.product ?? null),
      outcome: null,
      outcomeAt: 0,
      again: 0,
    };
  }

  /** The packed contacts with this event's; undefined when that changes nothing. */
  add(packed: Buffer | null, subject: string, event: MemberEvent): Buffer | undefined {
    const contact = this.contactOf(subject, event);
    if (contact === null) return undefined;
    const live = liveContacts(decodeContacts(packed), Date.now(), this.options.keptMs);
    return encodeContacts(unionContacts(live, [contact])) ?? undefined;
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
      const contact = this.contactOf(subject, event);
      if (contact === null) return [];
      const number = this.numberOf(event, contact.channel, phone);
      return number === undefined ? [] : [{ number, contact }];
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

const isToken = (value: unknown): value is string =>
  typeof value === "string" && value !== "" && value.length <= TOKEN_MAX;

const digest = (text: string): string =>
  hash("sha1", text, "buffer").subarray(0, 12).toString("base64url");
