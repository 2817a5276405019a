/** Who a reference leads to, and all the guards must know of them: one turn of reads, two for outbound. */
import type { Config } from "../config.js";
import type { MemberRef } from "../events/event.js";
import { EMPTY_STATE } from "../features/state.js";
import type { ContactStore } from "../members/contact-store.js";
import { decodeContacts } from "../members/contacts.js";
import { type Identity, identitiesOf, identityOf } from "../members/identity.js";
import type { MemberRecord } from "../members/member-store.js";
import type { Suppressions } from "../members/suppressions.js";
import { type GuardSubject, phoneOf } from "../policy/guards.js";
import type { MemberReader } from "./member-reader.js";
import { factsOf, type MemberFacts } from "./member-scores.js";

export interface PersonDependencies {
  readonly config: Config;
  readonly reader: Pick<MemberReader, "readRef" | "readRefs">;
  readonly suppressions: Pick<Suppressions, "refresh" | "reasonFor">;
  readonly contacts: Pick<ContactStore, "phoneContacts">;
}

export interface Person {
  /** null: nobody is known under the reference. */
  readonly facts: MemberFacts | null;
  readonly subject: GuardSubject;
}

/** Nothing could be read: the guards do not know whom they protect. */
export const OUT_OF_REACH: Person = {
  facts: null,
  subject: {
    profile: null,
    state: EMPTY_STATE,
    zones: [],
    jurisdiction: null,
    suppressed: { member: false, phone: false, email: false },
    contacts: [],
    phoneContacts: [],
    reachable: false,
  },
};

/**
 * Whoever the first reference leads to; the others are further names of theirs, for the guards alone.
 * Throws `store_unavailable` when any of it cannot be read: half of what guards must know is nothing.
 * `withPhone`: contacts of the number they would be called on are asked for too.
 */
export async function readPerson(
  refs: readonly [MemberRef, ...MemberRef[]],
  now: number,
  withPhone: boolean,
  dependencies: PersonDependencies,
): Promise<Person> {
  const { reader, suppressions, contacts, config } = dependencies;
  const [record] = await Promise.all([reader.readRef(refs[0]), suppressions.refresh()]);
  const asked = askedBy(refs, config);
  const phone = withPhone ? numberCalled(record, asked) : null;
  const [phoneContacts = []] = phone === null ? [] : await contacts.phoneContacts([phone]);
  return personOf(record, asked, phoneContacts, now, dependencies);
}

/** What the suppression list can be asked for beside what a profile names. */
export type Asked = Identity | { readonly kind: "member"; readonly value: string };

const memberId = (value: string): Asked => ({ kind: "member", value });

/** What references name, without those that name nobody. */
export const askedBy = (
  refs: readonly MemberRef[],
  { defaultRegion }: Pick<Config, "defaultRegion">,
): Asked[] =>
  refs.flatMap((ref) => {
    const named = identityOf(ref, defaultRegion);
    if (named === null) return [];
    return ["identity" in named ? named.identity : memberId(named.id)];
  });

const numberAsked = (asked: readonly Asked[]): string | null =>
  asked.find(({ kind }) => kind === "phone")?.value ?? null;

/** E.164 of the number that would be used, as in `MemberFacts`; null: none, or nobody is known. */
export const numberCalled = (
  record: MemberRecord | null,
  asked: readonly Asked[],
): string | null => (record === null ? null : (numberAsked(asked) ?? phoneOf(record.profile)));

/** `asked`: the references themselves, which may lead to nobody and be listed all the same. */
export function personOf(
  record: MemberRecord | null,
  asked: readonly Asked[],
  phoneContacts: GuardSubject["phoneContacts"],
  now: number,
  { config, suppressions }: Pick<PersonDependencies, "config" | "suppressions">,
): Person {
  const facts = record === null ? null : factsOf(record, now, config, numberAsked(asked));
  const subject: GuardSubject = {
    profile: facts?.profile ?? null,
    state: facts?.state ?? EMPTY_STATE,
    zones: facts?.zones ?? [],
    jurisdiction: facts?.jurisdiction ?? null,
    suppressed: suppressedOf(record, asked, suppressions),
    contacts: decodeContacts(record?.contacts ?? null),
    phoneContacts,
    asked: numberAsked(asked),
    reachable: true,
  };
  return { facts, subject };
}

/** Any one of somebody's phones, e-mails, accounts or ids counts: they are one person. */
function suppressedOf(
  record: MemberRecord | null,
  asked: readonly Asked[],
  suppressions: PersonDependencies["suppressions"],
): GuardSubject["suppressed"] {
  const suppressed = { member: false, phone: false, email: false };
  const profile = record?.profile ?? null;
  const ids = record === null ? [] : [record.id, ...(profile?.merged ?? []).map(({ id }) => id)];
  for (const { kind, value } of [...ids.map(memberId), ...identitiesOf(profile), ...asked]) {
    if (kind === "visitor" || suppressions.reasonFor(kind, value) === null) continue;
    suppressed[kind === "account" ? "member" : kind] = true;
  }
  return suppressed;
}
