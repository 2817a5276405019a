/**
 * Folds events into members and writes them: read → fold → one atomic script a group → repeat what
 * lost a race. Everything that changes a member's feature state goes through here.
 */
import { createHash } from "node:crypto";
import { CuecardError } from "../errors.js";
import type { FeatureState } from "../features/state.js";
import type {
  Claim,
  Commit,
  CommitResult,
  Ledger,
  MemberRecord,
  MemberStore,
} from "../members/member-store.js";
import { partitionOf } from "../redis/keys.js";
import { metrics } from "../telemetry.js";
import type { MemberEvent } from "./event.js";
import type { LogRecord } from "./log-record.js";

/** The feature algebra, given by the composition root: this tier does not reach into features/. */
export interface StateCodec {
  decode(packed: Buffer | null): FeatureState;
  fold(state: FeatureState, event: MemberEvent): FeatureState;
  encode(state: FeatureState): Buffer;
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
  outcome?: Outcome;
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

const MAX_ROUNDS = 12;
const MAX_REDIRECTS = 8;

const digest = (text: string, bytes: number): Buffer =>
  createHash("sha1").update(text).digest().subarray(0, bytes);

/** 12 bytes of the id: 2^48 ids before a false repeat is likely. */
const eventClaimKey = (subject: string, id: string): Buffer => digest(`e\n${subject}\n${id}`, 12);
const orderClaimKey = (subject: string, order: string): Buffer =>
  digest(`o\n${subject}\n${order}`, 12);
const contentOf = ({ content }: PendingEvent): Buffer => digest(content ?? "", 6);

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
  ) {}

  /**
   * Writes every group; on return each event has its outcome. Throws `store_unavailable`,
   * `store_full` or `write_contended`; groups written before the failure stay written, and a
   * repeat of the whole call changes nothing about them.
   */
  async write(groups: readonly WriteGroup[]): Promise<void> {
    let open = groups.filter((group) => isOpen(group));
    for (let round = 0; open.length > 0; round++) {
      if (round === MAX_ROUNDS) {
        throw new CuecardError("write_contended", `${open.length} members kept changing`, {
          retryAfterSeconds: 1,
        });
      }
      if (round > 2) await pause(Math.random() * 4 * round);
      open = await this.attempt(open);
    }
  }

  /** One round over the open groups; returns those that must go again. */
  private async attempt(groups: readonly WriteGroup[]): Promise<WriteGroup[]> {
    const records = await this.readMembers(groups);
    const split = groups.flatMap((group) => splitByPartition(group, records));
    const prepared = split.map((group) => this.prepare(group, records));
    const results = await this.store.commit(prepared.map(({ commit }) => commit));
    const again: WriteGroup[] = [];
    let failure: Error | undefined;
    results.forEach((result, i) => {
      if (result.status === "failed") failure = result.error;
      else if (settle(split[i]!, prepared[i]!, result)) again.push(split[i]!);
    });
    if (failure !== undefined) throw failure;
    return again;
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
      const unfinished: string[] = [];
      read.forEach((record, i) => {
        const { subject } = wanted[i]!;
        if (record.redirect === null) bySubject.set(subject, record);
        else redirected.push({ subject, id: record.redirect });
        if (record.redirect !== null && (record.state ?? record.profile) !== null) {
          unfinished.push(record.id);
        }
      });
      for (const from of unfinished) await this.finishMerge(from);
      wanted = redirected;
    }
    await this.settleMoved(groups, bySubject);
    return bySubject;
  }

  /**
   * A merged-away subject's earlier ids were claimed in its own partition; since its redirect no
   * write reaches that partition, so a plain look is enough.
   */
  private async settleMoved(
    groups: readonly WriteGroup[],
    bySubject: Map<string, MemberRecord>,
  ): Promise<void> {
    for (const group of groups) {
      for (const pending of open(group)) {
        const holder = bySubject.get(pending.subject);
        if (holder === undefined || holder.id === pending.subject || !pending.remember) continue;
        const { subject, event } = pending;
        const keys = [eventClaimKey(subject, event.id)];
        if (event.order !== undefined) keys.push(orderClaimKey(subject, event.order));
        const [id, order] = await this.store.takenClaims(partitionOf(subject), keys);
        if (id != null) {
          pending.outcome = id.content.equals(contentOf(pending))
            ? "duplicate"
            : "duplicate_differs";
        }
        if (order != null) pending.continuation = true;
      }
    }
  }

  private prepare(group: WriteGroup, bySubject: Map<string, MemberRecord>): Prepared {
    const claims: Claim[] = [];
    const claimants: Prepared["claimants"] = [];
    const records: LogRecord[] = [...(group.records ?? [])];
    const states = new Map<string, { record: MemberRecord; state: FeatureState }>();
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
      const entry = states.get(record.id) ?? { record, state: this.codec.decode(record.state) };
      entry.state = this.codec.fold(entry.state, counted);
      states.set(record.id, entry);
      records.push({ kind: "event", member: record.id, subject, event: counted });
    }
    const members = [...states.values()].map(({ record, state }) => ({
      id: record.id,
      expectedVersion: record.version,
      state: this.codec.encode(state),
    }));
    const partition =
      members[0] === undefined ? partitionOfGroup(group) : partitionOf(members[0].id);
    return { commit: { partition, members, records, claims, ledger: group.ledger }, claimants };
  }
}

const open = (group: WriteGroup): PendingEvent[] =>
  group.events.filter((pending) => pending.outcome === undefined);

/** A group without events may still have records or a ledger entry to write. */
const isOpen = (group: WriteGroup): boolean =>
  open(group).length > 0 || group.ledger !== undefined || (group.records?.length ?? 0) > 0;

const partitionOfGroup = (group: WriteGroup): number =>
  group.partition ?? partitionOf(group.events[0]?.subject ?? "");

/**
 * After a merge some of a chunk's members live in another partition: their events become groups of
 * their own there, with a ledger entry of their own, so that a repeat still changes nothing.
 */
function splitByPartition(group: WriteGroup, bySubject: Map<string, MemberRecord>): WriteGroup[] {
  const home = partitionOfGroup(group);
  const moved = new Map<string, PendingEvent[]>();
  const staying: PendingEvent[] = [];
  for (const pending of group.events) {
    const holder = bySubject.get(pending.subject)?.id ?? pending.subject;
    if (group.ledger === undefined || partitionOf(holder) === home) staying.push(pending);
    else moved.set(pending.subject, [...(moved.get(pending.subject) ?? []), pending]);
  }
  if (moved.size === 0) return [group];
  const groups: WriteGroup[] = [{ ...group, events: staying, partition: home }];
  for (const [subject, events] of moved) {
    const holder = bySubject.get(subject)?.id ?? subject;
    const field = `${group.ledger!.field}:${subject}`;
    groups.push({
      events,
      partition: partitionOf(holder),
      ledger: { field, chunk: group.ledger!.chunk },
    });
  }
  return groups;
}

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

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
