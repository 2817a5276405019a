/**
 * The log as histories: per member that holds a state now, what happened to it and to those merged
 * into it. Training, un-merge and export read the log through this.
 */
import type { Profile } from "../members/profile.js";
import { partitionOf } from "../redis/keys.js";
import type { Line, MemberEvent } from "./event.js";
import { parseLogId } from "./log-id.js";
import type { LoggedRecord, LogReader } from "./log-reader.js";
import { MergeLinks } from "./merge-links.js";
import { DeferredRecords } from "./replay-deferred.js";

export interface ReplayedMember {
  readonly id: string;
  /** Whose records these are: the member itself first, then those merged into it. */
  readonly subjects: readonly string[];
  /** In the order they were written. */
  readonly events: readonly { readonly subject: string; readonly event: MemberEvent }[];
  readonly profiles: readonly {
    readonly subject: string;
    readonly at: number;
    readonly profile: Profile;
  }[];
}

export interface ReplayOptions {
  /** Only the holders of these; absent: everybody. */
  readonly members?: readonly string[];
  /** Only what happened up to then (epoch milliseconds). Merges count as they stand now. */
  readonly until?: number;
}

/** Order of writes across partitions, as far as their clocks agree. */
export function byTimeWritten(a: LoggedRecord, b: LoggedRecord): number {
  const [left, right] = [parseLogId(a.logId), parseLogId(b.logId)];
  return left.ms - right.ms || left.seq - right.seq || a.partition - b.partition;
}

/** All merge records of the log. */
export async function readLinks(reader: LogReader): Promise<MergeLinks> {
  const links = new MergeLinks();
  for await (const logged of reader.read({ kinds: ["merge"] })) links.add(logged);
  return links;
}

export interface Component {
  readonly links: MergeLinks;
  /** The members asked for and all ever linked with them, sorted. */
  readonly ids: readonly string[];
  /** Their events and profiles, in the order they were written. */
  readonly records: LoggedRecord[];
  /** Partition → last of their records read, merges included: where `followComponent` goes on. */
  readonly positions: Map<number, string>;
}

/** Some members with everybody they were ever merged with: reads only the partitions they touch. */
export async function readComponent(
  reader: LogReader,
  members: readonly string[],
): Promise<Component> {
  let ids: readonly string[] = members;
  for (;;) {
    const component: Component = {
      links: new MergeLinks(),
      ids: await closure(reader, ids),
      records: [],
      positions: new Map(),
    };
    if (await followComponent(reader, component)) return component;
    ids = component.ids;
  }
}

/** The ids and all ever linked with them: looks through the partitions of those found. */
async function closure(reader: LogReader, ids: readonly string[]): Promise<string[]> {
  const links = new MergeLinks();
  const read = new Set<number>();
  for (;;) {
    const found = [...new Set(ids.flatMap((id) => links.componentOf(id)))].sort();
    const partitions = [...new Set(found.map(partitionOf))].filter((one) => !read.has(one));
    if (partitions.length === 0) return found;
    for (const partition of partitions) read.add(partition);
    for await (const logged of reader.read({ partitions, kinds: ["merge"] })) links.add(logged);
  }
}

/**
 * Adds what was written since the component was read. false: somebody else was merged into it, so
 * that it must be read anew.
 */
export async function followComponent(reader: LogReader, component: Component): Promise<boolean> {
  const { ids, links, records, positions } = component;
  const partitions = [...new Set(ids.map(partitionOf))];
  const own = new Set(ids);
  const kinds = ["event", "profile", "merge"] as const;
  const options = { partitions, kinds, members: ids, after: new Map(positions) };
  const before = records.length;
  for await (const logged of reader.read(options)) {
    positions.set(logged.partition, logged.logId);
    const { record } = logged;
    if (record.kind === "merge") {
      if (!own.has(record.member) || !own.has(record.from)) return false;
      links.add(logged);
    } else if (own.has(subjectOf(logged)!)) records.push(logged);
  }
  if (records.length > before) records.sort(byTimeWritten);
  return true;
}

/** Whom an event or a profile was addressed to. */
export function subjectOf({ record }: LoggedRecord): string | null {
  return record.kind === "event" || record.kind === "profile" ? record.subject : null;
}

/**
 * Every member that holds a state, each once, erased ones left out: partition after partition those
 * without merges, then the others. What arrives after the start may be missing.
 */
export async function* replayMembers(
  reader: LogReader,
  options: ReplayOptions = {},
): AsyncGenerator<ReplayedMember> {
  if (options.members !== undefined) {
    const { links, ids, records } = await readComponent(reader, options.members);
    const holders = new Set(options.members.map((id) => links.holderOf(id)));
    for (const member of byHolder(records, links, ids, options)) {
      if (holders.has(member.id)) yield member;
    }
    return;
  }
  const links = await readLinks(reader);
  const deferred = new DeferredRecords();
  try {
    yield* replaySingles(reader, links, deferred, options);
    for (const [id, records] of deferred.drain()) {
      yield* byHolder(records.sort(byTimeWritten), links, links.componentOf(id), options);
    }
  } finally {
    deferred.close();
  }
}

async function* replaySingles(
  reader: LogReader,
  links: MergeLinks,
  deferred: DeferredRecords,
  options: ReplayOptions,
): AsyncGenerator<ReplayedMember> {
  let partition = -1;
  let members = new Map<string, LoggedRecord[]>();
  const firstOf = firstOfComponents(links);
  for await (const logged of reader.read({ kinds: ["event", "profile"] })) {
    if (logged.partition !== partition) {
      for (const [id, records] of members) yield present(id, [id], records, options);
      members = new Map();
      partition = logged.partition;
    }
    const subject = subjectOf(logged)!;
    const first = firstOf.get(subject);
    if (first !== undefined) {
      deferred.add(first, logged);
      continue;
    }
    // Written through a merge that came after the start: its links are not known here.
    if (partitionOf(subject) !== partition) continue;
    const known = members.get(subject);
    if (known === undefined) members.set(subject, [logged]);
    else known.push(logged);
  }
  for (const [id, records] of members) yield present(id, [id], records, options);
}

/** Linked member → the member its component is filed under. */
export function firstOfComponents(links: MergeLinks): Map<string, string> {
  const firstOf = new Map<string, string>();
  for (const id of links.members()) {
    if (firstOf.has(id)) continue;
    const component = links.componentOf(id);
    for (const member of component) firstOf.set(member, component[0]!);
  }
  return firstOf;
}

/** Records (sorted) of linked members, parted by who holds them. */
function* byHolder(
  records: readonly LoggedRecord[],
  links: MergeLinks,
  ids: readonly string[],
  options: ReplayOptions,
): Generator<ReplayedMember> {
  const held = new Map<string, LoggedRecord[]>();
  for (const logged of records) {
    const holder = links.holderOf(subjectOf(logged)!);
    const known = held.get(holder);
    if (known === undefined) held.set(holder, [logged]);
    else known.push(logged);
  }
  for (const [holder, own] of held) {
    const merged = ids.filter((id) => id !== holder && links.holderOf(id) === holder);
    yield present(holder, [holder, ...merged], own, options);
  }
}

function present(
  id: string,
  subjects: readonly string[],
  records: readonly LoggedRecord[],
  { until = Number.POSITIVE_INFINITY }: ReplayOptions,
): ReplayedMember {
  const events: { subject: string; event: MemberEvent }[] = [];
  const profiles: { subject: string; at: number; profile: Profile }[] = [];
  for (const { record } of records) {
    if (record.kind === "event" && record.event.at <= until) {
      events.push({ subject: record.subject, event: record.event });
    } else if (record.kind === "profile" && record.at <= until) {
      profiles.push({ subject: record.subject, at: record.at, profile: record.profile });
    }
  }
  return { id, subjects, events, profiles };
}

/** Purchases nobody can be named for, partition after partition. */
export async function* replayAnonymous(
  reader: LogReader,
  { until = Number.POSITIVE_INFINITY }: Pick<ReplayOptions, "until"> = {},
): AsyncGenerator<{ at: number; lines: readonly Line[] }> {
  for await (const { record } of reader.read({ kinds: ["anonymous"] })) {
    if (record.kind === "anonymous" && record.at <= until) {
      yield { at: record.at, lines: record.lines };
    }
  }
}
