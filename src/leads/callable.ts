/** When a lead may be contacted: the guards themselves are asked, now and at each instant they name. */
import { nextOpening, windowFor } from "../policy/calling-window.js";
import {
  type Bar,
  type GuardRules,
  type GuardSubject,
  type GuardUse,
  guardFirst,
  type Verdict,
} from "../policy/guards.js";

export interface Callable {
  /** Epoch milliseconds; `until` exclusive. */
  readonly from: number;
  readonly until: number;
  /** Under which `from` passed. */
  readonly verdict: Verdict;
  readonly use: GuardUse;
}

/** A lead's channel is closed: until when, and by which guard. */
export interface Barred {
  readonly bar: Bar;
}

/** The one channel, at `now` alone. */
export function callableNow(
  subject: GuardSubject,
  channel: string,
  now: number,
  rules: GuardRules,
): Callable | Barred {
  const use: GuardUse = { kind: "outbound", channel, instants: [now] };
  const verdict = guardFirst(subject, use, rules);
  const [bar] = verdict.bars;
  if (bar !== undefined) return { bar };
  const window = windowFor(rules.config.callingWindows, subject.jurisdiction);
  const opening = window === null ? null : nextOpening(window, subject.zones, now);
  if (opening === null || !verdict.open.includes(channel)) return { bar: closed(channel) };
  return { from: now, until: opening.until, verdict, use };
}

/** As `callableNow`, else from the instant the guards name, if nothing comes between. */
export function callableNext(
  subject: GuardSubject,
  channel: string,
  now: number,
  rules: GuardRules,
): Callable | Barred {
  const found = callableNow(subject, channel, now, rules);
  if (!("bar" in found) || found.bar.until === null) return found;
  const later = callableNow(subject, channel, found.bar.until, rules);
  return "bar" in later ? found : later;
}

/** No guard barred it and yet it is not open: a fault of ours, and nobody is called. */
const closed = (channel: string): Bar => ({
  guard: 11,
  code: "no_open_channel",
  channel,
  until: null,
});
