import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { loadConfig } from "../../src/config.js";
import { type AliveModel, expectedOrders, probabilityAlive } from "../../src/features/alive.js";
import { aliveLogLikelihood, fitAlive } from "../../src/training/fit-alive.js";

/** A small deterministic generator (mulberry32). */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** Customers who behave exactly as MBG/NBD says, with integer shapes so that sums of logs will do. */
function simulate(count: number, random: () => number) {
  const exponential = () => -Math.log(1 - random());
  const gamma = (shape: number) => {
    let sum = 0;
    for (let i = 0; i < shape; i++) sum += exponential();
    return sum;
  };
  const customers: { x: number; tx: number; T: number; future: number }[] = [];
  for (let i = 0; i < count; i++) {
    const rate = gamma(2) / 40;
    const first = gamma(1);
    const dropOut = first / (first + gamma(3));
    const T = 200 + Math.floor(random() * 200);
    const customer = { x: 0, tx: 0, T, future: 0 };
    let at = 0;
    while (random() >= dropOut) {
      at += exponential() / rate;
      if (at > T + 90) break;
      if (at > T) customer.future += 1;
      else {
        customer.x += 1;
        customer.tx = at;
      }
    }
    customers.push(customer);
  }
  return customers;
}

describe("fitAlive on simulated customers", () => {
  const customers = simulate(6000, generator(7));

  it("finds the parameters the customers were made with", () => {
    const { model } = fitAlive(customers);
    expect(model.r).toBeGreaterThan(1.75);
    expect(model.r).toBeLessThan(2.3);
    expect(model.alpha / model.r).toBeGreaterThan(18);
    expect(model.alpha / model.r).toBeLessThan(22);
    expect(model.a / (model.a + model.b)).toBeCloseTo(0.25, 1);
  });

  it("cannot be improved by a step in any direction", () => {
    const fit = fitAlive(customers);
    for (const key of ["r", "alpha", "a", "b"] as const) {
      for (const factor of [0.97, 1.03]) {
        const moved = { ...fit.model, [key]: fit.model[key] * factor };
        expect(aliveLogLikelihood(customers, moved)).toBeLessThan(fit.logLikelihood);
      }
    }
  });

  it("predicts what the customers do next", () => {
    const { model } = fitAlive(customers);
    const predicted = customers.reduce((sum, one) => sum + expectedOrders(model, one, 90), 0);
    const actual = customers.reduce((sum, one) => sum + one.future, 0);
    expect(predicted / actual).toBeGreaterThan(0.95);
    expect(predicted / actual).toBeLessThan(1.05);
  });

  it("finds the same on many rows as on the rows it begins with", () => {
    const many = simulate(20_000, generator(11));
    const fit = fitAlive(many);
    expect(new Set(many.map(({ x, tx, T }) => `${x} ${tx} ${T}`)).size).toBeGreaterThan(10_000);
    for (const key of ["r", "alpha", "a", "b"] as const) {
      for (const factor of [0.99, 1.01]) {
        const moved = { ...fit.model, [key]: fit.model[key] * factor };
        expect(aliveLogLikelihood(many, moved)).toBeLessThan(fit.logLikelihood);
      }
    }
    expect(fit.model.a / (fit.model.a + fit.model.b)).toBeCloseTo(0.25, 1);
  });

  it("treats a weight like so many equal rows", () => {
    const few = customers.slice(0, 300);
    const twice = fitAlive([...few, ...few]);
    const weighted = fitAlive(few.map((one) => ({ ...one, weight: 2 })));
    expect(weighted.logLikelihood).toBeCloseTo(twice.logLikelihood, 6);
  });
});

describe("aliveLogLikelihood", () => {
  /**
   * The story itself, without the closed form: a rate ~ Gamma(r, alpha), a drop-out p ~ Beta(a, b), given
   * which a history is a product of gaps and survivals; averaged over both by midpoints.
   */
  function byIntegration(x: number, tx: number, T: number, process: "bg" | "mbg"): number {
    const { r, alpha, a, b } = { r: 2, alpha: 10, a: 2, b: 3 };
    const [rates, drops] = [2000, 400];
    let sum = 0;
    for (let i = 0; i < rates; i++) {
      const rate = ((i + 0.5) / rates) * 3;
      const density = alpha ** r * rate ** (r - 1) * Math.exp(-alpha * rate); // Γ(2) = 1
      for (let j = 0; j < drops; j++) {
        const p = (j + 0.5) / drops;
        // 1 / B(2, 3) = 12
        const weight = density * 12 * p ** (a - 1) * (1 - p) ** (b - 1);
        const silent = Math.exp(-rate * (T - tx));
        const chances = process === "mbg" ? x + 1 : x;
        const alive = (1 - p) ** chances * silent;
        const gone = chances === 0 ? 0 : (1 - p) ** (chances - 1) * p;
        sum += weight * rate ** x * Math.exp(-rate * tx) * (alive + gone);
      }
    }
    return Math.log((sum * 3) / rates / drops);
  }

  it("is what the story of each process integrates to", () => {
    const model = { r: 2, alpha: 10, a: 2, b: 3 };
    for (const process of ["bg", "mbg"] as const) {
      for (const [x, tx, T] of [
        [0, 0, 20],
        [1, 4, 30],
        [4, 25, 30],
      ]) {
        const closed = aliveLogLikelihood([{ x, tx, T }], model, process);
        expect(closed).toBeCloseTo(byIntegration(x, tx, T, process), 3);
      }
    }
  });
});

describe("fitAlive on degenerate data", () => {
  it("gives finite parameters when nobody ever came back", () => {
    for (const process of ["bg", "mbg"] as const) {
      const fit = fitAlive(
        Array.from({ length: 500 }, (_, i) => ({ x: 0, tx: 0, T: 10 + (i % 90) })),
        { process },
      );
      for (const value of Object.values(fit.model))
        expect(Number.isFinite(value) && value > 0).toBe(true);
      expect(expectedOrders(fit.model, { x: 0, tx: 0, T: 50 }, 30, process)).toBeLessThan(0.1);
    }
  });

  it("takes three customers, a customer of today, and skips impossible rows", () => {
    const fit = fitAlive([
      { x: 0, tx: 0, T: 0 },
      { x: 3, tx: 20, T: 30 },
      { x: 1, tx: 5, T: 60 },
      { x: 1, tx: 90, T: 60 },
      { x: Number.NaN, tx: 0, T: 1 },
    ]);
    const p = probabilityAlive(fit.model, { x: 3, tx: 20, T: 30 });
    expect(p).toBeGreaterThan(0);
    expect(p).toBeLessThanOrEqual(1);
  });

  it("says so when there is no customer at all", () => {
    expect(() => fitAlive([])).toThrow(/not_enough_data/);
  });
});

/** Weeks; same-day purchases merged; calibration to 1997-09-30, hold-out to 1998-06-30. */
function readCdnow(file: string) {
  const day = (text: string) =>
    Date.UTC(+text.slice(0, 4), +text.slice(4, 6) - 1, +text.slice(6, 8)) / 86_400_000;
  const end = day("19970930");
  const last = day("19980630");
  const days = new Map<string, Set<number>>();
  for (const line of readFileSync(file, "utf8").split("\n")) {
    const [customer, , date] = line.trim().split(/\s+/);
    if (date === undefined) continue;
    days.set(customer, (days.get(customer) ?? new Set()).add(day(date)));
  }
  return [...days.values()].map((set) => {
    const sorted = [...set].sort((a, b) => a - b);
    const before = sorted.filter((at) => at <= end);
    return {
      x: before.length - 1,
      tx: (before[before.length - 1] - before[0]) / 7,
      T: (end - before[0]) / 7,
      future: sorted.filter((at) => at > end && at <= last).length,
    };
  });
}

const datasets = loadConfig().datasetsDir;
const cdnow = datasets === undefined ? undefined : join(datasets, "cdnow", "CDNOW_sample.txt");

describe.runIf(cdnow !== undefined && existsSync(cdnow))("fitAlive on CDNOW", () => {
  it("gives the published BG/NBD parameters, likelihood and forecast", () => {
    const customers = readCdnow(cdnow!);
    const fit = fitAlive(customers, { process: "bg" });
    expect(Math.abs(fit.model.r - 0.243)).toBeLessThan(0.005);
    expect(Math.abs(fit.model.alpha - 4.414)).toBeLessThan(0.005);
    expect(Math.abs(fit.model.a - 0.793)).toBeLessThan(0.005);
    expect(Math.abs(fit.model.b - 2.426)).toBeLessThan(0.005);
    expect(Math.abs(fit.logLikelihood + 9582.4)).toBeLessThan(0.1);
    const predicted = customers.map((one) => expectedOrders(fit.model, one, 39, "bg"));
    const total = predicted.reduce((sum, value) => sum + value, 0);
    expect(Math.abs(total - 1653)).toBeLessThan(2);
    expect(
      correlation(
        predicted,
        customers.map((one) => one.future),
      ),
    ).toBeGreaterThan(0.62);
  });

  it("gives the MBG/NBD parameters other implementations give, and forecasts as well", () => {
    const customers = readCdnow(cdnow!);
    const fit = fitAlive(customers);
    // BTYDplus (Platzer) on the same customers.
    for (const [key, value] of Object.entries({ r: 0.525, alpha: 6.183, a: 0.891, b: 1.614 })) {
      expect(Math.abs(fit.model[key as keyof AliveModel] - value)).toBeLessThan(0.005);
    }
    expect(Math.abs(fit.logLikelihood + 9582.1)).toBeLessThan(0.1);
    const predicted = customers.map((one) => expectedOrders(fit.model, one, 39));
    expect(
      correlation(
        predicted,
        customers.map((one) => one.future),
      ),
    ).toBeGreaterThan(0.62);
  });
});

function correlation(a: readonly number[], b: readonly number[]): number {
  const mean = (values: readonly number[]) => values.reduce((s, v) => s + v, 0) / values.length;
  const [ma, mb] = [mean(a), mean(b)];
  let [ab, aa, bb] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    ab += (a[i] - ma) * (b[i] - mb);
    aa += (a[i] - ma) ** 2;
    bb += (b[i] - mb) ** 2;
  }
  return ab / Math.sqrt(aa * bb);
}
