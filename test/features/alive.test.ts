import { describe, expect, it } from "vitest";
import { type AliveModel, expectedOrders, probabilityAlive } from "../../src/features/alive.js";

/** The BG/NBD parameters published for CDNOW (Fader, Hardie, Lee 2005); weeks. */
const CDNOW: AliveModel = { r: 0.243, alpha: 4.414, a: 0.793, b: 2.426 };

/** The Gaussian hypergeometric series, as the paper sums it. */
function hypergeometric(a: number, b: number, c: number, z: number): number {
  let term = 1;
  let sum = 1;
  for (let k = 0; k < 20_000; k++) {
    term *= (((a + k) * (b + k)) / (c + k) / (k + 1)) * z;
    sum += term;
  }
  return sum;
}

/** Equation 10 of the paper, and its MBG/NBD sister, with the hypergeometric function. */
function published(
  { r, alpha, a, b }: AliveModel,
  { x, tx, T }: { x: number; tx: number; T: number },
  t: number,
  process: "bg" | "mbg",
): number {
  const more = process === "mbg" ? 1 : 0;
  const ahead =
    ((a + b + x - 1 + more) / (a - 1)) *
    (1 -
      ((alpha + T) / (alpha + T + t)) ** (r + x) *
        hypergeometric(r + x, b + x + more, a + b + x - 1 + more, t / (alpha + T + t)));
  return ahead * probabilityAlive({ r, alpha, a, b }, { x, tx, T }, process);
}

describe("P(alive)", () => {
  it("falls with silence and is near 1 right after an order", () => {
    const fresh = probabilityAlive(CDNOW, { x: 5, tx: 30, T: 30 });
    const silent = probabilityAlive(CDNOW, { x: 5, tx: 30, T: 60 });
    const gone = probabilityAlive(CDNOW, { x: 5, tx: 30, T: 300 });
    expect(fresh).toBeGreaterThan(0.85);
    expect(silent).toBeLessThan(fresh);
    expect(gone).toBeLessThan(0.01);
  });

  it("doubts a one-time buyer under mbg and never under bg", () => {
    expect(probabilityAlive(CDNOW, { x: 0, tx: 0, T: 39 }, "bg")).toBe(1);
    expect(probabilityAlive(CDNOW, { x: 0, tx: 0, T: 39 }, "mbg")).toBeLessThan(0.8);
  });

  it("matches a hand calculation of the bg formula", () => {
    const odds = (0.793 / (2.426 + 2 - 1)) * ((4.414 + 38.86) / (4.414 + 30.43)) ** 2.243;
    expect(probabilityAlive(CDNOW, { x: 2, tx: 30.43, T: 38.86 }, "bg")).toBeCloseTo(
      1 / (1 + odds),
      12,
    );
  });

  it("stays inside 0..1 for members with thousands of orders and for absurd silence", () => {
    for (const summary of [
      { x: 5000, tx: 700, T: 700 },
      { x: 5000, tx: 1, T: 1e6 },
      { x: 0, tx: 0, T: 0 },
    ]) {
      const p = probabilityAlive(CDNOW, summary);
      expect(p).toBeGreaterThanOrEqual(0);
      expect(p).toBeLessThanOrEqual(1);
    }
  });
});

describe("expected orders", () => {
  it("reproduces the paper's customer 1516: 1.226 orders in the 39 weeks ahead", () => {
    expect(expectedOrders(CDNOW, { x: 2, tx: 30.43, T: 38.86 }, 39, "bg")).toBeCloseTo(1.226, 3);
  });

  it("equals the published hypergeometric form, bg and mbg, over a grid", () => {
    for (const process of ["bg", "mbg"] as const) {
      for (const a of [0.4, 0.793, 1.7, 6]) {
        for (const x of [0, 1, 7, 40]) {
          for (const t of [0.5, 10, 100]) {
            const summary = { x, tx: x === 0 ? 0 : 25, T: 39 };
            const model = { ...CDNOW, a };
            const expected = published(model, summary, t, process);
            const actual = expectedOrders(model, summary, t, process);
            expect(Math.abs(actual / expected - 1)).toBeLessThan(1e-7);
          }
        }
      }
    }
  });

  it("is continuous at a = 1, where the published form divides by zero", () => {
    const at = (a: number) => expectedOrders({ ...CDNOW, a }, { x: 3, tx: 30, T: 39 }, 30);
    expect(at(1)).toBeCloseTo((at(1 - 1e-6) + at(1 + 1e-6)) / 2, 9);
  });

  it("stays finite and grows with the horizon for extreme members", () => {
    const busy = { x: 4000, tx: 700, T: 700 };
    const month = expectedOrders(CDNOW, busy, 30);
    expect(month).toBeGreaterThan(50);
    expect(expectedOrders(CDNOW, busy, 60)).toBeGreaterThan(month);
    expect(
      Number.isFinite(expectedOrders({ ...CDNOW, alpha: 0.1 }, { x: 0, tx: 0, T: 0 }, 365)),
    ).toBe(true);
    expect(expectedOrders(CDNOW, busy, 0)).toBe(0);
  });
});
