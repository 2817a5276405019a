/**
 * Identities: which members a phone, e-mail, account or visitor cookie leads to.
 * The record lives in the identity's own slot, written before the member that claims it, and is
 * believed only when the member's profile names the identity too; so a write cut off between the two
 * slots leads nobody astray.
 */
import { CuecardError } from "../errors.js";
import type { MemberRef } from "../events/event.js";
import type { RedisClient } from "../redis/clients.js";
import { toStoreError } from "../redis/clients.js";
import { hash32, identityKey, phoneContactsKey } from "../redis/keys.js";
import { parsePhone } from "./phone.js";
import type { MemberInput, Profile } from "./profile.js";

export type IdentityKind = "phone" | "email" | "account" | "visitor";

export interface Identity {
  readonly kind: IdentityKind;
  /** E.164, lower-case address, or the id as given. */
  readonly value: string;
}

/** Every identity a profile names, merged parts included. */
export function identitiesOf(profile: Profile | null): Identity[] {
  if (profile === null) return [];
  const list = (kind: IdentityKind, values: (string | undefined)[]): Identity[] =>
    [...new Set(values)].flatMap((value) => (value === undefined ? [] : [{ kind, value }]));
  return [
    ...list("phone", [profile.phone, ...(profile.phones ?? [])]),
    ...list("email", [profile.email, ...(profile.emails ?? [])]),
    ...list("account", profile.accounts ?? []),
    ...list("visitor", profile.visitors ?? []),
  ];
}

export const sameIdentity = (a: Identity, b: Identity): boolean =>
  a.kind === b.kind && a.value === b.value;

/** The profile names the identity, in whichever part. */
export const isNamed = (profile: Profile | null, identity: Identity): boolean =>
  identitiesOf(profile).some((one) => sameIdentity(one, identity));

/** The least that makes a profile name the identity. */
export function inputOf({ kind, value }: Identity): MemberInput {
  if (kind === "phone") return { phone: value };
  if (kind === "email") return { email: value };
  return kind === "account" ? { accounts: [value] } : { visitors: [value] };
}

/**
 * What a reference names: a member id, an identity, or nobody (a withheld or impossible number).
 * Never throws: callers of /pop and recommendations get the cold-start answer for nobody.
 */
export function identityOf(
  ref: MemberRef,
  defaultRegion: string,
): { id: string } | { identity: Identity } | null {
  if (typeof ref === "string") return { id: ref };
  if ("phone" in ref) {
    const parsed = parsePhone(ref.phone, defaultRegion);
    return parsed.kind === "number" ? { identity: { kind: "phone", value: parsed.e164 } } : null;
  }
  if ("email" in ref) return { identity: { kind: "email", value: ref.email.trim().toLowerCase() } };
  if ("account" in ref) return { identity: { kind: "account", value: ref.account } };
  return { identity: { kind: "visitor", value: ref.visitor } };
}

/** E.164 or `invalid_phone`. */
export function requirePhone(text: string, defaultRegion: string): string {
  const parsed = parsePhone(text, defaultRegion);
  if (parsed.kind === "number") return parsed.e164;
  throw new CuecardError("invalid_phone", "phone: not a number that can be dialled");
}

/**
 * The id of a member first met through an identity: the same in every process, so that two who meet
 * it at once make one member. `attempt`: how many members met so have passed the identity on since
 * (a phone number finds a new owner).
 */
export function idFromIdentity({ kind, value }: Identity, attempt = 0): string {
  const name = attempt === 0 ? `${kind}\n${value}` : `${kind}\n${value}\n${attempt}`;
  const parts = [0, 1, 2].map((seed) => hash32(name, seed).toString(36));
  return `${kind === "visitor" ? "v" : "m"}_${parts.join("")}`;
}

export class IdentityStore {
  constructor(private readonly client: RedisClient) {}

  /** Member ids the identity leads to, latest link first. Throws `store_unavailable`. */
  async lookup({ kind, value }: Identity): Promise<string[]> {
    try {
      const links = await this.client.hgetall(identityKey(kind, value));
      return Object.keys(links).sort((a, b) => Number(links[b]) - Number(links[a]));
    } catch (error) {
      throw toStoreError(error);
    }
  }

  async link({ kind, value }: Identity, memberId: string): Promise<void> {
    try {
      await this.client.hset(identityKey(kind, value), memberId, Date.now());
    } catch (error) {
      throw toStoreError(error);
    }
  }

  async unlink({ kind, value }: Identity, ...memberIds: string[]): Promise<void> {
    try {
      await this.client.hdel(identityKey(kind, value), ...memberIds);
    } catch (error) {
      throw toStoreError(error);
    }
  }

  /** Contacts made on a number nobody has any more. */
  async dropContacts(e164: string): Promise<void> {
    try {
      await this.client.unlink(phoneContactsKey(e164));
    } catch (error) {
      throw toStoreError(error);
    }
  }
}
