/**
 * Folds events into members and writes them: read → fold → one atomic script a group → repeat what
 * lost a race. Everything that changes a member's feature state goes through here.
 */
import { hash } from "node:crypto";
import { CuecardError, isCuecardError } from "../errors.js";
import type { FeatureState } from "../features/state.js";
import type {
  Claim,
  Commit,
  CommitResult,
  Ledger,
  MemberRecord,
  MemberStore,
} from "../members/member-store.js";
import type { Suppressions } from "../members/suppressions.js";
import { backOff } from "../redis/back-off.js";
import { partitionOf } from "../redis/keys.js";
import { metrics } from "../telemetry.js";
import type { MemberEvent } from "./event.js";
import type { LogRecord } from "./log-record.js";
import { numberInUse } from "./number-in-use.js";
import {
  contactsAmong,
  open,
  partitionOfGroup,
  type Split,
  splitByPartition,
} from "./split-group.js";

/** The feature algebra, given by the composition root: this tier does not reach into features/. */
export interface StateCodec {
  decode(packed: Buffer | null): FeatureState;
  fold(state: FeatureState, event: MemberEvent): FeatureState;
  encode(state: FeatureState): Buffer;
}

/** Calls and messages that count as contacts made; given by the composition root likewise. */
export interface ContactFold {
  /** The member's packed contacts with this event's; undefined: it changes nothing. */
  add(packed: Buffer | null, subject: string, event: MemberEvent): Buffer | undefined;
  /** Stored and logged contacts together; undefined: as stored. */
  merge(stored: Buffer | null, logged: Buffer | null): Buffer | undefined;
  /** Counts those made on a telephone number there as well; idempotent. */
  recordPhones(
    events: readonly { subject: string; event: MemberEvent; phone?: string }[],
  ): Promise<void>;
}

export type Outcome = "accepted" | "duplicate" | "duplicate_differs" | "member_erased";

/** One event on its way into a member; `outcome` is set when it is decided. */
export interface PendingEvent {
  /** Whom the sender addressed (an id); the state may live with the member it was merged into. */
  readonly subject: string;
  readonly event: MemberEvent;
  /** false: a ledger keeps repeats out, no id is remembered. */
  readonly remember: boolean;
  /** What the sender sent, so that a repeat is told from another event under the same id. */
  readonly content?: string;
  /**
   * `subject` was found by a phone, visitor …: sent before a merge, the same event was addressed to
   * a member merged since.
   */
  readonly byIdentity?: boolean;
  outcome?: Outcome;
  /** Number of the member, as read: what a call to them was made on. */
  phone?: string;
  /** Set when the order was met before: this is a later part of it. */
  continuation?: boolean;
}

/** Events that are written together: one member's, or one import chunk's of one partition. */
export interface WriteGroup {
  readonly events: PendingEvent[];
  readonly ledger?: Ledger;
  /** Records beside the events (anonymous purchases); written with the group. */
  readonly records?: readonly LogRecord[];
  /** Partition of a group without members. */
  readonly partition?: number;
}

const MAX_ROUNDS = 24;
const MAX_REDIRECTS = 8;

const digest = (text: string, bytes: number): Buffer =>
  hash("sha1", text, "buffer").subarray(0, bytes);

/** 12 bytes of the id: 2^48 ids before a false repeat is likely. */
const eventClaimKey = (subject: string, id: string): Buffer => digest(`e\n${subject}\n${id}`, 12);
const orderClaimKey = (subject: string, order: string): Buffer =>
  digest(`o\n${subject}\n${order}`, 12);
const contentOf = ({ content }: PendingEvent): Buffer => digest(content ?? "", 6);

/** A member with the events of a group folded in. */
interface Folded {
  readonly record: MemberRecord;
  state: FeatureState;
  contacts?: Buffer;
}

interface Prepared {
  commit: Commit;
  /** The pending event behind each claim, in the order of the claims. */
  claimants: { pending: PendingEvent; kind: "event" | "order" }[];
}

export class MemberWriter {
  constructor(
    private readonly store: MemberStore,
    private readonly codec: StateCodec,
    /** Finishes a merge that was cut off between its two members. */
    private readonly finishMerge: (from: string) => Promise<unknown>,
    private readonly erasures: Pick<Suppressions, "refresh" | "isErased">,
    private readonly contacts?: ContactFold,
  ) {}

  /** Who was erased so long ago that no tombstone stands any more. Throws `store_unavailable`. */
  knowErasures(): Promise<void> {
    return this.erasures.refresh();
  }

  /**
   * Writes every group; on return each event has its outcome. Throws `store_unavailable`,
   * `store_full` or `write_contended`; groups written before the failure stay written, and a
   * repeat of the whole call changes nothing about them. `erasuresKnown`: the caller has just called
   * `knowErasures`; whoever is erased meanwhile is met by the tombstone.
   */
  async write(groups: readonly WriteGroup[], { erasuresKnown = false } = {}): Promise<void> {
    let open = groups.filter((group) => isOpen(group));
    const isKnown = erasuresKnown || open.length === 0;
    const refreshed = isKnown ? Promise.resolve() : this.knowErasures();
    // Awaited beside the first read: should that fail first, this must not count as unhandled.
    refreshed.catch(() => undefined);
    for (let round = 0; open.length > 0; round++) {
      if (round === MAX_ROUNDS) {
        throw contended(open.length);
      }
      await backOff(round);
      open = await this.attempt(open, refreshed);
    }
    const contacts = contactsAmong(groups);
    // Of a repeat as well: the writer of the first may have died before this.
    if (contacts.length > 0) await this.contacts?.recordPhones(contacts);
  }

  /** The tombstone goes with the last bytes: from then on the list tells who must not come back. */
  private refuseErased(groups: readonly WriteGroup[], subjects: Iterable<string>): void {
    const erased = new Set<string>();
    for (const one of subjects) if (this.erasures.isErased("member", one)) erased.add(one);
    if (erased.size === 0) return;
    for (const pending of groups.flatMap(open)) {
      if (erased.has(pending.subject)) pending.outcome = "member_erased";
    }
  }

  /** One round over the open groups; returns those that must go again. */
  private async attempt(
    groups: readonly WriteGroup[],
    refreshed: Promise<void>,
  ): Promise<WriteGroup[]> {
    const [records] = await Promise.all([this.readMembers(groups), refreshed]);
    this.refuseErased(groups, records.keys());
    const splits = groups.map((group) => splitByPartition(group, records));
    const moved = splits.filter((split) => split.moved.length > 0);
    const reached = await this.settleReached(moved, records);
    const open = splits.filter((split) => !reached.has(split));
    const again = new Set<WriteGroup>();
    await this.commitParts(
      open.flatMap(({ whole, moved }) => moved.map((part) => ({ whole, part }))),
      records,
      again,
    );
    // A chunk's home comes last, so that its ledger entry stands for all of the chunk.
    await this.commitParts(
      open.flatMap(({ whole, home }) => (again.has(whole) ? [] : [{ whole, part: home }])),
      records,
      again,
    );
    return [...again];
  }

  private async commitParts(
    parts: readonly { whole: WriteGroup; part: WriteGroup }[],
    records: Map<string, MemberRecord>,
    again: Set<WriteGroup>,
  ): Promise<void> {
    if (parts.length === 0) return;
    const prepared = parts.map(({ part }) => this.prepare(part, records));
    const results = await this.store.commit(prepared.map(({ commit }) => commit));
    let failure: Error | undefined;
    results.forEach((result, i) => {
      const { whole, part } = parts[i]!;
      if (result.status === "failed") failure = result.error;
      else if (settle(part, prepared[i]!, result)) again.add(whole);
    });
    if (failure !== undefined) throw failure;
  }

  /**
   * Chunks of which members moved: written before the move, they are named only by the ledger of
   * their home, or of a partition passed through. Returns the chunks that are done altogether.
   */
  private async settleReached(
    splits: readonly Split[],
    bySubject: Map<string, MemberRecord>,
  ): Promise<Set<Split>> {
    const asked: { partition: number; field: string; split: Split; part?: WriteGroup }[] = [];
    for (const split of splits) {
      const { field } = split.whole.ledger!;
      asked.push({ partition: split.home.partition!, field, split });
      for (const part of split.moved) {
        for (const partition of partitionsPassed(bySubject.get(part.events[0]!.subject)!)) {
          asked.push({ partition, field: part.ledger!.field, split, part });
        }
      }
    }
    const done = new Set<Split>();
    const chunks = asked.length === 0 ? [] : await this.store.reachedChunks(asked);
    asked.forEach(({ split, part }, i) => {
      if (chunks[i]! < split.whole.ledger!.chunk) return;
      if (part === undefined) done.add(split);
      for (const pending of open(part ?? split.whole)) pending.outcome = "duplicate";
    });
    return done;
  }

  /** Subject → record of the member that holds its state now. */
  private async readMembers(groups: readonly WriteGroup[]): Promise<Map<string, MemberRecord>> {
    const subjects = new Set<string>();
    for (const group of groups) for (const { subject } of open(group)) subjects.add(subject);
    const bySubject = new Map<string, MemberRecord>();
    let wanted = [...subjects].map((subject) => ({ subject, id: subject }));
    for (let hops = 0; wanted.length > 0 && hops <= MAX_REDIRECTS; hops++) {
      const read = await this.store.readMany(wanted.map(({ id }) => id));
      const redirected: typeof wanted = [];
      for (const [i, record] of read.entries()) {
        const { subject } = wanted[i]!;
        if (record.redirect === null) bySubject.set(subject, record);
        else if ((record.state ?? record.profile) === null) {
          redirected.push({ subject, id: record.redirect });
        } else {
          await this.finish(record.id);
          redirected.push({ subject, id: record.id });
        }
      }
      wanted = redirected;
    }
    if (wanted.length > 0) throw contended(wanted.length);
    for (const pending of contactsAmong(groups)) {
      const profile = bySubject.get(pending.subject)?.profile ?? null;
      pending.phone ??= numberInUse(profile) ?? profile?.phone;
    }
    await this.settleMoved(groups, bySubject);
    return bySubject;
  }

  /** A refusal says that it was finished, taken back or erased meanwhile: reading again shows it. */
  private async finish(from: string): Promise<void> {
    try {
      await this.finishMerge(from);
    } catch (error) {
      if (!isCuecardError(error) || error.status >= 500) throw error;
    }
  }

  /**
   * Ids claimed before a merge lie in the partitions the subject passed through; since the redirects
   * no write reaches those, so a plain look is enough.
   */
  private async settleMoved(
    groups: readonly WriteGroup[],
    bySubject: Map<string, MemberRecord>,
  ): Promise<void> {
    const lookUps: { partition: number; keys: Buffer[] }[] = [];
    const settle: ((taken: Map<string, Buffer>) => void)[] = [];
    for (const pending of groups.flatMap(open)) {
      const { subject, event, byIdentity, remember } = pending;
      if (!remember) continue;
      const holder = bySubject.get(subject)!;
      const parts = idsWithin(holder);
      const merged = holder.id !== subject || (byIdentity === true && parts.length > 1);
      if (!merged) continue;
      const names = byIdentity === true ? [...new Set([subject, ...parts])] : [subject];
      const ids = names.map((name) => eventClaimKey(name, event.id));
      const orders =
        event.order === undefined ? [] : names.map((name) => orderClaimKey(name, event.order!));
      const keys = [...ids, ...orders];
      const partitions = new Set([partitionOf(subject), ...partitionsPassed(holder)]);
      for (const partition of partitions) lookUps.push({ partition, keys });
      settle.push((taken) => {
        const contents = ids.flatMap((key) => taken.get(key.toString("hex")) ?? []);
        const same = contents.some((content) => content.equals(contentOf(pending)));
        if (contents.length > 0) pending.outcome = same ? "duplicate" : "duplicate_differs";
        if (orders.some((key) => taken.has(key.toString("hex")))) pending.continuation = true;
      });
    }
    if (lookUps.length === 0) return;
    const taken = await this.store.takenClaims(lookUps);
    for (const apply of settle) apply(taken);
  }

  private prepare(group: WriteGroup, bySubject: Map<string, MemberRecord>): Prepared {
    const claims: Claim[] = [];
    const claimants: Prepared["claimants"] = [];
    const records: LogRecord[] = [...(group.records ?? [])];
    const states = new Map<string, Folded>();
    const ordersHere = new Set<string>();
    const idsHere = new Map<string, Buffer>();
    for (const pending of open(group)) {
      const { subject, event } = pending;
      const record = bySubject.get(subject)!;
      if (record.erased) {
        pending.outcome = "member_erased";
        continue;
      }
      let counted = event;
      if (pending.remember) {
        const key = eventClaimKey(subject, event.id);
        const content = contentOf(pending);
        const before = idsHere.get(key.toString("hex"));
        if (before !== undefined) {
          pending.outcome = before.equals(content) ? "duplicate" : "duplicate_differs";
          continue;
        }
        idsHere.set(key.toString("hex"), content);
        claims.push({ key, content, expect: "new" });
        claimants.push({ pending, kind: "event" });
      }
      if (event.order !== undefined && event.type === "purchase" && pending.remember) {
        const orderKey = orderClaimKey(subject, event.order);
        const later = pending.continuation === true || ordersHere.has(orderKey.toString("hex"));
        if (later) counted = { ...event, continuation: true };
        if (!later) {
          claims.push({ key: orderKey, content: orderKey.subarray(0, 6), expect: "new" });
          claimants.push({ pending, kind: "order" });
          ordersHere.add(orderKey.toString("hex"));
        }
      }
      let entry = states.get(record.id);
      if (entry === undefined) {
        entry = { record, state: this.codec.decode(record.state) };
        states.set(record.id, entry);
      }
      entry.state = this.codec.fold(entry.state, counted);
      const packed = entry.contacts ?? record.contacts;
      entry.contacts = this.contacts?.add(packed, subject, counted) ?? entry.contacts;
      records.push({ kind: "event", member: record.id, subject, event: counted });
    }
    const members = [...states.values()].map(({ record, state, contacts }) => ({
      id: record.id,
      expectedVersion: record.version,
      state: this.codec.encode(state),
      ...(contacts === undefined ? {} : { contacts }),
    }));
    const partition =
      members[0] === undefined ? partitionOfGroup(group) : partitionOf(members[0].id);
    return { commit: { partition, members, records, claims, ledger: group.ledger }, claimants };
  }
}

/** A group without events may still have records or a ledger entry to write. */
const isOpen = (group: WriteGroup): boolean =>
  open(group).length > 0 || group.ledger !== undefined || (group.records?.length ?? 0) > 0;

const contended = (count: number): CuecardError =>
  new CuecardError("write_contended", `${count} members kept changing`, { retryAfterSeconds: 1 });

/** The member and those merged into it. */
const idsWithin = (holder: MemberRecord): string[] =>
  holder.profile?.merged?.map((part) => part.id) ?? [holder.id];

const partitionsPassed = (holder: MemberRecord): Set<number> =>
  new Set([partitionOf(holder.id), ...idsWithin(holder).map(partitionOf)]);

/** Writes the outcomes of one commit; true when the group must go again. */
function settle(group: WriteGroup, prepared: Prepared, result: CommitResult): boolean {
  if (result.status === "ok" || result.status === "done") {
    for (const pending of open(group)) {
      pending.outcome = result.status === "ok" ? "accepted" : "duplicate";
    }
    return false;
  }
  metrics.writeRetries.inc();
  if (result.status === "claimed") {
    for (const { index, sameContent } of result.claims) {
      const { pending, kind } = prepared.claimants[index]!;
      if (kind === "order") pending.continuation = true;
      else pending.outcome = sameContent ? "duplicate" : "duplicate_differs";
    }
    return isOpen(group);
  }
  return true;
}
