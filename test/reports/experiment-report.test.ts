import { describe, expect, it } from "vitest";
import { armOf, isHeldOut, permanentHoldout } from "../../src/decision/experiments.js";
import type { MemberEvent } from "../../src/events/event.js";
import { ArmTally } from "../../src/reports/arm-tally.js";
import { type ArmReport, spansOf } from "../../src/reports/experiment-report.js";
import type { MemberOutcome } from "../../src/reports/member-outcome.js";
import { seededRandom } from "../../src/training/random.js";
import { anEventAt, anExperiment, anOrder, day, FROM, logOf, report, UNTIL } from "./a-log.js";

const outcome = (over: Partial<MemberOutcome>): MemberOutcome => ({
  contacts: 0,
  answered: 0,
  accepted: 0,
  netSales: 0,
  first: { orders: 0, money: 0 },
  repeat: { orders: 0, money: 0 },
  attributed: { orders: 0, money: 0 },
  promoted: false,
  complained: false,
  optedOut: false,
  ...over,
});

/** Few buy, and what they spend is skewed: 20 % of members, log-normal about 60. */
function simulated(random: () => number, members: number, buying: number): ArmTally {
  const tally = new ArmTally();
  for (let i = 0; i < members; i++) {
    const buys = random() < buying;
    const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
    const money = buys ? Math.exp(4 + 0.6 * normal) : 0;
    tally.add(outcome({ netSales: money, repeat: { orders: buys ? 1 : 0, money } }));
  }
  return tally;
}

describe("the uplift over the hold-out", () => {
  const SEEDS = 600;
  /** Mean of what a buyer spends above. */
  const SPENT = Math.exp(4 + 0.6 ** 2 / 2);

  it.each([
    ["no uplift", 0.2],
    ["five points more buyers", 0.25],
  ])("has the truth in its interval in about 95 of 100 seeds, with %s", (_, buying) => {
    const truth = { conversion: buying - 0.2, netSalesPerMember: (buying - 0.2) * SPENT };
    const covered = { conversion: 0, netSalesPerMember: 0 };
    for (let seed = 1; seed <= SEEDS; seed++) {
      const random = seededRandom(seed);
      const treated = simulated(random, 600, buying);
      const { uplift } = treated.against(simulated(random, 300, 0.2));
      for (const measure of ["conversion", "netSalesPerMember"] as const) {
        const { low, high } = uplift[measure]!;
        if (low <= truth[measure] && truth[measure] <= high) covered[measure]++;
      }
    }
    for (const count of Object.values(covered)) {
      expect(count / SEEDS).toBeGreaterThan(0.92);
      expect(count / SEEDS).toBeLessThan(0.985);
    }
  });

  it("stops an arm for complaints about once in forty where there is nothing, and surely for many", () => {
    const complaining = (random: () => number, members: number, rate: number) => {
      const tally = new ArmTally();
      for (let i = 0; i < members; i++) tally.add(outcome({ complained: random() < rate }));
      return tally;
    };
    let [stopped, missed] = [0, 0];
    for (let seed = 1; seed <= SEEDS; seed++) {
      const random = seededRandom(seed);
      const held = complaining(random, 1_000, 0.01);
      const same = complaining(random, 1_000, 0.01).against(held).stop;
      const worse = complaining(random, 1_000, 0.05).against(held).stop;
      if (same.verdict === "stop") stopped++;
      if (worse.verdict !== "stop") missed++;
      if (worse.verdict === "stop") expect(worse.because).toEqual(["complaints"]);
    }
    expect(stopped / SEEDS).toBeLessThan(0.045);
    expect(missed / SEEDS).toBeLessThan(0.02);
  });
});

const members = Array.from({ length: 900 }, (_, i) => `m_${i}`);
const armFor = (id: string, experiment = anExperiment(), at = FROM) => armOf(experiment, id, at);
const byName = (arms: readonly ArmReport[]) => new Map(arms.map((arm) => [arm.name, arm]));

describe("the report of an experiment", () => {
  it("counts every member of the log in the arm its id says, decided about or not", async () => {
    const log = new Map<string, MemberEvent[]>(
      members.map((id, i) => {
        const treated = armFor(id) === "treated";
        const events = [anEventAt("view", -30)];
        if (treated && i % 3 === 0) events.push(anEventAt("call_outbound", 5));
        if (i % (treated ? 4 : 8) === 0) events.push(anOrder(10, 100));
        if (i % (treated ? 10 : 400) === 0) events.push(anEventAt("complaint_opened", 12));
        return [id, events];
      }),
    );
    log.set("too late", [anEventAt("view", 200)]);
    const found = await report(logOf(log));
    expect(found).toMatchObject({ baseline: "holdout", unit: "member", outside: 1 });
    const [held, treated] = found.arms;
    const inArm = members.filter((id) => armFor(id) === "treated");
    expect(treated).toMatchObject({ name: "treated", share: 0.5, members: inArm.length });
    expect(held).toMatchObject({ members: 900 - inArm.length, uplift: null, stop: null });
    expect(treated!.netSales.total).toBe(100 * treated!.conversion.members);
    expect(treated!.uplift!.conversion).toMatchObject({ relative: expect.closeTo(1, 0) });
    expect(treated!.uplift!.netSalesPerMember!.low).toBeGreaterThan(0);
    expect(treated!.stop).toMatchObject({ verdict: "stop", because: ["complaints"] });
    expect(held!.contacts.count).toBe(0);
  });

  it("knows as many members a month as there were, each in the arm of that month", async () => {
    const experiment = anExperiment({ period: "month" });
    const log = new Map(members.map((id) => [id, [anOrder(40, 10)]]));
    const found = await report(logOf(log), { experiment });
    // First seen in April: they count in April and May.
    const arms = members.flatMap((id) => [
      armFor(id, experiment, day(31)),
      armFor(id, experiment, day(61)),
    ]);
    const treated = byName(found.arms).get("treated")!;
    expect(found.unit).toBe("member and month");
    expect(treated.members).toBe(arms.filter((arm) => arm === "treated").length);
    const april = members.filter((id) => armFor(id, experiment, day(31)) === "treated");
    expect(treated.conversion.members).toBe(april.length);
  });

  it("leaves out whoever is held out of everything, and reports on those by themselves", async () => {
    const experiments = { holdoutShare: 0.2 };
    const log = logOf(new Map(members.map((id) => [id, [anOrder(10, 10)]])));
    const heldOut = members.filter((id) => isHeldOut(id, { experiments })).length;
    const one = await report(log, { experiments });
    expect(one.outside).toBe(heldOut);
    const everyone = await report(log, {
      experiments,
      experiment: permanentHoldout({ experiments }),
    });
    expect(everyone.arms.map(({ name, members: count }) => [name, count])).toEqual([
      ["holdout", heldOut],
      ["everyone", members.length - heldOut],
    ]);
  });

  it("of some stages counts members by the stage they had before", async () => {
    const experiment = anExperiment({ stages: ["new"] });
    const log = new Map(
      members.map((id, i) => [id, i % 2 === 0 ? [anOrder(-10, 10)] : [anOrder(10, 10)]]),
    );
    const { arms, outside } = await report(logOf(log), { experiment });
    expect(arms.reduce((sum, arm) => sum + arm.members, 0)).toBe(450);
    expect(outside).toBe(450);
  });

  it("without a hold-out compares with the first arm, and without members says nothing", async () => {
    const arms = ["usual", "other"].map((name) => ({ name, share: 0.5, treatment: {} }));
    const experiment = anExperiment({ holdout: 0, arms });
    const found = await report(logOf(new Map()), { experiment });
    expect(found.baseline).toBe("usual");
    expect(found.arms[1]).toMatchObject({
      members: 0,
      conversion: { members: 0, rate: null },
      uplift: { netSalesPerMember: null, conversion: null },
      stop: { verdict: "continue" },
    });
  });

  it("cuts its time where members change arms", () => {
    const starts = (period: "always" | "month" | "quarter") =>
      spansOf(period, { from: day(14), until: UNTIL }).map(({ from }) =>
        new Date(from).toISOString().slice(0, 10),
      );
    expect(starts("always")).toEqual(["2026-03-15"]);
    expect(starts("month")).toEqual(["2026-03-15", "2026-04-01", "2026-05-01"]);
    expect(starts("quarter")).toEqual(["2026-03-15", "2026-04-01"]);
  });
});
