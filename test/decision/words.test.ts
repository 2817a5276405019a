import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { CallingWindowConfig } from "../../src/config.js";
import { careScript, languageOf, scriptOf } from "../../src/decision/script.js";
import { bestContactAt } from "../../src/decision/timing.js";
import type { MemberEvent } from "../../src/events/event.js";
import { isOpenAt, nextOpening } from "../../src/policy/calling-window.js";
import { anEvent, NOW } from "../support/builders.js";
import { foldAll } from "../support/core.js";

const HOUR_MS = 3_600_000;
const SHANGHAI = "Asia/Shanghai";
const hoursOf = (...events: MemberEvent[]) => foldAll(events).hours;
const at = (time: string) => Date.parse(time);
/** Something the member did, at a UTC time. */
const did = (time: string, id = time) => anEvent({ id, type: "visit", at: at(time) });

const WINDOW: CallingWindowConfig = { jurisdiction: "*", from: "08:00", until: "21:00" };
const best = (
  hours: ReturnType<typeof hoursOf>,
  zones: readonly string[],
  now: number,
  over: Partial<CallingWindowConfig> = {},
) => bestContactAt(hours, zones, { ...WINDOW, ...over }, now);

describe("the hour of a contact", () => {
  it("is nobody's guess where the zone is unknown, or no window is configured", () => {
    expect(best(hoursOf(), [], NOW)).toBeNull();
    expect(best(hoursOf(), ["Mars/Base"], NOW)).toBeNull();
    expect(bestContactAt(hoursOf(), [SHANGHAI], null, NOW)).toBeNull();
  });

  it("is the next morning for somebody of whom no habit is known", () => {
    // NOW is 20:00 in Shanghai.
    expect(best(hoursOf(), [SHANGHAI], NOW)).toBe(at("2026-06-16T09:00:00+08:00"));
    const early = at("2026-06-15T07:00:00+08:00");
    expect(best(hoursOf(), [SHANGHAI], early)).toBe(at("2026-06-15T09:00:00+08:00"));
  });

  it("is the member's own two hours, in their own zone, today where they are still ahead", () => {
    const hours = hoursOf(did("2026-06-01T06:30:00Z"), did("2026-06-02T06:10:00Z"));
    // 14:00 in Shanghai: the slots 13–15 and 14–16 hold it, the earlier one is taken.
    expect(best(hours, [SHANGHAI], NOW)).toBe(at("2026-06-16T13:00:00+08:00"));
    const noon = at("2026-06-15T12:30:00+08:00");
    expect(best(hours, [SHANGHAI], noon)).toBe(at("2026-06-15T13:00:00+08:00"));
    // 07:00 in London is no hour for a call: any other is as good, and the next one comes first.
    expect(best(hours, ["Europe/London"], NOW)).toBe(at("2026-06-15T14:00:00+01:00"));
  });

  it("waits for the next day the window opens", () => {
    const hours = hoursOf(did("2026-06-01T06:30:00Z"));
    const saturday = at("2026-06-20T12:00:00+08:00");
    expect(best(hours, [SHANGHAI], saturday, { days: [1, 2, 3, 4, 5] })).toBe(
      at("2026-06-22T13:00:00+08:00"),
    );
    expect(best(hours, [SHANGHAI], NOW, { closedDates: ["2026-06-16"] })).toBe(
      at("2026-06-17T13:00:00+08:00"),
    );
  });

  it("is within an opening that is short or at an odd hour", () => {
    expect(best(hoursOf(), [SHANGHAI], NOW, { from: "10:15", until: "11:30" })).toBe(
      at("2026-06-16T10:15:00+08:00"),
    );
    expect(best(hoursOf(), [SHANGHAI], NOW, { from: "21:00", until: "24:00" })).toBe(
      at("2026-06-15T21:00:00+08:00"),
    );
  });

  it("is decent wherever the member lives and whenever they are awake", () => {
    for (let hour = 0; hour < 24; hour++) {
      const hours = hoursOf(did(`2026-06-01T${String(hour).padStart(2, "0")}:30:00Z`));
      for (const zone of [
        SHANGHAI,
        "America/New_York",
        "Asia/Kolkata",
        "Pacific/Auckland",
        "UTC",
      ]) {
        for (let later = 0; later < 24; later += 5) {
          const now = NOW + later * HOUR_MS;
          const start = best(hours, [zone], now)!;
          const format = { timeZone: zone, hour: "2-digit", hourCycle: "h23" } as const;
          const local = Number(new Intl.DateTimeFormat("en", format).format(start));
          expect(local).toBeGreaterThanOrEqual(9);
          expect(local).toBeLessThan(20);
          expect(start).toBeGreaterThan(now);
          expect(start - now).toBeLessThanOrEqual(24 * HOUR_MS);
        }
      }
    }
  });

  it("is never outside the window in any zone, nor in the past, and is found where one opens", () => {
    const zone = fc.constantFrom("America/New_York", "America/Chicago", "Europe/London", SHANGHAI);
    const times = fc.constantFrom(["08:00", "21:00"], ["00:00", "24:00"], ["17:30", "18:15"]);
    const instant = fc.integer({
      min: at("2026-01-01T00:00:00Z"),
      max: at("2027-12-31T00:00:00Z"),
    });
    const did14 = hoursOf(did("2026-06-01T14:30:00Z"));
    fc.assert(
      fc.property(
        fc.array(zone, { minLength: 1, maxLength: 2 }),
        times,
        instant,
        (zones, time, now) => {
          const window = { ...WINDOW, from: time[0]!, until: time[1]! };
          const start = bestContactAt(did14, zones, window, now);
          expect(start === null).toBe(nextOpening(window, zones, now) === null);
          if (start === null) return;
          expect(start).toBeGreaterThanOrEqual(now);
          expect(isOpenAt(window, zones, start)).toBe(true);
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe("words", () => {
  const pitch = {
    name: "Green tea",
    price: "¥129",
    coupon: "¥10 off",
    reason: { code: "replenishment_due", text: "Bought 31 days ago" },
  };

  it("name reason, product, price and coupon, in the member's language", () => {
    expect(scriptOf(pitch, "en")).toBe(
      "Bought 31 days ago. May I suggest Green tea for ¥129, with “¥10 off”?",
    );
    const chinese = scriptOf(pitch, "zh");
    for (const part of ["Bought 31 days ago", "Green tea", "¥129", "¥10 off"]) {
      expect(chinese).toContain(part);
    }
  });

  it("leave out what is not known", () => {
    const bare = { name: "Green tea", price: null, coupon: null, reason: undefined };
    expect(scriptOf(bare, "en")).toBe("May I suggest Green tea?");
    expect(scriptOf(bare, "zh")).not.toMatch(/null|undefined/);
  });

  it("follow the member's locale, else the shop's", () => {
    expect(languageOf("zh-Hant-TW", "en")).toBe("zh");
    expect(languageOf("ZH_cn", "en")).toBe("zh");
    expect(languageOf("fr", "zh")).toBe("en");
    expect(languageOf(undefined, "zh")).toBe("zh");
  });

  it("of care are there for every cause, and never sell", () => {
    for (const code of ["open_complaint", "vulnerable", "a cause of tomorrow"]) {
      for (const language of ["en", "zh"] as const) {
        expect(careScript(code, language)).toMatch(/\S{4}/);
        expect(careScript(code, language)).not.toMatch(/suggest|推荐/);
      }
    }
  });
});
