import { describe, expect, it } from "vitest";
import { differenceOfMeans, differenceOfShares, type Sums } from "../../src/reports/intervals.js";

const sumsOf = (values: readonly number[]): Sums => ({
  count: values.length,
  sum: values.reduce((sum, value) => sum + value, 0),
  squares: values.reduce((sum, value) => sum + value ** 2, 0),
});

describe("the interval of a difference of means", () => {
  // Points of t from any table; two groups of the same spread have 2 (n − 1) degrees of freedom.
  it.each([
    [4, 2.4469],
    [6, 2.2281],
    [16, 2.0423],
    [1_000, 1.9612],
  ])("is Welch's with %i members a group: t = %d", (count, point) => {
    const values = Array.from({ length: count }, (_, i) => (i % 2 === 0 ? 1 : -1));
    const { difference, low, high } = differenceOfMeans(
      sumsOf(values.map((value) => value + 5)),
      sumsOf(values),
    )!;
    expect(difference).toBeCloseTo(5, 10);
    expect((high - low) / 2 / Math.sqrt(2 / (count - 1)) / point).toBeCloseTo(1, 2);
  });

  it("takes the larger spread of the smaller group for what it is", () => {
    const few = sumsOf([10, -10, 10, -10]);
    const many = sumsOf(Array.from({ length: 400 }, (_, i) => (i % 2 === 0 ? 1 : -1)));
    const { low, high } = differenceOfMeans(few, many)!;
    // Nearly the interval of four values: t with 3 degrees is 3.182.
    expect((high - low) / 2 / Math.sqrt(400 / 3 / 4) / 3.182).toBeCloseTo(1, 1);
  });

  it("is not to be told from a member or two, and is a point where nobody differs", () => {
    expect(differenceOfMeans(sumsOf([1]), sumsOf([1, 2]))).toBeNull();
    expect(differenceOfMeans(sumsOf([3, 3]), sumsOf([1, 1]))).toEqual({
      difference: 2,
      low: 2,
      high: 2,
    });
  });
});

describe("the interval of a difference of shares", () => {
  it.each([
    // Newcombe 1998, table II, method 10.
    [56, 70, 48, 80, 0.0524, 0.3339],
    [9, 10, 3, 10, 0.1705, 0.809],
    [6, 7, 2, 7, 0.0582, 0.8062],
    [5, 56, 0, 29, -0.0381, 0.1926],
    [0, 10, 0, 20, -0.1611, 0.2775],
    [10, 10, 0, 20, 0.6791, 1],
  ])("is Newcombe's: %i of %i against %i of %i", (hits, count, others, of, low, high) => {
    const found = differenceOfShares({ hits, count }, { hits: others, count: of })!;
    expect(found.low).toBeCloseTo(low, 4);
    expect(found.high).toBeCloseTo(high, 4);
  });

  it("is nothing where a group is empty", () => {
    expect(differenceOfShares({ hits: 0, count: 0 }, { hits: 1, count: 2 })).toBeNull();
  });
});
