import { describe, expect, it } from "vitest";
import { auc } from "../../src/training/metrics.js";
import { seededRandom } from "../../src/training/random.js";
import { loadXgboost, type TrainOptions } from "../../src/training/xgboost.js";
import { parseXgboostJson } from "../../src/training/xgboost-json.js";

const xgboost = loadXgboost();

/** Rows whose first two columns decide the label, with a share of values missing. */
function someRows(rowCount: number, columnCount: number, seed = 1, missing = 0.1) {
  const random = seededRandom(seed);
  const rows = Float32Array.from({ length: rowCount * columnCount }, () =>
    random() < missing ? Number.NaN : random() * 2 - 1,
  );
  const labels = Float32Array.from({ length: rowCount }, (_, row) => {
    const [first, second] = [rows[row * columnCount] || 0, rows[row * columnCount + 1] || 0];
    return first + second + random() - 0.5 > 0 ? 1 : 0;
  });
  return { rows, rowCount, labels, columnCount };
}

const logistic = (over: Partial<TrainOptions> = {}): TrainOptions => ({
  ...someRows(800, 4),
  objective: "binary:logistic",
  rounds: 20,
  threads: 1,
  ...over,
});

describe("XGBoost through its C interface", () => {
  it("lets its threads wait asleep, unless somebody asked otherwise", () => {
    const asked = process.env.OMP_WAIT_POLICY;
    process.env.OMP_WAIT_POLICY = "ACTIVE";
    loadXgboost();
    expect(process.env.OMP_WAIT_POLICY).toBe("ACTIVE");
    delete process.env.OMP_WAIT_POLICY;
    loadXgboost();
    expect(process.env.OMP_WAIT_POLICY).toBe("PASSIVE");
    if (asked !== undefined) process.env.OMP_WAIT_POLICY = asked;
  });

  it("learns to rank positives above negatives on rows it has not seen", () => {
    const model = xgboost.trainTrees(logistic());
    const unseen = someRows(500, 4, 2);
    const margins = xgboost.predictMargins(model, unseen.rows, unseen.rowCount);
    expect(auc(margins, unseen.labels)).toBeGreaterThan(0.85);
  });

  it("records the library version and the thread count, and starts logistic margins at 0", () => {
    const model = xgboost.trainTrees(logistic());
    expect(model.libraryVersion).toMatch(/^\d+\.\d+\.\d+$/);
    expect(model.threads).toBe(1);
    expect(model.baseMargin).toBe(0);
    expect(model.trees).toHaveLength(20);
  });

  it("gives the same bytes for the same seed and threads", () => {
    const options = logistic({ seed: 7, params: { subsample: 0.7 } });
    expect(xgboost.trainTrees(options).json).toEqual(xgboost.trainTrees(options).json);
    const other = xgboost.trainTrees({ ...options, seed: 8 });
    expect(other.json).not.toEqual(xgboost.trainTrees(options).json);
  });

  it("stops early and keeps only the rounds up to the best one", () => {
    const noise = someRows(300, 4, 3);
    const random = seededRandom(4);
    const evaluation = { ...noise, labels: noise.labels.map(() => (random() < 0.5 ? 1 : 0)) };
    const rounds: number[] = [];
    const model = xgboost.trainTrees(
      logistic({
        rounds: 200,
        evaluation,
        earlyStoppingRounds: 5,
        onRound: ({ round }) => rounds.push(round),
      }),
    );
    expect(rounds.at(-1)).toBe(model.bestIteration + 6);
    expect(model.trees).toHaveLength(model.bestIteration + 1);
  });

  it("ends when the progress callback throws", () => {
    const onRound = () => {
      throw new Error("cancelled");
    };
    expect(() => xgboost.trainTrees(logistic({ onRound }))).toThrow("cancelled");
  });

  it("obeys monotone constraints", () => {
    const model = xgboost.trainTrees(
      logistic({ rounds: 60, params: { monotone_constraints: "(-1,0,0,0)" } }),
    );
    const steps = Float32Array.from({ length: 21 * 4 }, (_, index) =>
      index % 4 === 0 ? index / 40 - 1 : 0,
    );
    const margins = [...xgboost.predictMargins(model, steps, 21)];
    expect(margins).toEqual([...margins].sort((a, b) => b - a));
  });

  it("starts a regression at the mean label", () => {
    const data = logistic();
    const labels = data.labels.map((label) => 10 + label);
    const model = xgboost.trainTrees({ ...data, labels, objective: "reg:squarederror" });
    expect(model.baseMargin).toBeGreaterThan(10);
    expect(model.baseMargin).toBeLessThan(11);
  });

  it("ranks within groups with LambdaMART", () => {
    const data = logistic({ objective: "rank:ndcg", groups: new Uint32Array(80).fill(10) });
    const model = xgboost.trainTrees(data);
    const margins = xgboost.predictMargins(model, data.rows, data.rowCount);
    expect(auc(margins, data.labels)).toBeGreaterThan(0.85);
    expect(model.baseMargin).toBe(0);
  });

  it("gives contributions that add up to the margin", () => {
    const model = xgboost.trainTrees(logistic());
    const { rows } = someRows(50, 4, 5);
    const margins = xgboost.predictMargins(model, rows, 50);
    const contributions = xgboost.predictContributions(model, rows, 50);
    for (let row = 0; row < 50; row++) {
      const sum = contributions.subarray(row * 5, row * 5 + 5).reduce((a, b) => a + b, 0);
      expect(sum).toBeCloseTo(margins[row], 5);
    }
  });

  it("says what to do when the library is not there", () => {
    expect(() => loadXgboost("/nowhere/libxgboost.so")).toThrow(
      expect.objectContaining({ code: "xgboost_missing" }),
    );
  });

  it("refuses to train on nothing, and reports what the library objects to", () => {
    const empty = { rows: new Float32Array(0), labels: new Float32Array(0), rowCount: 0 };
    expect(() => xgboost.trainTrees(logistic(empty))).toThrow(
      expect.objectContaining({ code: "not_enough_data" }),
    );
    expect(() => xgboost.trainTrees(logistic({ params: { max_depth: -3 } }))).toThrow(/XGBoost/);
  });
});

describe("XGBoost's JSON model", () => {
  const text = new TextDecoder().decode(xgboost.trainTrees(logistic({ rounds: 2 })).json);
  const parse = (json: string) => parseXgboostJson(new TextEncoder().encode(json));

  it("reads a base score written as a list, as XGBoost 3.1 does", () => {
    const listed = text.replace(/"base_score":"[^"]*"/, '"base_score":"[2.5E-1]"');
    expect(parse(listed).baseMargin).toBeCloseTo(Math.log(0.25 / 0.75), 12);
  });

  it("refuses what is not such a model, naming what is wrong", () => {
    const invalid = expect.objectContaining({ code: "model_invalid" });
    expect(() => parse("{")).toThrow(invalid);
    expect(() => parse("{}")).toThrow(/learner/);
    expect(() => parse(text.replace('"gbtree"', '"dart"'))).toThrow(invalid);
  });
});
