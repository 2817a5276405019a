import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PackedReader, PackedWriter } from "../../src/features/packed.js";

const writer = new PackedWriter();

function roundTrip(values: readonly number[]): { bytes: number; values: number[] } {
  writer.reset();
  writer.u8(7);
  writer.ints(values);
  writer.u8(9);
  const packed = writer.take();
  const reader = new PackedReader(packed);
  expect(reader.u8()).toBe(7);
  const read = reader.ints(values.length);
  // Whatever stands behind is found where it is.
  expect(reader.u8()).toBe(9);
  return { bytes: packed.length - 2, values: read };
}

const bounds = [1, 3, 300, 2 ** 20, 2 ** 25, 2 ** 31, 2 ** 32, Number.MAX_SAFE_INTEGER];
const ints = fc
  .constantFrom(...bounds)
  .chain((max) =>
    fc.array(fc.oneof(fc.integer({ min: 0, max }), fc.constant(0)), { maxLength: 64 }),
  );

describe("packed integers", () => {
  it("come back as they were, whatever their size", () => {
    fc.assert(
      fc.property(ints, (values) => {
        expect(roundTrip(values).values).toEqual(values);
      }),
    );
  });

  it("come back when one is far larger than all the others", () => {
    for (const large of bounds) {
      const values = [...new Array<number>(63).fill(1), large];
      expect(roundTrip(values).values).toEqual(values);
    }
  });

  it("take one byte when all are zero, a bit each where most are", () => {
    expect(roundTrip(new Array<number>(64).fill(0)).bytes).toBe(1);
    expect(
      roundTrip(Array.from({ length: 64 }, (_, i) => (i === 9 ? 40 : 0))).bytes,
    ).toBeLessThanOrEqual(10);
  });

  it("take about as many bits as their size has", () => {
    const days = Array.from({ length: 64 }, (_, i) => 600_000 + i * 7_919);
    expect(roundTrip(days).bytes).toBeLessThanOrEqual(1 + 64 * (22 / 8));
  });

  it("are written as ever after an encoding that went wrong", () => {
    const values = [7, 9_000];
    writer.reset();
    writer.ints([Number.NaN]);
    expect(roundTrip(values).values).toEqual(values);
  });

  it("are refused when they are more than any list has, or fewer than none", () => {
    for (const count of [-1, 2 ** 31, Number.NaN]) {
      const reader = new PackedReader(Buffer.from([0xff]));
      expect(() => reader.ints(count)).toThrow(/store_incompatible/);
    }
  });

  it("are refused when cut short", () => {
    writer.reset();
    writer.ints(Array.from({ length: 20 }, (_, i) => i * 1_000));
    const packed = writer.take();
    const cut = new PackedReader(packed.subarray(0, packed.length - 2));
    expect(() => cut.ints(20)).toThrow(/store_incompatible/);
  });
});
