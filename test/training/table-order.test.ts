import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { sigmoid } from "../../src/training/calibrate.js";
import { seededRandom, shuffle } from "../../src/training/random.js";
import { evaluateTable, scoreTable, trainTable } from "../../src/training/table.js";

const directory = mkdtempSync(join(tmpdir(), "cuecard-table-order-"));
afterAll(() => rmSync(directory, { recursive: true }));

let files = 0;
const aPath = () => join(directory, String(++files));

type Row = Record<string, string | number>;

function aCsv(rows: readonly Row[]): string {
  const path = `${aPath()}.csv`;
  const names = Object.keys(rows[0]);
  const lines = rows.map((row) => names.map((name) => row[name]).join(","));
  writeFileSync(path, `${names.join(",")}\n${lines.join("\n")}\n`);
  return path;
}

/**
 * An index climbs out of the range it was ever seen in, and the rate falls with it; `taste` matters
 * all along. Trees know nothing beyond the highest index of the training rows.
 */
function climbing(count: number, seed = 4): Row[] {
  const random = seededRandom(seed);
  return Array.from({ length: count }, (_, row) => {
    const index = (3 * row) / count + random();
    const taste = random() * 2 - 1;
    const margin = 2 * taste + 6 - 2.5 * index;
    const bought = random() < sigmoid(margin) ? 1 : 0;
    const gap = random() < 0.1;
    const time = new Date(Date.UTC(2024, 0, 1) + row * 3_600_000).toISOString().slice(0, 19);
    return {
      index: index.toFixed(3),
      taste: gap ? "" : taste.toFixed(3),
      noise: random().toFixed(3),
      time,
      bought,
    };
  });
}

const many = climbing(2400);
const rows = climbing(600);
const options = { label: "bought", threads: 1, drop: ["time"] };
const ordered = { ...options, split: "order:0.8" };

describe("a table in order of time", { timeout: 120_000 }, () => {
  it("tells what drifts, tries ways around it, and beats trees that cannot extrapolate", async () => {
    const evaluation = await evaluateTable({ ...ordered, file: aCsv(many) });
    const moved = evaluation.drift?.columns.filter(({ isDrifting }) => isDrifting);
    expect(moved?.map(({ column }) => column)).toEqual(["index"]);
    expect(evaluation.drift?.adversarialAuc).toBeGreaterThan(0.9);
    expect(evaluation.notes.join()).toMatch(/drift of columns.*index \(PSI/);

    const [choice] = evaluation.choices;
    const tried = choice.tried.map(({ name }) => name).join();
    expect(tried).toMatch(/without what drifts/);
    expect(tried).toMatch(/drift relative to its level/);
    expect(choice.chosen).toMatch(/linear/);
    expect(choice.criterion).toMatch(/later parts of the training rows/);
    const trees = evaluation.baselines.find(({ name }) => name === "XGBoost defaults");
    expect(evaluation.auc).toBeGreaterThan(trees?.auc ?? 1);
  });

  it("finds no drift where there is none, and tries no way around it", async () => {
    const still = climbing(900).map(({ index, ...row }, at) => ({ ...row, still: (at * 7) % 11 }));
    const { drift, choices } = await evaluateTable({ ...ordered, file: aCsv(still) });
    expect(drift?.columns.some(({ isDrifting }) => isDrifting)).toBe(false);
    expect(drift?.adversarialAuc).toBeLessThan(0.6);
    expect(choices[0].tried.map(({ name }) => name).join()).not.toMatch(/drift/);
  });

  it("chooses by the training rows alone: what the held-out rows say changes nothing", async () => {
    const turned = rows.map((row, at) =>
      at < rows.length * 0.8 ? row : { ...row, bought: 1 - Number(row.bought), taste: 0 },
    );
    const [one, two] = [rows, turned].map((table) =>
      evaluateTable({ ...ordered, file: aCsv(table) }),
    );
    const [{ choices: first }, { choices: second }] = [await one, await two];
    expect(second[0].tried).toEqual(first[0].tried);
  });

  it("puts shuffled rows in order by a column of times", async () => {
    const order = shuffle([...rows.keys()], seededRandom(1));
    const shuffled = aCsv(order.map((row) => rows[row]));
    const byTime = await evaluateTable({ ...ordered, file: shuffled, time: "time" });
    const byFile = await evaluateTable({ ...ordered, file: aCsv(rows) });
    expect(byTime.heldOut[0].labels).toEqual(byFile.heldOut[0].labels);
    expect(byTime.auc).toBeCloseTo(byFile.auc ?? 0, 3);
  });

  it("is noticed by its rising dates, measured on the latest rows, and served as chosen", async () => {
    const out = aPath();
    const file = aCsv(rows);
    const { manifest } = await trainTable({ file, out, label: "bought", threads: 1 });
    expect(manifest.order).toBe("time");
    expect(manifest.measured).toBe("order:0.8");
    const report = readFileSync(join(out, "report.md"), "utf8");
    expect(report).toMatch(/\| index \| \d+\.\d\d \| 0\.9\d+ \| drifts \|/);
    expect(report).toContain(`**${manifest.chosen.name}**`);
    await scoreTable({ model: out, file, out: `${out}.csv` });
    const scores = readFileSync(`${out}.csv`, "utf8")
      .trim()
      .split("\n")
      .slice(1)
      .map((line) => Number(line.split(",")[1]));
    const mean = (from: number, to: number) =>
      scores.slice(from, to).reduce((sum, score) => sum + score, 0) / (to - from);
    expect(mean(0, 150)).toBeGreaterThan(mean(450, 600) + 0.2);
  });

  it("says when a file nobody called ordered looks like it is", async () => {
    const file = aCsv(rows);
    const { notes, manifest } = await trainTable({ ...options, file, out: aPath() });
    expect(manifest.order).toBeUndefined();
    expect(notes.join()).toMatch(/--ordered/);
  });

  it("falls back to random folds when the rows are sorted by the label", async () => {
    const sorted = rows.toSorted((a, b) => Number(a.bought) - Number(b.bought));
    const { manifest } = await trainTable({
      ...options,
      file: aCsv(sorted),
      out: aPath(),
      ordered: true,
    });
    expect(manifest.order).toBeUndefined();
    expect(manifest.metrics.auc).toBeGreaterThan(0.8);
  });
});
