/** Members: reading through merges, writing profiles, merging, erasing. */
import { CuecardError, isCuecardError } from "../errors.js";
import type { MemberRef } from "../events/event.js";
import type { LogRecord } from "../events/log-record.js";
import { backOff } from "../redis/back-off.js";
import { partitionOf } from "../redis/keys.js";
import { combineProfiles, partsOf } from "./combine-profiles.js";
import { mergeContacts } from "./contacts.js";
import { idsWithin, MemberErasure } from "./erase-member.js";
import {
  type Identity,
  type IdentityKind,
  type IdentityStore,
  identitiesOf,
  identityOf,
  idFromIdentity,
  inputOf,
  isNamed,
  requirePhone,
} from "./identity.js";
import {
  type Commit,
  exists,
  isUnfinished,
  type MemberRecord,
  type MemberStore,
  type MemberWrite,
  NOTHING_LEFT,
} from "./member-store.js";
import { type MemberInput, memberInputSchema, type Profile } from "./profile.js";
import { mergeOffers } from "./sticky-offers.js";
import type { Suppressions } from "./suppressions.js";
import { blank, protectionOf, writtenPart } from "./written-part.js";

/** The part of the feature algebra a merge needs; given by the composition root. */
export type MergeStates = (a: Buffer | null, b: Buffer | null) => Buffer | null;

export interface Resolved {
  readonly record: MemberRecord;
  /** Member ids that share the identity asked for; more than one is worth a question on the phone. */
  readonly candidates: readonly string[];
}

const MAX_ROUNDS = 24;
/** Of the cookies a member logged in with, the latest. */
const VISITORS_KEPT = 20;

/** What members ask of the suppression list: who was erased, and room for one more. */
export type Erasures = Pick<Suppressions, "refresh" | "isErased" | "putAll">;

export class Members {
  readonly identities: IdentityStore;
  private readonly erasure: MemberErasure;

  constructor(
    private readonly store: MemberStore,
    identities: IdentityStore,
    private readonly mergeStates: MergeStates,
    private readonly defaultRegion: string,
    private readonly erasures: Erasures,
  ) {
    this.identities = identities;
    this.erasure = new MemberErasure(store, identities, erasures, {
      holderOf: (subject) => this.holderOf(subject),
      settleLinks: (before) => this.settleLinks(before, null),
    });
  }

  /** The member a reference leads to, or null for somebody unknown. */
  async resolve(ref: MemberRef): Promise<Resolved | null> {
    const named = identityOf(ref, this.defaultRegion);
    if (named === null) return null;
    if ("id" in named) {
      const record = await this.store.readThrough(named.id);
      return exists(record) ? { record, candidates: [record.id] } : null;
    }
    const records = await this.believed(named.identity);
    return records[0] === undefined
      ? null
      : { record: records[0], candidates: records.map((record) => record.id) };
  }

  /** As `resolve`, but meets a stranger: an event of somebody new makes a member. */
  async resolveOrCreate(ref: MemberRef): Promise<string> {
    const named = identityOf(ref, this.defaultRegion);
    if (named === null) throw new CuecardError("invalid_phone", "member.phone: cannot be dialled");
    if ("id" in named) return named.id;
    const { identity } = named;
    const records = await this.believed(identity);
    if (records[0] !== undefined) return records[0].id;
    if (!memberInputSchema.safeParse(inputOf(identity)).success) {
      throw new CuecardError("invalid_id", `member.${identity.kind}: not one a member can have`);
    }
    await this.requireNotErased([identity]);
    for (let attempt = 0; attempt < MAX_ROUNDS; attempt++) {
      const id = idFromIdentity(identity, attempt);
      // Erased, and the identity was let in again since: somebody new.
      if (this.erasures.isErased("member", id)) continue;
      const { profile } = await this.holderOf(id);
      // Met by this identity once, known under another since: that is not who comes now.
      if (profile !== null && !isNamed(profile, identity)) continue;
      if (profile === null) await this.patch(id, inputOf(identity));
      return id;
    }
    throw contended();
  }

  async get(id: string): Promise<MemberRecord> {
    const record = await this.store.readThrough(id);
    if (record.erased) throw erasedError();
    if (exists(record)) return record;
    await this.requireNotErased([], id);
    throw new CuecardError("member_unknown", "no member has this id");
  }

  /** Replaces what was known of the member (of this part, after a merge) except what protects them. */
  async put(id: string, input: MemberInput): Promise<Profile> {
    return this.writePart(id, input, protectionOf);
  }

  /** Changes only the fields given; attributes name by name, consents by channel and purpose. */
  async patch(id: string, input: MemberInput): Promise<Profile> {
    return this.writePart(id, input, (known) => known);
  }

  /** Moves `from` into `id`. Repeating a merge that was cut off finishes it. */
  async merge(id: string, from: string): Promise<Profile> {
    const source = await this.store.read(from);
    if (source.redirect !== null && !isUnfinished(source)) {
      throw new CuecardError("merge_invalid", "it was merged already");
    }
    const target = await this.store.readThrough(source.redirect ?? id);
    if (target.id === from) throw new CuecardError("merge_invalid", "these are one member");
    if (source.erased || target.erased) throw new CuecardError("member_erased", "one was erased");
    if (!exists(source)) throw new CuecardError("member_unknown", "nothing is known of `from`");
    if (!exists(target)) throw new CuecardError("member_unknown", "no member has this id");
    if (source.redirect === null) await this.redirect(from, target.id);
    return this.finishMerge(from);
  }

  /** Second and third step of a merge whose redirect stands: take over, then clear the source. */
  async finishMerge(from: string): Promise<Profile> {
    for (let round = 0; round < MAX_ROUNDS; round++) {
      await backOff(round);
      const source = await this.store.read(from);
      if (source.redirect === null) throw new CuecardError("merge_invalid", "it is not merged");
      const target = await this.store.readThrough(source.redirect);
      if (target.redirect !== null) {
        await this.breakRing(from);
        continue;
      }
      if (target.erased) {
        await this.erasure.eraseInto(source);
        throw new CuecardError("member_erased", "the member it was merged into was erased");
      }
      const sourcePart = source.profile ?? blank(from);
      const targetParts = partsOf(target.profile ?? blank(target.id));
      const known = targetParts.some((part) => part.id === from);
      if (!isUnfinished(source)) return target.profile ?? blank(target.id);
      const profile = combineProfiles(target.id, [...targetParts, ...partsOf(sourcePart)]);
      if (!known) {
        const write = {
          id: target.id,
          expectedVersion: target.version,
          state: this.mergeStates(target.state, source.state),
          profile,
          contacts: mergeContacts(target.contacts, source.contacts),
          offers: mergeOffers(target.offers, source.offers),
        };
        if (!(await this.commit(write, mergeRecord(target.id, from)))) continue;
        await this.settleLinks(target, profile);
      }
      await this.flatten(profile, target.id);
      const clear = { id: from, expectedVersion: source.version, ...NOTHING_LEFT };
      if (await this.commit(clear)) return profile;
    }
    throw contended();
  }

  /** A tombstone: from here on no read finds the member; bytes follow by compaction. */
  erase(id: string): Promise<{ id: string; erasedAt: number }> {
    return this.erasure.erase(id);
  }

  /** Carries a visitor's history over to the member on login; does nothing the second time. */
  async login(memberId: string, visitor: string): Promise<void> {
    const identity: Identity = { kind: "visitor", value: visitor };
    const anonymousId = idFromIdentity(identity);
    for (let round = 0; round < MAX_ROUNDS; round++) {
      await backOff(round);
      const anonymous = await this.holderOf(anonymousId);
      const member = await this.holderOf(memberId);
      if (anonymous.id === member.id) return;
      if (anonymous.id !== anonymousId || !exists(anonymous)) {
        if (isNamed(member.profile, identity)) return;
        await this.writePart(memberId, {}, (known) => ({
          ...known,
          visitors: [...(known.visitors ?? []), visitor].slice(-VISITORS_KEPT),
        }));
        return;
      }
      if (!exists(member)) await this.patch(memberId, {});
      try {
        await this.merge(memberId, anonymousId);
        return;
      } catch (error) {
        // Another login of the same visitor was faster: look again where it led.
        if (!isCuecardError(error) || error.code !== "merge_invalid") throw error;
      }
    }
    throw contended();
  }

  private async believed(identity: Identity): Promise<MemberRecord[]> {
    const ids = await this.identities.lookup(identity);
    const records = await Promise.all(ids.map((id) => this.store.readThrough(id)));
    const unique = new Map(records.map((record) => [record.id, record]));
    return [...unique.values()].filter(
      (record) => !record.erased && isNamed(record.profile, identity),
    );
  }

  private async writePart(
    subject: string,
    input: MemberInput,
    base: (known: MemberInput) => MemberInput,
  ): Promise<Profile> {
    const given = this.normalise(input);
    const identities = identitiesOf({ ...blank(subject), ...given, id: subject });
    // What was found out of a number names it as well.
    const marked = given.phoneMarks?.map(({ phone }) => ({ kind: "phone", value: phone }) as const);
    await this.requireNotErased([...identities, ...(marked ?? [])], subject);
    const linked: Pick<MemberRecord, "id" | "profile">[] = [];
    for (let round = 0; round < MAX_ROUNDS; round++) {
      await backOff(round);
      const record = await this.holderOf(subject);
      if (record.erased) {
        // In rounds that lost against the erasure, or against a merge before it.
        for (const links of linked) await this.erasure.unlinkAll(links);
        throw erasedError();
      }
      const parts = record.profile === null ? [] : partsOf(record.profile);
      const known = parts.find((part) => part.id === subject);
      const part = writtenPart(subject, known, base, given);
      const others = parts.filter((one) => one.id !== subject);
      const profile = others.length === 0 ? part : combineProfiles(record.id, [...others, part]);
      linked.push({ id: record.id, profile: part });
      for (const identity of identitiesOf(part)) await this.identities.link(identity, record.id);
      const write = { id: record.id, expectedVersion: record.version, profile };
      const at = part.updatedAt;
      const log: LogRecord = { kind: "profile", member: record.id, subject, at, profile: part };
      if (!(await this.commit(write, log))) continue;
      await this.settleLinks(record, profile);
      return profile;
    }
    throw contended();
  }

  /** Writers may give and take an identity at once: act and look again, until the profile agrees. */
  private async settleLinks(before: MemberRecord, after: Profile | null): Promise<void> {
    const touched = [...identitiesOf(before.profile), ...identitiesOf(after)].filter(
      (one) => isNamed(before.profile, one) !== isNamed(after, one),
    );
    if (touched.length === 0) return;
    let acted = after;
    for (let round = 0; round < MAX_ROUNDS; round++) {
      for (const identity of touched) {
        if (isNamed(acted, identity)) await this.identities.link(identity, before.id);
        else await this.identities.unlink(identity, ...idsWithin(before));
      }
      const { profile } = await this.store.readThrough(before.id);
      if (touched.every((one) => isNamed(profile, one) === isNamed(acted, one))) return;
      acted = profile;
    }
    throw contended();
  }

  /** Nobody who was erased comes back by a write that names them. Throws `member_erased`. */
  private async requireNotErased(named: readonly Identity[], id?: string): Promise<void> {
    await this.erasures.refresh();
    const gone = (kind: IdentityKind, value: string): boolean =>
      kind !== "visitor" && this.erasures.isErased(kind, value);
    const erased = id !== undefined && this.erasures.isErased("member", id);
    if (erased || named.some(({ kind, value }) => gone(kind, value))) throw erasedError();
  }

  /**
   * Who holds the subject's profile. A merge cut off half-way is finished first: its take-over is
   * recognised by the subject's part in the target, which a write through it would make too early.
   */
  private async holderOf(subject: string): Promise<MemberRecord> {
    const direct = await this.store.read(subject);
    if (isUnfinished(direct)) await this.finishMerge(subject);
    return direct.redirect === null ? direct : this.store.readThrough(subject);
  }

  private normalise(input: MemberInput): MemberInput {
    const phone = input.phone === undefined ? {} : { phone: this.phone(input.phone) };
    const phones = input.phones?.map((one) => this.phone(one));
    const email = input.email?.trim().toLowerCase();
    const now = Date.now();
    const phoneMarks = input.phoneMarks?.map((mark) => ({
      ...mark,
      phone: this.phone(mark.phone),
      at: Math.min(mark.at ?? now, now),
    }));
    // A word from the future would outweigh every later one.
    const consents = input.consents?.map((consent) =>
      consent.at === undefined ? consent : { ...consent, at: Math.min(consent.at, now) },
    );
    return {
      ...input,
      ...phone,
      ...(phones === undefined ? {} : { phones }),
      ...(email === undefined ? {} : { email }),
      ...(consents === undefined ? {} : { consents }),
      ...(phoneMarks === undefined ? {} : { phoneMarks }),
    };
  }

  private phone(text: string): string {
    return requirePhone(text, this.defaultRegion);
  }

  private async redirect(from: string, target: string): Promise<void> {
    for (let round = 0; round < MAX_ROUNDS; round++) {
      await backOff(round);
      const source = await this.store.read(from);
      if (source.redirect !== null) return;
      const write = { id: from, expectedVersion: source.version, redirect: target };
      if (await this.commit(write, mergeRecord(target, from))) return;
    }
    throw contended();
  }

  /** Members merged into the source earlier lead straight to the target from now on. */
  private async flatten(profile: Profile, target: string): Promise<void> {
    for (const part of partsOf(profile)) {
      if (part.id === target) continue;
      const record = await this.store.read(part.id);
      if (record.redirect === null || record.redirect === target) continue;
      await this.commit({ id: part.id, expectedVersion: record.version, redirect: target });
    }
  }

  /**
   * Members merged into each other at the same time lead round in a ring. Of the redirects that
   * nobody has acted on (the last one set is always among them) the one of the smallest id goes.
   */
  private async breakRing(start: string): Promise<void> {
    const chain: MemberRecord[] = [];
    let record = await this.store.read(start);
    while (record.redirect !== null && !chain.some((one) => one.id === record.id)) {
      chain.push(record);
      record = await this.store.read(record.redirect);
    }
    if (record.redirect === null) return;
    const ring = chain.slice(chain.findIndex((one) => one.id === record.id));
    const isTaken = (id: string): boolean =>
      ring.some(
        (one) => one.id !== id && (one.profile?.merged ?? []).some((part) => part.id === id),
      );
    const [last] = ring.filter((one) => !isTaken(one.id)).sort((a, b) => (a.id < b.id ? -1 : 1));
    if (last === undefined) return;
    const undone = { ...mergeRecord(last.redirect!, last.id), undone: true };
    await this.commit({ id: last.id, expectedVersion: last.version, redirect: null }, undone);
  }

  /** false: the version moved; read again. */
  private async commit(write: MemberWrite, ...records: LogRecord[]): Promise<boolean> {
    const partition = partitionOf(write.id);
    const commit: Commit = { partition, members: [write], records, claims: [] };
    const [result] = await this.store.commit([commit]);
    if (result!.status === "failed") throw result!.error;
    return result!.status === "ok";
  }
}

const erasedError = (): CuecardError => new CuecardError("member_erased", "this member was erased");

const contended = (): CuecardError =>
  new CuecardError("write_contended", "this member kept changing", { retryAfterSeconds: 1 });

const mergeRecord = (member: string, from: string): LogRecord => ({
  kind: "merge",
  member,
  from,
  at: Date.now(),
});
