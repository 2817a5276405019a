import { describe, expect, it } from "vitest";
import { adversarialAuc, levelDrift, matrixDrift, numberDrift } from "../../src/training/drift.js";
import { seededRandom } from "../../src/training/random.js";

const random = seededRandom(3);
const draws = (count: number, from: number, to: number) =>
  Float64Array.from({ length: count }, () => from + random() * (to - from));

describe("drift of a column", () => {
  it("sees nothing where rows come from the same place, however few", () => {
    for (const count of [200, 3000]) {
      const { psi, auc = 0 } = numberDrift("x", draws(count, 0, 1), draws(count, 0, 1));
      expect(psi).toBeLessThan(0.1);
      expect(auc).toBeLessThan(0.65);
    }
  });

  it("sees a shift, and a part that went missing", () => {
    const shifted = numberDrift("x", draws(1000, 0, 1), draws(1000, 0.8, 1.8));
    expect(shifted.psi).toBeGreaterThan(1);
    expect(shifted.auc).toBeGreaterThan(0.9);
    const late = draws(1000, 0, 1).map((value, row) => (row % 2 === 0 ? Number.NaN : value));
    expect(numberDrift("x", draws(1000, 0, 1), late).psi).toBeGreaterThan(0.25);
  });

  it("equals the sum worked out by hand", () => {
    const early = [...new Array(500).fill(0), ...new Array(500).fill(1)];
    const late = [...new Array(800).fill(0), ...new Array(200).fill(1)];
    const byHand = 0.3 * Math.log(0.8 / 0.5) - 0.3 * Math.log(0.2 / 0.5);
    expect(numberDrift("x", early, late).psi).toBeCloseTo(byHand - 2 / 1000, 2);
  });

  it("sees levels that come and go", () => {
    const codes = (levels: readonly number[]) =>
      Int32Array.from({ length: 600 }, (_, row) => levels[row % levels.length]);
    expect(levelDrift("c", codes([0, 1, 2]), codes([0, 1, 2])).psi).toBe(0);
    expect(levelDrift("c", codes([0, 1, 2]), codes([0, 1, 3])).psi).toBeGreaterThan(1);
    expect(levelDrift("c", codes([0, 1, -1]), codes([0, 1, 1])).psi).toBeGreaterThan(1);
  });

  it("ranks the columns of a matrix", () => {
    const rows = Float32Array.from({ length: 2000 }, (_, index) =>
      index % 2 === 0 ? random() : index,
    );
    const half = (from: number) => Array.from({ length: 500 }, (_, row) => from + row);
    const drifts = matrixDrift(["still", "moving"], rows, half(0), half(500));
    expect(drifts.map(({ column }) => column)).toEqual(["moving", "still"]);
  });
});

describe("telling late rows from early ones", () => {
  it("is chance where nothing moves, certain where all moves", () => {
    const isLate = Uint8Array.from({ length: 2000 }, (_, row) => (row < 1000 ? 0 : 1));
    const same = Float32Array.from(draws(4000, 0, 1));
    expect(Math.abs(adversarialAuc(same, 2, isLate) - 0.5)).toBeLessThan(0.04);
    const moved = same.map((value, index) =>
      index >= 2000 && index % 2 === 0 ? value + 1 : value,
    );
    expect(adversarialAuc(moved, 2, isLate)).toBeGreaterThan(0.95);
  });
});
