/**
 * Contacts with a member or on a phone number, made and reserved: what frequency caps count, and what
 * came of them. Packed as MessagePack, so that scripts read it: an instant, then each contact as its
 * token, its time from that instant on, a number of flags and channel, and what the flags name. A
 * list that begins with a text is the form before, eight values a contact, and still read.
 *
 * A set by token whose union commutes, associates and is idempotent: merging two members is exact.
 */
import { CuecardError } from "../errors.js";
import { pack, unpack } from "../redis/msgpack.js";
import { COMMON_CHANNELS } from "./common-channels.js";

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
const CONTACT_FIELDS = 8;
/** How a token begins that is a digest, and how long it is now and was before. */
export const DIGEST = "e_";
export const SHORT_DIGEST = 14;
export const LONG_DIGEST = 18;
/** `until` of what only carries an outcome (of an answer to an inbound call): never counted. */
export const NOT_COUNTED = 1;
/**
 * Later than any calendar in use. Records read are cut to it: calendars, clocks and dates behind fail on
 * what lies far beyond, and one bad record must break no answer, least of all about others.
 */
const LATEST_MS = Date.UTC(9999, 0, 1);

/** Flags of a packed contact, and what one place among the common channels counts, from 1 on. */
export const HAS_END = 1;
export const HAS_OFFER = 2;
export const HAS_OUTCOME = 4;
export const ONE_CHANNEL = 8;

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
  const from = sorted[0]!.at;
  const values: (string | number)[] = [from];
  for (const { token, at, until, channel, offer, outcome, outcomeAt, again } of sorted) {
    const place = COMMON_CHANNELS.indexOf(channel) + 1;
    const reserved = until === 0 ? 0 : HAS_END;
    const about = offer === null ? 0 : HAS_OFFER;
    const answered = outcome === null ? 0 : HAS_OUTCOME;
    values.push(wellFormed(token), at - from, reserved + about + answered + place * ONE_CHANNEL);
    if (place === 0) values.push(wellFormed(channel));
    if (reserved) values.push(until);
    if (offer !== null) values.push(wellFormed(offer));
    if (answered) values.push(outcomeCode(outcome), outcomeAt, again);
  }
  return pack(values);
}

/** Half a character becomes what scripts are given for it: else one token would be two. */
const wellFormed = (text: string): string => text.replace(/\p{Surrogate}/gu, "\ufffd");

/** Throws `store_incompatible` on what is no set of contacts. */
export function decodeContacts(packed: Buffer | null): Contact[] {
  if (packed === null) return [];
  const values = readArray(packed);
  const contacts = typeof values[0] === "number" ? eachByFlags(values) : eachOfEight(values);
  return contacts.sort(byTime);
}

function eachByFlags(values: readonly unknown[]): Contact[] {
  const contacts: Contact[] = [];
  let next = 0;
  const take = (): unknown => {
    if (next >= values.length) throw incompatible();
    return values[next++];
  };
  const from = Number(take());
  while (next < values.length) {
    const token = take();
    const at = from + Number(take());
    const flags = Number(take());
    const place = Math.floor(flags / ONE_CHANNEL);
    const channel = place === 0 ? take() : COMMON_CHANNELS[place - 1];
    if (channel === undefined) throw incompatible();
    const until = flags & HAS_END ? take() : 0;
    const offer = flags & HAS_OFFER ? take() : "";
    const [outcome, outcomeAt, again] = flags & HAS_OUTCOME ? [take(), take(), take()] : ["", 0, 0];
    contacts.push(contactOf([token, at, until, channel, offer, outcome, outcomeAt, again]));
  }
  return contacts;
}

function eachOfEight(values: readonly unknown[]): Contact[] {
  if (values.length % CONTACT_FIELDS !== 0) throw incompatible();
  const contacts: Contact[] = [];
  for (let i = 0; i < values.length; i += CONTACT_FIELDS) {
    const [token, ...rest] = values.slice(i, i + CONTACT_FIELDS);
    contacts.push(contactOf([tokenNow(String(token)), ...rest]));
  }
  return contacts;
}

/** Digests in the form before had 96 bits; their first 72 are today's. */
const tokenNow = (token: string): string =>
  token.length === LONG_DIGEST && token.startsWith(DIGEST) ? token.slice(0, SHORT_DIGEST) : token;

function contactOf(values: readonly unknown[]): Contact {
  const [token, at, until, channel, offer, outcome, outcomeAt, again] = values;
  return {
    token: String(token),
    at: instantOf(at),
    until: instantOf(until),
    channel: String(channel),
    offer: offer === "" ? null : String(offer),
    outcome: OUTCOMES[String(outcome)] ?? null,
    outcomeAt: instantOf(outcomeAt),
    again: instantOf(again),
  };
}

const instantOf = (value: unknown): number => Math.min(Number(value), LATEST_MS);

function readArray(packed: Buffer): unknown[] {
  let values: unknown;
  try {
    values = unpack(packed);
  } catch {
    throw incompatible();
  }
  if (!Array.isArray(values)) throw incompatible();
  return values;
}

const incompatible = (): CuecardError =>
  new CuecardError("store_incompatible", "contacts of a member are not readable");
