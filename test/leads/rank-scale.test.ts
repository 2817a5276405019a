import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { RANK_MAX, ranksOf } from "../../src/leads/rank-scale.js";

const score = fc.oneof(
  fc.double({ min: 0, max: 1, noNaN: true }),
  fc.constantFrom(0, 1),
  // Crowded at either end: nearer to one another than two ranks are.
  fc.integer({ min: 0, max: 200 }).map((n) => n / 1e9),
  fc.integer({ min: 0, max: 200 }).map((n) => 1 - n / 1e9),
);

describe("ranks of scores", () => {
  it("are whole numbers 0 to 99999, higher exactly where the score is", () => {
    fc.assert(
      fc.property(fc.array(score, { maxLength: 400 }), (scores) => {
        const ranks = ranksOf(scores);
        const order = scores.map((_, i) => i).sort((a, b) => scores[a]! - scores[b]!);
        order.forEach((i, n) => {
          expect(Number.isInteger(ranks[i]) && ranks[i]! >= 0 && ranks[i]! <= RANK_MAX).toBe(true);
          const before = order[n - 1];
          if (before === undefined) return;
          expect(Math.sign(ranks[i]! - ranks[before]!)).toBe(
            Math.sign(scores[i]! - scores[before]!),
          );
        });
      }),
    );
  });

  it("say the same of the same score, however many others are asked about", () => {
    expect(ranksOf([0.5])).toEqual([50_000]);
    expect(ranksOf([0.1, 0.5, 1])).toEqual([10_000, 50_000, 99_999]);
  });

  it("have room for as many scores as there are ranks", () => {
    const scores = Array.from({ length: 100_000 }, (_, i) => 1 - i / 1e7);
    expect(new Set(ranksOf(scores)).size).toBe(100_000);
  });
});
