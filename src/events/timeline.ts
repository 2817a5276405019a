/** One member's history for a person to read, newest first, from the log. */
import { CuecardError } from "../errors.js";
import type { LoggedRecord, LogReader } from "./log-reader.js";
import type { LogRecord } from "./log-record.js";
import { readComponent, subjectOf } from "./replay.js";

export interface TimelineEntry {
  kind: string;
  /** Epoch milliseconds. */
  at: number;
  /** Whom it was addressed to, where that is a member merged into this one. */
  subject?: string;
  id?: string;
  type?: string;
  [field: string]: unknown;
}

export interface TimelinePage {
  readonly items: TimelineEntry[];
  readonly nextCursor: string | null;
}

interface Placed {
  readonly at: number;
  /** Cursor text: time and log id, which no two records share. */
  readonly place: string;
  readonly record: LogRecord;
}

const place = (at: number, { partition, logId }: LoggedRecord): string =>
  `${at}_${partition}_${logId}`;

const CURSOR = /^-?\d+_\d+_\d+-\d+$/;

/** Newest first; of one instant, what was written later first. */
function compare(a: Placed, b: Placed): number {
  return b.at - a.at || b.place.localeCompare(a.place, "en", { numeric: true });
}

/**
 * A page of what happened to the member that holds `record`, with those merged into it. `cursor` is
 * the `nextCursor` of the page before. Throws `invalid_request` for a cursor that is none.
 */
export async function timelineOf(
  log: LogReader,
  record: { readonly id: string },
  { limit, cursor }: { readonly limit: number; readonly cursor?: string | undefined },
): Promise<TimelinePage> {
  if (cursor !== undefined && !CURSOR.test(cursor)) {
    throw new CuecardError("invalid_request", "cursor: not one this server gave");
  }
  const { links, records } = await readComponent(log, [record.id]);
  const placed = records
    .filter((logged) => links.holderOf(subjectOf(logged)!) === record.id)
    .map((logged): Placed => {
      const at = timeOf(logged.record);
      return { at, place: place(at, logged), record: logged.record };
    })
    .sort(compare);
  const start =
    cursor === undefined
      ? 0
      : placed.findIndex((one) => compare(one, { ...one, ...parse(cursor) }) > 0);
  const page = start < 0 ? [] : placed.slice(start, start + limit);
  const more = start >= 0 && start + limit < placed.length;
  return {
    items: page.map((one) => entryOf(one.record, record.id)),
    nextCursor: more ? page[page.length - 1]!.place : null,
  };
}

const parse = (cursor: string): { at: number; place: string } => ({
  at: Number(cursor.slice(0, cursor.indexOf("_"))),
  place: cursor,
});

const timeOf = (record: LogRecord): number =>
  record.kind === "event" ? record.event.at : record.at;

function entryOf(record: LogRecord, holder: string): TimelineEntry {
  if (record.kind === "event") {
    const { id, type, at, lines, order, channel, properties } = record.event;
    return {
      kind: "event",
      at,
      ...(record.subject === holder ? {} : { subject: record.subject }),
      id,
      type,
      ...(order === undefined ? {} : { order }),
      ...(lines.length === 0 ? {} : { items: lines }),
      ...(channel === undefined ? {} : { channel }),
      ...(properties === undefined ? {} : { properties }),
    };
  }
  if (record.kind === "profile") {
    const { at, subject, profile } = record;
    return { kind: "profile", at, ...(subject === holder ? {} : { subject }), profile };
  }
  return { kind: record.kind, at: record.at };
}
