import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isZone, stretchesOf, utcOffsetMs } from "../../src/members/clock.js";

const DAY_MS = 86_400_000;
const at = (text: string): number => Date.parse(text);
const ZONES = [
  "America/New_York",
  "America/St_Johns",
  "Europe/London",
  "Europe/Dublin",
  "Asia/Kathmandu",
  "Asia/Gaza",
  "Africa/Casablanca",
  "Australia/Lord_Howe",
  "Pacific/Apia",
  "Pacific/Chatham",
  "America/Santiago",
  "UTC",
];

/** Offset as Intl says it at this very instant. */
function askIntl(timeZone: string, instant: number): number {
  const format = new Intl.DateTimeFormat("sv", {
    timeZone,
    dateStyle: "short",
    timeStyle: "medium",
  });
  const second = Math.floor(instant / 1000) * 1000;
  return Date.parse(`${format.format(second).replace(" ", "T")}Z`) - second;
}

describe("offsets", () => {
  it("are what Intl says, at any instant of half a century", () => {
    const instants = fc.integer({
      min: at("1990-01-01T00:00:00Z"),
      max: at("2037-12-31T00:00:00Z"),
    });
    fc.assert(
      fc.property(fc.constantFrom(...ZONES), instants, (zone, instant) => {
        expect(utcOffsetMs(zone, instant)).toBe(askIntl(zone, instant));
      }),
      { numRuns: 2000 },
    );
  });

  it("change at the millisecond the clocks do, also asked for in turn", () => {
    const hour = 3_600_000;
    const changes: [string, string, number, number][] = [
      ["America/New_York", "2026-03-08T07:00:00Z", -5, -4],
      ["America/New_York", "2026-11-01T06:00:00Z", -4, -5],
      ["Europe/Berlin", "2026-03-29T01:00:00Z", 1, 2],
      ["Australia/Lord_Howe", "2026-10-03T15:30:00Z", 10.5, 11],
      ["Pacific/Apia", "2011-12-30T10:00:00Z", -10, 14],
    ];
    for (const [zone, time, before, after] of [...changes, ...changes]) {
      expect(utcOffsetMs(zone, at(time) - 1), zone).toBe(before * hour);
      expect(utcOffsetMs(zone, at(time)), zone).toBe(after * hour);
    }
  });

  it("are not a number where there is no zone", () => {
    expect(utcOffsetMs("Mars/Base", 0)).toBeNaN();
    expect(stretchesOf("Mars/Base", 0)).toEqual([]);
    expect([isZone("Asia/Tokyo"), isZone("Tokyo"), isZone("")]).toEqual([true, false, false]);
  });
});

describe("a day's stretches", () => {
  it("cover the day without a gap, each with its own offset", () => {
    const days = fc.integer({ min: at("2020-01-01T00:00:00Z") / DAY_MS, max: 23_000 });
    fc.assert(
      fc.property(fc.constantFrom(...ZONES), days, (zone, day) => {
        const stretches = stretchesOf(zone, day);
        let next = day * DAY_MS;
        for (const { from, until, offsetMs } of stretches) {
          expect(from).toBe(next);
          expect(utcOffsetMs(zone, from)).toBe(offsetMs);
          expect(utcOffsetMs(zone, until - 1)).toBe(offsetMs);
          next = until;
        }
        expect(next).toBe((day + 1) * DAY_MS);
      }),
    );
    expect(stretchesOf("America/New_York", at("2026-03-08T00:00:00Z") / DAY_MS)).toHaveLength(2);
  });
});
