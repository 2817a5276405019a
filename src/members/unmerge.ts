/**
 * Un-merge by replay: each of the two gets the state its own events give, as if they had never been
 * merged. Exact under concurrent writes and safe to repeat; every step is computed from the log, and
 * refused when a write came after what it was computed from.
 */
import { CuecardError } from "../errors.js";
import type { LoggedRecord, LogReader } from "../events/log-reader.js";
import type { LogRecord } from "../events/log-record.js";
import type { StateCodec } from "../events/member-writer.js";
import type { Component } from "../events/replay.js";
import { partitionOf } from "../redis/keys.js";
import { combineProfiles, partsOf } from "./combine-profiles.js";
import type { ContactEvents } from "./contact-events.js";
import {
  type Contact,
  decodeContacts,
  encodeContacts,
  mergeContacts,
  settleLaters,
  unionContacts,
} from "./contacts.js";
import { type Identity, type IdentityStore, identitiesOf, sameIdentity } from "./identity.js";
import type { Commit, MemberRecord, MemberStore, MemberWrite } from "./member-store.js";
import type { Profile } from "./profile.js";
import { mergeOffers } from "./sticky-offers.js";

export interface UnmergeDependencies {
  readonly log: LogReader;
  readonly store: MemberStore;
  readonly identities: Pick<IdentityStore, "link" | "unlink">;
  /** Given by the composition root: this tier does not reach into features/ and events/. */
  readonly codec: StateCodec;
  /** Absent: both keep all contacts. */
  readonly contactEvents?: Pick<ContactEvents, "contactsOf">;
  readonly readComponent: (log: LogReader, members: readonly string[]) => Promise<Component>;
  /** false: it must be read anew. */
  readonly followComponent: (log: LogReader, component: Component) => Promise<boolean>;
}

/** Many, since a busy member is written by others between nearly any two looks. */
const MAX_ROUNDS = 200;

/**
 * Takes `from`, with all that was merged into it before, out of the member that holds it. `id` is
 * that member, or was merged into it. Throws `merge_invalid`, `member_erased`, `write_contended`.
 */
export async function unmerge(
  dependencies: UnmergeDependencies,
  id: string,
  from: string,
): Promise<Profile> {
  return new Unmerge(dependencies, from).run(id);
}

class Unmerge {
  private component: Component | undefined;

  constructor(
    private readonly dependencies: UnmergeDependencies,
    private readonly from: string,
  ) {}

  async run(id: string): Promise<Profile> {
    const { store } = this.dependencies;
    const { from } = this;
    const target = await store.readThrough(id);
    if (target.erased) throw new CuecardError("member_erased", "this member was erased");
    if (target.id === from) throw invalid("a member cannot be taken out of itself");
    const { links } = await this.read();
    // An un-merge that was cut off may have ended the link, but not taken the part out yet.
    const isPart = partsIn(target, [from]).length > 0;
    const parent = links.parentOf(from) ?? (isPart ? target.id : null);
    if (parent === null || !(isPart || links.holderOf(from) === target.id)) {
      throw invalid("`from` is not merged into this member");
    }
    const leaving = links.componentOf(from).filter((one) => isWithin(one, from, links));
    await this.release(leaving, target.id, parent);
    await this.reduceTarget(leaving, target.id, parent);
    await this.settle(leaving);
    return (await store.read(target.id)).profile ?? blank(target.id);
  }

  /**
   * First, `from` stands for itself again, with everything addressed to it so far. Writers that have
   * read the redirect may still write through the target.
   */
  private async release(leaving: readonly string[], target: string, parent: string): Promise<void> {
    const { store } = this.dependencies;
    await this.untilWritten(async () => {
      const [source, held] = await store.readMany([this.from, target]);
      const { records } = await this.read();
      const parts = partsIn(held!, leaving);
      const profile = source!.redirect === null ? undefined : profileOf(this.from, parts);
      const write = {
        id: this.from,
        expectedVersion: source!.version,
        redirect: null,
        state: this.fold(records, leaving),
        contacts: mergeContacts(
          mergeContacts(source!.contacts, this.contacts(records, leaving)),
          this.without(held!.contacts, records, (id) => !leaving.includes(id)),
        ),
        // Promised is promised, whichever of the two it was said to.
        offers: mergeOffers(source!.offers, held!.offers),
        ...(profile === undefined ? {} : { profile }),
      };
      for (const identity of identitiesOf(profile ?? null)) {
        await this.dependencies.identities.link(identity, this.from);
      }
      return this.commit(write, undone(parent, this.from));
    });
    for (const one of leaving) if (one !== this.from) await this.redirect(one);
  }

  /** Those merged into `from` before follow it. */
  private async redirect(id: string): Promise<void> {
    await this.untilWritten(async () => {
      const record = await this.dependencies.store.read(id);
      if (record.erased || record.redirect === null || record.redirect === this.from) return true;
      return this.commit({ id, expectedVersion: record.version, redirect: this.from });
    });
  }

  /** Then the target keeps the rest; from this write on nobody writes through it any more. */
  private async reduceTarget(
    leaving: readonly string[],
    target: string,
    parent: string,
  ): Promise<void> {
    const { store, identities } = this.dependencies;
    const gone = new Set(leaving);
    let lost: Identity[] = [];
    await this.untilWritten(async () => {
      const held = await store.read(target);
      const { links, ids, records } = await this.read();
      const staying = ids.filter((one) => !gone.has(one) && links.holderOf(one) === target);
      const parts = held.profile === null ? [] : partsOf(held.profile);
      const profile = profileOf(
        target,
        parts.filter((part) => !gone.has(part.id)),
      );
      lost = identitiesOf(held.profile).filter(
        (one) => !identitiesOf(profile).some((kept) => sameIdentity(kept, one)),
      );
      const write = {
        id: target,
        expectedVersion: held.version,
        state: this.fold(records, staying),
        contacts: this.without(held.contacts, records, (id) => gone.has(id)),
        profile,
      };
      const record = undone(parent, this.from);
      // The link ends in the log of who once took over; that may be another than holds it now.
      if (partitionOf(parent) === partitionOf(target)) return this.commit(write, record);
      if (!(await this.commit(write, undone(target, this.from)))) return false;
      return this.append(partitionOf(parent), record);
    });
    for (const identity of lost) await identities.unlink(identity, target);
  }

  /** Last, what was written through the target in between is added to `from`. */
  private async settle(leaving: readonly string[]): Promise<void> {
    await this.untilWritten(async () => {
      const source = await this.dependencies.store.read(this.from);
      if (source.erased || source.redirect !== null) return true;
      const { records } = await this.read();
      const state = this.fold(records, leaving);
      const same = state === null ? source.state === null : source.state?.equals(state) === true;
      if (same) return true;
      const contacts = mergeContacts(source.contacts, this.contacts(records, leaving));
      return this.commit({ id: this.from, expectedVersion: source.version, state, contacts });
    });
  }

  /** The log up to now: read once, then only what came since, or a busy member is never met still. */
  private async read(): Promise<Component> {
    const { log, readComponent, followComponent } = this.dependencies;
    const known = this.component;
    if (known === undefined || !(await followComponent(log, known))) {
      this.component = await readComponent(log, [this.from]);
    }
    return this.component!;
  }

  /** State of all events addressed to these, in the order they were written; null without any. */
  private fold(records: readonly LoggedRecord[], subjects: readonly string[]): Buffer | null {
    const { codec } = this.dependencies;
    const wanted = new Set(subjects);
    let state = codec.decode(null);
    let events = 0;
    for (const { record } of records) {
      if (record.kind !== "event" || !wanted.has(record.subject)) continue;
      state = codec.fold(state, record.event);
      events++;
    }
    return events === 0 ? null : codec.encode(state);
  }

  /** Contacts by the events addressed to these. */
  private contacts(records: readonly LoggedRecord[], subjects: readonly string[]): Buffer | null {
    const told = this.contactsOf(records, (subject) => subjects.includes(subject));
    return encodeContacts(settleLaters(unionContacts(told, [])));
  }

  /**
   * What is held but for contacts with these by the log. What the log does not know (reservations,
   * answers) both keep: better one contact too few than one too many.
   */
  private without(
    held: Buffer | null,
    records: readonly LoggedRecord[],
    isGone: (subject: string) => boolean,
  ): Buffer | null {
    const gone = new Set(this.contactsOf(records, isGone).map(({ token }) => token));
    return encodeContacts(decodeContacts(held).filter(({ token }) => !gone.has(token)));
  }

  private contactsOf(
    records: readonly LoggedRecord[],
    isWanted: (subject: string) => boolean,
  ): Contact[] {
    return records.flatMap(({ record }) => {
      if (record.kind !== "event" || !isWanted(record.subject)) return [];
      return this.dependencies.contactEvents?.contactsOf(record.subject, record.event) ?? [];
    });
  }

  private async untilWritten(attempt: () => Promise<boolean>): Promise<void> {
    for (let round = 0; round < MAX_ROUNDS; round++) if (await attempt()) return;
    throw new CuecardError("write_contended", "this member kept changing", {
      retryAfterSeconds: 1,
    });
  }

  private commit(write: MemberWrite, ...records: LogRecord[]): Promise<boolean> {
    return this.send({ partition: partitionOf(write.id), members: [write], records, claims: [] });
  }

  private append(partition: number, record: LogRecord): Promise<boolean> {
    return this.send({ partition, members: [], records: [record], claims: [] });
  }

  private async send(commit: Commit): Promise<boolean> {
    const [result] = await this.dependencies.store.commit([commit]);
    if (result!.status === "failed") throw result!.error;
    return result!.status === "ok";
  }
}

/** Whether `one` is `from` or came to its holder by way of it. */
function isWithin(one: string, from: string, links: Component["links"]): boolean {
  const seen = new Set<string>();
  for (let at: string | null = one; at !== null && !seen.has(at); at = links.parentOf(at)) {
    if (at === from) return true;
    seen.add(at);
  }
  return false;
}

const partsIn = ({ profile }: MemberRecord, ids: readonly string[]): Profile[] =>
  profile === null ? [] : partsOf(profile).filter((part) => ids.includes(part.id));

/** One part as it was; several combined; nothing that was only a place holder. */
function profileOf(id: string, parts: readonly Profile[]): Profile | null {
  if (parts.length > 1) return combineProfiles(id, parts);
  return parts[0] === undefined || isPlaceHolder(parts[0]) ? null : parts[0];
}

/** What a merge noted of somebody without a profile. */
const isPlaceHolder = (part: Profile): boolean =>
  part.updatedAt === 0 && identitiesOf(part).length === 0;

const blank = (id: string): Profile => ({ id, createdAt: Date.now(), updatedAt: 0 });

const undone = (member: string, from: string): LogRecord => ({
  kind: "merge",
  member,
  from,
  at: Date.now(),
  undone: true,
});

const invalid = (detail: string): CuecardError => new CuecardError("merge_invalid", detail);
