/** Reads a ranked set from the top: an exact merge over all partitions that fetches as it goes. */
import { CuecardError } from "../errors.js";
import type { MemberRecord, MemberStore } from "../members/member-store.js";
import { exists } from "../members/member-store.js";
import { type RedisClient, toStoreError } from "../redis/clients.js";
import { groupedPipeline, type KeyedCommand } from "../redis/grouped.js";
import { PARTITIONS, rankedListKey } from "../redis/keys.js";
import { byRank, type RankedMember, unpackRanked } from "./ranked-list.js";
import type { RankedRun, RankedSet } from "./ranked-sets.js";

/** A lead before any guard: somebody who is there, with their place in the set. */
export interface RankedRecord {
  /** From 1; places of members who are gone are not given again. */
  readonly place: number;
  readonly score: number;
  readonly record: MemberRecord;
}

const DEFAULT_BATCH = 500;
/** Read ahead of a partition at first; doubles each time it runs out. */
const FIRST_ENTRIES = 32;
const ENTRIES_MAX = 4_096;
/** Ids are longer here and there: the next read takes what was cut. */
const BYTES_AN_ENTRY = 24;

/** One partition's list, read from its start. */
interface Source {
  readonly key: string;
  /** Where the next read begins. */
  offset: number;
  entries: number;
  ended: boolean;
  members: RankedMember[];
  next: number;
}

/**
 * Members of a set, best first, in batches of `batch` (the last may be shorter). Nobody is asked
 * whether they are still there: see `walkRecords`. Throws `store_unavailable`, or `conflict` when
 * the run was replaced and left while it was read (a reader has ten minutes).
 */
export async function* walkRanked(
  client: RedisClient,
  run: RankedRun,
  set: RankedSet,
  batch = DEFAULT_BATCH,
): AsyncGenerator<RankedMember[]> {
  const expected = run.members[set] ?? 0;
  if (expected === 0) return;
  const sources = Array.from({ length: PARTITIONS }, (_, partition) => ({
    key: rankedListKey(partition, run.run, set),
    offset: 0,
    // A batch takes about this much of each partition; a little more, and few are asked twice.
    entries: FIRST_ENTRIES + Math.ceil((2 * batch) / PARTITIONS),
    ended: false,
    members: [],
    next: 0,
  }));
  await fill(client, sources);
  const heap = new SourceHeap(sources.filter(hasMore));
  let given = 0;
  let page: RankedMember[] = [];
  for (let source = heap.top(); source !== undefined; source = heap.top()) {
    page.push(source.members[source.next++]!);
    if (!hasMore(source) && !source.ended) await fill(client, [source]);
    heap.settle();
    if (page.length < batch) continue;
    given += page.length;
    yield page;
    page = [];
  }
  given += page.length;
  if (given !== expected) throw new CuecardError("conflict", "the ranking left while it was read");
  if (page.length > 0) yield page;
}

/** As `walkRanked`, with the record of each; erased members and those merged into others are left out. */
export async function* walkRecords(
  client: RedisClient,
  store: Pick<MemberStore, "readMany">,
  run: RankedRun,
  set: RankedSet,
  batch = DEFAULT_BATCH,
): AsyncGenerator<RankedRecord[]> {
  let place = 1;
  for await (const page of walkRanked(client, run, set, batch)) {
    const first = place;
    place += page.length;
    const records = await store.readMany(page.map(({ id }) => id));
    yield records.flatMap((record, i) =>
      exists(record) && record.redirect === null
        ? [{ place: first + i, score: page[i]!.score, record }]
        : [],
    );
  }
}

const hasMore = ({ members, next }: Source): boolean => next < members.length;
const headOf = ({ members, next }: Source): RankedMember => members[next]!;

/** Reads on in each source until it has an entry at hand or has ended. */
async function fill(client: RedisClient, sources: readonly Source[]): Promise<void> {
  let open = sources;
  while (open.length > 0) {
    const outcomes = await groupedPipeline<Buffer>(
      client,
      open.map(({ key, offset, entries }): KeyedCommand => {
        const last = offset + entries * BYTES_AN_ENTRY - 1;
        return ["getrange", key, offset, last];
      }),
    );
    open.forEach((source, i) => {
      const { error, value } = outcomes[i]!;
      if (error !== undefined) throw toStoreError(error);
      const { members, bytes } = unpackRanked(value);
      source.ended = value.length < source.entries * BYTES_AN_ENTRY;
      source.offset += bytes;
      source.members = members;
      source.next = 0;
      source.entries = Math.min(2 * source.entries, ENTRIES_MAX);
    });
    // An id longer than all that was read: once more, with twice the room.
    open = open.filter((source) => !hasMore(source) && !source.ended);
  }
}

/** Binary heap of sources by their best entry; only the top's entry ever changes. */
class SourceHeap {
  constructor(private readonly sources: Source[]) {
    for (let at = (sources.length >> 1) - 1; at >= 0; at--) this.sink(at);
  }

  top(): Source | undefined {
    return this.sources[0];
  }

  /** After an entry of the top was taken. */
  settle(): void {
    const top = this.sources[0]!;
    if (!hasMore(top)) {
      const last = this.sources.pop()!;
      if (this.sources.length === 0) return;
      this.sources[0] = last;
    }
    this.sink(0);
  }

  private sink(start: number): void {
    const { sources } = this;
    const moving = sources[start]!;
    let at = start;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= sources.length) break;
      const right = child + 1;
      if (right < sources.length && byRank(headOf(sources[right]!), headOf(sources[child]!)) < 0) {
        child = right;
      }
      if (byRank(headOf(sources[child]!), headOf(moving)) >= 0) break;
      sources[at] = sources[child]!;
      at = child;
    }
    sources[at] = moving;
  }
}
