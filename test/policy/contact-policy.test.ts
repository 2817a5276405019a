import { describe, expect, it } from "vitest";
import { type ContactPolicyConfig, loadConfig } from "../../src/config.js";
import type { Contact } from "../../src/members/contacts.js";
import { Calendar } from "../../src/policy/calendar.js";
import { ContactPolicy, dueLater } from "../../src/policy/contact-policy.js";

const DAY_MS = 86_400_000;
const at = (text: string): number => Date.parse(text);
const NOW = at("2026-06-15T12:00:00+08:00");

const contact = (over: Partial<Contact> = {}): Contact => ({
  token: "d_1",
  at: NOW,
  until: 0,
  channel: "phone",
  offer: null,
  outcome: null,
  outcomeAt: 0,
  again: 0,
  ...over,
});

const policy = (over: Partial<ContactPolicyConfig> = {}, timezone = "Asia/Shanghai") =>
  new ContactPolicy({ timezone, contactPolicy: { ...loadConfig({}).contactPolicy, ...over } });

describe("caps", () => {
  it("of the defaults let one call a day pass, and the next from local midnight on", () => {
    const { capBar } = bound(policy());
    const today = [contact({ at: at("2026-06-15T00:00:00+08:00") })];
    const midnight = at("2026-06-16T00:00:00+08:00");
    expect(capBar(today, [], "phone", null, NOW)).toEqual({
      code: "cap_channel",
      until: midnight,
    });
    expect(capBar(today, [], "phone", null, midnight - 1)?.until).toBe(midnight);
    expect(capBar(today, [], "phone", null, midnight)).toBeNull();
    expect(capBar([contact({ at: midnight - DAY_MS - 1 })], [], "phone", null, NOW)).toBeNull();
    expect(capBar(today, [], "sms", null, NOW)).toBeNull();
  });

  it("of a rolling window open to the millisecond when the oldest of too many leaves it", () => {
    const { capBar } = bound(policy());
    const calls = [5, 3, 1].map((days) => contact({ token: `d${days}`, at: NOW - days * DAY_MS }));
    const opens = NOW + 2 * DAY_MS;
    expect(capBar(calls, [], "phone", null, NOW)).toEqual({ code: "cap_channel", until: opens });
    expect(capBar(calls, [], "phone", null, opens - 1)).not.toBeNull();
    expect(capBar(calls, [], "phone", null, opens)).toBeNull();
  });

  it("count the member over all channels, the offer, and the number apart", () => {
    const { capBar } = bound(policy());
    const mails = Array.from({ length: 5 }, (_, i) =>
      contact({ token: `m${i}`, channel: "email", at: NOW - (i + 1) * 3_600_000 }),
    );
    expect(capBar(mails, [], "sms", null, NOW)?.code).toBe("cap_member");
    const offers = [40, 20, 10].map((days) =>
      contact({ token: `o${days}`, channel: "email", offer: "p1", at: NOW - days * DAY_MS }),
    );
    const bar = capBar(offers, [], "sms", "p1", NOW);
    expect(bar).toEqual({ code: "cap_offer", until: NOW + 10 * DAY_MS });
    expect(capBar(offers, [], "sms", "p2", NOW)).toBeNull();
    const onNumber = [1, 2].map((n) => contact({ token: `n${n}`, at: NOW - n * 1000 }));
    expect(capBar([], onNumber, "sms", null, NOW)?.code).toBe("cap_phone");
  });

  it("count a reservation until it expires", () => {
    const { capBar } = bound(policy());
    const reserved = [contact({ at: NOW - 1000, until: NOW + 5000 })];
    expect(capBar(reserved, [], "phone", null, NOW)).toEqual({
      code: "cap_channel",
      until: NOW + 5000,
    });
    expect(capBar(reserved, [], "phone", null, NOW + 5000)).toBeNull();
  });

  it("that bar together answer with the one that opens last", () => {
    const { capBar } = bound(policy());
    const calls = [0, 1, 2].map((days) => contact({ token: `d${days}`, at: NOW - days * DAY_MS }));
    expect(capBar(calls, [], "phone", null, NOW + 1000)?.until).toBe(NOW + 5 * DAY_MS);
  });
});

describe("after an answer", () => {
  it("neither the offer refused nor its channel is used until the cool-down ends", () => {
    const { capBar } = bound(policy({ channelCoolDownDays: 7 }));
    const refused = contact({ at: NOW - DAY_MS, offer: "p1", outcome: "refused", outcomeAt: NOW });
    expect(capBar([refused], [], "phone", "p2", NOW + 1)).toEqual({
      code: "cool_down",
      until: NOW + 7 * DAY_MS,
    });
    const until = NOW + 30 * DAY_MS;
    expect(capBar([refused], [], "sms", "p1", NOW + 1)).toEqual({ code: "cool_down", until });
    expect(capBar([refused], [], "sms", "p1", until)).toBeNull();
    expect(policy().offerBar([refused], "p1", NOW + 1)).toEqual({ code: "cool_down", until });
    expect(policy().offerBar([refused], "p2", NOW + 1)).toBeNull();
  });

  it("later: nothing before that time, preferred once after it", () => {
    const { capBar } = bound(policy());
    const again = NOW + 2 * DAY_MS;
    const later = contact({ offer: "p1", outcome: "later", outcomeAt: NOW, again });
    expect(capBar([later], [], "email", "p9", NOW + 1)).toEqual({ code: "later", until: again });
    expect(capBar([later], [], "email", "p9", again)).toBeNull();
    expect(dueLater([later], again - 1)).toBeNull();
    expect(dueLater([later], again)).toEqual(later);
    const reserved = contact({ token: "d_2", at: again, until: again + 900_000 });
    expect(dueLater([later, reserved], again + 1)).toBeNull();
    expect(dueLater([later, reserved], again + 900_000)).toEqual(later);
    expect(dueLater([later, { ...reserved, until: 0 }], again + DAY_MS)).toBeNull();
  });
});

describe("calendar windows", () => {
  const span = (zone: string, unit: "day" | "week" | "month", now: string) => {
    const { start, end } = new Calendar(zone).around(unit, at(now));
    return { start: new Date(start).toISOString(), hours: (end - start) / 3_600_000 };
  };

  it("are exact on the days on which clocks change", () => {
    expect(span("America/New_York", "day", "2026-03-08T12:00:00Z")).toEqual({
      start: "2026-03-08T05:00:00.000Z",
      hours: 23,
    });
    expect(span("America/New_York", "day", "2026-11-01T12:00:00Z")).toEqual({
      start: "2026-11-01T04:00:00.000Z",
      hours: 25,
    });
    expect(span("Australia/Lord_Howe", "day", "2026-04-05T00:00:00Z").hours).toBe(24.5);
  });

  it("begin where a day has no midnight at its first instant", () => {
    // Clocks go from 23:59:59 to 01:00.
    expect(span("America/Santiago", "day", "2026-09-06T12:00:00Z")).toEqual({
      start: "2026-09-06T04:00:00.000Z",
      hours: 23,
    });
  });

  it("hold weeks from Monday and whole months, across a change of clocks and of the year", () => {
    expect(span("Europe/London", "week", "2026-03-29T12:00:00Z")).toEqual({
      start: "2026-03-23T00:00:00.000Z",
      hours: 7 * 24 - 1,
    });
    expect(span("Asia/Shanghai", "month", "2026-12-31T16:00:00Z")).toEqual({
      start: "2026-12-31T16:00:00.000Z",
      hours: 31 * 24,
    });
    expect(span("Asia/Shanghai", "month", "2026-12-31T15:59:59.999Z").hours).toBe(31 * 24);
    expect(span("Europe/Berlin", "month", "2024-02-29T23:30:00Z").hours).toBe(31 * 24 - 1);
  });

  it("take the zone of the policy before that of the shop", () => {
    const { capBar } = bound(policy({ timezone: "America/New_York" }));
    const call = [contact({ at: at("2026-03-08T06:00:00Z") })];
    expect(capBar(call, [], "phone", null, at("2026-03-08T20:00:00Z"))?.until).toBe(
      at("2026-03-09T04:00:00Z"),
    );
  });
});

const bound = (one: ContactPolicy) => ({ capBar: one.capBar.bind(one) });
