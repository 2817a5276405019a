/**
 * What an agent's system says a call came to, as a response to the decision of that call. Answers are a
 * few words that systems keep in their own logs: nothing personal is in them. Sent again, late or never:
 * the same call and disposition count once.
 */
import type { Config } from "../config.js";
import type { CallOutcome } from "../config-pop.js";
import type { Responded, ResponseInput } from "../decision/respond.js";
import { latestAgain } from "../events/response.js";
import { utcOffsetMs } from "../members/clock.js";
import type { SuppressionIdentity } from "../members/suppression-identity.js";
import { metrics } from "../telemetry.js";
import { type Fields, firstOf, type PopCall, popCallOf } from "./pop-call.js";
import type { PopText } from "./pop-formats.js";

export interface DispositionParts {
  readonly config: Pick<Config, "pop" | "timezone">;
  respond(input: ResponseInput): Promise<Responded>;
  /** The decision of this call; null: none is kept. */
  decisionOf(call: PopCall): Promise<string | null>;
  /** E.164; null: no number that can be dialled. */
  phoneOf(text: string): string | null;
  /** From now on nobody contacts any of these. */
  suppress(identities: readonly SuppressionIdentity[], source: string): Promise<void>;
  onError(error: unknown): void;
}

const NOTE_MAX = 500;
const NOTE_READ_MAX = 20_000;
/** As the answer may repeat it. */
const NAME = /^[\w-]{1,40}$/;

const say = (text: string): PopText => ({ contentType: "text/plain; charset=utf-8", text });

/** What is said where nothing could be written down. */
export const dispositionFallback = (): PopText => say("NOT KEPT: send it again");

/** Never rejects. */
export async function disposition(fields: Fields, parts: DispositionParts): Promise<PopText> {
  try {
    const { result, text } = await take(fields, parts);
    metrics.dispositions.inc({ result });
    return say(text);
  } catch (error) {
    metrics.dispositions.inc({ result: "failed" });
    parts.onError(error);
    return dispositionFallback();
  }
}

interface Taken {
  readonly result: "kept" | "repeated" | "no_decision" | "nobody" | "unmapped" | "missing";
  readonly text: string;
}

async function take(fields: Fields, parts: DispositionParts): Promise<Taken> {
  const { aliases, dispositions } = parts.config.pop;
  const name = firstOf(fields, aliases.disposition)?.toUpperCase() ?? null;
  if (name === null) return { result: "missing", text: "NOTHING KEPT: no disposition" };
  const outcome = Object.hasOwn(dispositions, name) ? dispositions[name] : undefined;
  if (outcome === undefined) {
    const shown = NAME.test(name) ? ` ${name}` : "";
    return { result: "unmapped", text: `NOTHING KEPT: unknown disposition${shown}` };
  }
  const call = popCallOf(fields, parts.config.pop);
  const phone = call.caller === null ? null : parts.phoneOf(call.caller);
  // First of all, whoever they belong to and whatever else goes wrong.
  const barred = outcome === "do_not_contact" ? barredBy(phone, call.member) : [];
  if (barred.length > 0) await parts.suppress(barred, `disposition:${name}`.slice(0, 100));
  const done = `${name} ${outcome}${barred.length === 0 ? "" : `, ${wordsFor(barred)} suppressed`}`;
  const without: Taken =
    outcome === "do_not_contact" && barred.length === 0
      ? { result: "nobody", text: `NOBODY SUPPRESSED: ${name} names nobody who could be found` }
      : { result: "no_decision", text: `OK ${done}, no decision` };
  const decision = firstOf(fields, aliases.decision) ?? (await parts.decisionOf(call));
  const named = decision ?? (call.call === null ? null : `call:${call.call}`);
  if (named === null) return without;
  const answer = await parts.respond({
    decisionId: named,
    key: `disposition ${name} ${call.call ?? ""}`,
    ...told(fields, name, outcome, parts),
    ...(call.agent === null ? {} : { agent: call.agent.slice(0, 100) }),
    ...(phone === null ? {} : { phone }),
  });
  if (!answer.known) return without;
  if (answer.duplicate) return { result: "repeated", text: `OK ${done}, again` };
  return { result: "kept", text: `OK ${done}` };
}

/** Whoever says never again is meant by every name that came with it, decision or not. */
const barredBy = (phone: string | null, member: string | null): SuppressionIdentity[] => [
  ...(phone === null ? [] : [{ kind: "phone", value: phone } as const]),
  ...(member === null ? [] : [{ kind: "member", value: member } as const]),
];

const wordsFor = (barred: readonly SuppressionIdentity[]): string =>
  barred.map(({ kind }) => (kind === "phone" ? "number" : kind)).join(" and ");

function told(
  fields: Fields,
  name: string,
  outcome: CallOutcome,
  { config }: DispositionParts,
): Pick<ResponseInput, "outcome" | "at" | "reason" | "note" | "again"> {
  const { aliases } = config.pop;
  const note = firstOf(fields, aliases.note, NOTE_READ_MAX)?.slice(0, NOTE_MAX);
  const callback = firstOf(fields, aliases.callback);
  const again = callback === null ? null : instantOf(callback, config.timezone);
  return {
    outcome,
    at: Date.now(),
    reason: name,
    ...(note === undefined ? {} : { note }),
    // A slip of the year is kept as late as can be: they asked to be left alone for now.
    ...(again === null ? {} : { again: Math.min(again, latestAgain()) }),
  };
}

const LOCAL = /^(\d{4})-(\d\d)-(\d\d)[ T+](\d\d):(\d\d)(?::(\d\d))?$/;

/** Epoch milliseconds of a local time without a zone, or of one with; null: neither. */
export function instantOf(text: string, zone: string): number | null {
  const parts = LOCAL.exec(text)
    ?.slice(1)
    .map((part) => Number(part ?? 0));
  if (parts === undefined) {
    const at = /^\d{4}-\d\d-\d\dT.*(?:Z|[+-]\d\d:?\d\d)$/.test(text)
      ? Date.parse(text)
      : Number.NaN;
    return Number.isFinite(at) ? at : null;
  }
  const [year, month, day, hour, minute, second] = parts as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const local = Date.UTC(year, month - 1, day, hour, minute, second);
  // "0000-00-00 00:00:00": no callback was asked for.
  if (month < 1 || month > 12 || day < 1 || new Date(local).getUTCDate() !== day) return null;
  // The offset of then: guessed at the local time taken for UTC, and once more where that leads.
  const guess = local - utcOffsetMs(zone, local);
  const at = local - utcOffsetMs(zone, guess);
  return Number.isFinite(at) ? at : null;
}
