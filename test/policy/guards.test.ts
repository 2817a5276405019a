import { describe, expect, it } from "vitest";
import type { ChannelConfig } from "../../src/config.js";
import type { Consent, Profile } from "../../src/members/profile.js";
import { careOnly, careText, isPersonal, outboundBar } from "../../src/policy/guards.js";
import { anEvent, daysAgo } from "../support/builders.js";
import { foldAll } from "../support/core.js";

const member = (over: Partial<Profile> = {}): Profile => ({
  id: "m",
  createdAt: 1,
  updatedAt: 1,
  ...over,
});
const sms: ChannelConfig = {
  id: "sms",
  cost: 0.05,
  minimumReturn: 1,
  consentByDefault: false,
  outbound: true,
};
const byDefault: ChannelConfig = { ...sms, consentByDefault: true };
const word = (status: Consent["status"], over: Partial<Consent> = {}): Consent => ({
  channel: "sms",
  purpose: "marketing",
  status,
  at: 1,
  ...over,
});
const ZONE = "Asia/Shanghai";
const complaint = (type: "complaint_opened" | "complaint_closed", n: number) =>
  anEvent({ id: `${type} ${n}`, type, at: daysAgo(n) });

describe("care instead of selling", () => {
  it("is due while a complaint is open, and to whoever is vulnerable", () => {
    const opened = complaint("complaint_opened", 5);
    const closed = complaint("complaint_closed", 2);
    expect(careOnly(null, foldAll([]))).toBeNull();
    expect(careOnly(null, foldAll([opened]))).toBe("open_complaint");
    expect(careOnly(null, foldAll([closed, opened]))).toBeNull();
    const again = complaint("complaint_opened", 1);
    expect(careOnly(null, foldAll([opened, closed, again]))).toBe("open_complaint");
    expect(careOnly(member({ vulnerable: true }), foldAll([]))).toBe("vulnerable");
    expect(careOnly(member({ vulnerable: false }), foldAll([]))).toBeNull();
  });

  it("is said in both languages", () => {
    for (const code of ["open_complaint", "vulnerable"] as const) {
      expect(careText(code, "en")).toMatch(/[a-z]/);
      expect(careText(code, "zh")).toMatch(/\p{Script=Han}/u);
    }
  });
});

describe("personalization", () => {
  it("is on unless the member turned it off", () => {
    expect(isPersonal(null)).toBe(true);
    expect(isPersonal(member({ personalization: "on" }))).toBe(true);
    expect(isPersonal(member({ personalization: "off" }))).toBe(false);
  });
});

describe("a contact we start", () => {
  it("needs a granted consent of its own channel for marketing", () => {
    const granted = member({ consents: [word("granted")] });
    expect(outboundBar(granted, sms, ZONE)).toBeNull();
    expect(outboundBar(member(), sms, ZONE)).toBe("consent_missing");
    for (const other of [{ channel: "phone" }, { purpose: "service" }]) {
      const elsewhere = member({ consents: [word("granted", other)] });
      expect(outboundBar(elsewhere, sms, ZONE)).toBe("consent_missing");
    }
  });

  it("is barred by a refusal, also where consent is assumed", () => {
    for (const status of ["denied", "revoked"] as const) {
      const refused = member({ consents: [word(status)] });
      expect(outboundBar(refused, sms, ZONE)).toBe("consent_refused");
      expect(outboundBar(refused, byDefault, ZONE)).toBe("consent_refused");
    }
  });

  it("may assume consent where configured, but not in China or who knows where", () => {
    expect(outboundBar(member(), byDefault, ZONE)).toBe("consent_missing");
    expect(outboundBar(member({ jurisdiction: "DE" }), byDefault, ZONE)).toBeNull();
    expect(outboundBar(member({ jurisdiction: "CN" }), byDefault, ZONE)).toBe("consent_missing");
    const granted = member({ jurisdiction: "CN", consents: [word("granted")] });
    expect(outboundBar(granted, byDefault, ZONE)).toBeNull();
  });

  it("is barred by do-not-contact whatever was granted, and to whom nobody knows", () => {
    const granted = member({ doNotContact: true, consents: [word("granted")] });
    expect(outboundBar(granted, byDefault, ZONE)).toBe("do_not_contact");
    expect(outboundBar(null, byDefault, ZONE)).toBe("do_not_contact");
  });

  it("is barred on channels that only answer, and where the hour is unknown", () => {
    const granted = member({ consents: [word("granted")] });
    expect(outboundBar(granted, { ...sms, outbound: false }, ZONE)).toBe("channel_inbound_only");
    expect(outboundBar(granted, sms, null)).toBe("timezone_unknown");
  });
});
