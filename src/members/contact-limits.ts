/** Limits on contacts, as the contact policy computes them for one instant, and whether they are hit. */
import { type Contact, stands } from "./contacts.js";

export type ContactBarCode =
  | "cap_member"
  | "cap_phone"
  | "cap_channel"
  | "cap_offer"
  | "cool_down"
  | "later";

export interface ContactLimit {
  readonly code: ContactBarCode;
  /** Places taken; refusals; or "later"s whose time has not come. */
  readonly counts: "contacts" | "refusals" | "laters";
  /** null: every one. */
  readonly channel: string | null;
  readonly offer: string | null;
  /** Counted from the instant after this one, epoch milliseconds. */
  readonly after: number;
  /** Hit when so many are counted. */
  readonly max: number;
  /** When one of them counts no more: `lengthMs` after it, or at `end` for all; null: the other. */
  readonly lengthMs: number | null;
  readonly end: number | null;
}

export interface ContactBar {
  readonly code: ContactBarCode;
  /** Epoch milliseconds at which it opens, if nothing comes between. */
  readonly until: number;
}

/** Of the limits that are hit the one that opens last; null when there is room. */
export function barOf(
  contacts: readonly Contact[],
  limits: readonly ContactLimit[],
  now: number,
): ContactBar | null {
  let bar: ContactBar | null = null;
  for (const limit of limits) {
    const until = opensAt(contacts, limit, now);
    if (until !== null && (bar === null || until > bar.until)) bar = { code: limit.code, until };
  }
  return bar;
}

function opensAt(contacts: readonly Contact[], limit: ContactLimit, now: number): number | null {
  const leaves: number[] = [];
  for (const contact of contacts) {
    if (isCounted(contact, limit, now)) leaves.push(leavesAt(contact, limit));
  }
  if (leaves.length < limit.max) return null;
  leaves.sort((a, b) => a - b);
  return leaves[leaves.length - limit.max]!;
}

/** As `hit` in `contact-scripts.ts` counts. */
function isCounted(contact: Contact, limit: ContactLimit, now: number): boolean {
  if (limit.channel !== null && contact.channel !== limit.channel) return false;
  if (limit.offer !== null && contact.offer !== limit.offer) return false;
  switch (limit.counts) {
    case "contacts":
      return stands(contact, now) && contact.at > limit.after;
    case "refusals":
      return contact.outcome === "refused" && contact.outcomeAt > limit.after;
    case "laters":
      return contact.outcome === "later" && contact.again > now;
  }
}

function leavesAt(contact: Contact, { counts, lengthMs, end }: ContactLimit): number {
  if (counts === "laters") return contact.again;
  const from = counts === "refusals" ? contact.outcomeAt : contact.at;
  const leaves = lengthMs === null ? end! : from + lengthMs;
  const reserved = counts === "contacts" && contact.until !== 0;
  return reserved ? Math.min(leaves, contact.until) : leaves;
}
