import { describe, expect, it } from "vitest";
import type { Scorer } from "../../src/scoring/scorer.js";
import { measureLatency, recording, type ScoreRequest } from "../../src/training/latency.js";

/** Takes what `costMs` says of its n-th run, by a clock of its own. */
function aScorer(
  clock: { ms: number },
  costMs: (run: number) => number,
): Scorer & { asked: number[] } {
  const asked: number[] = [];
  return {
    asked,
    featureCount: 1,
    width: 1,
    outputs: ["margins"],
    async run(rows, rowCount) {
      clock.ms += costMs(asked.length);
      asked.push(rows[0]);
      return { margins: new Float32Array(rowCount) };
    },
    async release() {},
  };
}

const requests = Array.from({ length: 25 }, (_, value) => ({
  rows: Float32Array.of(value),
  rowCount: 1,
}));

describe("the latency of two models", () => {
  it("is that of their quickest turns, on the same requests, whatever disturbs the others", async () => {
    const clock = { ms: 0 };
    const slow = aScorer(clock, (run) => (run < 100 ? 5 : 0.03));
    const fast = aScorer(clock, (run) => (run >= 200 ? 9 : 0.02));
    const latency = await measureLatency(slow, fast, requests, { now: () => clock.ms });
    expect(latency.challengerUs).toBeCloseTo(30, 6);
    expect(latency.championUs).toBeCloseTo(20, 6);
    expect(slow.asked).toEqual(fast.asked);
    expect(new Set(slow.asked).size).toBe(requests.length);
  });
});

describe("a recording scorer", () => {
  it("keeps copies of the first requests and answers as the scorer does", async () => {
    const kept: ScoreRequest[] = [];
    const scorer = recording(
      aScorer({ ms: 0 }, () => 0),
      kept,
      2,
    );
    const buffer = Float32Array.of(1, 99);
    await scorer.run(buffer, 1);
    buffer[0] = 2;
    await scorer.run(buffer, 2);
    expect((await scorer.run(buffer, 1)).margins).toHaveLength(1);
    expect(kept).toEqual([
      { rows: Float32Array.of(1), rowCount: 1 },
      { rows: Float32Array.of(2, 99), rowCount: 2 },
    ]);
  });
});
