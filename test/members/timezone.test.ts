import { describe, expect, it } from "vitest";
import { utcOffsetHours, zoneOf, zonesOf } from "../../src/members/timezone.js";

const member = (over: { timezone?: string; phone?: string; phones?: string[] }) => ({
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

  it("is unknown where a number may lie in several, and falls back from a zone that is none", () => {
    expect(zoneOf(member({ phone: "+18505550123" }))).toBeNull();
    expect(zoneOf(member({ phone: "+12125550123" }))).toBe("America/New_York");
    expect(zoneOf(member({ timezone: "Mars/Base", phone: "+442079460958" }))).toBe("Europe/London");
    expect(zoneOf(member({ timezone: "Mars/Base" }))).toBeNull();
  });
});

describe("the zones a member may be in", () => {
  const phones = ["+442079460958", "+8613812345678"];

  it("are their own alone, whatever their phones say", () => {
    const traveller = member({ timezone: "Europe/Paris", phone: "+79161234567", phones });
    expect(zonesOf(traveller)).toEqual(["Europe/Paris"]);
    expect(zonesOf(traveller, "+12125550123")).toEqual(["Europe/Paris"]);
  });

  it("are those of every phone we may dial, or of the one we will", () => {
    const two = member({ phone: "+12125550123", phones });
    expect(zonesOf(two)).toEqual(["America/New_York", "Asia/Shanghai", "Europe/London"]);
    expect(zonesOf(member({ phones }))).toEqual(["Asia/Shanghai", "Europe/London"]);
    expect(zonesOf(two, "+442079460958")).toEqual(["Europe/London"]);
    expect(zonesOf(null, "+442079460958")).toEqual(["Europe/London"]);
    expect(zonesOf(member({ phone: phones[0], phones: [phones[0]!] }))).toEqual(["Europe/London"]);
  });

  it("are unknown as soon as one of those phones is", () => {
    expect(zonesOf(member({ phone: phones[0], phones: ["+80012345678"] }))).toEqual([]);
    expect(zonesOf(member({ phone: "+80012345678" }))).toEqual([]);
    expect(zonesOf(member({}))).toEqual([]);
    expect(zonesOf(null)).toEqual([]);
  });

  it("are the same array for members alike", () => {
    const zones = zonesOf(member({ timezone: "Asia/Tokyo" }));
    expect(zonesOf(member({ timezone: "Asia/Tokyo" }))).toBe(zones);
    expect(zonesOf(member({ phones }))).toBe(zonesOf(member({ phones: [...phones].reverse() })));
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
