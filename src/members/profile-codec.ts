/**
 * A profile as the member's hash holds it: one MessagePack array of a mask and the values it names,
 * because names of fields, equal consents and quotes were more than half of it. The forms before that
 * are still read: the same array as JSON (still written of texts with half a character in them, which
 * MessagePack cannot say), and the profile as JSON.
 */
import { CuecardError } from "../errors.js";
import { pack, unpack } from "../redis/msgpack.js";
import { COMMON_CHANNELS } from "./common-channels.js";
import type { Consent, Profile } from "./profile.js";

/** Bits of the mask: append only, never change one. */
const FIELDS = [
  "name",
  "phone",
  "email",
  "accounts",
  "visitors",
  "timezone",
  "locale",
  "jurisdiction",
  "tags",
  "attributes",
  "vulnerable",
  "personalization",
  "doNotContact",
  "phones",
  "emails",
  "phoneMarks",
] as const satisfies readonly (keyof Profile)[];
/** Fields with a form of their own. */
const CONSENTS = 1 << 24;
const MERGED = 1 << 25;
/** The id is not the one the hash stands under, and is the last value. */
const OTHER_ID = 1 << 26;

const STATUSES = ["granted", "denied", "revoked"] as const satisfies readonly Consent["status"][];
const COMMON_PURPOSE = "marketing";
/** How JSON begins, and MessagePack of an array never does. */
const JSON_STARTS = [0x5b, 0x7b];
/** How JSON says a surrogate without its other half. */
const HALF = /\\ud[89a-f]/;

/** Consents behind one another that differ only in their channel. 0: the common purpose. */
type ConsentRun = [
  purpose: string | 0,
  status: number,
  at: number | null,
  source: string | null,
  ...channels: (string | number)[],
];

/** `id`: of the member whose hash it is for. */
export function encodeProfile(id: string, profile: Profile): Buffer {
  const values = packed(id, profile);
  const json = JSON.stringify(values);
  return HALF.test(json) ? Buffer.from(json) : pack(values);
}

/** What `encodeProfile` wrote, now or before. Throws `store_incompatible` on anything else. */
export function decodeProfile(id: string, stored: Buffer): Profile {
  const isJson = JSON_STARTS.includes(stored[0]!);
  try {
    const value: unknown = isJson ? JSON.parse(stored.toString()) : unpack(stored);
    return isJson && !Array.isArray(value) ? (value as Profile) : unpacked(id, value as unknown[]);
  } catch (cause) {
    throw new CuecardError("store_incompatible", "a member's profile is not readable", { cause });
  }
}

function packed(id: string, profile: Profile): unknown[] {
  const { createdAt, updatedAt, consents, merged } = profile;
  const values: unknown[] = [0, createdAt, updatedAt - createdAt];
  let mask = 0;
  for (let bit = 0; bit < FIELDS.length; bit++) {
    const value = profile[FIELDS[bit]!];
    if (value === undefined) continue;
    mask |= 1 << bit;
    values.push(value);
  }
  if (consents !== undefined) {
    mask |= CONSENTS;
    values.push(runsOf(consents));
  }
  if (merged !== undefined) {
    mask |= MERGED;
    values.push(merged.map((part) => packed(id, part)));
  }
  if (profile.id !== id) {
    mask |= OTHER_ID;
    values.push(profile.id);
  }
  values[0] = mask;
  return values;
}

function unpacked(id: string, values: readonly unknown[]): Profile {
  const mask = values[0] as number;
  const createdAt = values[1] as number;
  const profile: Record<string, unknown> = {};
  profile.id = id;
  profile.createdAt = createdAt;
  profile.updatedAt = createdAt + (values[2] as number);
  let next = 3;
  for (let bit = 0; bit < FIELDS.length; bit++) {
    if (mask & (1 << bit)) profile[FIELDS[bit]!] = values[next++];
  }
  if (mask & CONSENTS) profile.consents = consentsOf(values[next++] as ConsentRun[]);
  if (mask & MERGED) {
    profile.merged = (values[next++] as unknown[][]).map((part) => unpacked(id, part));
  }
  if (mask & OTHER_ID) profile.id = values[next++];
  // Else some value stands for another, and what protects the member may be missing.
  if (next !== values.length) throw new RangeError("the mask names other values");
  return profile as unknown as Profile;
}

function runsOf(consents: readonly Consent[]): ConsentRun[] {
  const runs: ConsentRun[] = [];
  let last: Consent | undefined;
  for (const consent of consents) {
    const { channel, purpose, status, at, source } = consent;
    const same =
      last?.purpose === purpose &&
      last.status === status &&
      last.at === at &&
      last.source === source;
    const place = COMMON_CHANNELS.indexOf(channel);
    const called = place === -1 ? channel : place;
    if (same) runs[runs.length - 1]!.push(called);
    else {
      const named = purpose === COMMON_PURPOSE ? 0 : purpose;
      runs.push([named, STATUSES.indexOf(status), at ?? null, source ?? null, called]);
    }
    last = consent;
  }
  return runs;
}

function consentsOf(runs: readonly ConsentRun[]): Consent[] {
  return runs.flatMap(([purpose, status, at, source, ...channels]) =>
    channels.map((called) => {
      const channel = typeof called === "number" ? COMMON_CHANNELS[called]! : called;
      const named = purpose === 0 ? COMMON_PURPOSE : purpose;
      const consent: Consent = { channel, purpose: named, status: STATUSES[status]! };
      if (at !== null) consent.at = at;
      if (source !== null) consent.source = source;
      return consent;
    }),
  );
}
