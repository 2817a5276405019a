/**
 * Records of the event log, as JSON text in one stream per partition and in the Parquet archive.
 * The log is the source of truth: `fold` over it gives every state again.
 */
import type { Profile } from "../members/profile.js";
import type { SuppressionRecord } from "../members/suppressions.js";
import type { EventType, Line, MemberEvent } from "./event.js";
import type { ResponseOutcome } from "./response.js";

export type LogRecord =
  /** `subject` is whom the sender addressed, `member` who holds the state (after merges). */
  | { kind: "event"; member: string; subject: string; event: MemberEvent }
  | { kind: "profile"; member: string; subject: string; at: number; profile: Profile }
  /** `member` took over `from`; `undone` when the merge was taken back. */
  | { kind: "merge"; member: string; from: string; at: number; undone?: boolean }
  | { kind: "erasure"; member: string; at: number }
  /** In the partition of the hash; see `SuppressionRecord`. */
  | ({ kind: "suppression" } & SuppressionRecord)
  /** What was answered, packed by `decision/record`; `member` null: nobody who has an id. */
  | { kind: "decision"; member: string | null; at: number; decision: Record<string, unknown> }
  /** What came of a decision nobody finds; of whom it told is not known, nor kept. */
  | ({ kind: "response" } & LooseResponse)
  /** Purchases nobody can be named for: popularity only. */
  | { kind: "anonymous"; at: number; lines: Line[] };

export interface LooseResponse {
  /** The same response sent again has the same. */
  readonly id: string;
  /** As sent. */
  readonly decision: string;
  readonly at: number;
  readonly outcome: ResponseOutcome;
  readonly rank?: number;
  readonly amount?: number;
}

type PackedLine = [product: string, quantity: number, amount: number, category?: string];

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

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are among what JSON escapes
const ESCAPED = /["\\\u0000-\u001f\ud800-\udfff]/;

/** `JSON.stringify` of a text: nearly none has a character to escape. */
const quote = (text: string): string => (ESCAPED.test(text) ? JSON.stringify(text) : `"${text}"`);

/** As `JSON.stringify` of a number; what is not finite becomes null there too. */
const numeral = (value: number): string => (Number.isFinite(value) ? `${value}` : "null");

function linesText(lines: readonly Line[]): string {
  let text = "[";
  for (let i = 0; i < lines.length; i++) {
    const { product, quantity, amount, category } = lines[i]!;
    if (i > 0) text += ",";
    text += `[${quote(product)},${numeral(quantity)},${numeral(amount)}`;
    text += category === undefined ? "]" : `,${quote(category)}]`;
  }
  return `${text}]`;
}

/** A `PackedEvent` as text, written out by hand: millions of them are written by an import. */
function eventText(event: MemberEvent): string {
  let text = `{"id":${quote(event.id)},"t":${quote(event.type)},"at":${numeral(event.at)}`;
  if (event.lines.length > 0) text += `,"l":${linesText(event.lines)}`;
  if (event.order !== undefined) text += `,"o":${quote(event.order)}`;
  if (event.continuation === true) text += ',"c":1';
  if (event.channel !== undefined) text += `,"ch":${quote(event.channel)}`;
  if (event.properties !== undefined) text += `,"p":${JSON.stringify(event.properties)}`;
  return `${text}}`;
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
    case "event": {
      const { member, subject, event } = record;
      const addressed = subject === member ? "" : `,"s":${quote(subject)}`;
      return `{"k":"event","m":${quote(member)}${addressed},"e":${eventText(event)}}`;
    }
    case "profile":
      return JSON.stringify({
        k: "profile",
        m: record.member,
        s: record.subject === record.member ? undefined : record.subject,
        at: record.at,
        profile: record.profile,
      });
    case "anonymous":
      return `{"k":"anonymous","at":${numeral(record.at)},"l":${linesText(record.lines)}}`;
    case "merge": {
      const { member: m, from, at, undone } = record;
      return JSON.stringify({ k: "merge", m, from, at, undone });
    }
    case "erasure":
      return JSON.stringify({ k: "erasure", m: record.member, at: record.at });
    case "suppression": {
      const { hash: h, on, of, reason, source, at, check } = record;
      return JSON.stringify({ k: "suppression", h, on: on ? 1 : 0, of, reason, source, at, check });
    }
    case "response": {
      const { id, decision: d, at, outcome: o, rank: r, amount: a } = record;
      return JSON.stringify({ k: "response", id, d, at, o, r, a });
    }
    case "decision": {
      const { member, at, decision: d } = record;
      return JSON.stringify({ k: "decision", m: member ?? undefined, at, d });
    }
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
    case "suppression": {
      const { h: hash, on, of, reason, source, at, check } = raw;
      return { kind: "suppression", hash, on: on === 1, of, reason, source, at, check };
    }
    case "decision":
      return { kind: "decision", member: raw.m ?? null, at: raw.at, decision: raw.d };
    case "response": {
      const { id, d: decision, at, o: outcome, r: rank, a: amount } = raw;
      return {
        kind: "response",
        id,
        decision,
        at,
        outcome,
        ...(rank === undefined ? {} : { rank }),
        ...(amount === undefined ? {} : { amount }),
      };
    }
    case "anonymous":
      return { kind: "anonymous", at: raw.at, lines: raw.l.map(unpackLine) };
  }
}
