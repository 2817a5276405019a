import { describe, expect, it } from "vitest";
import { sigmoid } from "../../src/training/calibrate.js";
import {
  type JudgedHead,
  judgeHeads,
  judgeRanker,
  latencyFault,
  populationStability,
} from "../../src/training/promote.js";
import { seededRandom } from "../../src/training/random.js";

const ROWS = 2000;
const random = seededRandom(1);
const truth = Float64Array.from({ length: ROWS }, () => random() * 4 - 3);
const labels = truth.map((margin) => (random() < sigmoid(margin) ? 1 : 0));
const noise = truth.map(() => random() * 2 - 1);
const members = truth.map((_, row) => row % 700);

/** Says the truth blurred by noise; `level` lifts every probability. */
const judged = (blur: number, level = 0) => {
  const margins = truth.map((margin, row) => (1 - blur) * margin + blur * 4 * noise[row]);
  return { margins, probabilities: margins.map((margin) => sigmoid(margin + level)) };
};
const head = (over: Partial<JudgedHead>): JudgedHead => ({
  name: "purchase",
  labels,
  members,
  challenger: judged(0.1),
  ...over,
});

describe("a first model of heads", () => {
  it("serves when it beats the base rate", () => {
    const verdict = judgeHeads([head({}), head({ name: "churn" })], true);
    expect(verdict).toMatchObject({ promoted: true, reason: expect.stringMatching(/first model/) });
  });

  it("says the base rate in place of a later head that tells nothing, and serves", () => {
    const verdict = judgeHeads([head({}), head({ name: "churn", challenger: judged(1) })], true);
    expect(verdict.promoted).toBe(true);
    expect(verdict.reason).toMatch(
      /first model.*; churn is withheld .* \(AUC not surely above 0.5/,
    );
    expect(verdict.heads.map(({ serves }) => serves)).toEqual(["new", "withheld"]);
  });

  it("stays a challenger when its ranking or its probabilities are no better than that", () => {
    const random1 = judgeHeads([head({ challenger: judged(1) })], true);
    expect(random1).toMatchObject({
      promoted: false,
      reason: expect.stringMatching(/^purchase: AUC/),
    });
    const wild = judgeHeads([head({ challenger: judged(0.1, 4) })], true);
    expect(wild).toMatchObject({
      promoted: false,
      reason: expect.stringMatching(/log loss .* base rate/),
    });
  });
});

describe("a challenger", () => {
  it("replaces a worse champion", () => {
    const verdict = judgeHeads([head({ champion: judged(0.4) })], false);
    expect(verdict).toMatchObject({ promoted: true });
  });

  it("stays a challenger when it is worse, saying by how much", () => {
    const verdict = judgeHeads([head({ challenger: judged(0.4), champion: judged(0.1) })], true);
    expect(verdict).toMatchObject({
      promoted: false,
      reason: expect.stringMatching(/^purchase: AUC -0\.\d+ to -?0\.\d+ against the champion's/),
    });
  });

  it("as good as the champion serves as a refresh, but not otherwise", () => {
    const same = head({ champion: judged(0.1) });
    expect(judgeHeads([same], true).promoted).toBe(true);
    expect(judgeHeads([same], false).promoted).toBe(false);
  });

  it("keeps the champion's head in place of another one that became surely worse", () => {
    const churn = head({ name: "churn", challenger: judged(0.5), champion: judged(0.1) });
    const verdict = judgeHeads([head({ champion: judged(0.1) }), churn], true);
    expect(verdict.promoted).toBe(true);
    expect(verdict.reason).toMatch(/; churn stays the champion's \(AUC/);
    expect(verdict.heads.map(({ serves }) => serves)).toEqual(["new", "champion"]);
  });

  it("takes the place of a head that was withheld once it tells members apart", () => {
    const level = { margins: labels.map(() => -1), probabilities: labels.map(() => 0.27) };
    const churn = head({ name: "churn", champion: level });
    const { heads } = judgeHeads([head({ champion: judged(0.1) }), churn], true);
    expect(heads[1]).toMatchObject({ serves: "new", reason: "better than the base rate" });
  });

  it("stays a challenger when its scores moved far", () => {
    const champion = judged(0.1);
    const moved = { ...champion, probabilities: champion.probabilities.map((p) => p / 4) };
    // Calibrated no worse: both say as little of a label that nobody has.
    const rare = head({ labels: labels.map((_, row) => (row % 400 === 0 ? 1 : 0)) });
    const verdict = judgeHeads([{ ...rare, challenger: moved, champion }], true);
    expect(verdict.reason).toMatch(/^purchase: scores moved: PSI \d/);
  });

  it("stays a challenger when it is calibrated worse", () => {
    const verdict = judgeHeads(
      [head({ challenger: judged(0.1, 0.5), champion: judged(0.1) })],
      true,
    );
    expect(verdict).toMatchObject({
      promoted: false,
      reason: expect.stringMatching(/calibration/),
    });
  });
});

describe("a ranker", () => {
  const better = members.map(() => 0.3 + random() / 10);
  const worse = members.map(() => 0.2 + random() / 10);

  it("serves when its NDCG is surely above that of its rival", () => {
    expect(judgeRanker(better, worse, members, "popularity", true).promoted).toBe(true);
    const lost = judgeRanker(worse, better, members, "champion", true);
    expect(lost).toEqual({ promoted: false, reason: expect.stringMatching(/against champion/) });
  });

  it("must beat popularity to be the first, and only keep up with a champion in a refresh", () => {
    expect(judgeRanker(better, better, members, "popularity", true).promoted).toBe(false);
    expect(judgeRanker(better, better, members, "champion", true).promoted).toBe(true);
    expect(judgeRanker(better, better, members, "champion", false).promoted).toBe(false);
  });
});

describe("the population stability index", () => {
  it("is 0 for the same scores and the textbook sum for moved ones", () => {
    const before = Array.from({ length: 100 }, (_, row) => row);
    expect(populationStability(before, before)).toBe(0);
    // All in the upper half: five bins fall from .1 to 0.005, five rise to .2.
    const after = before.map((value) => 50 + value / 2);
    const expected = 5 * (0.005 - 0.1) * Math.log(0.05) + 5 * 0.1 * Math.log(2);
    expect(populationStability(before, after)).toBeCloseTo(expected, 6);
  });
});

describe("the time an answer takes", () => {
  const fault = (challengerUs: number, championUs: number) =>
    latencyFault({ challengerUs, championUs });

  it("may be a fifth longer than the champion's, and a few microseconds whatever that is", () => {
    expect(fault(600, 500)).toBeNull();
    expect(fault(601, 500)).toMatch(/^answers in 601 µs, 1.20 times the champion's 500 µs/);
    expect(fault(40, 25)).toBeNull();
    expect(fault(41, 25)).toMatch(/1.64 times/);
  });
});
