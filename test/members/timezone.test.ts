import { describe, expect, it } from "vitest";
import { isZone, utcOffsetHours, zoneOf } from "../../src/members/timezone.js";

const member = (over: { timezone?: string; phone?: string }) => ({
  id: "m",
  createdAt: 1,
  updatedAt: 1,
  ...over,
});

describe("a member's time zone", () => {
  it("is their own before their phone's, and unknown without either", () => {
    expect(zoneOf(member({ timezone: "Europe/Paris", phone: "+8613812345678" }))).toBe(
      "Europe/Paris",
    );
    expect(zoneOf(member({ phone: "+8613812345678" }))).toBe("Asia/Shanghai");
    expect(zoneOf(member({ phone: "+85223456789" }))).toBe("Asia/Hong_Kong");
    expect(zoneOf(member({}))).toBeNull();
    expect(zoneOf(null)).toBeNull();
  });

  it("is unknown where a country has several, and falls back from a zone that is none", () => {
    expect(zoneOf(member({ phone: "+12125550123" }))).toBeNull();
    expect(zoneOf(member({ timezone: "Mars/Base", phone: "+442079460958" }))).toBe("Europe/London");
    expect(zoneOf(member({ timezone: "Mars/Base" }))).toBeNull();
    expect([isZone("Asia/Tokyo"), isZone("Tokyo"), isZone("")]).toEqual([true, false, false]);
  });
});

describe("hours east of UTC", () => {
  const at = (text: string): number => Date.parse(text);

  it("follow daylight saving, halves and quarters, and are 0 for nobody's zone", () => {
    const cases: [string, string, number][] = [
      ["Asia/Shanghai", "2026-06-15T12:34:56Z", 8],
      ["Asia/Kolkata", "2026-06-15T12:34:56Z", 5.5],
      ["Asia/Kathmandu", "2026-06-15T12:34:56Z", 5.75],
      ["America/St_Johns", "2026-01-15T12:00:00Z", -3.5],
      ["Europe/Berlin", "2026-03-29T00:59:59Z", 1],
      ["Europe/Berlin", "2026-03-29T01:00:00Z", 2],
      ["America/New_York", "2026-01-01T03:00:00Z", -5],
      ["Pacific/Kiritimati", "2026-01-01T03:00:00Z", 14],
      ["Mars/Base", "2026-06-15T12:00:00Z", 0],
    ];
    for (const [zone, time, hours] of cases) expect(utcOffsetHours(zone, at(time))).toBe(hours);
    expect(utcOffsetHours(null, at("2026-06-15T12:00:00Z"))).toBe(0);
  });

  it("change in the middle of an hour where clocks do", () => {
    // Lord Howe: half an hour forward at 02:00 local, 15:30 UTC.
    expect(utcOffsetHours("Australia/Lord_Howe", at("2026-10-03T15:29:00Z"))).toBe(10.5);
    expect(utcOffsetHours("Australia/Lord_Howe", at("2026-10-03T15:31:00Z"))).toBe(11);
  });
});
