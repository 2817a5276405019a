import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { MemberEvent } from "../../src/events/event.js";
import { openComplaints, openRefunds } from "../../src/features/activity.js";
import { INSTANTS_KEPT } from "../../src/features/latest-instants.js";
import {
  decodeState,
  EMPTY_STATE,
  encodeState,
  type FeatureState,
  fold,
  merge,
} from "../../src/features/state.js";
import { anEvent, daysAgo, NOW } from "../support/builders.js";

type Step = "open" | "close";
type Trouble = "complaint" | "refund";

const foldAll = (events: readonly MemberEvent[]): FeatureState => events.reduce(fold, EMPTY_STATE);

const told = (trouble: Trouble, step: Step, at: number): MemberEvent =>
  anEvent({ type: step === "open" ? `${trouble}_opened` : `${trouble}_closed`, at });

/** One an hour, the first 700 hours ago. */
const story = (trouble: Trouble, ...steps: Step[]): MemberEvent[] =>
  steps.map((step, i) => told(trouble, step, NOW - (700 - i) * 3_600_000));

const TROUBLES: readonly [Trouble, (state: FeatureState["activity"]) => number][] = [
  ["complaint", openComplaints],
  ["refund", openRefunds],
];

/** What they mean: in the order of time, a close closes one that is open, or nothing. */
function openInTheEnd(steps: readonly { step: Step; at: number }[]): number {
  const inTime = [...steps].sort((a, b) => a.at - b.at || (a.step === "open" ? -1 : 1));
  return inTime.reduce((open, { step }) => Math.max(0, open + (step === "open" ? 1 : -1)), 0);
}

/** Over so few instants that some fall together. */
const steps = fc.array(
  fc.record({
    step: fc.constantFrom<Step>("open", "close"),
    at: fc.integer({ min: 0, max: 12 }).map((days) => daysAgo(days)),
  }),
  { maxLength: INSTANTS_KEPT },
);

describe.each(TROUBLES)("a %s", (trouble, openOf) => {
  const of = (events: readonly MemberEvent[]) => openOf(foldAll(events).activity);

  it("is open until it is closed", () => {
    expect(of([])).toBe(0);
    expect(of(story(trouble, "open", "open", "close"))).toBe(1);
    expect(of(story(trouble, "open", "close"))).toBe(0);
    expect(of(story(trouble, "close"))).toBe(0);
  });

  it("stays open whatever was closed too often before it", () => {
    expect(of(story(trouble, "open", "close", "close", "open"))).toBe(1);
    expect(of(story(trouble, "close", "open"))).toBe(1);
    expect(of(story(trouble, "close", "close", "open", "open", "close"))).toBe(1);
  });

  it("stays open when a merged member's was closed too often before it", () => {
    const other = story(trouble, "open", "close", "close", "close");
    const own = [told(trouble, "open", daysAgo(1))];
    expect(openOf(merge(foldAll(own), foldAll(other)).activity)).toBe(1);
    expect(openOf(merge(foldAll(other), foldAll(own)).activity)).toBe(1);
  });

  it("stays open when the close too many before it arrives last", () => {
    expect(of(story(trouble, "open", "close", "close", "open").reverse())).toBe(1);
  });

  it("that was closed at the instant it was opened is closed", () => {
    const at = daysAgo(3);
    expect(of([told(trouble, "close", at), told(trouble, "open", at)])).toBe(0);
  });

  it("is open when it was opened in the very second of a close, but behind it", () => {
    const at = daysAgo(3);
    const events = [
      told(trouble, "close", at - 2000),
      told(trouble, "close", at),
      told(trouble, "open", at + 1),
    ];
    expect(of(events)).toBe(1);
    const packed = encodeState(foldAll(events));
    expect(openOf(decodeState(packed).activity)).toBe(1);
  });

  it("is told from the other kind", () => {
    const other = trouble === "complaint" ? "refund" : "complaint";
    const events = [...story(trouble, "open"), told(other, "close", NOW)];
    expect(of(events)).toBe(1);
    expect(of(story(other, "open"))).toBe(0);
  });

  it("is open as by going through the events in the order of time, however they arrive", () => {
    fc.assert(
      fc.property(steps, steps, (a, b) => {
        const state = (list: typeof a) =>
          foldAll(list.map(({ step, at }) => told(trouble, step, at)));
        const all = [...a, ...b].slice(0, INSTANTS_KEPT);
        const rest = all.slice(a.length);
        expect(openOf(state(all).activity)).toBe(openInTheEnd(all));
        expect(openOf(merge(state(rest), state(a)).activity)).toBe(openInTheEnd([...a, ...rest]));
      }),
    );
  });

  it("among more than are remembered one by one is open while opens outnumber closes", () => {
    const pairs = Array.from({ length: 4 * INSTANTS_KEPT }, (_, i) =>
      i % 2 === 0 ? ("open" as const) : ("close" as const),
    );
    expect(of(story(trouble, ...pairs))).toBe(0);
    expect(of(story(trouble, "open", ...pairs))).toBe(1);
    expect(of(story(trouble, "close", ...pairs, "open"))).toBe(1);
  });

  it("is never open where going through all of them says it is not, however many there are", () => {
    const many = fc.array(fc.constantFrom<Step>("open", "close"), {
      maxLength: 5 * INSTANTS_KEPT,
    });
    fc.assert(
      fc.property(many, (list) => {
        const open = openInTheEnd(list.map((step, at) => ({ step, at })));
        expect(of(story(trouble, ...list))).toBeLessThanOrEqual(open);
      }),
    );
  });
});

describe("a state packed in layout 2", () => {
  /** A complaint opened once and closed twice, then a refund opened. */
  const packed = "0210028080264000286a004051df47faa2fec00b246a";

  it("keeps counts and the last instants, so that what is opened from now on stays open", () => {
    const state = decodeState(Buffer.from(packed, "hex"));
    expect(openComplaints(state.activity)).toBe(0);
    expect(openRefunds(state.activity)).toBe(1);
    const later = fold(state, told("complaint", "open", NOW));
    expect(openComplaints(later.activity)).toBe(1);
    expect(decodeState(encodeState(later))).toEqual(later);
  });
});
