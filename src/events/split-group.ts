/** How an import's group is cut when some of its members were merged into others meanwhile. */
import type { MemberRecord } from "../members/member-store.js";
import { partitionOf } from "../redis/keys.js";
import type { PendingEvent, WriteGroup } from "./member-writer.js";

/** Events whose outcome is not decided yet. */
export const open = (group: WriteGroup): PendingEvent[] =>
  group.events.filter((pending) => pending.outcome === undefined);

export const partitionOfGroup = (group: WriteGroup): number =>
  group.partition ?? partitionOf(group.events[0]?.subject ?? "");

/** Few events are contacts or answers to them: the others are passed over at the cost of a look. */
export function contactsAmong(groups: readonly WriteGroup[]): PendingEvent[] {
  const contacts: PendingEvent[] = [];
  for (const { events } of groups) {
    for (const pending of events) {
      const { type } = pending.event;
      const isContact = type === "call_outbound" || type === "message_sent" || type === "response";
      // Of two under one id only the first is one.
      const isNone = pending.outcome === "member_erased" || pending.outcome === "duplicate_differs";
      if (isContact && !isNone) contacts.push(pending);
    }
  }
  return contacts;
}

/** A group as it is committed: what lives elsewhere by now, then the rest. */
export interface Split {
  readonly whole: WriteGroup;
  readonly home: WriteGroup;
  readonly moved: readonly WriteGroup[];
}

/**
 * After a merge some of a chunk's members live in another partition: their events become groups of
 * their own there, with a ledger entry of their own, so that a repeat still changes nothing.
 */
export function splitByPartition(group: WriteGroup, bySubject: Map<string, MemberRecord>): Split {
  const home = partitionOfGroup(group);
  if (group.ledger === undefined) return { whole: group, home: group, moved: [] };
  const moved = new Map<string, PendingEvent[]>();
  const staying: PendingEvent[] = [];
  for (const pending of open(group)) {
    const holder = bySubject.get(pending.subject)!.id;
    // Whom nobody took over is where the chunk was sent.
    const stays = holder === pending.subject || partitionOf(holder) === home;
    if (stays) staying.push(pending);
    else moved.set(pending.subject, [...(moved.get(pending.subject) ?? []), pending]);
  }
  if (moved.size === 0) return { whole: group, home: group, moved: [] };
  const groups = [...moved].map(([subject, events]): WriteGroup => {
    const partition = partitionOf(bySubject.get(subject)!.id);
    const field = `${group.ledger!.field}:${subject}`;
    return { events, partition, ledger: { field, chunk: group.ledger!.chunk } };
  });
  return { whole: group, home: { ...group, events: staying, partition: home }, moved: groups };
}
