import { describe, expect, it } from "vitest";
import { type Config, loadConfig } from "../../src/config.js";
import { EMPTY_STATE } from "../../src/features/state.js";
import type { Contact } from "../../src/members/contacts.js";
import type { Consent, Profile } from "../../src/members/profile.js";
import { ContactPolicy } from "../../src/policy/contact-policy.js";
import { guardLast, type Leaving } from "../../src/policy/guard-last.js";
import { barText } from "../../src/policy/guard-texts.js";
import {
  type GuardRules,
  type GuardSubject,
  type GuardUse,
  guardFirst,
} from "../../src/policy/guards.js";
import { anEvent, daysAgo } from "../support/builders.js";
import { foldAll } from "../support/core.js";

const base = loadConfig({});
const contactPolicy = { ...base.contactPolicy, timezone: "America/New_York" };
const rulesOf = (more: Partial<Config> = {}): GuardRules => {
  const config = { ...base, contactPolicy, ...more };
  return { config, contactPolicy: new ContactPolicy(config) };
};
const rules = rulesOf();

/** Noon in New York, 2026-06-10, a Wednesday. */
const NOON = Date.parse("2026-06-10T16:00:00Z");
const HOUR = 3_600_000;
const DAY = 24 * HOUR;

const yes = (...channels: string[]): Consent[] =>
  channels.map((channel) => ({ channel, purpose: "marketing", status: "granted", at: 1 }));
const profileOf = (more: Partial<Profile> = {}): Profile => ({
  id: "m",
  createdAt: 1,
  updatedAt: 1,
  consents: yes("phone", "sms", "email", "app"),
  ...more,
});
const NOBODY_LISTED = { member: false, phone: false, email: false };

/** Somebody whom everything allows to be contacted. */
const someone = (more: Partial<GuardSubject> = {}): GuardSubject => ({
  profile: profileOf(),
  state: EMPTY_STATE,
  zones: ["America/New_York"],
  jurisdiction: "US-NY",
  suppressed: NOBODY_LISTED,
  contacts: [],
  phoneContacts: [],
  reachable: true,
  ...more,
});
const outbound = (...instants: number[]): GuardUse => ({
  kind: "outbound",
  channel: null,
  instants: instants.length === 0 ? [NOON] : instants,
});
const inbound: GuardUse = { kind: "inbound", channel: "phone", here: "phone", instants: [NOON] };
const web: GuardUse = { kind: "web", channel: "web", here: "web", instants: [NOON] };

/** An hour ago, by text message. */
const aMessage = (token: string): Contact => ({
  token,
  at: NOON - HOUR,
  until: 0,
  channel: "sms",
  offer: null,
  outcome: null,
  outcomeAt: 0,
  again: 0,
});

const openFor = (subject: GuardSubject, use = outbound(), with_ = rules) =>
  guardFirst(subject, use, with_).open;
const codesFor = (subject: GuardSubject, use = outbound(), with_ = rules) => [
  ...new Set(guardFirst(subject, use, with_).bars.map(({ guard, code }) => `${guard} ${code}`)),
];
const ALL = ["phone", "sms", "email", "app"];

describe("somebody nothing stands against", () => {
  it("may be contacted on every channel they agreed to, and offered what they came for", () => {
    expect(openFor(someone())).toEqual(ALL);
    expect(guardFirst(someone(), inbound, rules)).toMatchObject({
      care: null,
      open: ["phone"],
      bars: [],
    });
    expect(openFor(someone(), web)).toEqual(["web"]);
  });

  it("is contacted on the channel asked for, and on no other", () => {
    expect(openFor(someone(), { ...outbound(), channel: "sms" })).toEqual(["sms"]);
    expect(openFor(someone(), { ...outbound(), channel: "pigeon" })).toEqual([]);
  });
});

describe("guard 1, do not contact", () => {
  it("of a phone closes phone and text messages, of an e-mail e-mails, of a member everything", () => {
    const listed = (who: object) => someone({ suppressed: { ...NOBODY_LISTED, ...who } });
    expect(openFor(listed({ phone: true }))).toEqual(["email", "app"]);
    expect(openFor(listed({ email: true }))).toEqual(["phone", "sms", "app"]);
    expect(openFor(listed({ member: true }))).toEqual([]);
    expect(openFor(someone({ profile: profileOf({ doNotContact: true }) }))).toEqual([]);
  });

  it("holds where the member comes to us as well: help, and offer nothing", () => {
    const listed = someone({ suppressed: { ...NOBODY_LISTED, phone: true } });
    expect(guardFirst(listed, inbound, rules)).toMatchObject({ care: "do_not_contact", open: [] });
    expect(openFor(listed, web)).toEqual(["web"]);
    const member = someone({ suppressed: { ...NOBODY_LISTED, member: true } });
    expect(openFor(member, web)).toEqual([]);
  });

  it("is not got round by asking for another channel than the one they speak on", () => {
    const listed = someone({ suppressed: { ...NOBODY_LISTED, phone: true } });
    const asked: GuardUse = { ...inbound, channel: "web", here: "phone" };
    expect(guardFirst(listed, asked, rules)).toMatchObject({ care: "do_not_contact", open: [] });
    expect(openFor(someone(), asked)).toEqual(["web"]);
  });

  it("goes by the address of a channel the operator named", () => {
    const line = { ...base.channels[3]!, id: "line", address: "phone" as const };
    const listed = someone({
      profile: profileOf({ consents: yes("line") }),
      suppressed: { ...NOBODY_LISTED, phone: true },
    });
    const own = rulesOf({ channels: [line] });
    expect(codesFor(listed, outbound(), own)).toEqual(["1 do_not_contact"]);
  });
});

describe("guards 2 and 6, consent", () => {
  const said = (status: Consent["status"]): Partial<GuardSubject> => ({
    profile: profileOf({ consents: [{ channel: "phone", purpose: "marketing", status, at: 1 }] }),
  });
  const byDefault = rulesOf({
    channels: [{ ...base.channels[0]!, consentByDefault: true }],
  });

  it("is needed where we begin, and not where the member does", () => {
    const silent = someone({ profile: profileOf({ consents: [] }) });
    expect(codesFor(silent)).toEqual(["6 consent_missing"]);
    expect(openFor(silent, inbound)).toEqual(["phone"]);
    expect(openFor(someone({ profile: null }))).toEqual([]);
  });

  it("refused or taken back closes the channel at every door, also where it is assumed", () => {
    for (const status of ["denied", "revoked"] as const) {
      expect(codesFor(someone(said(status)), outbound(), byDefault)).toEqual(["2 consent_refused"]);
      expect(guardFirst(someone(said(status)), inbound, rules).care).toBe("consent_refused");
    }
  });

  it("may be assumed where the operator says so, but never in China nor where the law is unknown", () => {
    const silent = { profile: profileOf({ consents: [] }) };
    expect(openFor(someone(silent), outbound(), byDefault)).toEqual(["phone"]);
    for (const jurisdiction of ["CN", null]) {
      const there = someone({ ...silent, jurisdiction });
      expect(openFor(there, outbound(), byDefault)).toEqual([]);
    }
  });

  it("for another purpose or channel is none", () => {
    const consents: Consent[] = [
      { channel: "phone", purpose: "service", status: "granted", at: 1 },
    ];
    expect(codesFor(someone({ profile: profileOf({ consents }) }))).toEqual(["6 consent_missing"]);
  });
});

describe("guards 3 and 4, the called party's clock", () => {
  const at = (text: string, zones = ["America/New_York"]) =>
    openFor(someone({ zones }), outbound(Date.parse(text))).length > 0;

  it("opens at eight and closes at nine in the evening, to the millisecond", () => {
    expect(at("2026-06-10T07:59:59.999-04:00")).toBe(false);
    expect(at("2026-06-10T08:00:00.000-04:00")).toBe(true);
    expect(at("2026-06-10T20:59:59.999-04:00")).toBe(true);
    expect(at("2026-06-10T21:00:00.000-04:00")).toBe(false);
  });

  it("goes by the clock on the wall through both changes of it", () => {
    expect(at("2026-03-08T11:59:59Z")).toBe(false); // 07:59:59, summer time since 02:00
    expect(at("2026-03-08T12:00:00Z")).toBe(true);
    expect(at("2026-11-01T12:59:59Z")).toBe(false); // 07:59:59, winter time since 02:00
    expect(at("2026-11-01T13:00:00Z")).toBe(true);
    expect(at("2026-11-02T01:59:59Z")).toBe(true); // 20:59:59
    expect(at("2026-11-02T02:00:00Z")).toBe(false);
  });

  it("of a number in two zones is open while it is open in both", () => {
    const both = ["America/New_York", "America/Los_Angeles"];
    expect(at("2026-06-10T14:59:59Z", both)).toBe(false); // 10:59 and 07:59
    expect(at("2026-06-10T15:00:00Z", both)).toBe(true);
    expect(at("2026-06-11T00:59:59Z", both)).toBe(true); // 20:59 and 17:59
    expect(at("2026-06-11T01:00:00Z", both)).toBe(false);
  });

  it("unknown closes outbound, and inbound not", () => {
    expect(codesFor(someone({ zones: [] }))).toEqual(["4 timezone_unknown"]);
    expect(openFor(someone({ zones: [] }), inbound)).toEqual(["phone"]);
  });

  it("is not overridden by the clock a request brings along, in either direction", () => {
    const night = NOON + 12 * HOUR;
    expect(codesFor(someone(), outbound(NOON, night))).toEqual(["3 outside_window"]);
    expect(codesFor(someone(), outbound(night, NOON))).toEqual(["3 outside_window"]);
  });

  it("of a state holds before that of its country; China needs one of its own", () => {
    const callingWindows = [
      { jurisdiction: "*", from: "08:00", until: "21:00" },
      { jurisdiction: "US-FL", from: "08:00", until: "11:00" },
    ];
    const own = rulesOf({ callingWindows });
    expect(codesFor(someone({ jurisdiction: "US-FL" }), outbound(), own)).toEqual([
      "3 outside_window",
    ]);
    expect(openFor(someone(), outbound(), own)).toEqual(ALL);
    // Called on a number in Florida; their e-mails go by their own state.
    const inFlorida = someone({ asked: "+13052345678" });
    const byPhone = new Set(["phone", "sms"]);
    expect(openFor(inFlorida, outbound(), own)).toEqual(ALL.filter((id) => !byPhone.has(id)));
    const china = someone({ jurisdiction: "CN", zones: ["Asia/Shanghai"] });
    const day = outbound(Date.parse("2026-06-10T12:00:00+08:00"));
    expect(codesFor(china, day)).toEqual(["3 window_missing"]);
  });

  it("says when it opens", () => {
    const { bars } = guardFirst(someone(), outbound(NOON + 12 * HOUR), rules);
    expect(new Date(bars[0]!.until!).toISOString()).toBe("2026-06-11T12:00:00.000Z");
  });
});

describe("guard 5, often enough", () => {
  const made = (token: string, more: Partial<Contact> = {}): Contact => ({
    token,
    at: NOON - HOUR,
    until: 0,
    channel: "phone",
    offer: null,
    outcome: null,
    outcomeAt: 0,
    again: 0,
    ...more,
  });

  it("closes the channel that is used up, and not the others", () => {
    const contacts = [made("a")];
    expect(openFor(someone({ contacts }))).toEqual(["sms", "email", "app"]);
    expect(openFor(someone({ contacts: [made("a", { at: NOON - DAY })] }))).toEqual(ALL);
  });

  it("counts a reservation until it ends", () => {
    const reserved = someone({ contacts: [made("a", { until: NOON + 1 })] });
    const expired = someone({ contacts: [made("a", { until: NOON })] });
    expect(openFor(reserved)).not.toContain("phone");
    expect(openFor(expired)).toContain("phone");
  });

  it("counts a number that two members share once", () => {
    const phoneContacts = [made("a"), made("b")];
    expect(openFor(someone({ phoneContacts }))).toEqual(["email", "app"]);
  });

  it("keeps an offer back that was refused, at every door", () => {
    const contacts = [
      made("a", { offer: "p1", outcome: "refused", outcomeAt: NOON - 2 * DAY, at: NOON - 2 * DAY }),
    ];
    for (const use of [inbound, web]) {
      expect(guardFirst(someone({ contacts }), use, rules).barredOffers).toEqual(["p1"]);
    }
  });

  it("does not bar whoever calls us", () => {
    expect(openFor(someone({ contacts: [made("a")] }), inbound)).toEqual(["phone"]);
  });
});

describe("guards 7 and 10, the same for everyone", () => {
  it("is the ranking of a member who asked for it", () => {
    expect(guardFirst(someone(), inbound, rules).personal).toBe(true);
    const profile = profileOf({ personalization: "off" });
    expect(guardFirst(someone({ profile }), inbound, rules).personal).toBe(false);
  });

  it("are the coupons of a jurisdiction whose switch is off, and where it is unknown", () => {
    const coupons = (jurisdiction: string | null) =>
      guardFirst(someone({ jurisdiction }), inbound, rules).personalCoupons;
    expect([coupons("US-NY"), coupons("CN"), coupons(null)]).toEqual([true, false, false]);
  });
});

describe("guard 8, help before selling", () => {
  const having = (...types: string[]) =>
    foldAll(
      types.map((type, i) => anEvent({ id: `e${i}`, type: type as "view", at: daysAgo(9 - i) })),
    );

  it("holds while a complaint or a refund is open, and for whoever is vulnerable", () => {
    const care = (more: Partial<GuardSubject>) => guardFirst(someone(more), inbound, rules).care;
    expect(care({ state: having("complaint_opened") })).toBe("open_complaint");
    expect(care({ state: having("complaint_opened", "complaint_closed") })).toBeNull();
    expect(care({ state: having("refund_opened") })).toBe("refund_under_way");
    expect(care({ state: having("refund_opened", "refund_closed") })).toBeNull();
    expect(care({ profile: profileOf({ vulnerable: true }) })).toBe("vulnerable");
  });

  it("opens no channel at any door", () => {
    for (const use of [outbound(), inbound, web]) {
      expect(openFor(someone({ state: having("complaint_opened") }), use)).toEqual([]);
    }
  });
});

describe("guard 11, what cannot be read", () => {
  it("closes outbound, leaves inbound to help, and a page to what everyone sees", () => {
    const unread = someone({ reachable: false, profile: null });
    expect(openFor(unread)).toEqual([]);
    expect(guardFirst(unread, inbound, rules).care).toBe("guard_data_unavailable");
    const page = guardFirst(unread, web, rules);
    expect(page).toMatchObject({ care: null, open: ["web"], personal: false });
    // Whether they agreed to be written to or called nobody knows.
    for (const channel of [...ALL, "pigeon"])
      expect(openFor(unread, { ...web, channel })).toEqual([]);
    expect(openFor(unread, { ...web, channel: "phone", here: null })).toEqual([]);
  });
});

describe("another channel than the one they are on", () => {
  const NIGHT = NOON + 12 * HOUR;
  const fromHere = (channel: string, use = inbound): GuardUse => ({ ...use, channel });

  it("is open to whoever agreed to it, at a decent hour", () => {
    for (const use of [inbound, web]) {
      expect(openFor(someone(), fromHere("sms", use))).toEqual(["sms"]);
      expect(openFor(someone(), fromHere("email", use))).toEqual(["email"]);
    }
  });

  it.each<[string, Partial<GuardSubject>, number]>([
    ["6 consent_missing", { profile: profileOf({ consents: [] }) }, NOON],
    ["6 consent_missing", { profile: null }, NOON],
    ["4 timezone_unknown", { zones: [] }, NOON],
    ["3 outside_window", {}, NIGHT],
    [
      "1 wrong_number",
      {
        asked: "+12125550100",
        profile: profileOf({
          phone: "+12125550100",
          phoneMarks: [{ phone: "+12125550100", status: "bad_number" }],
        }),
      },
      NOON,
    ],
    ["5 cap_phone", { phoneContacts: [1, 2].map((n) => aMessage(`c${n}`)) }, NOON],
  ])(
    "is a contact we start: %s bars a text message, and not what is said there",
    (code, more, at) => {
      for (const use of [inbound, web]) {
        const asked = { ...fromHere("sms", use), instants: [at] };
        expect(codesFor(someone(more), asked)).toEqual([code]);
        expect(openFor(someone(more), asked)).toEqual([]);
        expect(openFor(someone(more), { ...use, instants: [at] })).toEqual([use.channel]);
      }
      // Where nobody knows which channel they are on, none is taken for it.
      expect(openFor(someone(more), { ...fromHere("sms"), here: null, instants: [at] })).toEqual(
        [],
      );
    },
  );

  it("offers nothing there that they heard of often enough", () => {
    const often = [1, 2].map((n) => ({ ...aMessage(`o${n}`), at: NOON - 9 * DAY, offer: "p1" }));
    const barred = (use: GuardUse) =>
      guardFirst(someone({ contacts: often }), use, rules).barredOffers;
    expect(barred(fromHere("sms"))).toEqual(["p1"]);
    expect(barred(inbound)).toEqual([]);
  });
});

describe("the last look", () => {
  const offer = (more: Partial<Leaving> = {}): Leaving => ({
    kind: "sell",
    product: { id: "p1", price: 10 },
    coupon: null,
    channel: "phone",
    contactAt: null,
    ...more,
  });
  const spring = {
    ...{ id: "c1", label: "Spring", active: true, createdAt: 0, updatedAt: 0 },
    validFrom: "2026-06-01T00:00:00Z",
    validUntil: "2026-06-11T00:00:00Z",
  };
  const HELD = new Map([["p7", { price: 7, coupon: "c1" }]]);
  const stopped = (one: Leaving, subject = someone(), use = outbound()) => {
    const verdict = guardFirst(subject, use, rules);
    return guardLast([one], { verdict, use, rules, subject, coupons: [spring], held: HELD })
      .stopped;
  };

  it("lets out what the first one allowed", () => {
    expect(stopped(offer())).toEqual([]);
    expect(stopped(offer({ coupon: { id: "c1" }, contactAt: "2026-06-10T17:00:00Z" }))).toEqual([]);
  });

  it("stops a closed channel, a barred offer, an hour at night, and selling where help is due", () => {
    const vulnerable = someone({ profile: profileOf({ vulnerable: true }) });
    expect(stopped(offer({ channel: "web" }))).toEqual([1]);
    expect(stopped(offer({ channel: null }))).toEqual([1]);
    expect(stopped(offer({ contactAt: "2026-06-11T05:00:00Z" }))).toEqual([3]);
    expect(stopped(offer(), vulnerable, inbound)).toEqual([8]);
    expect(stopped(offer({ kind: "care", product: null }), vulnerable, inbound)).toEqual([]);
    expect(stopped(offer({ kind: "care", product: null }), vulnerable)).toEqual([8]);
  });

  it("stops another price or coupon than the one that holds", () => {
    const product = { id: "p7", price: 7 };
    expect(stopped(offer({ product, coupon: { id: "c1" } }))).toEqual([]);
    expect(stopped(offer({ product }))).toEqual([12]);
    expect(stopped(offer({ product: { id: "p7", price: 8 }, coupon: { id: "c1" } }))).toEqual([12]);
  });

  it("stops a coupon that is unknown, not begun or over, by either clock", () => {
    const coupon = { id: "c1" };
    expect(stopped(offer({ coupon: { id: "c9" } }))).toEqual([10]);
    const later = Date.parse("2026-06-11T16:00:00Z");
    expect(stopped(offer({ coupon }), someone(), outbound(later))).toEqual([10]);
    expect(stopped(offer({ coupon }), someone(), outbound(NOON, later))).toEqual([10]);
    const before = Date.parse("2026-05-31T16:00:00Z");
    expect(stopped(offer({ coupon }), someone(), outbound(before))).toEqual([10]);
  });
});

describe("what the guards say", () => {
  it("is there in both languages", () => {
    const codes = [
      "open_complaint",
      "outside_window",
      "cap_phone",
      "guard_data_unavailable",
    ] as const;
    for (const code of codes) {
      expect(barText(code, "en")).toMatch(/[a-z]/);
      expect(barText(code, "zh")).toMatch(/\p{Script=Han}/u);
    }
  });
});
