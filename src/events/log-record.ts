/**
 * Records of the event log, as JSON text in one stream per partition and in the Parquet archive.
 * The log is the source of truth: `fold` over it gives every state again.
 */
import type { Profile } from "../members/profile.js";
import type { EventType, Line, MemberEvent } from "./event.js";

export type LogRecord =
  /** `subject` is whom the sender addressed, `member` who holds the state (after merges). */
  | { kind: "event"; member: string; subject: string; event: MemberEvent }
  | { kind: "profile"; member: string; subject: string; at: number; profile: Profile }
  /** `member` took over `from`; `undone` when the merge was taken back. */
  | { kind: "merge"; member: string; from: string; at: number; undone?: boolean }
  | { kind: "erasure"; member: string; at: number }
  /** Purchases nobody can be named for: popularity only. */
  | { kind: "anonymous"; at: number; lines: Line[] };

type PackedLine = [product: string, quantity: number, amount: number, category?: string];

const packLine = (line: Line): PackedLine =>
  line.category === undefined
    ? [line.product, line.quantity, line.amount]
    : [line.product, line.quantity, line.amount, line.category];

const unpackLine = ([product, quantity, amount, category]: PackedLine): Line =>
  category === undefined ? { product, quantity, amount } : { product, quantity, amount, category };

interface PackedEvent {
  id: string;
  t: string;
  at: number;
  l?: PackedLine[];
  o?: string;
  /** 1: a later part of an order. */
  c?: 1;
  ch?: string;
  p?: Record<string, unknown>;
}

function packEvent(event: MemberEvent): PackedEvent {
  const packed: PackedEvent = { id: event.id, t: event.type, at: event.at };
  if (event.lines.length > 0) packed.l = event.lines.map(packLine);
  if (event.order !== undefined) packed.o = event.order;
  if (event.continuation === true) packed.c = 1;
  if (event.channel !== undefined) packed.ch = event.channel;
  if (event.properties !== undefined) packed.p = event.properties;
  return packed;
}

function unpackEvent(packed: PackedEvent): MemberEvent {
  return {
    id: packed.id,
    type: packed.t as EventType,
    at: packed.at,
    lines: (packed.l ?? []).map(unpackLine),
    ...(packed.o === undefined ? {} : { order: packed.o }),
    ...(packed.c === undefined ? {} : { continuation: true }),
    ...(packed.ch === undefined ? {} : { channel: packed.ch }),
    ...(packed.p === undefined ? {} : { properties: packed.p }),
  };
}

/** Keys: k kind, m member, s subject (absent: the member), the rest as in `LogRecord`. */
export function encodeRecord(record: LogRecord): string {
  switch (record.kind) {
    case "event":
      return JSON.stringify({
        k: "event",
        m: record.member,
        s: record.subject === record.member ? undefined : record.subject,
        e: packEvent(record.event),
      });
    case "profile":
      return JSON.stringify({
        k: "profile",
        m: record.member,
        s: record.subject === record.member ? undefined : record.subject,
        at: record.at,
        profile: record.profile,
      });
    case "anonymous":
      return JSON.stringify({ k: "anonymous", at: record.at, l: record.lines.map(packLine) });
    case "merge": {
      const { member: m, from, at, undone } = record;
      return JSON.stringify({ k: "merge", m, from, at, undone });
    }
    case "erasure":
      return JSON.stringify({ k: "erasure", m: record.member, at: record.at });
  }
}

export function decodeRecord(text: string): LogRecord {
  const raw = JSON.parse(text);
  switch (raw.k as LogRecord["kind"]) {
    case "event":
      return { kind: "event", member: raw.m, subject: raw.s ?? raw.m, event: unpackEvent(raw.e) };
    case "profile":
      return {
        kind: "profile",
        member: raw.m,
        subject: raw.s ?? raw.m,
        at: raw.at,
        profile: raw.profile,
      };
    case "merge":
      return {
        kind: "merge",
        member: raw.m,
        from: raw.from,
        at: raw.at,
        ...(raw.undone === true ? { undone: true } : {}),
      };
    case "erasure":
      return { kind: "erasure", member: raw.m, at: raw.at };
    case "anonymous":
      return { kind: "anonymous", at: raw.at, lines: raw.l.map(unpackLine) };
  }
}
