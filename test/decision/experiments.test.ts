import { describe, expect, it } from "vitest";
import type { Experiment } from "../../src/catalog/experiment.js";
import {
  type Assigning,
  armOf,
  drawAmongTop,
  periodOf,
  treatmentFor,
} from "../../src/decision/experiments.js";
import { hash32 } from "../../src/redis/keys.js";

const NOW = Date.parse("2026-06-15T12:00:00Z");
const MEMBERS = 20_000;

const anExperiment = (over: Partial<Experiment> = {}): Experiment => ({
  id: "e1",
  active: true,
  arms: [
    { name: "a", share: 0.5, treatment: {} },
    { name: "b", share: 0.3, treatment: { coupons: false } },
  ],
  holdout: 0.1,
  period: "always",
  createdAt: 0,
  updatedAt: 0,
  ...over,
});

const ids = Array.from({ length: MEMBERS }, (_, i) => `m_${i}`);
const countsOf = (arms: readonly (string | null)[]): Record<string, number> => {
  const counts: Record<string, number> = {};
  for (const arm of arms) counts[String(arm)] = (counts[String(arm)] ?? 0) + 1;
  return counts;
};

/** Five standard deviations of a count: once in two million. */
const bound = (share: number) => 5 * Math.sqrt(MEMBERS * share * (1 - share));
const expectShares = (arms: readonly (string | null)[], shares: Record<string, number>) => {
  const counts = countsOf(arms);
  for (const [arm, share] of Object.entries(shares)) {
    expect(Math.abs((counts[arm] ?? 0) - share * MEMBERS), arm).toBeLessThan(bound(share) + 1e-9);
  }
};

/** Correlation of being in arm a here with being in arm a there. */
function correlation(here: readonly (string | null)[], there: readonly (string | null)[]): number {
  const shareOf = (arms: readonly (string | null)[]) => (countsOf(arms).a ?? 0) / MEMBERS;
  const [p, q] = [shareOf(here), shareOf(there)];
  const both = here.filter((arm, i) => arm === "a" && there[i] === "a").length / MEMBERS;
  return (both - p * q) / Math.sqrt(p * (1 - p) * q * (1 - q));
}

describe("the arm of a member", () => {
  it.each(["m_", "会员 ", "+86138000", ""])("hits every share for ids like %s1", (prefix) => {
    const arms = ids.map((_, i) => armOf(anExperiment(), `${prefix}${i}`, NOW));
    expectShares(arms, { holdout: 0.1, a: 0.5, b: 0.3, null: 0.1 });
  });

  it("is the same at any time of its period, in any process, for life", () => {
    const known = ids.slice(0, 16).map((id) => armOf(anExperiment(), id, NOW));
    expect(known.join(" ")).toMatchInlineSnapshot(
      `"a b  a b holdout a holdout a b b b b a b holdout"`,
    );
    const late = ids.map((id) => armOf(anExperiment(), id, NOW + 1e11));
    expect(late).toEqual(ids.map((id) => armOf(anExperiment(), id, 0)));
  });

  it("is drawn anew each month or quarter where the experiment says so", () => {
    expect(periodOf("month", Date.parse("2026-06-30T23:59:59.999Z"))).toBe("2026-06");
    expect(periodOf("month", Date.parse("2026-07-01T00:00:00Z"))).toBe("2026-07");
    expect(periodOf("quarter", NOW)).toBe("2026-Q2");
    const monthly = anExperiment({ period: "month" });
    const june = ids.map((id) => armOf(monthly, id, NOW));
    expect(ids.map((id) => armOf(monthly, id, NOW + 86_400_000))).toEqual(june);
    const july = ids.map((id) => armOf(monthly, id, NOW + 30 * 86_400_000));
    expect(Math.abs(correlation(june, july))).toBeLessThan(0.035);
  });

  it("says nothing about the arm of another experiment", () => {
    const here = ids.map((id) => armOf(anExperiment(), id, NOW));
    for (const id of ["e2", "e1 ", "E1", "holdout", "another one altogether"]) {
      const there = ids.map((member) => armOf(anExperiment({ id }), member, NOW));
      expect(Math.abs(correlation(here, there)), id).toBeLessThan(0.035);
    }
  });

  it("leaves nobody out when the shares are all", () => {
    const arms = ["a", "b", "c"].map((name) => ({ name, share: 0.3, treatment: {} }));
    const all = anExperiment({ arms, holdout: 0.1 });
    expect(ids.filter((id) => armOf(all, id, NOW) === null)).toEqual([]);
  });
});

const config = { experiments: { holdoutShare: 0 }, exploration: { share: 0.02 } };
const inArm = (experiment: Experiment, arm: string | null) =>
  ids.find((id) => armOf(experiment, id, NOW) === arm)!;
const treat = (id: string | null, over: Partial<Assigning>, placement = "outbound") =>
  treatmentFor(id === null ? null : { id, stage: "growth" }, placement, NOW, {
    experiments: [],
    config,
    ...over,
  });
const usual = {
  assignment: null,
  hold: false,
  coupons: true,
  channels: null,
  explorationShare: 0.02,
};

describe("what an arm does", () => {
  it("is what its treatment says; who takes no part, and who is unknown, get the usual", () => {
    const experiments = [anExperiment()];
    expect(treat(inArm(experiments[0]!, "b"), { experiments })).toEqual({
      ...usual,
      assignment: { name: "e1", arm: "b" },
      coupons: false,
    });
    expect(treat(inArm(experiments[0]!, "holdout"), { experiments })).toEqual({
      ...usual,
      assignment: { name: "e1", arm: "holdout" },
      hold: true,
    });
    expect(treat(inArm(experiments[0]!, null), { experiments })).toEqual(usual);
    expect(treat(null, { experiments })).toEqual(usual);
  });

  it.each([
    { active: false },
    { placements: ["home"] },
    { stages: ["new"] },
    { from: "2026-06-15T12:00:01Z" },
    { until: "2026-06-15T12:00:00Z" },
  ])("is nothing where the experiment does not run: %j", (over) => {
    const experiments = [anExperiment(over)];
    expect(treat(inArm(experiments[0]!, "b"), { experiments })).toEqual(usual);
  });

  it("of several experiments is what all of them allow", () => {
    const all = (id: string, treatment: Experiment["arms"][number]["treatment"]) =>
      anExperiment({ id, holdout: 0, arms: [{ name: "all", share: 1, treatment }] });
    const experiments = [
      all("e1", { channels: ["phone", "sms"] }),
      all("e2", { channels: ["sms", "email"], explore: true }),
      all("e3", { coupons: false, explore: false }),
    ];
    const found = treat("m", { experiments });
    expect(found).toMatchObject({
      assignment: { name: "e1", arm: "all" },
      coupons: false,
      hold: false,
      explorationShare: 0,
    });
    expect([...found.channels!]).toEqual(["sms"]);
    const exploring = { experiments: experiments.slice(0, 2) };
    expect(treat("m", exploring).explorationShare).toBe(1);
  });

  it("gives way to the permanent hold-out, which is everywhere and the same for ever", () => {
    const held = { ...config, experiments: { holdoutShare: 0.05 } };
    const experiments = [anExperiment()];
    const found = ids.map((id) => treat(id, { experiments, config: held }));
    const out = found.filter(({ assignment }) => assignment?.name === "holdout");
    expect(Math.abs(out.length - 0.05 * MEMBERS)).toBeLessThan(bound(0.05));
    expect(out.every(({ hold, explorationShare }) => hold && explorationShare === 0)).toBe(true);
    const web = ids.map((id) => treat(id, { experiments, config: held }, "home").hold);
    const heldOut = found.map(({ assignment }) => assignment?.name === "holdout");
    expect(web.filter((hold, i) => heldOut[i] && !hold)).toEqual([]);
  });
});

describe("the draw", () => {
  const ranked = ["one", "two", "three", "four"];
  const seeds = ids.map((id) => hash32(`d_${id}`));

  it("gives each of the first three its chance, and says which", () => {
    const share = 0.3;
    const drawn = seeds.map((seed) => drawAmongTop(ranked, seed, share));
    const first = drawn.map(({ order }) => order[0]!);
    expectShares(first, { one: 0.8, two: 0.1, three: 0.1 });
    expect(first).not.toContain("four");
    for (const { order, propensity } of drawn) {
      expect(propensity).toBeCloseTo(order[0] === "one" ? 0.8 : 0.1, 12);
      expect([...order].sort()).toEqual([...ranked].sort());
    }
    const moved = drawn.find(({ order }) => order[0] === "three")!;
    expect(moved.order).toEqual(["three", "one", "two", "four"]);
  });

  it("weighs to the truth by its propensities", () => {
    const worth = (name: string) => (name === "two" ? 7 : 1);
    const draws = seeds.map((seed) => drawAmongTop(ranked, seed, 0.3));
    const estimate =
      draws.reduce(
        (sum, { order, propensity }) => sum + (order[0] === "two" ? worth("two") / propensity : 0),
        0,
      ) / MEMBERS;
    expect(estimate).toBeGreaterThan(6.2);
    expect(estimate).toBeLessThan(7.8);
  });

  it("draws among those there are, and the same again", () => {
    expect(drawAmongTop([], 1, 0.5)).toEqual({ order: [], propensity: 1 });
    expect(drawAmongTop(["one"], 1, 0.5)).toEqual({ order: ["one"], propensity: 1 });
    expect(drawAmongTop(ranked, 0, 0)).toEqual({ order: ranked, propensity: 1 });
    const two = seeds.map((seed) => drawAmongTop(["one", "two"], seed, 0.4));
    expectShares(
      two.map(({ order }) => order[0]!),
      { one: 0.8, two: 0.2 },
    );
    expect(drawAmongTop(ranked, 7, 0.5)).toEqual(drawAmongTop(ranked, 7, 0.5));
  });
});
