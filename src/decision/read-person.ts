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
 * Throws `store_unavailable` when any of it cannot be read: half of what guards must know is nothing.
 * `withPhone`: contacts of the number they would be called on are asked for too.
 */
export async function readPerson(
  ref: MemberRef,
  now: number,
  withPhone: boolean,
  dependencies: PersonDependencies,
): Promise<Person> {
  const { reader, suppressions, contacts, config } = dependencies;
  const [record] = await Promise.all([reader.readRef(ref), suppressions.refresh()]);
  const phone = withPhone ? phoneOf(record?.profile ?? null) : null;
  const [phoneContacts = []] = phone === null ? [] : await contacts.phoneContacts([phone]);
  const named = identityOf(ref, config.defaultRegion);
  const asked = named === null ? [] : ["identity" in named ? named.identity : memberId(named.id)];
  return personOf(record, asked, phoneContacts, now, dependencies);
}

/** What the suppression list can be asked for beside what a profile names. */
type Asked = Identity | { readonly kind: "member"; readonly value: string };

const memberId = (value: string): Asked => ({ kind: "member", value });

/** `asked`: the reference itself, which may lead to nobody and be listed all the same. */
export function personOf(
  record: MemberRecord | null,
  asked: readonly Asked[],
  phoneContacts: GuardSubject["phoneContacts"],
  now: number,
  { config, suppressions }: Pick<PersonDependencies, "config" | "suppressions">,
): Person {
  const facts = record === null ? null : factsOf(record, now, config);
  const subject: GuardSubject = {
    profile: facts?.profile ?? null,
    state: facts?.state ?? EMPTY_STATE,
    zones: facts?.zones ?? [],
    jurisdiction: facts?.jurisdiction ?? null,
    suppressed: suppressedOf(record, asked, suppressions),
    contacts: decodeContacts(record?.contacts ?? null),
    phoneContacts,
    asked: asked.find(({ kind }) => kind === "phone")?.value ?? null,
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
