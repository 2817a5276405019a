/**
 * POST /v1/responses: what came of a decision. A response becomes an event of the member the decision was
 * about, and so shares all that events have: durable before it is acknowledged, counted once, folded into
 * caps with the write, gone with an erasure, back with a rebuild. One that leads to nobody is logged.
 */
import { hash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { PlacementConfig } from "../config.js";
import { CuecardError, isCuecardError } from "../errors.js";
import type { MemberEvent } from "../events/event.js";
import type { IngestLimits, IngestResult } from "../events/ingest.js";
import type { LogReader } from "../events/log-reader.js";
import type { LooseResponse } from "../events/log-record.js";
import { numberInUse } from "../events/number-in-use.js";
import type { ResponseOutcome, ResponseProperties } from "../events/response.js";
import { placeOfDecision } from "../members/decision-id.js";
import { idsWithin } from "../members/erase-member.js";
import type { MemberStore } from "../members/member-store.js";
import { partitionOf } from "../redis/keys.js";
import { metrics } from "../telemetry.js";
import type { DecisionRecord } from "./record.js";

export interface ResponseInput {
  readonly decisionId: string;
  /** Of the suggestion it is about; 1 where absent. */
  readonly rank?: number | undefined;
  readonly outcome: ResponseOutcome;
  /** Epoch milliseconds. */
  readonly at: number;
  readonly reason?: string | undefined;
  readonly amount?: number | undefined;
  readonly agent?: string | undefined;
  readonly note?: string | undefined;
  /** Of a "later", epoch milliseconds; absent: as configured. */
  readonly again?: number | undefined;
  /** The number used, where it is not the member's first. */
  readonly phone?: string | undefined;
  /** Tells it from others about the same suggestion with the same outcome; absent: `at` does. */
  readonly key?: string | undefined;
}

export interface Responded {
  readonly accepted: true;
  /** It was here before: nothing counts twice. */
  readonly duplicate: boolean;
  /**
   * false: no member is known for the decision; the response is kept, and changes nothing but that the
   * number of a `do_not_contact` is suppressed.
   */
  readonly known: boolean;
}

export interface RespondDependencies {
  find(decision: string): Promise<DecisionRecord>;
  readonly ingest: { ingest(events: readonly unknown[]): Promise<IngestResult> };
  /** What an event changes beside being counted: again for one that is there already. */
  effects(subject: string, event: MemberEvent): Promise<void>;
  readonly log: LogReader;
  readonly store: Pick<MemberStore, "commit" | "readThrough">;
  readonly placements: readonly PlacementConfig[];
  readonly limits: IngestLimits & { readonly dedupeDays: number };
  /** Whether a channel reaches somebody by their number. */
  usesPhone(channel: string): boolean;
  /** How long a "later" without a time waits. */
  readonly laterMs: number;
  /** Nobody contacts this number (E.164) any more; again is the same. */
  suppress(phone: string, at: number): Promise<void>;
}

const DAY_MS = 86_400_000;
const YEAR_MS = 365.25 * DAY_MS;
/** Clocks may differ by so much. */
const SKEW_MS = 60_000;
/** A decision is written down just after its answer left, maybe by another process. */
const FRESH_MS = 5_000;
const LOOKS = 4;
const LOOK_AGAIN_MS = 20;

/**
 * Idempotent by decision, rank, outcome and `at`, however late it is repeated. Throws `time_in_future`,
 * `time_too_old`, `store_unavailable`, `store_full`, `write_contended`; after the last three it is to be
 * sent again, and a repeat finishes what was begun.
 */
export async function respond(
  input: ResponseInput,
  dependencies: RespondDependencies,
): Promise<Responded> {
  checkTime(input.at, dependencies);
  const record = await findSoon(input.decisionId, dependencies);
  const known = record?.member == null ? null : await respondOf(record, input, dependencies);
  const answer = known ?? (await nobodys(input, dependencies));
  metrics.responses.inc({
    outcome: input.outcome,
    result: answer.duplicate ? "duplicate" : answer.known ? "accepted" : "unknown",
  });
  return answer;
}

function checkTime(at: number, { limits }: RespondDependencies): void {
  const now = Date.now();
  if (at > now + limits.maxFutureSeconds * 1_000) {
    throw new CuecardError("time_in_future", "at: lies in the future");
  }
  if (at < Math.max(now - limits.maxEventAgeYears * YEAR_MS, DAY_MS)) {
    throw new CuecardError("time_too_old", "at: older than events may be");
  }
}

/** null: nobody finds it. */
async function findSoon(id: string, { find }: RespondDependencies): Promise<DecisionRecord | null> {
  for (let look = 1; ; look++) {
    try {
      return await find(id);
    } catch (error) {
      if (!isCuecardError(error) || error.code !== "decision_unknown") throw error;
      const place = placeOfDecision(id);
      if (place === null || look === LOOKS || Math.abs(Date.now() - place.at) > FRESH_MS) {
        return null;
      }
      await sleep(LOOK_AGAIN_MS);
    }
  }
}

/** null: the member was erased meanwhile. */
async function respondOf(
  record: DecisionRecord,
  input: ResponseInput,
  dependencies: RespondDependencies,
): Promise<Responded | null> {
  const { ingest, effects } = dependencies;
  const member = record.member!;
  const id = idOf(input);
  const since = firstPossible(input, dependencies);
  const again = async (): Promise<Responded | null> => {
    const stored = await findEvent(member, id, since, dependencies);
    if (stored === null) return null;
    await effects(member, stored);
    return { accepted: true, duplicate: true, known: true };
  };
  if (input.key !== undefined || isForgotten(since, dependencies)) {
    const before = await again();
    if (before !== null) return before;
  }
  const event = await withNumber(eventOf(record, id, input, dependencies), dependencies);
  const { rejected, duplicates } = await ingest.ingest([event]);
  const code = rejected[0]?.code;
  if (code === "member_erased") return null;
  // The first one counts, whatever else this one says.
  if (code === "duplicate_differs") return (await again()) ?? repeated(true);
  if (code !== undefined) throw new CuecardError(code, rejected[0]!.detail);
  return { accepted: true, duplicate: duplicates > 0, known: true };
}

const repeated = (known: boolean): Responded => ({ accepted: true, duplicate: true, known });

/** Two repeats differ in nothing by which they could be told apart. */
function idOf({ decisionId, rank = 1, outcome, at, key }: ResponseInput): string {
  const name = `${decisionId}\n${rank}\n${outcome}\n${key ?? at}`;
  return `r_${hash("sha256", name, "buffer").subarray(0, 18).toString("base64url")}`;
}

/** No earlier was this response written: neither before its decision nor before what it tells of. */
function firstPossible(
  { decisionId, at, key }: ResponseInput,
  { limits }: RespondDependencies,
): number {
  const decided = placeOfDecision(decisionId)?.at ?? 0;
  // With a key of its own, a repeat may name another time.
  const told = key === undefined ? at - limits.maxFutureSeconds * 1_000 : 0;
  return Math.max(0, Math.max(decided, told) - SKEW_MS);
}

/** The ids of that time may be kept no more: only the log can tell whether it was here. */
const isForgotten = (since: number, { limits }: RespondDependencies): boolean =>
  since < Date.now() - limits.dedupeDays * DAY_MS;

async function findEvent(
  member: string,
  id: string,
  since: number,
  { log, store }: RespondDependencies,
): Promise<MemberEvent | null> {
  const ids = [member, ...idsWithin(await store.readThrough(member))];
  const partitions = [...new Set(ids.map(partitionOf))];
  const after = new Map(partitions.map((one) => [one, `${since}-0`]));
  const entries = log.read({ partitions, after, members: [member], kinds: ["event"] });
  for await (const { record } of entries) {
    if (record.kind !== "event" || record.subject !== member) continue;
    if (record.event.id === id) return record.event;
  }
  return null;
}

/** As POST /v1/events takes it. */
interface ResponseEvent {
  readonly id: string;
  readonly type: "response";
  readonly member: string;
  readonly at: number;
  readonly channel?: string;
  readonly properties: ResponseProperties;
}

const ABOUT_THE_NUMBER: ReadonlySet<ResponseOutcome> = new Set<ResponseOutcome>([
  "bad_number",
  "wrong_person",
  "do_not_contact",
]);

/** Which number it was is written down: a repeat finds the member with another one in use. */
async function withNumber(
  event: ResponseEvent,
  { store, usesPhone }: RespondDependencies,
): Promise<ResponseEvent> {
  const { channel = "", properties, member } = event;
  const { outcome, phone } = properties;
  const isPhone = outcome !== "do_not_contact" || usesPhone(channel);
  if (phone !== undefined || !ABOUT_THE_NUMBER.has(outcome) || !isPhone) return event;
  const { profile } = await store.readThrough(member);
  const own = profile?.merged?.find(({ id }) => id === member) ?? profile;
  const number = numberInUse(own) ?? numberInUse(profile);
  if (number === null) return event;
  return { ...event, properties: { ...properties, phone: number } };
}

function eventOf(
  record: DecisionRecord,
  id: string,
  input: ResponseInput,
  { placements, laterMs }: RespondDependencies,
): ResponseEvent {
  const { rank = 1, outcome, at, reason, amount, agent, note, phone } = input;
  const placement = placements.find((one) => one.id === record.request.placement);
  const first = record.shown[0];
  const about = record.shown[rank - 1];
  const channel =
    about?.channel ?? first?.channel ?? record.request.channel ?? placement?.channel ?? undefined;
  const properties: ResponseProperties = {
    decision: record.id,
    rank,
    outcome,
    ...given({ product: about?.product, offer: first?.product }),
    ...given({ amount, reason, agent, note, phone }),
    ...(outcome === "later" ? { again: Math.max(at, input.again ?? at + laterMs) } : {}),
    ...(placement?.kind === "outbound" ? { outbound: true } : {}),
  };
  const member = record.member!;
  return { id, type: "response", member, at, ...given({ channel }), properties };
}

const given = (fields: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value != null && value !== ""));

/** Whose decision it was nobody knows; a number that is named is not called all the same. */
async function nobodys(
  input: ResponseInput,
  dependencies: RespondDependencies,
): Promise<Responded> {
  const { outcome, phone, at } = input;
  if (outcome === "do_not_contact" && phone !== undefined) await dependencies.suppress(phone, at);
  return keepLoose(input, dependencies);
}

/**
 * Kept for the record alone. Free text is left out: where nobody knows of whom it speaks, no erasure
 * would find it.
 */
async function keepLoose(
  input: ResponseInput,
  dependencies: RespondDependencies,
): Promise<Responded> {
  const { decisionId, rank, outcome, at, amount } = input;
  const { log, store } = dependencies;
  const id = idOf(input);
  const partition = placeOfDecision(decisionId)?.partition ?? partitionOf(decisionId);
  const since = firstPossible(input, dependencies);
  // Of a call without a decision nobody knows how long ago it was: a repeat is told for some days.
  if (since > 0 && isForgotten(since, dependencies)) {
    const after = new Map([[partition, `${since}-0`]]);
    for await (const { record } of log.read({
      partitions: [partition],
      after,
      kinds: ["response"],
    })) {
      if (record.kind === "response" && record.id === id) return repeated(false);
    }
  }
  const response: LooseResponse = {
    id,
    decision: decisionId,
    at,
    outcome,
    ...(rank === undefined ? {} : { rank }),
    ...(amount === undefined ? {} : { amount }),
  };
  const key = hash("sha1", `r\n${id}`, "buffer").subarray(0, 12);
  const [result] = await store.commit([
    {
      partition,
      members: [],
      records: [{ kind: "response", ...response }],
      claims: [{ key, content: key.subarray(0, 6), expect: "new" }],
    },
  ]);
  if (result!.status === "failed") throw result!.error;
  return { accepted: true, duplicate: result!.status === "claimed", known: false };
}
