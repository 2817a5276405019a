/**
 * One effective profile from the parts of merged members. A set union of parts sorted by time and id,
 * so combining commutes and associates, and leaving a part out gives back what was.
 */
import type { Consent, PhoneMark, Profile } from "./profile.js";

const union = (lists: readonly (readonly string[] | undefined)[]): string[] | undefined => {
  const all = [...new Set(lists.flatMap((list) => list ?? []))].sort();
  return all.length === 0 ? undefined : all;
};

/** The latest word on a channel and purpose wins; of two at one time, the refusal. */
export function latestConsents(consents: readonly Consent[]): Consent[] | undefined {
  const latest = new Map<string, Consent>();
  for (const consent of consents) {
    const key = `${consent.channel}\n${consent.purpose}`;
    const known = latest.get(key);
    const newer = (consent.at ?? 0) - (known?.at ?? 0);
    const refuses = known?.status === "granted" && consent.status !== "granted";
    if (known === undefined || newer > 0 || (newer === 0 && refuses)) latest.set(key, consent);
  }
  const sorted = [...latest].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, consent]) => consent);
  return sorted.length === 0 ? undefined : sorted;
}

/** Of one member; the oldest words go first. */
const PHONE_MARKS_KEPT = 20;

/** The latest word on a number wins; of two at one time, the one that keeps us from calling it. */
export function latestPhoneMarks(marks: readonly PhoneMark[]): PhoneMark[] | undefined {
  const latest = new Map<string, PhoneMark>();
  for (const mark of marks) {
    const known = latest.get(mark.phone);
    const newer = (mark.at ?? 0) - (known?.at ?? 0);
    const bars = known?.status === "confirmed" && mark.status !== "confirmed";
    if (known === undefined || newer > 0 || (newer === 0 && bars)) latest.set(mark.phone, mark);
  }
  const sorted = [...latest.values()].sort(
    (a, b) => (b.at ?? 0) - (a.at ?? 0) || (a.phone < b.phone ? -1 : 1),
  );
  return sorted.length === 0 ? undefined : sorted.slice(0, PHONE_MARKS_KEPT);
}

/** Profiles with their own `merged` parts become a flat list, one part an id. */
export function partsOf(profile: Profile): Profile[] {
  return profile.merged ?? [profile];
}

/**
 * The profile of `id` seen as all `parts` together: later parts override single values, lists are
 * united, and whatever protects the member in one part protects the whole.
 */
export function combineProfiles(id: string, parts: readonly Profile[]): Profile {
  const byId = new Map(parts.map((part) => [part.id, part]));
  const sorted = [...byId.values()].sort(
    (a, b) => a.updatedAt - b.updatedAt || (a.id < b.id ? -1 : 1),
  );
  const combined: Profile = Object.assign({}, ...sorted.map(definedOnly));
  const phones = union(sorted.map((part) => [...(part.phones ?? []), ...single(part.phone)]));
  return definedOnly({
    ...combined,
    id,
    createdAt: Math.min(...sorted.map((part) => part.createdAt)),
    updatedAt: Math.max(...sorted.map((part) => part.updatedAt)),
    phones: phones?.some((phone) => phone !== combined.phone) ? phones : undefined,
    accounts: union(sorted.map((part) => part.accounts)),
    visitors: union(sorted.map((part) => part.visitors)),
    emails: unionOfOthers(sorted, combined.email),
    tags: union(sorted.map((part) => part.tags)),
    attributes: Object.assign({}, ...sorted.map((part) => part.attributes ?? {})),
    consents: latestConsents(sorted.flatMap((part) => part.consents ?? [])),
    phoneMarks: latestPhoneMarks(sorted.flatMap((part) => part.phoneMarks ?? [])),
    vulnerable: sorted.some((part) => part.vulnerable === true) || undefined,
    doNotContact: sorted.some((part) => part.doNotContact === true) || undefined,
    personalization: sorted.some((part) => part.personalization === "off") ? "off" : undefined,
    merged: sorted.length > 1 ? sorted : undefined,
  });
}

const single = (value: string | undefined): string[] => (value === undefined ? [] : [value]);

/** Further e-mail addresses of merged parts; the effective one stands in `email`. */
function unionOfOthers(parts: readonly Profile[], email: string | undefined): string[] | undefined {
  const others = union(parts.map((part) => single(part.email)))?.filter((one) => one !== email);
  return others === undefined || others.length === 0 ? undefined : others;
}

function definedOnly(profile: Profile): Profile {
  const entries = Object.entries(profile).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as unknown as Profile;
}
