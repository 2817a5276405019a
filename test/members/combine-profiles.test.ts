import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { combineProfiles, latestConsents, partsOf } from "../../src/members/combine-profiles.js";
import type { Consent, Profile } from "../../src/members/profile.js";

const optional = <T>(values: fc.Arbitrary<T>) => fc.option(values, { nil: undefined });
const texts = optional(fc.uniqueArray(fc.constantFrom("x", "y", "z"), { maxLength: 3 }));

const consentArbitrary: fc.Arbitrary<Consent> = fc.record({
  channel: fc.constantFrom("sms", "phone"),
  purpose: fc.constantFrom("marketing", "service"),
  status: fc.constantFrom("granted", "denied", "revoked"),
  at: fc.integer({ min: 0, max: 4 }),
});

const partArbitrary = (id: string): fc.Arbitrary<Profile> =>
  fc
    .record({
      name: optional(fc.constantFrom("Ann", "Bo")),
      phone: optional(fc.constantFrom("+1", "+2", "+3")),
      phones: optional(fc.uniqueArray(fc.constantFrom("+1", "+2", "+4"), { maxLength: 2 })),
      email: optional(fc.constantFrom("a@x", "b@x")),
      accounts: texts,
      visitors: texts,
      tags: texts,
      attributes: optional(fc.dictionary(fc.constantFrom("k", "l"), fc.integer())),
      consents: optional(fc.array(consentArbitrary, { maxLength: 4 })),
      vulnerable: optional(fc.boolean()),
      doNotContact: optional(fc.boolean()),
      personalization: optional(fc.constantFrom("on" as const, "off" as const)),
      createdAt: fc.integer({ min: 1, max: 9 }),
      updatedAt: fc.integer({ min: 1, max: 4 }),
    })
    .map((part) => ({ ...part, id }));

const a = partArbitrary("a");
const b = partArbitrary("b");
const c = partArbitrary("c");
const plain = (profile: Profile): unknown => JSON.parse(JSON.stringify(profile));
const part = (id: string, over: Partial<Profile>): Profile => ({
  id,
  createdAt: 1,
  updatedAt: 1,
  ...over,
});

describe("combining profiles", () => {
  it("does not depend on the order of the parts", () => {
    fc.assert(
      fc.property(a, b, c, fc.constantFrom([0, 2, 1], [2, 1, 0], [1, 2, 0]), (x, y, z, order) => {
        const parts = [x, y, z];
        const shuffled = order.map((i) => parts[i]!);
        expect(plain(combineProfiles("a", shuffled))).toEqual(plain(combineProfiles("a", parts)));
      }),
    );
  });

  it("does not depend on which two were combined first", () => {
    fc.assert(
      fc.property(a, b, c, (x, y, z) => {
        const left = combineProfiles("a", [...partsOf(combineProfiles("a", [x, y])), z]);
        const right = combineProfiles("a", [x, ...partsOf(combineProfiles("b", [y, z]))]);
        expect(plain(left)).toEqual(plain(right));
      }),
    );
  });

  it("gives back what was when a part is taken out again", () => {
    fc.assert(
      fc.property(a, b, c, (x, y, z) => {
        const all = partsOf(combineProfiles("a", [x, y, z]));
        const without = combineProfiles(
          "a",
          all.filter(({ id }) => id !== "c"),
        );
        expect(plain(without)).toEqual(plain(combineProfiles("a", [x, y])));
      }),
    );
  });

  it("names every identity of every part", () => {
    fc.assert(
      fc.property(a, b, (x, y) => {
        const whole = combineProfiles("a", [x, y]);
        const phones = new Set([whole.phone, ...(whole.phones ?? [])]);
        const emails = new Set([whole.email, ...(whole.emails ?? [])]);
        for (const one of [x, y]) {
          for (const phone of [one.phone, ...(one.phones ?? [])]) {
            if (phone !== undefined) expect(phones).toContain(phone);
          }
          if (one.email !== undefined) expect(emails).toContain(one.email);
          for (const account of one.accounts ?? []) expect(whole.accounts).toContain(account);
        }
      }),
    );
  });

  it("lets the later part speak for single values, and protects whoever any part protects", () => {
    const early = part("a", { name: "Old", vulnerable: true, personalization: "off", tags: ["x"] });
    const late = part("b", { name: "New", updatedAt: 2, vulnerable: false, tags: ["y"] });
    expect(combineProfiles("b", [late, early])).toMatchObject({
      id: "b",
      name: "New",
      vulnerable: true,
      personalization: "off",
      tags: ["x", "y"],
      merged: [early, late],
    });
  });

  it("keeps a single further phone of a member without a main one", () => {
    const combined = combineProfiles("b", [part("a", { phones: ["+1"] }), part("b", {})]);
    expect(combined.phones).toEqual(["+1"]);
  });
});

describe("consents of one channel and purpose", () => {
  const word = (status: Consent["status"], at?: number): Consent => ({
    channel: "sms",
    purpose: "marketing",
    status,
    ...(at === undefined ? {} : { at }),
  });

  it("are the latest word, and at one time the refusal, whatever the order", () => {
    const cases: [Consent, Consent, Consent["status"]][] = [
      [word("granted", 2), word("denied", 1), "granted"],
      [word("granted", 1), word("revoked", 2), "revoked"],
      [word("granted", 1), word("denied", 1), "denied"],
      [word("granted"), word("revoked"), "revoked"],
    ];
    for (const [x, y, status] of cases) {
      expect(latestConsents([x, y])).toMatchObject([{ status }]);
      expect(latestConsents([y, x])).toMatchObject([{ status }]);
    }
    expect(latestConsents([])).toBeUndefined();
  });
});
