/**
 * Everything a member's record holds, written again from the log, while ingestion goes on.
 *
 * A record's version is read before the end of its log: what is written later moves the version, so
 * the write is refused and the member looked at again; what was written before is in what is read.
 */

import { CuecardError } from "../errors.js";
import type { MemberRecord, MemberStore, MemberWrite } from "../members/member-store.js";
import type { Profile } from "../members/profile.js";
import type { SuppressionRecord, Suppressions } from "../members/suppressions.js";
import { type RedisClient, scanKeys } from "../redis/clients.js";
import {
  fingerprint40,
  memberIdOf,
  memberKeyPattern,
  PARTITIONS,
  partitionOf,
} from "../redis/keys.js";
import { compareLogIds, LOG_START } from "./log-id.js";
import type { LoggedRecord, LogReader } from "./log-reader.js";
import type { ContactFold, StateCodec } from "./member-writer.js";
import { MergeLinks } from "./merge-links.js";
import { type CombineProfiles, Draft, writeOf } from "./rebuild-write.js";
import { byTimeWritten, firstOfComponents, readComponent, subjectOf } from "./replay.js";
import { DeferredRecords } from "./replay-deferred.js";

export interface RebuildOptions {
  readonly reader: LogReader;
  readonly store: MemberStore;
  readonly client: RedisClient;
  readonly codec: StateCodec;
  readonly combineProfiles: CombineProfiles;
  /** Absent: contacts are left as they are. */
  readonly contactEvents?: ContactFold;
  readonly suppressions: Pick<Suppressions, "restore" | "isOurs" | "refresh">;
  /** Told of every profile written, so that identities lead to the member again. */
  readonly onProfile?: (id: string, profile: Profile) => Promise<void>;
  /** Share done, 0 … 1. */
  readonly onProgress?: (share: number) => void;
  readonly signal?: AbortSignal;
}

export interface RebuildResult {
  /** Members looked at. */
  readonly members: number;
  readonly written: number;
  /** Ids in the store that the log does not know; at most 100 of `unloggedCount`. */
  readonly unlogged: readonly string[];
  readonly unloggedCount: number;
  /** Entries of the suppression list, hashed with another secret: nobody is found by them any more. */
  readonly foreignSuppressions: number;
}

const MAX_ROUNDS = 16;
const KINDS = ["event", "profile", "merge"] as const;
const COMPONENTS_AT_ONCE = 200;
const UNLOGGED_LISTED = 100;

/** Throws `store_unavailable`, `write_contended`; may be run again at any time. */
export async function rebuild(options: RebuildOptions): Promise<RebuildResult> {
  const run = new Rebuild(options);
  try {
    return await run.run();
  } finally {
    run.close();
  }
}

class Rebuild {
  private members = 0;
  private written = 0;
  private readonly links = new MergeLinks();
  /** Partition → last merge record the links know of. */
  private readonly linksEnd = new Map<number, string>();
  /** Partition → last record read. */
  private readonly positions = new Map<number, string>();
  /** Members of merges that came after the links were read: looked at one by one. */
  private readonly late = new Set<string>();
  private readonly deferred = new DeferredRecords();
  /** Fingerprints of the ids in the log: one in a million hides an id that is not. */
  private readonly seen = new Set<number>();

  constructor(private readonly options: RebuildOptions) {}

  close(): void {
    this.deferred.close();
  }

  async run(): Promise<RebuildResult> {
    const { reader, onProgress } = this.options;
    const foreignSuppressions = await this.restoreSuppressions();
    await this.restoreErasures();
    for await (const logged of reader.read({ kinds: ["merge"] })) {
      this.links.add(logged);
      this.linksEnd.set(logged.partition, logged.logId);
    }
    await this.rebuildSingles();
    await this.rebuildComponents();
    for (const id of this.late) await this.rebuildOne(id);
    const unlogged = await this.findUnlogged();
    onProgress?.(1);
    return { members: this.members, written: this.written, ...unlogged, foreignSuppressions };
  }

  /** First of all: whom nothing but the list keeps out must not be written again. */
  private async restoreSuppressions(): Promise<number> {
    const { reader, suppressions } = this.options;
    await suppressions.refresh();
    const latest = new Map<string, SuppressionRecord>();
    for await (const { record } of reader.read({ kinds: ["suppression"] })) {
      if (record.kind === "suppression") latest.set(record.hash, record);
    }
    const on = [...latest.values()].filter((record) => record.on);
    const ours = on.filter((record) => suppressions.isOurs(record));
    await suppressions.restore(
      ours.map(({ hash, of: kind, reason, source, at }) => ({ hash, kind, reason, source, at })),
    );
    return on.length - ours.length;
  }

  /** A store that was lost has no tombstones either. */
  private async restoreErasures(): Promise<void> {
    const { reader, store } = this.options;
    for await (const { record } of reader.read({ kinds: ["erasure"] })) {
      if (record.kind !== "erasure") continue;
      const stored = await store.read(record.member);
      if (stored.erased) continue;
      const erased = new Date(record.at).toISOString();
      const blank = { state: null, profile: null, redirect: null, contacts: null, offers: null };
      const gone = { ...blank, erased };
      await this.commit([{ id: stored.id, expectedVersion: stored.version, ...gone }]);
    }
  }

  private async rebuildSingles(): Promise<void> {
    const { reader, signal, onProgress } = this.options;
    const firstOf = firstOfComponents(this.links);
    let partition = 0;
    let drafts = new Map<string, Draft>();
    for await (const logged of reader.read({ kinds: KINDS })) {
      if (logged.partition !== partition) {
        signal?.throwIfAborted();
        await this.finishPartition(partition, drafts, firstOf);
        drafts = new Map();
        partition = logged.partition;
        onProgress?.((0.9 * partition) / PARTITIONS);
      }
      this.take(logged, drafts, firstOf);
    }
    await this.finishPartition(partition, drafts, firstOf);
  }

  /** Files one record of the sweep: with its member, set aside, or as news of a merge. */
  private take(
    logged: LoggedRecord,
    drafts: Map<string, Draft>,
    firstOf: ReadonlyMap<string, string>,
  ): void {
    this.positions.set(logged.partition, logged.logId);
    const subject = subjectOf(logged);
    if (subject === null) {
      this.noteMerge(logged);
      return;
    }
    const first = firstOf.get(subject);
    if (first !== undefined) this.deferred.add(first, logged);
    else if (partitionOf(subject) !== logged.partition) this.late.add(subject);
    else {
      let draft = drafts.get(subject);
      if (draft === undefined) {
        draft = this.newDraft();
        drafts.set(subject, draft);
        this.seen.add(fingerprint40(subject));
      }
      draft.add(logged);
    }
  }

  private newDraft(): Draft {
    return new Draft(this.options.codec, this.options.contactEvents);
  }

  private noteMerge({ partition, logId, record }: LoggedRecord): void {
    if (record.kind !== "merge") return;
    if (compareLogIds(logId, this.linksEnd.get(partition) ?? LOG_START) <= 0) return;
    this.late.add(record.member);
    this.late.add(record.from);
  }

  /** Writes the partition's members; those that were written meanwhile again, from the log's tail. */
  private async finishPartition(
    partition: number,
    drafts: Map<string, Draft>,
    firstOf: ReadonlyMap<string, string>,
  ): Promise<void> {
    const { reader, store } = this.options;
    this.members += drafts.size;
    let open = [...drafts.keys()];
    for (let round = 0; open.length > 0; round++) {
      if (round === MAX_ROUNDS) throw contended();
      const records = await store.readMany(open);
      const after = new Map([[partition, this.positions.get(partition) ?? LOG_START]]);
      for await (const logged of reader.read({ partitions: [partition], kinds: KINDS, after })) {
        this.take(logged, drafts, firstOf);
      }
      const settled = records.filter(({ id }) => !this.late.has(id));
      open = await this.write(settled, drafts, this.links);
    }
  }

  /** Members of merges, each with all it was ever linked with. */
  private async rebuildComponents(): Promise<void> {
    let batch = new Map<string, LoggedRecord[]>();
    for (const [first, records] of this.deferred.drain()) {
      batch.set(first, records);
      if (batch.size < COMPONENTS_AT_ONCE) continue;
      await this.finishComponents(batch);
      batch = new Map();
    }
    await this.finishComponents(batch);
  }

  private async finishComponents(components: Map<string, LoggedRecord[]>): Promise<void> {
    if (components.size === 0) return;
    const { reader, store, signal } = this.options;
    signal?.throwIfAborted();
    const firstOf = new Map<string, string>();
    for (const first of components.keys()) {
      for (const id of this.links.componentOf(first)) firstOf.set(id, first);
    }
    const ids = [...firstOf.keys()];
    const stored = await store.readMany(ids);
    const partitions = [...new Set(ids.map(partitionOf))];
    for await (const logged of reader.read({ partitions, kinds: KINDS, after: this.positions })) {
      const subject = subjectOf(logged);
      if (subject === null) this.noteMerge(logged);
      else components.get(firstOf.get(subject) ?? "")?.push(logged);
    }
    const drafts = new Map<string, Draft>();
    for (const records of components.values()) this.draft(records, this.links, drafts);
    const isLate = new Set(ids.filter((id) => this.late.has(id)).map((id) => firstOf.get(id)!));
    const settled = stored.filter(({ id }) => !isLate.has(firstOf.get(id)!));
    for (const id of ids) this.seen.add(fingerprint40(id));
    this.members += ids.length;
    for (const id of await this.write(settled, drafts, this.links)) this.late.add(id);
  }

  private draft(
    records: LoggedRecord[],
    links: MergeLinks,
    drafts: Map<string, Draft>,
  ): Map<string, Draft> {
    for (const logged of records.sort(byTimeWritten)) {
      const holder = links.holderOf(subjectOf(logged)!);
      const draft = drafts.get(holder) ?? this.newDraft();
      drafts.set(holder, draft);
      draft.add(logged);
    }
    return drafts;
  }

  /** One member and all it was ever linked with, until nothing comes between. */
  private async rebuildOne(id: string): Promise<void> {
    const { reader, store } = this.options;
    let ids: readonly string[] = [id];
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const stored = await store.readMany(ids);
      const component = await readComponent(reader, [id]);
      for (const one of component.ids) this.seen.add(fingerprint40(one));
      const known = new Set(ids);
      ids = component.ids;
      if (ids.some((one) => !known.has(one))) continue;
      const drafts = this.draft([...component.records], component.links, new Map());
      if ((await this.write(stored, drafts, component.links)).length === 0) return;
    }
    throw contended();
  }

  /** Returns the ids that changed since they were read. */
  private async write(
    stored: readonly MemberRecord[],
    drafts: ReadonlyMap<string, Draft>,
    links: MergeLinks,
  ): Promise<string[]> {
    const { combineProfiles, onProfile, contactEvents } = this.options;
    const writes = stored
      .map((record) => writeOf(record, drafts.get(record.id), links, combineProfiles))
      .filter((write) => write !== null);
    for (const { id, profile } of writes) if (profile != null) await onProfile?.(id, profile);
    for (const { id, profile } of stored) {
      const draft = drafts.get(id);
      const known = profile ?? draft?.profile(id, combineProfiles);
      const phone = known?.phone ?? known?.phones?.[0];
      const made = draft?.contactEvents ?? [];
      if (made.length > 0)
        await contactEvents?.recordPhones(made.map((one) => ({ ...one, phone })));
    }
    return this.commit(writes);
  }

  private async commit(writes: readonly MemberWrite[]): Promise<string[]> {
    const results = await this.options.store.commit(
      writes.map((write) => ({
        partition: partitionOf(write.id),
        members: [write],
        records: [],
        claims: [],
      })),
    );
    const stale: string[] = [];
    results.forEach((result, i) => {
      if (result.status === "failed") throw result.error;
      if (result.status === "ok") this.written += 1;
      else stale.push(writes[i]!.id);
    });
    return stale;
  }

  /** What the store holds and the log does not know: cannot be, so it is reported. */
  private async findUnlogged(): Promise<Pick<RebuildResult, "unlogged" | "unloggedCount">> {
    const unlogged = new Set<string>();
    for await (const keys of scanKeys(this.options.client, memberKeyPattern)) {
      const ids = keys.map(memberIdOf).filter((id) => !this.seen.has(fingerprint40(id)));
      for (const record of await this.options.store.readMany(ids)) {
        if (record.state !== null || record.profile !== null) unlogged.add(record.id);
      }
    }
    // Members born while this ran are in the log by now.
    const known = unlogged.size === 0 ? null : await this.knownNow(unlogged);
    const left = [...unlogged].filter((id) => known?.has(id) !== true);
    return { unlogged: left.slice(0, UNLOGGED_LISTED), unloggedCount: left.length };
  }

  private async knownNow(ids: ReadonlySet<string>): Promise<Set<string>> {
    const partitions = [...new Set([...ids].map(partitionOf))];
    const known = new Set<string>();
    for await (const logged of this.options.reader.read({ partitions, after: this.positions })) {
      const subject = subjectOf(logged);
      if (subject !== null) known.add(subject);
    }
    return known;
  }
}

const contended = (): CuecardError =>
  new CuecardError("write_contended", "a member kept changing while it was rebuilt", {
    retryAfterSeconds: 1,
  });
