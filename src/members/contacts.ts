/**
 * Contacts with a member or on a phone number, made and reserved: what frequency caps count, and what
 * came of them. One flat MessagePack array of eight values a contact, so that scripts read it.
 *
 * A set by token whose union commutes, associates and is idempotent: merging two members is exact.
 */
import { CuecardError } from "../errors.js";

export type ContactOutcome = "accepted" | "refused" | "later";

export interface Contact {
  /** Names it once and for all: the decision it came from, else a digest of the event's id. */
  readonly token: string;
  /** Epoch milliseconds. */
  readonly at: number;
  /** 0: made. Else the end of a reservation; an expired one counts for nothing. */
  readonly until: number;
  readonly channel: string;
  readonly offer: string | null;
  readonly outcome: ContactOutcome | null;
  /** 0 without an outcome. */
  readonly outcomeAt: number;
  /** Of a "later": not before this instant. Else 0. */
  readonly again: number;
}

/** Kept of one member or number. Caps count to 50 at most (see `config.ts`). */
export const CONTACTS_MAX = 64;
export const CONTACT_FIELDS = 8;
/** `until` of what only carries an outcome (of an answer to an inbound call): never counted. */
export const NOT_COUNTED = 1;
/**
 * Later than any calendar in use. Records read are cut to it: calendars, clocks and dates behind fail on
 * what lies far beyond, and one bad record must break no answer, least of all about others.
 */
const LATEST_MS = Date.UTC(9999, 0, 1);

const CODES = { accepted: "a", refused: "r", later: "l" } as const;
const OUTCOMES: Record<string, ContactOutcome> = { a: "accepted", r: "refused", l: "later" };
export const outcomeCode = (outcome: ContactOutcome | null): string =>
  outcome === null ? "" : CODES[outcome];

/** Made, or reserved and not expired: it takes a place. */
export const stands = ({ until }: Contact, now: number): boolean => until === 0 || until > now;

const byTime = (a: Contact, b: Contact): number =>
  a.at - b.at || (a.token < b.token ? -1 : a.token > b.token ? 1 : 0);

/** The same contact as two records know it: each part the later or stronger of the two. */
function join(a: Contact, b: Contact): Contact {
  const answer = compareAnswers(a, b) >= 0 ? a : b;
  return {
    token: a.token,
    at: Math.max(a.at, b.at),
    until: a.until === 0 || b.until === 0 ? 0 : Math.max(a.until, b.until),
    channel: [a.channel, b.channel].sort()[1]!,
    offer: [a.offer ?? "", b.offer ?? ""].sort()[1]! || null,
    outcome: answer.outcome,
    outcomeAt: answer.outcomeAt,
    again: answer.again,
  };
}

const compareAnswers = (a: Contact, b: Contact): number =>
  a.outcomeAt - b.outcomeAt || rankOf(a) - rankOf(b) || a.again - b.again;

const rankOf = ({ outcome }: Contact): number =>
  outcome === null ? 0 : outcome === "later" ? 1 : outcome === "accepted" ? 2 : 3;

/** Both together, oldest first, at most `CONTACTS_MAX`. */
export function unionContacts(a: readonly Contact[], b: readonly Contact[]): Contact[] {
  const byToken = new Map<string, Contact>();
  for (const contact of [...a, ...b]) {
    const known = byToken.get(contact.token);
    byToken.set(contact.token, known === undefined ? contact : join(known, contact));
  }
  return fitting([...byToken.values()].sort(byTime));
}

/**
 * Of too many (sorted by time) those that bar something by their outcome stay first, then the latest of
 * each channel in turn: a flood on one channel must not hide the contacts of another.
 */
function fitting(contacts: Contact[]): Contact[] {
  if (contacts.length <= CONTACTS_MAX) return contacts;
  const seen = new Map<string, number>();
  const ranked = contacts.toReversed().map((contact) => {
    const rank = seen.get(contact.channel) ?? 0;
    seen.set(contact.channel, rank + 1);
    return { contact, rank, bars: bars(contact) ? 0 : 1 };
  });
  ranked.sort((a, b) => a.bars - b.bars || a.rank - b.rank || byTime(b.contact, a.contact));
  return ranked
    .slice(0, CONTACTS_MAX)
    .map(({ contact }) => contact)
    .sort(byTime);
}

const bars = ({ outcome }: Contact): boolean => outcome === "refused" || outcome === "later";

/** A second "later" about the same offer, or on the same channel about none, is a refusal. */
export function settleLaters(contacts: readonly Contact[]): Contact[] {
  const first = new Map<string, Contact>();
  const aboutOf = ({ offer, channel }: Contact): string => `${offer ?? ""}\n${offer ?? channel}`;
  for (const contact of contacts) {
    if (contact.outcome !== "later") continue;
    const known = first.get(aboutOf(contact));
    if (known === undefined || compareAnswers(contact, known) < 0) {
      first.set(aboutOf(contact), contact);
    }
  }
  return contacts.map((contact) =>
    contact.outcome !== "later" || first.get(aboutOf(contact)) === contact
      ? contact
      : { ...contact, outcome: "refused", again: 0 },
  );
}

/** Without what no limit looks at any more: expired reservations, and what is older than `keptMs`. */
export const liveContacts = (
  contacts: readonly Contact[],
  now: number,
  keptMs: number,
): Contact[] =>
  contacts.filter(
    (contact) =>
      (stands(contact, now) || contact.outcome !== null) &&
      Math.max(contact.at, contact.until, contact.outcomeAt, contact.again) > now - keptMs,
  );

/** The union of two packed sets; null when neither holds anything. */
export function mergeContacts(a: Buffer | null, b: Buffer | null): Buffer | null {
  if (a === null || b === null) return a ?? b;
  return encodeContacts(unionContacts(decodeContacts(a), decodeContacts(b)));
}

/** null for none. The same contacts give the same bytes. */
export function encodeContacts(contacts: readonly Contact[]): Buffer | null {
  if (contacts.length === 0) return null;
  const sorted = [...contacts].sort(byTime);
  const parts: Buffer[] = [arrayHead(sorted.length * CONTACT_FIELDS)];
  for (const one of sorted) {
    parts.push(text(one.token), whole(one.at), whole(one.until), text(one.channel));
    parts.push(text(one.offer ?? ""), text(outcomeCode(one.outcome)));
    parts.push(whole(one.outcomeAt), whole(one.again));
  }
  return Buffer.concat(parts);
}

/** Throws `store_incompatible` on what is no set of contacts. */
export function decodeContacts(packed: Buffer | null): Contact[] {
  if (packed === null) return [];
  const values = readArray(packed);
  if (values.length % CONTACT_FIELDS !== 0) throw incompatible();
  const contacts: Contact[] = [];
  for (let i = 0; i < values.length; i += CONTACT_FIELDS) {
    const [token, at, until, channel, offer, outcome, outcomeAt, again] = values.slice(i, i + 8);
    contacts.push({
      token: String(token),
      at: instantOf(at),
      until: instantOf(until),
      channel: String(channel),
      offer: offer === "" ? null : String(offer),
      outcome: OUTCOMES[String(outcome)] ?? null,
      outcomeAt: instantOf(outcomeAt),
      again: instantOf(again),
    });
  }
  return contacts.sort(byTime);
}

const instantOf = (value: string | number | undefined): number =>
  Math.min(Number(value), LATEST_MS);

// The part of MessagePack in use, in the shortest forms, as cmsgpack writes them.

function arrayHead(count: number): Buffer {
  if (count < 16) return Buffer.from([0x90 | count]);
  return Buffer.from([0xdc, count >> 8, count & 0xff]);
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  const { length } = bytes;
  if (length < 32) return Buffer.concat([Buffer.from([0xa0 | length]), bytes]);
  if (length < 256) return Buffer.concat([Buffer.from([0xd9, length]), bytes]);
  return Buffer.concat([Buffer.from([0xda, length >> 8, length & 0xff]), bytes]);
}

function whole(value: number): Buffer {
  if (value < 0x80) return Buffer.from([value]);
  const bytes = Buffer.alloc(9);
  bytes[0] = 0xcf;
  bytes.writeBigUInt64BE(BigInt(value), 1);
  return bytes;
}

function readArray(packed: Buffer): (string | number)[] {
  let at = 0;
  const take = (bytes: number): number => {
    const start = at;
    at += bytes;
    if (at > packed.length) throw incompatible();
    return start;
  };
  const textOf = (length: number): string => {
    const start = take(length);
    return packed.toString("utf8", start, at);
  };
  const value = (): string | number => {
    const head = packed[take(1)]!;
    if (head < 0x80) return head;
    if (head >= 0xa0 && head < 0xc0) return textOf(head & 0x1f);
    switch (head) {
      case 0xcb:
        return packed.readDoubleBE(take(8));
      case 0xcc:
        return packed[take(1)]!;
      case 0xcd:
        return packed.readUInt16BE(take(2));
      case 0xce:
        return packed.readUInt32BE(take(4));
      case 0xcf:
        return Number(packed.readBigUInt64BE(take(8)));
      case 0xd9:
        return textOf(packed[take(1)]!);
      case 0xda:
        return textOf(packed.readUInt16BE(take(2)));
      default:
        throw incompatible();
    }
  };
  const head = packed[take(1)]!;
  const count = head === 0xdc ? packed.readUInt16BE(take(2)) : head & 0x0f;
  if (head !== 0xdc && (head & 0xf0) !== 0x90) throw incompatible();
  return Array.from({ length: count }, value);
}

const incompatible = (): CuecardError =>
  new CuecardError("store_incompatible", "contacts of a member are not readable");
