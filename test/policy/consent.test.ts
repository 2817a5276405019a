import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { ChannelConfig } from "../../src/config.js";
import { combineProfiles } from "../../src/members/combine-profiles.js";
import type { Consent, Profile } from "../../src/members/profile.js";
import { decodeProfile, encodeProfile } from "../../src/members/profile-codec.js";
import { writtenPart } from "../../src/members/written-part.js";
import { consentBar, consentOf, jurisdictionOf } from "../../src/policy/consent.js";

const member = (over: Partial<Profile> = {}): Profile => ({
  id: "m",
  createdAt: 1,
  updatedAt: 1,
  ...over,
});
const word = (status: Consent["status"], over: Partial<Consent> = {}): Consent => ({
  channel: "sms",
  purpose: "marketing",
  status,
  at: 1,
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
const bar = (consents: Consent[] | undefined, channel = sms, jurisdiction: string | null = "DE") =>
  consentBar(member({ consents }), channel, "marketing", jurisdiction);

describe("a consent", () => {
  it("opens exactly its own channel and purpose", () => {
    expect(bar([word("granted")])).toBeNull();
    expect(bar(undefined)).toBe("consent_missing");
    expect(bar([word("granted", { channel: "phone" })])).toBe("consent_missing");
    for (const purpose of ["service", "*", "Marketing"]) {
      expect(bar([word("granted", { purpose })])).toBe("consent_missing");
      const own = member({ consents: [word("granted", { purpose })] });
      expect(consentBar(own, sms, purpose, "DE")).toBeNull();
    }
  });

  it("refused or taken back closes it, also where consent is assumed", () => {
    for (const status of ["denied", "revoked"] as const) {
      expect(bar([word(status)])).toBe("consent_refused");
      expect(bar([word(status)], byDefault)).toBe("consent_refused");
      expect(bar([word(status, { purpose: "service" })], byDefault)).toBeNull();
    }
  });

  it("refused in other words closes it all the same, granted in other words opens nothing", () => {
    const said = [
      { channel: "SMS" },
      { channel: " Text " },
      { channel: "all" },
      { channel: "*", purpose: "any" },
      { purpose: "Marketing" },
    ];
    for (const other of said) {
      expect(bar([word("revoked", other)], byDefault)).toBe("consent_refused");
      expect(bar([word("granted", other)])).toBe("consent_missing");
      const later = word("revoked", { ...other, at: 2 });
      expect(bar([word("granted"), later])).toBe("consent_refused");
      expect(bar([word("granted", { at: 3 }), later])).toBeNull();
    }
    for (const channel of ["post", "fax", "smsx", ""]) {
      expect(bar([word("granted"), word("revoked", { channel, at: 2 })])).toBeNull();
    }
  });

  it("is assumed only where the channel says so and the law is known and not China's", () => {
    for (const jurisdiction of ["DE", "US-FL", "HK"]) {
      expect(bar(undefined, byDefault, jurisdiction)).toBeNull();
    }
    for (const jurisdiction of ["CN", "CN-XJ", null]) {
      expect(bar(undefined, byDefault, jurisdiction)).toBe("consent_missing");
      expect(bar([word("granted")], byDefault, jurisdiction)).toBeNull();
    }
    expect(consentBar(null, byDefault, "marketing", "DE")).toBe("consent_missing");
  });

  it("is the latest one in whatever order they stand, and of one instant the refusal", () => {
    const anyWord = fc.record({
      channel: fc.constant("sms"),
      purpose: fc.constant("marketing"),
      status: fc.constantFrom<Consent["status"]>("granted", "denied", "revoked"),
      at: fc.integer({ min: 1, max: 4 }),
    });
    fc.assert(
      fc.property(fc.array(anyWord, { minLength: 1, maxLength: 6 }), (words) => {
        const last = Math.max(...words.map((one) => one.at));
        const allGranted = words
          .filter((one) => one.at === last)
          .every((one) => one.status === "granted");
        expect(bar(words)).toBe(allGranted ? null : "consent_refused");
        expect(bar([...words].reverse())).toBe(bar(words));
      }),
    );
    // A word without a time is the oldest.
    expect(bar([word("denied", { at: 1 }), word("granted", { at: undefined })])).toBe(
      "consent_refused",
    );
  });

  it("without a source stays valid", () => {
    expect(bar([word("granted", { source: undefined })])).toBeNull();
  });
});

describe("the proof of a consent", () => {
  const proof = { at: 1_700_000_000_000, source: "call_recording 4711" };
  const granted = word("granted", proof);

  it("survives being stored", () => {
    const profile = member({
      consents: [granted, word("revoked", { ...proof, channel: "email" })],
    });
    expect(decodeProfile("m", encodeProfile("m", profile))).toEqual(profile);
  });

  it("survives a patch that says something else", () => {
    const known = member({ consents: [granted] });
    const keepAll = (input: object) => input;
    const named = writtenPart("m", known, keepAll, { name: "Ann" });
    expect(consentOf(named, "sms", "marketing")).toEqual(granted);
    const more = writtenPart("m", known, keepAll, {
      consents: [word("denied", { channel: "phone" })],
    });
    expect(consentOf(more, "sms", "marketing")).toEqual(granted);
    // Written later, said earlier: the later word stands.
    const late = writtenPart("m", known, keepAll, {
      consents: [word("revoked", { at: proof.at - 1 })],
    });
    expect(consentOf(late, "sms", "marketing")).toEqual(granted);
  });

  it("survives a merge, with the latest word of either member", () => {
    const one = member({ id: "a", consents: [granted] });
    const revoked = word("revoked", { at: proof.at + 1, source: "unsubscribe link" });
    const other = member({ id: "b", updatedAt: 0, consents: [revoked] });
    const merged = combineProfiles("a", [one, other]);
    expect(consentOf(merged, "sms", "marketing")).toEqual(revoked);
    expect(consentOf(combineProfiles("a", [one, member({ id: "b" })]), "sms", "marketing")).toEqual(
      granted,
    );
  });
});

describe("whose law counts", () => {
  it("is written in the record, however it is spelt", () => {
    expect(jurisdictionOf(member({ jurisdiction: "CN" }))).toBe("CN");
    expect(jurisdictionOf(member({ jurisdiction: "us-fl", phone: "+12125550123" }))).toBe("US-FL");
    expect(jurisdictionOf(member({ jurisdiction: " cn " }))).toBe("CN");
    expect(jurisdictionOf(member({ jurisdiction: "GB", phone: "+8613812345678" }))).toBe("GB");
  });

  it("is else the phone's, with its state; also where the record names only the country", () => {
    expect(jurisdictionOf(member({ phone: "+13055550123" }))).toBe("US-FL");
    expect(jurisdictionOf(member({ phones: ["+13055550123"] }))).toBe("US-FL");
    expect(jurisdictionOf(member({ phone: "+8613812345678" }))).toBe("CN");
    expect(jurisdictionOf(member({ jurisdiction: "US", phone: "+13055550123" }))).toBe("US-FL");
    expect(jurisdictionOf(member({ jurisdiction: "US", phone: "+442079460958" }))).toBe("US");
    expect(jurisdictionOf(member({ jurisdiction: "China!", phone: "+8613812345678" }))).toBe("CN");
  });

  it("is that of the phone we will dial, where the caller says which", () => {
    const two = member({ phone: "+442079460958", phones: ["+13055550123"] });
    expect(jurisdictionOf(two)).toBe("GB");
    expect(jurisdictionOf(two, "+13055550123")).toBe("US-FL");
    expect(jurisdictionOf(null, "+13055550123")).toBe("US-FL");
  });

  it("is China's as soon as one of the phones is Chinese", () => {
    const two = member({ phone: "+442079460958", phones: ["+8613812345678"] });
    expect(jurisdictionOf(two)).toBe("CN");
  });

  it("is unknown without a record, without a phone, and for numbers of no country", () => {
    expect(jurisdictionOf(null)).toBeNull();
    expect(jurisdictionOf(member())).toBeNull();
    expect(jurisdictionOf(member({ jurisdiction: "somewhere" }))).toBeNull();
    expect(jurisdictionOf(member({ phone: "+18005550123" }))).toBeNull();
    expect(jurisdictionOf(member({ phone: "+80012345678" }))).toBeNull();
  });
});
