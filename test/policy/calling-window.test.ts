import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { type CallingWindowConfig, loadConfig } from "../../src/config.js";
import { withDemoWindows } from "../../src/demo/windows.js";
import { isOpenAt, nextOpening, openings, windowFor } from "../../src/policy/calling-window.js";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const at = (text: string): number => Date.parse(text);
const aWindow = (over: Partial<CallingWindowConfig> = {}): CallingWindowConfig => ({
  jurisdiction: "*",
  from: "08:00",
  until: "21:00",
  ...over,
});
const day = aWindow();
const NEW_YORK = ["America/New_York"];
const SHANGHAI = ["Asia/Shanghai"];
const span = (from: string, until: string) => ({ from: at(from), until: at(until) });

describe("an open window", () => {
  it("begins at its first millisecond and ends before its last", () => {
    const cases: [string, boolean][] = [
      ["2026-06-15T07:59:59.999+08:00", false],
      ["2026-06-15T08:00:00.000+08:00", true],
      ["2026-06-15T20:59:59.999+08:00", true],
      ["2026-06-15T21:00:00.000+08:00", false],
    ];
    for (const [time, open] of cases) expect(isOpenAt(day, SHANGHAI, at(time)), time).toBe(open);
  });

  it("is read on the called party's clock, halves and quarters of an hour included", () => {
    const cases: [string, string, boolean][] = [
      ["Asia/Kolkata", "2026-06-15T02:29:59Z", false],
      ["Asia/Kolkata", "2026-06-15T02:30:00Z", true],
      ["Asia/Kathmandu", "2026-06-15T15:14:59Z", true],
      ["Asia/Kathmandu", "2026-06-15T15:15:00Z", false],
      ["Pacific/Kiritimati", "2026-06-14T18:00:00Z", true],
      ["Pacific/Pago_Pago", "2026-06-15T18:59:59Z", false],
    ];
    for (const [zone, time, open] of cases) {
      expect(isOpenAt(day, [zone], at(time)), `${zone} ${time}`).toBe(open);
    }
  });

  it("follows both changes of the clocks", () => {
    // Forward on 8 March, back on 1 November 2026: nine in the evening is another instant.
    const cases: [string, boolean][] = [
      ["2026-03-07T13:00:00Z", true],
      ["2026-03-08T01:59:59Z", true],
      ["2026-03-08T02:00:00Z", false],
      ["2026-03-08T11:59:59Z", false],
      ["2026-03-08T12:00:00Z", true],
      ["2026-03-09T00:59:59Z", true],
      ["2026-03-09T01:00:00Z", false],
      ["2026-11-01T12:59:59Z", false],
      ["2026-11-01T13:00:00Z", true],
      ["2026-11-02T01:59:59Z", true],
      ["2026-11-02T02:00:00Z", false],
    ];
    for (const [time, open] of cases) expect(isOpenAt(day, NEW_YORK, at(time)), time).toBe(open);
  });

  it("must be open in every zone the number may lie in", () => {
    const both = ["America/New_York", "America/Chicago"];
    const cases: [string, boolean][] = [
      ["2026-06-15T12:59:59Z", false],
      ["2026-06-15T13:00:00Z", true],
      ["2026-06-16T00:59:59Z", true],
      ["2026-06-16T01:00:00Z", false],
    ];
    for (const [time, open] of cases) {
      expect(isOpenAt(day, both, at(time)), time).toBe(open);
      expect(isOpenAt(day, [...both].reverse(), at(time)), time).toBe(open);
    }
  });

  it("is shut on other days of the week and on closed dates, by the local calendar", () => {
    const working = aWindow({ days: [1, 2, 3, 4, 5], closedDates: ["2026-12-25"] });
    // Friday the 18th in New York is Saturday in Shanghai.
    const friday = at("2026-12-18T20:00:00-05:00");
    expect(isOpenAt(working, NEW_YORK, friday)).toBe(true);
    expect(isOpenAt(working, SHANGHAI, friday)).toBe(false);
    expect(isOpenAt(working, SHANGHAI, at("2026-12-20T12:00:00+08:00"))).toBe(false);
    expect(isOpenAt(working, SHANGHAI, at("2026-12-21T12:00:00+08:00"))).toBe(true);
    expect(isOpenAt(working, NEW_YORK, at("2026-12-25T12:00:00-05:00"))).toBe(false);
    expect(isOpenAt(working, NEW_YORK, at("2026-12-24T20:59:59-05:00"))).toBe(true);
  });

  it("is never open where the zone is unknown", () => {
    const always = aWindow({ from: "00:00", until: "24:00" });
    expect(isOpenAt(always, SHANGHAI, 0)).toBe(true);
    expect(isOpenAt(always, [], at("2026-06-15T12:00:00Z"))).toBe(false);
    expect(isOpenAt(always, ["Mars/Base"], at("2026-06-15T12:00:00Z"))).toBe(false);
    expect(isOpenAt(always, [...SHANGHAI, "Mars/Base"], at("2026-06-15T12:00:00Z"))).toBe(false);
    for (const zones of [[], ["Mars/Base"], [...SHANGHAI, "Mars/Base"]]) {
      expect(nextOpening(always, zones, 0)).toBeNull();
    }
  });
});

describe("the next opening", () => {
  it("is the one under way from now on, else the next to come", () => {
    const opened = span("2026-06-15T08:00:00+08:00", "2026-06-15T21:00:00+08:00");
    expect(nextOpening(day, SHANGHAI, at("2026-06-15T02:00:00+08:00"))).toEqual(opened);
    expect(nextOpening(day, SHANGHAI, opened.from)).toEqual(opened);
    const noon = at("2026-06-15T12:00:00+08:00");
    expect(nextOpening(day, SHANGHAI, noon)).toEqual({ ...opened, from: noon });
    expect(nextOpening(day, SHANGHAI, opened.until - 1)?.from).toBe(opened.until - 1);
    expect(nextOpening(day, SHANGHAI, opened.until)).toEqual(
      span("2026-06-16T08:00:00+08:00", "2026-06-16T21:00:00+08:00"),
    );
  });

  it("has skipped hours left out and repeated ones in, twice", () => {
    // On 8 March 02:00–03:00 does not exist in New York; on 1 November 01:00–02:00 comes twice.
    const night = aWindow({ from: "01:00", until: "02:30" });
    expect(nextOpening(night, NEW_YORK, at("2026-03-08T05:00:00Z"))).toEqual(
      span("2026-03-08T06:00:00Z", "2026-03-08T07:00:00Z"),
    );
    expect([...openings(night, NEW_YORK, at("2026-11-01T04:00:00Z"))].slice(0, 2)).toEqual([
      span("2026-11-01T05:00:00Z", "2026-11-01T07:30:00Z"),
      span("2026-11-02T06:00:00Z", "2026-11-02T07:30:00Z"),
    ]);
    const skipped = aWindow({ from: "02:00", until: "03:00" });
    expect(nextOpening(skipped, NEW_YORK, at("2026-03-08T05:00:00Z"))).toEqual(
      span("2026-03-09T06:00:00Z", "2026-03-09T07:00:00Z"),
    );
    // Half past one to two, twice: closed in between.
    const half = aWindow({ from: "01:30", until: "02:00" });
    expect([...openings(half, NEW_YORK, at("2026-11-01T04:00:00Z"))].slice(0, 2)).toEqual([
      span("2026-11-01T05:30:00Z", "2026-11-01T06:00:00Z"),
      span("2026-11-01T06:30:00Z", "2026-11-01T07:00:00Z"),
    ]);
  });

  it("is common to all zones; with Kaliningrad and Kamchatka three hours are left", () => {
    const russia = ["Europe/Kaliningrad", "Europe/Moscow", "Asia/Kamchatka"];
    expect(nextOpening(day, russia, at("2026-06-15T00:00:00Z"))).toEqual(
      span("2026-06-15T06:00:00Z", "2026-06-15T09:00:00Z"),
    );
    expect(nextOpening(aWindow({ until: "18:00" }), russia, at("2026-06-15T00:00:00Z"))).toBeNull();
  });

  it("is looked for eight days ahead, over weekends and closed dates", () => {
    const mondays = aWindow({ days: [1], closedDates: ["2026-06-22"] });
    const sunday = at("2026-06-14T00:00:00+08:00");
    expect(nextOpening(mondays, SHANGHAI, sunday)?.from).toBe(at("2026-06-15T08:00:00+08:00"));
    expect(nextOpening(mondays, SHANGHAI, at("2026-06-15T21:00:00+08:00"))).toBeNull();
    expect(nextOpening(mondays, SHANGHAI, at("2026-06-21T08:00:00+08:00"))).toBeNull();
    expect(nextOpening(mondays, SHANGHAI, at("2026-06-21T08:00:00.001+08:00"))?.from).toBe(
      at("2026-06-29T08:00:00+08:00"),
    );
  });
});

describe("openings and the open window", () => {
  const zone = fc.constantFrom(
    "America/New_York",
    "America/Chicago",
    "America/St_Johns",
    "Europe/London",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Pacific/Chatham",
    "Africa/Casablanca",
    "America/Santiago",
  );
  const text = (minutes: number): string =>
    `${String(Math.floor(minutes / 60)).padStart(2, "0")}:${String(minutes % 60).padStart(2, "0")}`;
  const anyWindow = fc
    .record({
      from: fc.integer({ min: 0, max: 1439 }),
      length: fc.integer({ min: 1, max: 1440 }),
      days: fc.option(fc.uniqueArray(fc.integer({ min: 1, max: 7 }), { minLength: 1 }), {
        nil: undefined,
      }),
    })
    .map(({ from, length, days }) =>
      aWindow({ from: text(from), until: text(Math.min(1440, from + length)), days }),
    );
  /** Weeks around the changes of clocks, and any other time. */
  const instant = fc.oneof(
    fc.integer({ min: at("2020-01-01T00:00:00Z"), max: at("2036-12-31T00:00:00Z") }),
    fc
      .constantFrom("2026-03-08", "2026-03-29", "2026-10-04", "2026-11-01", "2027-04-04")
      .chain((date) =>
        fc.integer({ min: -2 * DAY_MS, max: 2 * DAY_MS }).map((ms) => at(date) + ms),
      ),
  );

  it("say the same of every instant", () => {
    fc.assert(
      fc.property(
        anyWindow,
        fc.array(zone, { minLength: 1, maxLength: 3 }),
        instant,
        (w, z, now) => {
          const spans = [...openings(w, z, now)];
          let next = now;
          for (const { from, until } of spans) {
            expect(from).toBeLessThan(until);
            expect(from).toBeGreaterThanOrEqual(next);
            if (from > now) expect(isOpenAt(w, z, from - 1)).toBe(false);
            expect(isOpenAt(w, z, from)).toBe(true);
            expect(isOpenAt(w, z, Math.floor((from + until) / 2))).toBe(true);
            expect(isOpenAt(w, z, until - 1)).toBe(true);
            if (until < now + 8 * DAY_MS) expect(isOpenAt(w, z, until)).toBe(false);
            next = until;
          }
          for (let t = now; t < now + 8 * DAY_MS; t += 97 * MINUTE_MS) {
            const inside = spans.some(({ from, until }) => t >= from && t < until);
            expect(isOpenAt(w, z, t), new Date(t).toISOString()).toBe(inside);
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  it("do not depend on what was asked before", () => {
    const windows = [aWindow(), aWindow()];
    fc.assert(
      fc.property(
        fc.array(fc.tuple(zone, instant), { maxLength: 6 }),
        zone,
        instant,
        (earlier, z, now) => {
          for (const [other, when] of earlier) nextOpening(windows[0]!, [other], when);
          expect(nextOpening(windows[0]!, [z], now)).toEqual(
            nextOpening({ ...windows[1]! }, [z], now),
          );
        },
      ),
    );
  });
});

describe("the window of a jurisdiction", () => {
  const windows = [
    aWindow(),
    aWindow({ jurisdiction: "US", until: "20:30" }),
    aWindow({ jurisdiction: "US-FL", until: "20:00" }),
  ];

  it("is the most specific one: state, country, everybody's", () => {
    expect(windowFor(windows, "US-FL")?.until).toBe("20:00");
    expect(windowFor(windows, "US-TX")?.until).toBe("20:30");
    expect(windowFor(windows, "US")?.until).toBe("20:30");
    expect(windowFor(windows, "GB")?.until).toBe("21:00");
    expect(windowFor(windows, null)?.until).toBe("21:00");
  });

  it("is everybody's for nobody in China: theirs is configured or missing", () => {
    expect(windowFor(windows, "CN")).toBeNull();
    expect(windowFor(windows, "CN-XJ")).toBeNull();
    const china = aWindow({ jurisdiction: "CN", from: "09:00" });
    expect(windowFor([...windows, china], "CN-XJ")).toBe(china);
    expect(windowFor([china], "GB")).toBeNull();
    expect(windowFor([china], null)).toBeNull();
  });

  it("is set for China in the demo world, and left as it is where it is set", () => {
    const demo = withDemoWindows(loadConfig({}));
    expect(windowFor(demo.callingWindows, "CN")).toMatchObject({ from: "09:00", until: "20:00" });
    expect(windowFor(demo.callingWindows, "GB")).toMatchObject({ from: "08:00", until: "21:00" });
    expect(withDemoWindows(demo)).toBe(demo);
  });
});

describe("configured windows", () => {
  const dir = mkdtempSync(join(tmpdir(), "cuecard-windows-"));
  afterAll(() => rmSync(dir, { recursive: true, force: true }));
  const load = (windows: unknown) => {
    const file = join(dir, "cuecard.yaml");
    writeFileSync(file, JSON.stringify({ callingWindows: windows }));
    return loadConfig({ CUECARD_CONFIG: file }).callingWindows;
  };

  it("are eight to nine for everybody unless said otherwise", () => {
    expect(loadConfig({}).callingWindows).toEqual([
      { jurisdiction: "*", from: "08:00", until: "21:00" },
    ]);
    const own = [
      {
        jurisdiction: "CN",
        from: "09:00",
        until: "24:00",
        days: [1, 7],
        closedDates: ["2026-10-01"],
      },
    ];
    expect(load(own)).toEqual(own);
  });

  it.each([
    [{ from: "21:00", until: "08:00" }, "midnight"],
    [{ from: "08:00", until: "08:00" }, "midnight"],
    [{ from: "8:00", until: "21:00" }, "time of day"],
    [{ from: "08:00", until: "24:01" }, "time of day"],
    [{ from: "08:60", until: "21:00" }, "time of day"],
    [{ jurisdiction: "China" }, "jurisdiction"],
    [{ jurisdiction: "us-fl" }, "jurisdiction"],
    [{ days: [] }, "days"],
    [{ days: [0] }, "days"],
    [{ closedDates: ["2026-02-30"] }, "closedDates"],
    [{ zone: "Asia/Shanghai" }, "zone"],
  ])("refuse %j at the start", (over, where) => {
    expect(() => load([{ jurisdiction: "*", from: "08:00", until: "21:00", ...over }])).toThrow(
      where,
    );
  });

  it("refuse the same jurisdiction twice", () => {
    expect(() => load([aWindow(), aWindow({ until: "20:00" })])).toThrow("* stands twice");
  });
});
