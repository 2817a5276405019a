/**
 * The member's hash in Redis, and the one script that writes it.
 *
 * Fields: `v` version (grows with every write), `s` packed feature state, `p` profile (JSON),
 * `r` redirect (id of the member this one was merged into), `x` erased (ISO date). Keys of one
 * partition share a slot, so state, log, duplicate check and ledger change together or not at all.
 */
import type { LogRecord } from "../events/log-record.js";
import type { RedisClient } from "../redis/clients.js";
import { toStoreError } from "../redis/clients.js";
import { groupedPipeline, type RedisArgument } from "../redis/grouped.js";
import { dedupeKey, importLedgerKey, logKey, memberKey } from "../redis/keys.js";
import { defineScript, pipelineScripts, type ScriptCall } from "../redis/scripts.js";
import type { Profile } from "./profile.js";

export interface MemberRecord {
  readonly id: string;
  /** 0: nothing is stored under this id. */
  readonly version: number;
  readonly state: Buffer | null;
  readonly profile: Profile | null;
  readonly redirect: string | null;
  readonly erased: boolean;
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
}

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

/**
 * KEYS: log, ledger, dedupe hash of today, dedupe hashes of earlier days, member keys.
 * ARGV: earlier days, seconds a dedupe day is kept, ledger field ('' none), ledger chunk,
 *   claims n, n × (key, content, 'new'|'taken'),
 *   members n, n × (expected version, sets m, m × (field, value), deletes d, d × field),
 *   records n, n × record.
 * Returns {'ok'} | {'done'} | {'stale'} | {'claimed', index, 'taken'|'free', 'same'|'other', …}.
 */
const commitScript = defineScript<Buffer[]>({
  name: "commit_member",
  lua: `
local days = tonumber(ARGV[1])
local ttl = tonumber(ARGV[2])
local field, chunk = ARGV[3], tonumber(ARGV[4])
if field ~= '' then
  local reached = redis.call('HGET', KEYS[2], field)
  if reached and tonumber(reached) >= chunk then return {'done'} end
end
local at = 5
local claims = tonumber(ARGV[at]); at = at + 1
local failed = {'claimed'}
local fresh = {}
for i = 0, claims - 1 do
  local key, content, expect = ARGV[at], ARGV[at + 1], ARGV[at + 2]
  at = at + 3
  local known = false
  for d = 0, days do
    known = redis.call('HGET', KEYS[3 + d], key)
    if known then break end
  end
  if expect == 'new' then
    if known then
      failed[#failed + 1] = tostring(i)
      failed[#failed + 1] = 'taken'
      failed[#failed + 1] = (known == content) and 'same' or 'other'
    else
      fresh[#fresh + 1] = key
      fresh[#fresh + 1] = content
    end
  elseif not known then
    failed[#failed + 1] = tostring(i)
    failed[#failed + 1] = 'free'
    failed[#failed + 1] = 'other'
  end
end
if #failed > 1 then return failed end
local members = tonumber(ARGV[at]); at = at + 1
local first = at
for i = 0, members - 1 do
  local version = redis.call('HGET', KEYS[4 + days + i], 'v') or '0'
  if version ~= ARGV[at] then return {'stale'} end
  local sets = tonumber(ARGV[at + 1])
  local deletes = tonumber(ARGV[at + 2 + 2 * sets])
  at = at + 3 + 2 * sets + deletes
end
at = first
for i = 0, members - 1 do
  local key = KEYS[4 + days + i]
  local sets = tonumber(ARGV[at + 1])
  at = at + 2
  for s = 1, sets do
    redis.call('HSET', key, ARGV[at], ARGV[at + 1])
    at = at + 2
  end
  local deletes = tonumber(ARGV[at]); at = at + 1
  for d = 1, deletes do
    redis.call('HDEL', key, ARGV[at])
    at = at + 1
  end
  redis.call('HINCRBY', key, 'v', 1)
end
local records = tonumber(ARGV[at]); at = at + 1
for i = 1, records do
  redis.call('XADD', KEYS[1], '*', 'r', ARGV[at])
  at = at + 1
end
for i = 1, #fresh, 2 do redis.call('HSET', KEYS[3], fresh[i], fresh[i + 1]) end
if #fresh > 0 then redis.call('EXPIRE', KEYS[3], ttl) end
if field ~= '' then redis.call('HSET', KEYS[2], field, chunk) end
return {'ok'}
`,
});

const FIELDS = ["v", "s", "p", "r", "x"] as const;
const DAY_MS = 86_400_000;

const dayOf = (atMs: number): string =>
  new Date(atMs).toISOString().slice(0, 10).replaceAll("-", "");

function parseRecord(id: string, values: readonly (Buffer | null)[]): MemberRecord {
  const [version, state, profile, redirect, erased] = values;
  return {
    id,
    version: version == null ? 0 : Number(version.toString()),
    state: state ?? null,
    profile: profile == null ? null : (JSON.parse(profile.toString()) as Profile),
    redirect: redirect == null ? null : redirect.toString(),
    erased: erased != null,
  };
}

function memberArguments(write: MemberWrite): RedisArgument[] {
  const sets: RedisArgument[] = [];
  const deletes: string[] = [];
  const change = (field: string, value: string | Buffer | null | undefined): void => {
    if (value === null) deletes.push(field);
    else if (value !== undefined) sets.push(field, value);
  };
  change("s", write.state);
  change("p", write.profile == null ? write.profile : JSON.stringify(write.profile));
  change("r", write.redirect);
  change("x", write.erased);
  return [write.expectedVersion, sets.length / 2, ...sets, deletes.length, ...deletes];
}

export class MemberStore {
  constructor(
    private readonly client: RedisClient,
    /** Days an event id is remembered. */
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
    const outcomes = await groupedPipeline<(Buffer | null)[]>(
      this.client,
      ids.map((id) => ["hmget", memberKey(id), ...FIELDS]),
    );
    return outcomes.map((outcome, i) => {
      if (outcome.error !== undefined) throw toStoreError(outcome.error);
      return parseRecord(ids[i]!, outcome.value);
    });
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
      this.dedupeKeys(partition).map((day) => ({ day, keys })),
    );
    const outcomes = await groupedPipeline<(Buffer | null)[]>(
      this.client,
      reads.map(({ day, keys }) => ["hmget", day, ...keys]),
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

  private dedupeKeys(partition: number): string[] {
    const now = Date.now();
    return Array.from({ length: this.dedupeDays + 1 }, (_, back) =>
      dedupeKey(partition, dayOf(now - back * DAY_MS)),
    );
  }

  private callOf(commit: Commit): ScriptCall<Buffer[]> {
    const { partition, members, records, claims, ledger } = commit;
    const days = this.dedupeKeys(partition);
    return {
      script: commitScript,
      keys: [
        logKey(partition),
        importLedgerKey(partition),
        ...days,
        ...members.map((member) => memberKey(member.id)),
      ],
      args: [
        days.length - 1,
        (this.dedupeDays + 2) * 86_400,
        ledger?.field ?? "",
        ledger?.chunk ?? 0,
        claims.length,
        ...claims.flatMap((claim) => [claim.key, claim.content, claim.expect]),
        members.length,
        ...members.flatMap(memberArguments),
        records.length,
        ...records.map(this.encodeRecord),
      ],
    };
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
