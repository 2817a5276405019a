import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readOrderTimes, writeOrderTimes } from "../../src/features/order-times.js";
import { PackedReader, PackedWriter } from "../../src/features/packed.js";
import { decodeState } from "../../src/features/state.js";

const newestFirst = fc
  .array(fc.integer({ min: 1_700_000_000, max: 1_700_000_040 }), { maxLength: 14 })
  .map((times) => times.sort((a, b) => b - a));
const linesAt = (times: readonly number[]) => times.map((at) => ({ at, product: 1, quantity: 1 }));

function pack(times: readonly number[], lines: readonly number[]): Buffer {
  const writer = new PackedWriter();
  writeOrderTimes(writer, times, linesAt(lines));
  return writer.take();
}

describe("times of orders in packed state", () => {
  it("come back whatever lines are kept beside them, or none", () => {
    fc.assert(
      fc.property(newestFirst, newestFirst, (times, lines) => {
        const reader = new PackedReader(pack(times, lines));
        expect(readOrderTimes(reader, linesAt(lines))).toEqual(times);
      }),
    );
  });

  it("take three bytes where each order has lines", () => {
    const times = Array.from({ length: 14 }, (_, i) => 1_700_000_000 - i * 500_000);
    const lines = times.flatMap((at) => [at, at]);
    expect(pack(times, lines)).toHaveLength(3);
    expect(pack(times, [])).toHaveLength(40);
  });

  it("are refused where they name a line that is not there", () => {
    const packed = pack([1_700_000_020, 1_700_000_010], [1_700_000_020, 1_700_000_010]);
    const fewer = linesAt([1_700_000_020]);
    expect(() => readOrderTimes(new PackedReader(packed), fewer)).toThrow(/store_incompatible/);
  });

  it("are read from a state packed in layout 3", () => {
    // Four orders, one of them without lines and one in two parts, and a complaint.
    const packed =
      "03d70204402dfb69808fc301f0ab01f02e050400139eec06f760152f00c0f42b6aff00496eaa57b213f83f10198d75" +
      "1230064045a64ece87fa0b4001e42f60f8eb0e40856d8d9284601040eab8e40d174229409a7cdf95ba2132404b936e" +
      "ca03f6344005c0f42b6a54e3987f2d2eff00100044adb2460126b83316ac5ba83687e78ec0800240462d6a41d050ca" +
      "2fe0ffffff10ff00800042000c0000402dfb69";
    const { orders, lines } = decodeState(Buffer.from(packed, "hex"));
    expect(orders).toMatchObject({ count: 4, firstAt: 1778068800, lastAt: 1781265600 });
    expect(orders.times).toEqual([1781265600, 1780488000, 1778932800, 1778068800]);
    expect(lines.map(({ at }) => at)).toEqual([
      1781265600, 1778932800, 1778932800, 1778932800, 1778068800,
    ]);
  });
});
