import { describe, expect, it } from "vitest";
import { gatherRuns } from "../../src/scoring/gathering-scorer.js";
import type { Scorer } from "../../src/scoring/scorer.js";

/** Answers each row's sum and its negative; writes down the rows of each run. */
function aSummingScorer(): { scorer: Scorer; runs: number[] } {
  const runs: number[] = [];
  const scorer: Scorer = {
    featureCount: 2,
    width: 2,
    outputs: ["margins", "probabilities"],
    async run(rows, rowCount) {
      runs.push(rowCount);
      if (rows[0] === -1) throw new Error("a bad row");
      const margins = new Float32Array(rowCount * 2);
      for (let i = 0; i < rowCount; i++) {
        margins[2 * i] = rows[2 * i] + rows[2 * i + 1];
        margins[2 * i + 1] = -margins[2 * i];
      }
      return { margins, probabilities: margins.map((value) => value / 100) };
    },
    release: async () => {},
  };
  return { scorer, runs };
}

describe("a gathering scorer", () => {
  it("makes one run of those of one turn, and gives each its own rows", async () => {
    const { scorer, runs } = aSummingScorer();
    const gathering = gatherRuns(scorer);
    const [a, b, c] = await Promise.all([
      gathering.run(Float32Array.of(1, 2), 1),
      gathering.run(Float32Array.of(3, 4, 5, 6, 99, 99), 2),
      Promise.resolve().then(() => gathering.run(Float32Array.of(7, 8), 1)),
    ]);
    expect(runs).toEqual([4]);
    expect([...a.margins]).toEqual([3, -3]);
    expect([...b.margins]).toEqual([7, -7, 11, -11]);
    expect([...c.margins]).toEqual([15, -15]);
    expect(c.probabilities?.[0]).toBeCloseTo(0.15);
  });

  it("runs again for what comes in a later turn", async () => {
    const { scorer, runs } = aSummingScorer();
    const gathering = gatherRuns(scorer);
    await gathering.run(Float32Array.of(1, 2), 1);
    await gathering.run(Float32Array.of(1, 2), 1);
    expect(runs).toEqual([1, 1]);
  });

  it("lets large runs go alone and splits what would hold the thread for long", async () => {
    const { scorer, runs } = aSummingScorer();
    const gathering = gatherRuns(scorer);
    const small = Array.from({ length: 40 }, (_, i) => gathering.run(Float32Array.of(i, 0), 1));
    const large = gathering.run(new Float32Array(200), 100);
    const answers = await Promise.all(small);
    await large;
    expect(answers.map(({ margins }) => margins[0])).toEqual(answers.map((_, i) => i));
    expect(runs.toSorted((a, b) => a - b)).toEqual([8, 32, 100]);
  });

  it("fails each of the runs that were gathered when the model fails", async () => {
    const { scorer } = aSummingScorer();
    const gathering = gatherRuns(scorer);
    const outcomes = await Promise.allSettled([
      gathering.run(Float32Array.of(-1, 0), 1),
      gathering.run(Float32Array.of(1, 2), 1),
    ]);
    expect(outcomes.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  });

  it("refuses too few values alone, and the others of the turn are answered", async () => {
    const { scorer } = aSummingScorer();
    const gathering = gatherRuns({
      ...scorer,
      run: (rows, rowCount) =>
        rows.length < rowCount * 2
          ? Promise.reject(new RangeError("too few"))
          : scorer.run(rows, rowCount),
    });
    const bad = gathering.run(Float32Array.of(1), 1);
    const good = gathering.run(Float32Array.of(1, 2), 1);
    await expect(bad).rejects.toThrow(RangeError);
    expect((await good).margins[0]).toBe(3);
  });
});
