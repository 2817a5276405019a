import {
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { seededRandom } from "../../src/training/random.js";
import { tableReportLines } from "../../src/training/report-lines.js";
import {
  type EvaluateTableOptions,
  scoreTable,
  type TrainTableOptions,
  evaluateTable as tableEvaluation,
  trainTable as tableTraining,
} from "../../src/training/table.js";

// One thread: on a busy machine several wait for each other.
const trainTable = (options: TrainTableOptions) => tableTraining({ threads: 1, ...options });
const evaluateTable = (options: EvaluateTableOptions) =>
  tableEvaluation({ threads: 1, ...options });

const directory = mkdtempSync(join(tmpdir(), "cuecard-table-"));
afterAll(() => rmSync(directory, { recursive: true }));

let files = 0;
const aPath = (extension = "csv") => join(directory, `${++files}.${extension}`);

function aCsv(rows: readonly Record<string, string | number>[]): string {
  const path = aPath();
  const names = Object.keys(rows[0]);
  const lines = rows.map((row) => names.map((name) => row[name]).join(","));
  writeFileSync(path, `${names.join(",")}\n${lines.join("\n")}\n`);
  return path;
}

/** Buyers are those who visit often and live in the north; everything else is noise. */
function customers(count: number, seed = 1) {
  const random = seededRandom(seed);
  return Array.from({ length: count }, (_, row) => {
    const visits = Math.floor(random() * 10);
    const region = ["north", "south", "west"][Math.floor(random() * 3)];
    const chance = (visits / 10) * (region === "north" ? 1 : 0.3);
    return {
      id: `m${row}-${Math.floor(random() * 1e9)}`,
      visits: random() < 0.1 ? "" : visits,
      region,
      city: `city${Math.floor(random() * 40)}`,
      joined: `2024-0${1 + Math.floor(random() * 9)}-11`,
      country: "CN",
      bought: random() < chance ? "yes" : "no",
    };
  });
}

const fault = (code: string, detail: RegExp) =>
  expect.objectContaining({ code, detail: expect.stringMatching(detail) });

describe("training a model from a flat table", { timeout: 120_000 }, () => {
  const file = aCsv(customers(1500));

  it("writes a model that scores the file it has never seen, ranked well and calibrated", async () => {
    const out = aPath("model");
    const stages = new Set<string>();
    const onProgress = ({ stage }: { stage: string }) => stages.add(stage);
    const { manifest, checks } = await trainTable({ file, label: "bought", out, onProgress });
    expect(manifest.metrics.auc).toBeGreaterThan(0.72);
    expect(manifest.metrics.ece).toBeLessThan(0.05);
    expect(checks.constantColumns).toEqual(["country"]);
    expect(checks.identifierColumns).toEqual(["id"]);
    expect(checks.missing[0].column).toBe("visits");
    expect(manifest.features).toContain("region=north");
    expect(stages).toEqual(new Set(["read", "fit", "measure"]));
    const report = readFileSync(join(out, "report.md"), "utf8");
    expect(report).toMatch(/AUC \| 0\.[78]/);
    expect(report).toMatch(/^ALIFT is the area/m);
    // What is to be typed again finds the file from where it was typed first.
    expect(report).toContain(`train table --file ${file} --label bought`);
    expect(existsSync(join(out, "calibration.svg"))).toBe(true);

    const unseen = customers(800, 2);
    const scores = aPath();
    await scoreTable({ model: out, file: aCsv(unseen), out: scores });
    const [header, ...lines] = readFileSync(scores, "utf8").trim().split("\n");
    expect(header).toBe("row,score");
    expect(lines).toHaveLength(800);
    const meanOf = (region: string) => {
      const own = lines.filter((_, row) => unseen[row].region === region);
      return own.reduce((sum, line) => sum + Number(line.split(",")[1]), 0) / own.length;
    };
    expect(meanOf("north")).toBeCloseTo(0.45, 1);
    expect(meanOf("south")).toBeCloseTo(0.135, 1);
  });

  it("gives the same model for the same file, seed and threads", async () => {
    const [one, two] = [aPath("model"), aPath("model")];
    const options = { file: aCsv(customers(500)), label: "bought", seed: 3 };
    const first = await trainTable({ ...options, out: one });
    const second = await trainTable({ ...options, out: two });
    expect(first.manifest.model.sha256).toBe(second.manifest.model.sha256);
    expect(first.manifest.library.threads).toBe(1);
  });

  it("reports a copied label as a suspected leak, and repeated rows", async () => {
    const rows = customers(400).map((row) => ({ ...row, echo: row.bought === "yes" ? "b" : "a" }));
    const repeats = aCsv([...rows, rows[0], rows[1]]);
    const { checks, notes } = await trainTable({ file: repeats, label: "bought", out: aPath("m") });
    expect(checks.suspectedLeaks.map((leak) => leak.column)).toEqual(["echo"]);
    expect(notes.join()).toMatch(/suspected leak: echo/);
    const measured = { file: repeats, label: "bought", split: "random:0.3" };
    expect((await evaluateTable(measured)).notes.join()).toMatch(/suspected leak: echo/);
    expect(checks.duplicateRows).toBe(2);
  });

  it("says so when held-out rows repeat training rows", async () => {
    const random = seededRandom(6);
    const rows = customers(300).map((row) => ({ ...row, spent: random() }));
    const options = { label: "bought", split: "random:0.3" };
    const repeated = aCsv([...rows, ...rows, ...rows]);
    const { notes } = await evaluateTable({ ...options, file: repeated, split: "order:0.7" });
    expect(notes.join()).toMatch(/held-out rows repeat a training row in every input/);
    expect(notes.join()).not.toMatch(/kept on one side/);
    const apart = await evaluateTable({ ...options, file: repeated });
    expect(apart.notes.join()).toMatch(/600 of 900 rows equal another in every input: .*one side/);
    expect(apart.notes.join()).not.toMatch(/repeat a training row/);
    const once = await evaluateTable({ ...options, file: aCsv(rows) });
    expect(once.notes.join()).not.toMatch(/repeat/);
  });

  it("measures rare positives in folds, each of them held out once", async () => {
    const random = seededRandom(9);
    const rows = Array.from({ length: 2400 }, () => {
      const x = random();
      return { x, y: random() < 0.06 * x ? 1 : 0 };
    });
    const { manifest } = await trainTable({ file: aCsv(rows), label: "y", out: aPath("m") });
    expect(manifest.measured).toBe("kfold:3");
  });

  it("suspects a leak that two columns share", async () => {
    const random = seededRandom(4);
    const rows = customers(1000).map((row) => {
      const before = random() < 0.5;
      const after = before !== (row.bought === "yes");
      return { ...row, before: Number(before), after: Number(after) };
    });
    const { checks, notes } = await trainTable({
      file: aCsv(rows),
      label: "bought",
      out: aPath("m"),
    });
    expect(checks.suspectedLeaks).toEqual([]);
    expect(notes.join()).toMatch(/suspected leak: AUC .*(before|after)/);
  });

  it("finds a leak in a column that is only filled for buyers", async () => {
    const rows = customers(400).map((row) => ({ ...row, paid: row.bought === "yes" ? "9" : "" }));
    const options = { file: aCsv(rows), label: "bought", out: aPath("m") };
    expect((await trainTable(options)).checks.suspectedLeaks[0].column).toBe("paid");
  });

  it("says what is wrong with the label, the columns or the amount of data", async () => {
    const train = (over: object) =>
      trainTable({ file, label: "bought", out: aPath("model"), ...over });
    await expect(train({ label: "sold" })).rejects.toThrow(fault("file_invalid", /no column sold/));
    await expect(train({ positive: "maybe" })).rejects.toThrow(fault("file_invalid", /maybe/));
    await expect(train({ label: "region" })).rejects.toThrow(fault("usage", /--positive/));
    await expect(train({ label: "country" })).rejects.toThrow(fault("file_invalid", /CN only/));
    await expect(train({ drop: ["hat"] })).rejects.toThrow(fault("file_invalid", /no column hat/));
    const few = aCsv(customers(30));
    await expect(train({ file: few })).rejects.toThrow(fault("not_enough_data", /positives/));
    const bare = aCsv(customers(200).map(({ country, bought }) => ({ country, bought })));
    await expect(train({ file: bare })).rejects.toThrow(fault("not_enough_data", /no column/));
    await expect(train({ out: file })).rejects.toThrow(fault("usage", /a file of that name/));
    const library = { xgboostLibrary: "/nowhere/libxgboost.so" };
    await expect(train(library)).rejects.toThrow(fault("xgboost_missing", /nowhere/));
  });
});

describe("scoring with a stored model", async () => {
  const file = aCsv(customers(400));
  const model = aPath("model");
  await trainTable({ file, label: "bought", positive: "yes", out: model });

  it("asks for the columns it needs, takes any order, and ignores others", async () => {
    const without = aCsv(customers(5).map(({ visits: _visits, ...row }) => row));
    const options = { model, out: aPath() };
    const missing = fault("file_invalid", /needs these columns: visits/);
    await expect(scoreTable({ ...options, file: without })).rejects.toThrow(missing);
    const rows = customers(5);
    const turned = rows.map((row) => Object.fromEntries(Object.entries(row).reverse()));
    const [one, two] = [aPath(), aPath()];
    await scoreTable({ model, file: aCsv(rows), out: one });
    await scoreTable({ model, file: aCsv(turned.map((row) => ({ extra: 1, ...row }))), out: two });
    expect(readFileSync(two, "utf8")).toBe(readFileSync(one, "utf8"));
  });

  it("tells which columns said nothing to the model, and copies an id beside the score", async () => {
    const rows = customers(60).map((row, at) => ({
      ...row,
      id: at === 0 ? '"m,0"' : `m${at}`,
      visits: at < 20 ? "many" : at < 30 ? "" : 3,
      region: at < 12 ? "moon" : "north",
      joined: at < 2 ? "soon" : "2024-05-11",
    }));
    const out = aPath();
    const { notes } = await scoreTable({ model, file: aCsv(rows), out, id: "id" });
    expect(notes).toEqual([
      "visits: no value in 10 of 60 rows",
      "visits: an unreadable number in 20 of 60 rows; taken as missing there",
      "region: a level the model does not know by itself in 12 of 60 rows",
    ]);
    const lines = readFileSync(out, "utf8").split("\n");
    expect(lines[0]).toBe("row,score,id");
    expect(lines[1]).toMatch(/^1,0\.\d+,"m,0"$/);
    expect(lines[2]).toMatch(/^2,0\.\d+,m1$/);
    const wrong = scoreTable({ model, file: aCsv(rows), out, id: "nobody" });
    await expect(wrong).rejects.toThrow(fault("file_invalid", /no column nobody/));
  });

  it("refuses to write over the table it scores, and says where it cannot write", async () => {
    const table = aCsv(customers(5));
    const before = readFileSync(table, "utf8");
    const score = (out: string) => scoreTable({ model, file: table, out });
    await expect(score(table)).rejects.toThrow(fault("usage", /itself/));
    expect(readFileSync(table, "utf8")).toBe(before);
    const nowhere = join(directory, "nowhere", "scores.csv");
    await expect(score(nowhere)).rejects.toThrow(fault("usage", /directory does not exist/));
    await expect(score(directory)).rejects.toThrow(fault("usage", /is a directory/));
  });

  it("says that a column of which nothing can be read counts as empty", async () => {
    const rows = customers(60).map((row, at) => ({
      ...row,
      visits: at < 5 ? "" : "v3",
      joined: "11th of May",
    }));
    const { notes } = await scoreTable({ model, file: aCsv(rows), out: aPath() });
    const empty = /; none could be read, so the scores were made as if the column were empty/;
    expect(notes).toEqual([
      "visits: no value in 5 of 60 rows",
      expect.stringMatching(/^visits: an unreadable number in 55 of 60 rows/),
      expect.stringMatching(/^joined: an unreadable date in 60 of 60 rows/),
    ]);
    expect(notes.filter((note) => empty.test(note))).toHaveLength(2);
  });

  it("refuses a model whose files do not belong together", async () => {
    const path = join(model, "manifest.json");
    const intact = readFileSync(path, "utf8");
    const score = () => scoreTable({ model, file, out: aPath() });
    writeFileSync(path, intact.replace('"region"', '"city"'));
    await expect(score()).rejects.toThrow(fault("model_invalid", /encoder/));
    writeFileSync(path, "{}");
    await expect(score()).rejects.toThrow(fault("model_invalid", /no table model/));
    const nowhere = scoreTable({ model: aPath("none"), file, out: aPath() });
    await expect(nowhere).rejects.toMatchObject({ remedy: expect.stringMatching(/train table/) });
    writeFileSync(path, intact);
    truncateSync(join(model, "model.onnx"), 100);
    await expect(score()).rejects.toThrow(fault("model_invalid", /not the file/));
  });
});

describe("evaluating on held-out rows", { timeout: 120_000 }, () => {
  it("gives the same figures for the same seed, with intervals around them", async () => {
    const options = { file: aCsv(customers(800)), label: "bought", split: "kfold:3", threads: 1 };
    const first = await evaluateTable(options);
    expect(first.heldOutRows).toBe(800);
    expect(first.folds).toHaveLength(3);
    expect(first.auc).toBeGreaterThan(0.7);
    expect(first.intervals.auc.low).toBeLessThan(first.auc ?? 0);
    expect(await evaluateTable(options)).toEqual(first);
  });

  it("says of every figure ahead of a plain one that it is ahead, where less is better too", async () => {
    const options = { file: aCsv(customers(800)), label: "bought", split: "random:0.4" };
    const lines = tableReportLines(await evaluateTable(options)).split("\n");
    for (const name of ["auc", "logLoss"]) {
      const line = lines.find((one) => one.startsWith(`base rate ${name} `));
      expect(line).toMatch(/ours ahead by \(0\.\d+ … 0\.\d+\)$/);
    }
  });

  it("finds nothing where labels are permuted", async () => {
    const rows = customers(1500);
    const random = seededRandom(5);
    const noise = rows.map((row) => ({ ...row, bought: random() < 0.3 ? "yes" : "no" }));
    const { auc = 0, notes } = await evaluateTable({
      file: aCsv(noise),
      label: "bought",
      split: "kfold:3",
    });
    const standardError = Math.sqrt(1 / (12 * 1500 * 0.3 * 0.7));
    expect(Math.abs(auc - 0.5)).toBeLessThan(3 * standardError);
    expect(notes.join()).toMatch(/no skill can be claimed/);
  });

  it("tells of numbers and dates in notations it does not read, and of what the label leaves out", async () => {
    const random = seededRandom(8);
    const rows = customers(600).map((row, i) => ({
      ...row,
      income: `${1000 + Math.floor(random() * 9000)}.${10 + (i % 90)} EUR`,
      price: `"${Math.floor(random() * 900)},${10 + (i % 90)}"`,
      born: `${1 + (i % 28)}.0${1 + (i % 9)}.${1950 + (i % 50)}`,
      age: i % 12 === 0 ? "old" : 20 + Math.floor(random() * 60),
      code: `A${i % 40}-${i % 7}`,
      bought: i % 10 === 0 ? "" : i % 7 === 0 ? "maybe" : row.bought,
    }));
    const measured = { label: "bought", positive: "yes", split: "random:0.3" };
    const notes = (await evaluateTable({ ...measured, file: aCsv(rows) })).notes.join("\n");
    expect(notes).toMatch(/income looks like numbers \(such as "\d+\.\d+ EUR"\)/);
    expect(notes).toMatch(/price looks like numbers \(such as "\d+,\d+"\)/);
    expect(notes).toMatch(/born looks like dates .* write them as YYYY-MM-DD/);
    expect(notes).toMatch(/age is 91\.7 % numbers .*\(such as "old"\)/);
    expect(notes).toMatch(/bought has 3 levels: yes counts as yes, all others as no/);
    expect(notes).toMatch(/60 of 600 rows have no bought/);
    expect(notes).not.toMatch(/^(city|region|joined|id|code|visits) /m);
  });

  it("splits by order of the file and reports when the share of positives moves", async () => {
    const rows = customers(1000).sort((a, b) => Number(a.visits || 0) - Number(b.visits || 0));
    const file = aCsv(rows);
    const ordered = await evaluateTable({ file, label: "bought", split: "order:0.8" });
    expect(ordered.heldOutRows).toBe(200);
    expect(ordered.notes.join()).toMatch(/drift/);
    const random = await evaluateTable({ file, label: "bought", split: "random:0.2" });
    expect(random.heldOutRows).toBe(200);
    expect(random.notes.join()).not.toMatch(/drift/);
  });

  it("refuses a split it does not know", async () => {
    for (const split of ["kfold:1", "random:1.5", "order", "loo:3", "kfold:2.5"]) {
      const options = { file: "unread.csv", label: "bought", split };
      await expect(evaluateTable(options)).rejects.toThrow(fault("usage", /is no split/));
    }
  });
});

describe("uplift", { timeout: 120_000 }, () => {
  /** Treatment adds `effect` to the chance of the young and nothing to that of the old. */
  function trial(count: number, effect: number) {
    const random = seededRandom(11);
    return Array.from({ length: count }, () => {
      const age = 20 + Math.floor(random() * 60);
      const arm = random() < 0.5 ? "letter" : "none";
      const chance = 0.2 + (arm === "letter" && age < 50 ? effect : 0);
      return { age, noise: random().toFixed(3), arm, visit: random() < chance ? 1 : 0 };
    });
  }

  it("ranks those first whom the treatment moves", async () => {
    const rows = trial(4000, 0.3);
    const model = aPath("model");
    const options = { file: aCsv(rows), label: "visit", treatment: "arm" };
    const { manifest } = await trainTable({ ...options, out: model });
    expect(manifest.task).toBe("uplift");
    expect(manifest.treatment).toEqual({ column: "arm", treated: "letter", control: "none" });
    expect(manifest.metrics.qiniLow).toBeGreaterThan(0);
    const out = aPath();
    await scoreTable({
      model,
      file: aCsv([
        { age: 30, noise: 0.5 },
        { age: 70, noise: 0.5 },
      ]),
      out,
    });
    const [header, young, old] = readFileSync(out, "utf8").trim().split("\n");
    expect(header).toBe("row,uplift");
    expect(Number(young.split(",")[1])).toBeCloseTo(0.3, 0.5);
    expect(Number(young.split(",")[1]) - Number(old.split(",")[1])).toBeGreaterThan(0.15);
  });

  it("claims nothing where there is nothing", async () => {
    const options = { file: aCsv(trial(3000, 0)), label: "visit", treatment: "arm" };
    const { intervals, notes } = await evaluateTable({ ...options, split: "random:0.5" });
    expect(intervals.qini.low).toBeLessThanOrEqual(0);
    expect(notes.join()).toMatch(/no uplift ranking can be claimed/);
    expect(notes.join()).not.toMatch(/not given at random/);
    expect(intervals.averageEffect.low).toBeLessThan(0);
    expect(intervals.averageEffect.high).toBeGreaterThan(0);
  });

  it("claims no effect where the inputs decided who was treated", async () => {
    const random = seededRandom(5);
    const rows = trial(2000, 0.3).map((row) => ({
      ...row,
      arm: random() < (row.age < 50 ? 0.7 : 0.3) ? "letter" : "none",
    }));
    const options = { file: aCsv(rows), label: "visit", treatment: "arm" };
    const { notes } = await evaluateTable({ ...options, split: "random:0.5" });
    expect(notes[0]).toMatch(
      /treatment was not given at random: no effect can be claimed.*0\.[67]/,
    );
  });

  it("asks which arms to compare when there are more than two", async () => {
    const arms = ["a", "b", "none"];
    const rows = trial(600, 0.2).map((row, index) => ({ ...row, arm: arms[index % 3] }));
    const options = { file: aCsv(rows), label: "visit", treatment: "arm", out: aPath("model") };
    await expect(trainTable(options)).rejects.toThrow(fault("usage", /--treated/));
    const { manifest, checks } = await trainTable({ ...options, treated: "a" });
    expect(manifest.treatment?.control).toBe("none");
    expect(checks.unusedRows).toBe(200);
  });
});
