import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Consent, Profile } from "../../src/members/profile.js";
import { decodeProfile, encodeProfile } from "../../src/members/profile-codec.js";
import { pack, unpack } from "../../src/redis/msgpack.js";

const AT = Date.parse("2026-06-15T12:00:00Z");
const roundTrip = (id: string, profile: Profile): Profile =>
  decodeProfile(id, encodeProfile(id, profile));

const text = fc.string({ maxLength: 12 });
const texts = fc.array(text, { maxLength: 3 });
const consent = fc.record(
  {
    channel: fc.constantFrom("phone", "sms", "email"),
    purpose: fc.constantFrom("marketing", "service", ""),
    status: fc.constantFrom<Consent["status"]>("granted", "denied", "revoked"),
    at: fc.constantFrom(0, AT),
    source: fc.constantFrom("web form", ""),
  },
  { requiredKeys: ["channel", "purpose", "status"] },
);
const attributes = fc.dictionary(
  fc.string({ minLength: 1, maxLength: 5 }).filter((key) => key !== "__proto__"),
  fc.oneof(text, fc.integer(), fc.boolean(), fc.constant(null)),
  { noNullPrototype: true },
);
const part: fc.Arbitrary<Profile> = fc.record(
  {
    id: fc.constantFrom("m1", "m2", ""),
    createdAt: fc.integer({ min: 0, max: AT }),
    updatedAt: fc.integer({ min: 0, max: 2 * AT }),
    name: text,
    phone: text,
    phones: texts,
    email: text,
    emails: texts,
    accounts: texts,
    visitors: texts,
    timezone: text,
    locale: text,
    jurisdiction: text,
    tags: texts,
    attributes,
    consents: fc.array(consent, { maxLength: 6 }),
    vulnerable: fc.boolean(),
    personalization: fc.constantFrom("on", "off"),
    doNotContact: fc.boolean(),
  },
  { requiredKeys: ["id", "createdAt", "updatedAt"] },
);
const anyProfile = fc
  .tuple(part, fc.option(fc.array(part, { maxLength: 3 }), { nil: undefined }))
  .map(([profile, merged]): Profile => (merged === undefined ? profile : { ...profile, merged }));

describe("the stored form of a profile", () => {
  it("gives back every profile as it was, merged parts included", () => {
    fc.assert(
      fc.property(anyProfile, (profile) => {
        expect(roundTrip("m1", profile)).toEqual(profile);
      }),
    );
  });

  it("gives back attributes named as what every object has", () => {
    const attributes = { constructor: "x", toJSON: "y", hasOwnProperty: 1, length: 2 };
    const profile = { id: "m1", createdAt: AT, updatedAt: AT, attributes };
    expect(roundTrip("m1", profile)).toEqual(profile);
  });

  it("gives back texts with half a character in them, which JSON can bring", () => {
    const half = (n: number): string => "\ud83d".padEnd(n, "李");
    const profile: Profile = {
      ...{ id: "m1", createdAt: AT, updatedAt: AT, name: half(9), tags: [half(1), half(100)] },
      attributes: { "\ud83d": 1, "\udc00": 2 },
      consents: ["\ud83d", "\udc00"].map((channel) => ({
        ...{ channel, purpose: "marketing", status: "denied", at: AT },
      })) as Profile["consents"],
    };
    expect(roundTrip("m1", profile)).toEqual(profile);
  });

  it("refuses what is no profile, or one whose mask names other values", () => {
    const profile = { id: "m1", createdAt: AT, updatedAt: AT, name: "Li", doNotContact: true };
    const stored = encodeProfile("m1", profile);
    const [mask, ...values] = unpack(stored) as [number, ...unknown[]];
    const wrong = [
      ...[Buffer.alloc(0), Buffer.from([7]), Buffer.from("{"), Buffer.from([0xc0])],
      ...[stored.subarray(0, -1), pack({ id: "m1" }), pack([mask & 1, ...values])],
      pack([mask | 2, ...values]),
    ];
    for (const one of wrong) expect(() => decodeProfile("m1", one)).toThrow(/store_incompatible/);
  });

  it("reads what it wrote on a day in 2026, when it was JSON", () => {
    const stored =
      '[16777479,1000,234,"Li Na","+8613812345678","li@example.com",["l","n"],' +
      '[[0,0,7,"form","app","sms"],["service",2,null,null,"sms"]]]';
    expect(decodeProfile("m1", Buffer.from(stored))).toEqual({
      id: "m1",
      createdAt: 1_000,
      updatedAt: 1_234,
      name: "Li Na",
      phone: "+8613812345678",
      email: "li@example.com",
      tags: ["l", "n"],
      consents: [
        { channel: "app", purpose: "marketing", status: "granted", at: 7, source: "form" },
        { channel: "sms", purpose: "marketing", status: "granted", at: 7, source: "form" },
        { channel: "sms", purpose: "service", status: "revoked" },
      ],
    });
  });

  it("reads the JSON of a profile, the form before", () => {
    const profile: Profile = {
      id: "m1",
      createdAt: 1,
      updatedAt: 2,
      name: "Li Na",
      consents: [{ channel: "sms", purpose: "marketing", status: "denied" }],
    };
    expect(decodeProfile("m1", Buffer.from(JSON.stringify(profile)))).toEqual(profile);
  });

  it("names neither fields nor the same consent twice", () => {
    const consents = ["app", "email", "phone", "sms"].map(
      (channel): Consent => ({
        channel,
        purpose: "marketing",
        status: "granted",
        at: AT,
        source: "web form",
      }),
    );
    const profile = { id: "m1", createdAt: AT, updatedAt: AT + 5, name: "Li Na", consents };
    const written = encodeProfile("m1", profile).toString("latin1");
    expect(written.match(/web form/g)).toHaveLength(1);
    expect(written).not.toMatch(/name|consents|marketing|granted|phone/);
    expect(written).toHaveLength(48);
  });
});
