/**
 * The member's hash in Redis: read, and written by the one script of `member-scripts`.
 *
 * Fields: `v` version (grows with every write), `s` packed feature state, `p` profile (see `profile-codec`),
 * `r` redirect (id of the member this one was merged into), `x` erased (ISO date), `c` contacts made and
 * reserved (see `contacts`), `o` offers that hold (see `sticky-offers`). Keys of one partition share a
 * slot, so state, log, duplicate check and ledger change together or not at all.
 */
import type { LogRecord } from "../events/log-record.js";
import type { RedisClient } from "../redis/clients.js";
import { toStoreError } from "../redis/clients.js";
import { groupedPipeline } from "../redis/grouped.js";
import { dedupeKey, importLedgerKey, logKey, memberKey, partitionOf } from "../redis/keys.js";
import { pipelineScripts, type ScriptCall } from "../redis/scripts.js";
import { commitScript, packCommit, readScript } from "./member-scripts.js";
import type { Profile } from "./profile.js";
import { decodeProfile } from "./profile-codec.js";

export interface MemberRecord {
  readonly id: string;
  /** 0: nothing is stored under this id. */
  readonly version: number;
  readonly state: Buffer | null;
  readonly profile: Profile | null;
  readonly redirect: string | null;
  readonly erased: boolean;
  /** Packed; null: none. */
  readonly contacts: Buffer | null;
  readonly offers: Buffer | null;
}

export interface MemberWrite {
  readonly id: string;
  /** The write happens only if this is still the version stored. */
  readonly expectedVersion: number;
  /** undefined keeps, null removes. */
  readonly state?: Buffer | null;
  readonly profile?: Profile | null;
  readonly redirect?: string | null;
  readonly erased?: string | null;
  readonly contacts?: Buffer | null;
  readonly offers?: Buffer | null;
}

/** Something is known of the member: events or a profile. */
export const exists = (record: MemberRecord): boolean =>
  !record.erased && (record.state !== null || record.profile !== null);

/** The redirect stands but the source still holds what the target should have taken over. */
export const isUnfinished = (record: MemberRecord): boolean =>
  record.redirect !== null && (record.state !== null || record.profile !== null);

/** What an erasure leaves of a member's fields. */
export const NOTHING_LEFT = { state: null, profile: null, contacts: null, offers: null } as const;

/** Something that may be accepted once: an event id, or the first part of an order. */
export interface Claim {
  /** Digest of the name claimed; see `claimOf`. */
  readonly key: Buffer;
  /** Digest of the content, so that a repeat with other content is told from a true repeat. */
  readonly content: Buffer;
  /** "new": must not have been claimed. "taken": must have been (a later part of an order). */
  readonly expect: "new" | "taken";
}

export interface Ledger {
  /** Names file and mapping. */
  readonly field: string;
  /** Chunks come in order; one already reached is not written again. */
  readonly chunk: number;
}

/** Everything one atomic write changes; all members live in `partition`. */
export interface Commit {
  readonly partition: number;
  readonly members: readonly MemberWrite[];
  /** Appended to the partition's log, in order. */
  readonly records: readonly LogRecord[];
  readonly claims: readonly Claim[];
  readonly ledger?: Ledger;
}

export type CommitResult =
  | { readonly status: "ok" }
  /** A version moved: read again, fold again. */
  | { readonly status: "stale" }
  /** Claims that did not hold; `sameContent` tells a repeat from a clash. */
  | {
      readonly status: "claimed";
      readonly claims: readonly { index: number; taken: boolean; sameContent: boolean }[];
    }
  /** The ledger holds this chunk already. */
  | { readonly status: "done" }
  | { readonly status: "failed"; readonly error: Error };

const FIELDS = ["v", "s", "p", "r", "x", "c", "o"] as const;
/** Members asked for in a partition, on average, from which one script a partition pays. */
const READ_TOGETHER_MIN = 4;
/** Of one script: Redis serves others in between. */
const READ_TOGETHER_MAX = 256;
const DAY_MS = 86_400_000;

function parseRecord(id: string, values: readonly (Buffer | null)[]): MemberRecord {
  const [version, state, profile, redirect, erased, contacts, offers] = values;
  return {
    id,
    version: version == null ? 0 : Number(version.toString()),
    state: state ?? null,
    profile: profile == null ? null : decodeProfile(id, profile),
    redirect: redirect == null ? null : redirect.toString(),
    erased: erased != null,
    contacts: contacts ?? null,
    offers: offers ?? null,
  };
}

/** Indexes of the ids, those of one partition together. */
function inPartitions(ids: readonly string[]): number[][] {
  const open = new Map<number, number[]>();
  const parts: number[][] = [];
  ids.forEach((id, index) => {
    const partition = partitionOf(id);
    const part = open.get(partition);
    if (part !== undefined && part.length < READ_TOGETHER_MAX) part.push(index);
    else {
      const begun = [index];
      open.set(partition, begun);
      parts.push(begun);
    }
  });
  return parts;
}

export class MemberStore {
  constructor(
    private readonly client: RedisClient,
    /** Days an event id is remembered at least. */
    private readonly dedupeDays: number,
    /** Given by the composition root: this tier does not reach into events/. */
    private readonly encodeRecord: (record: LogRecord) => string,
  ) {}

  /** One read by member id. Throws `store_unavailable`. */
  async read(id: string): Promise<MemberRecord> {
    try {
      return parseRecord(id, await this.client.hmgetBuffer(memberKey(id), ...FIELDS));
    } catch (error) {
      throw toStoreError(error);
    }
  }

  /** One pipeline a node; order as asked. Throws `store_unavailable` when any read failed. */
  async readMany(ids: readonly string[]): Promise<MemberRecord[]> {
    const together = ids.length < READ_TOGETHER_MIN ? [] : inPartitions(ids);
    if (together.length * READ_TOGETHER_MIN <= ids.length && together.length > 0) {
      return this.readTogether(ids, together);
    }
    const outcomes = await groupedPipeline<(Buffer | null)[]>(
      this.client,
      ids.map((id) => ["hmget", memberKey(id), ...FIELDS]),
    );
    return outcomes.map((outcome, i) => {
      if (outcome.error !== undefined) throw toStoreError(outcome.error);
      return parseRecord(ids[i]!, outcome.value);
    });
  }

  /** `parts`: indexes of `ids`, by partition. */
  private async readTogether(
    ids: readonly string[],
    parts: readonly (readonly number[])[],
  ): Promise<MemberRecord[]> {
    const outcomes = await pipelineScripts(
      this.client,
      parts.map((part) => ({
        script: readScript,
        keys: part.map((index) => memberKey(ids[index]!)),
        args: [],
      })),
    );
    const records = new Array<MemberRecord>(ids.length);
    outcomes.forEach((outcome, n) => {
      if (outcome.error !== undefined) throw toStoreError(outcome.error);
      parts[n]!.forEach((index, i) => {
        const from = FIELDS.length * i;
        const values = outcome.value.slice(from, from + FIELDS.length);
        records[index] = parseRecord(ids[index]!, values);
      });
    });
    return records;
  }

  /** Follows redirects of merges, at most 8 deep (a chain is flattened by each merge). */
  async readThrough(id: string): Promise<MemberRecord> {
    let record = await this.read(id);
    for (let hops = 0; record.redirect !== null && hops < 8; hops++) {
      record = await this.read(record.redirect);
    }
    return record;
  }

  /** Runs each commit atomically, all in one pipeline a node; one result a commit, in order. */
  async commit(commits: readonly Commit[]): Promise<CommitResult[]> {
    const outcomes = await pipelineScripts(
      this.client,
      commits.map((commit) => this.callOf(commit)),
    );
    return outcomes.map((outcome) =>
      outcome.error !== undefined
        ? { status: "failed", error: toStoreError(outcome.error) }
        : resultOf(outcome.value),
    );
  }

  /**
   * Contents of those of the claims (hex of the key → content) that are taken in any of the
   * partitions: used where a member moved slots. One pipeline a node.
   */
  async takenClaims(
    asked: readonly { partition: number; keys: readonly Buffer[] }[],
  ): Promise<Map<string, Buffer>> {
    const reads = asked.flatMap(({ partition, keys }) =>
      this.dedupeKeys(partition).map((hash) => ({ hash, keys })),
    );
    const outcomes = await groupedPipeline<(Buffer | null)[]>(
      this.client,
      reads.map(({ hash, keys }) => ["hmget", hash, ...keys]),
    );
    const taken = new Map<string, Buffer>();
    outcomes.forEach((outcome, read) => {
      if (outcome.error !== undefined) throw toStoreError(outcome.error);
      outcome.value.forEach((content, i) => {
        if (content !== null) taken.set(reads[read]!.keys[i]!.toString("hex"), content);
      });
    });
    return taken;
  }

  /** The latest chunk a ledger reached, -1 for none. */
  async reachedChunks(asked: readonly { partition: number; field: string }[]): Promise<number[]> {
    const outcomes = await groupedPipeline<Buffer | null>(
      this.client,
      asked.map(({ partition, field }) => ["hget", importLedgerKey(partition), field]),
    );
    return outcomes.map((outcome) => {
      if (outcome.error !== undefined) throw toStoreError(outcome.error);
      return outcome.value === null ? -1 : Number(outcome.value.toString());
    });
  }

  /** The current period's ids and those of the one before: `dedupeDays` to twice as many days. */
  private dedupeKeys(partition: number): string[] {
    const period = Math.floor(Date.now() / (this.dedupeDays * DAY_MS));
    return [dedupeKey(partition, period), dedupeKey(partition, period - 1)];
  }

  private callOf(commit: Commit): ScriptCall<Buffer[]> {
    const { partition, members, claims } = commit;
    const dedupe = claims.length === 0 ? [] : this.dedupeKeys(partition);
    const keys = [logKey(partition), importLedgerKey(partition), ...dedupe];
    for (const { id } of members) keys.push(memberKey(id));
    const ttlSeconds = (2 * this.dedupeDays + 1) * 86_400;
    const packed = packCommit(commit, dedupe.length, ttlSeconds, this.encodeRecord);
    return { script: commitScript, keys, args: [packed] };
  }
}

function resultOf(reply: Buffer[]): CommitResult {
  const status = reply[0]!.toString();
  if (status === "claimed") {
    const claims = [];
    for (let i = 1; i < reply.length; i += 3) {
      claims.push({
        index: Number(reply[i]!.toString()),
        taken: reply[i + 1]!.toString() === "taken",
        sameContent: reply[i + 2]!.toString() === "same",
      });
    }
    return { status, claims };
  }
  if (status === "ok" || status === "stale" || status === "done") return { status };
  throw new Error(`commit_member answered ${status}`);
}
