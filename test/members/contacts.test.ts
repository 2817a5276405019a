import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  CONTACTS_MAX,
  type Contact,
  decodeContacts,
  encodeContacts,
  liveContacts,
  ONE_CHANNEL,
  unionContacts,
} from "../../src/members/contacts.js";
import { pack } from "../../src/redis/msgpack.js";
import { NOW } from "../support/builders.js";

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

const EIGHT_VALUES_EACH = Buffer.from(
  "dc0018a3645f31cf0000019ec0da6a0000a570686f6e65a0a00000a3645f32cf0000019ec0da6a05cf0000019ec0" +
    "da6a09a3666178a27031a00000a3645f33cf0000019ec0da6a0700a3736d73a0a16ccf0000019ec0da6a08cf0000" +
    "019ec0da6a63",
  "hex",
);

const instant = fc.integer({ min: NOW - 50, max: NOW });
const contactArbitrary: fc.Arbitrary<Contact> = fc
  .record({
    // Few, so that sets overlap; some with characters beyond ASCII.
    token: fc.constantFrom(...Array.from({ length: 24 }, (_, i) => `d_${i}`), "令牌"),
    at: instant,
    until: fc.oneof(fc.constant(0), fc.constant(1), instant),
    channel: fc.constantFrom("phone", "sms", "电话"),
    offer: fc.option(fc.constantFrom("p1", "p2", "x".repeat(200))),
    outcome: fc.option(fc.constantFrom("accepted", "refused", "later")),
    outcomeAt: instant,
    again: instant,
  })
  .map((one) => ({
    ...one,
    outcomeAt: one.outcome === null ? 0 : one.outcomeAt,
    again: one.outcome === "later" ? one.again : 0,
  }));
const setArbitrary = fc
  .array(contactArbitrary, { maxLength: 20 })
  .map((all) => unionContacts(all, []));

describe("a set of contacts", () => {
  it("is the same after packing and unpacking", () => {
    fc.assert(
      fc.property(setArbitrary, (set) => {
        expect(decodeContacts(encodeContacts(set))).toEqual(set);
      }),
    );
  });

  it("is read as it was packed on a day in 2026, eight values a contact", () => {
    const at = 1781352000000;
    const expected = [
      contact({ at }),
      contact({ token: "d_2", at: at + 5, until: at + 9, channel: "fax", offer: "p1" }),
      contact({
        token: "d_3",
        at: at + 7,
        channel: "sms",
        outcome: "later",
        outcomeAt: at + 8,
        again: at + 99,
      }),
    ];
    expect(decodeContacts(EIGHT_VALUES_EACH)).toEqual(expected);
    expect(encodeContacts(expected)!.length).toBeLessThan(EIGHT_VALUES_EACH.length);
  });

  it("is read with tokens as short as today's, so that an event rebuilt is not counted twice", () => {
    const old = ["e_ABCDEFGHIJKLMNOP", 5, 0, "phone", "", "", 0, 0];
    expect(decodeContacts(pack(old))).toEqual([contact({ token: "e_ABCDEFGHIJKL", at: 5 })]);
  });

  it("names half a character as scripts do, which get it from the same text", () => {
    const half = contact({ token: "d\ud83d", channel: "\ud83d", offer: "\udc00" });
    const whole = { token: "d\ufffd", channel: "\ufffd", offer: "\ufffd" };
    expect(decodeContacts(encodeContacts([half]))).toEqual([{ ...half, ...whole }]);
  });

  it("is refused on a channel that this version has no name for", () => {
    expect(() => decodeContacts(pack([NOW, "d_1", 0, 99 * ONE_CHANNEL]))).toThrow(
      /store_incompatible/,
    );
  });

  it("takes about 21 bytes a contact that nothing came of", () => {
    const token = (i: number) => `e_${String(i).padStart(12, "0")}`;
    const all = Array.from({ length: 11 }, (_, i) =>
      contact({ token: token(i), at: NOW - i * 1000 * 3600 * 24 }),
    );
    const more = encodeContacts(all)!.length - encodeContacts(all.slice(0, 1))!.length;
    expect(more / 10).toBeLessThan(21.5);
  });

  it("is read with no instant beyond what calendars know, so that none of them fails", () => {
    const far = contact({ outcome: "later", outcomeAt: NOW, again: Number.MAX_SAFE_INTEGER });
    const [read] = decodeContacts(encodeContacts([far]));
    expect(new Date(read!.again).toISOString()).toBe("9999-01-01T00:00:00.000Z");
    expect(decodeContacts(encodeContacts([read!]))).toEqual([read]);
  });

  it("unites in any order and grouping, and with itself changes nothing", () => {
    fc.assert(
      fc.property(setArbitrary, setArbitrary, setArbitrary, (a, b, c) => {
        const packed = encodeContacts(unionContacts(a, b));
        expect(encodeContacts(unionContacts(b, a))).toEqual(packed);
        expect(unionContacts(unionContacts(a, b), c)).toEqual(
          unionContacts(a, unionContacts(b, c)),
        );
        expect(unionContacts(a, a)).toEqual(a);
      }),
    );
  });

  it("unites the same way when it holds more than is kept", () => {
    const many = fc
      .uniqueArray(
        fc.record({
          n: fc.integer({ min: 0, max: 400 }),
          channel: fc.constantFrom("phone", "sms", "app", "app", "app"),
          outcome: fc.option(fc.constantFrom("refused", "accepted"), { freq: 2 }),
        }),
        { selector: ({ n }) => n, minLength: 150, maxLength: 250 },
      )
      .map((all) =>
        all.map(({ n, channel, outcome }) =>
          contact({ token: `d_${n}`, at: NOW - n, channel, outcome, outcomeAt: outcome ? NOW : 0 }),
        ),
      );
    fc.assert(
      fc.property(many, fc.integer({ min: 1, max: 99 }), (all, share) => {
        const cut = Math.floor((all.length * share) / 100);
        const [a, b] = [unionContacts(all.slice(0, cut), []), unionContacts(all.slice(cut), [])];
        const whole = unionContacts(all, []);
        expect(whole.length).toBe(CONTACTS_MAX);
        expect(unionContacts(a, b)).toEqual(whole);
        expect(unionContacts(b, a)).toEqual(whole);
      }),
      { numRuns: 50 },
    );
  });

  it("keeps what a made contact and its reservation say as one made contact", () => {
    const reserved = contact({ at: NOW - 100, until: NOW + 900_000, offer: "p1" });
    const made = contact({ at: NOW, until: 0, outcome: "refused", outcomeAt: NOW + 5 });
    expect(unionContacts([reserved], [made])).toEqual([{ ...made, offer: "p1" }]);
  });

  it("does not let a flood on one channel hide a call or a refusal", () => {
    const flood = Array.from({ length: 200 }, (_, i) =>
      contact({ token: `push_${i}`, at: NOW - i, channel: "app" }),
    );
    const call = contact({ token: "call", at: NOW - 86_400_000 });
    const refusal = contact({
      token: "no",
      at: NOW - 2 * 86_400_000,
      channel: "app",
      outcome: "refused",
      outcomeAt: NOW - 86_400_000,
    });
    const tokens = unionContacts(flood, [call, refusal]).map(({ token }) => token);
    expect(tokens).toHaveLength(CONTACTS_MAX);
    expect(tokens).toEqual(expect.arrayContaining(["call", "no", "push_0"]));
  });

  it("forgets expired reservations and what is older than any limit", () => {
    const expired = contact({ token: "a", until: NOW });
    const held = contact({ token: "b", until: NOW + 1 });
    const old = contact({ token: "c", at: NOW - 1000 });
    const refusedLately = contact({ ...old, token: "d", outcome: "refused", outcomeAt: NOW - 999 });
    const kept = liveContacts([expired, held, old, refusedLately], NOW, 1000);
    expect(kept.map(({ token }) => token)).toEqual(["b", "d"]);
  });

  it("that cannot be read is refused", () => {
    expect(() => decodeContacts(Buffer.from([0x93, 1, 2, 3]))).toThrow("not readable");
    expect(() => decodeContacts(Buffer.from("nonsense"))).toThrow("not readable");
    expect(() => decodeContacts(Buffer.from([0x98, 0xd9, 0xff]))).toThrow("not readable");
  });
});
