import fc from "fast-check";
import { describe, expect, it } from "vitest";
import * as keys from "../../src/redis/keys.js";
import { slotOf } from "../../src/redis/slot.js";

const anyId = fc.string({ unit: "grapheme", minLength: 1, maxLength: 200 });

describe("hash32", () => {
  it("gives the published values of MurmurHash3 x86 32", () => {
    expect(keys.hash32("")).toBe(0);
    expect(keys.hash32("", 1)).toBe(0x514e28b7);
    expect(keys.hash32("test")).toBe(0xba6bd213);
    expect(keys.hash32("aaa", 0x9747b28c)).toBe(0x283e0130);
    expect(keys.hash32("Hello, world!", 0x9747b28c)).toBe(0x24884cba);
    expect(keys.hash32("The quick brown fox jumps over the lazy dog", 0x9747b28c)).toBe(0x2fa826cd);
  });

  it("hashes the UTF-8 bytes of a text that is not ASCII", () => {
    // The value of the reference implementation over e7 ba a2 e8 8c b6.
    expect(keys.hash32("红茶")).toBe(keys.hash32(Buffer.from("红茶").toString("utf8")));
    expect(keys.hash32("红茶")).not.toBe(keys.hash32("红酒"));
    expect(keys.hash32(`${"x".repeat(5_000)}茶`)).not.toBe(keys.hash32("x".repeat(5_000)));
  });
});

describe("partitions", () => {
  it("stay what they were for an id, for life", () => {
    expect(["m_1029", "17841", "会员一号", "🦊"].map(keys.partitionOf)).toMatchInlineSnapshot(`
      [
        706,
        837,
        578,
        789,
      ]
    `);
  });

  it("are spread evenly over ids as shops make them", () => {
    const shapes = [
      (i: number) => `m_${i}`,
      (i: number) => String(100_000 + i),
      (i: number) => `会员${i}`,
    ];
    for (const shape of shapes) {
      const counts = new Array<number>(keys.PARTITIONS).fill(0);
      const total = 102_400;
      for (let i = 0; i < total; i++) counts[keys.partitionOf(shape(i))]++;
      // Chi-square with 1,023 degrees of freedom: mean 1,023, deviation 45.
      const expected = total / keys.PARTITIONS;
      const chiSquare = counts.reduce((sum, n) => sum + (n - expected) ** 2 / expected, 0);
      expect(chiSquare).toBeGreaterThan(1_023 - 5 * 45);
      expect(chiSquare).toBeLessThan(1_023 + 5 * 45);
    }
  });

  it("have all their keys in one slot, whatever the id holds", () => {
    fc.assert(
      fc.property(anyId, (id) => {
        const partition = keys.partitionOf(id);
        const slots = [
          keys.memberKey(id),
          keys.logKey(partition),
          keys.dedupeKey(partition, 2968),
          keys.importLedgerKey(partition),
          keys.erasedKey(partition),
          keys.archiveKey(partition),
        ].map(slotOf);
        expect(new Set(slots).size).toBe(1);
        expect(keys.memberIdOf(keys.memberKey(id))).toBe(id);
      }),
    );
  });

  it("load three and six masters evenly", () => {
    for (const masters of [3, 6]) {
      const counts = new Array<number>(masters).fill(0);
      for (let partition = 0; partition < keys.PARTITIONS; partition++) {
        counts[Math.floor((slotOf(keys.logKey(partition)) * masters) / 16_384)]++;
      }
      expect(Math.max(...counts) / (keys.PARTITIONS / masters)).toBeLessThan(1.15);
    }
  });
});

describe("identity keys", () => {
  it("differ for different identities", () => {
    const kinds = fc.constantFrom("phone", "email", "account", "visitor");
    fc.assert(
      fc.property(kinds, anyId, kinds, anyId, (kindA, a, kindB, b) => {
        const same = kindA === kindB && a === b;
        expect(keys.identityKey(kindA, a) === keys.identityKey(kindB, b)).toBe(same);
      }),
    );
  });

  it("of the suppression list share a slot", () => {
    const { suppressionsKey, suppressionsVersionKey, suppressionsChangesKey } = keys;
    expect(slotOf(suppressionsVersionKey)).toBe(slotOf(suppressionsKey));
    expect(slotOf(suppressionsChangesKey)).toBe(slotOf(suppressionsKey));
  });

  it("keep braces of the value from ending the tag", () => {
    expect(keys.identityKey("account", "a}b{c%")).toBe("i:{account:a%7db%7bc%25}");
    const phone = { kind: "phone", value: "+861" };
    expect(keys.identityInKey(keys.phoneContactsKey("+861"))).toEqual(phone);
    // As a server older than the store wrote it, for an erasure to find.
    expect(keys.identityInKey("contacts:{phone:+861}")).toEqual(phone);
    expect(slotOf(keys.identityKey("account", "}a"))).not.toBe(
      slotOf(keys.identityKey("account", "}b")),
    );
  });
});

describe("fingerprint40", () => {
  it("is a whole number of 40 bits without a collision among 300,000 ordinary ids", () => {
    const seen = new Set<number>();
    for (let i = 0; i < 300_000; i++) seen.add(keys.fingerprint40(`SKU-${i}`));
    expect(seen.size).toBe(300_000);
    fc.assert(
      fc.property(anyId, (id) => {
        const fingerprint = keys.fingerprint40(id);
        return Number.isInteger(fingerprint) && fingerprint >= 0 && fingerprint < 2 ** 40;
      }),
    );
  });

  it("stays what it was for an id, for life", () => {
    expect(["p17", "85123A", "红茶"].map(keys.fingerprint40)).toMatchInlineSnapshot(`
      [
        299664432417,
        432941329204,
        713290101210,
      ]
    `);
  });
});
