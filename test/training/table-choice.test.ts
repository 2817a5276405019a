import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { sigmoid } from "../../src/training/calibrate.js";
import { seededRandom } from "../../src/training/random.js";
import { choose } from "../../src/training/table-choice.js";
import { loadTableData } from "../../src/training/table-data.js";
import { loadXgboost } from "../../src/training/xgboost.js";

const directory = mkdtempSync(join(tmpdir(), "cuecard-table-choice-"));
afterAll(() => rmSync(directory, { recursive: true }));

/** Every value of `rate` is a day with a level of its own, next to days of another. */
async function chosenOf(count: number, isJagged: boolean) {
  const random = seededRandom(3);
  const days = Array.from({ length: 300 }, () => (random() < 0.5 ? -1 : 1));
  const lines = Array.from({ length: count }, () => {
    const day = Math.floor(random() * days.length);
    const taste = random() * 2 - 1;
    const margin = isJagged ? days[day] * (taste > 0 ? 1.5 : -0.5) : 2 * taste;
    return `${day / 1000},${taste.toFixed(3)},${random() < sigmoid(margin - 1) ? 1 : 0}`;
  });
  const file = join(directory, `${count}-${isJagged}.csv`);
  writeFileSync(file, `rate,taste,bought\n${lines.join("\n")}\n`);
  const data = await loadTableData({ file, label: "bought" });
  const arm = { name: "probability", has: () => true };
  let fits = 0;
  let planned = 0;
  const choice = choose(loadXgboost(), data, data.rows, [arm], {
    seed: 1,
    threads: 1,
    isOrdered: false,
    onFit: (total) => {
      fits++;
      planned = total;
    },
  });
  expect(fits).toBe(planned);
  return choice;
}

describe("the choice of a learner for many rows", { timeout: 60_000 }, () => {
  it("finds what single days do, which trees of few levels miss, and tries an average of the best", async () => {
    const { parts, tried, chosen } = await chosenOf(12_000, true);
    expect(parts.map(({ crossFit }) => crossFit.recipe.name).join()).toMatch(/leaves/);
    expect(tried.some(({ name }) => name.startsWith("average of"))).toBe(true);
    const figureOf = (name: string | RegExp) => tried.find((one) => one.name.match(name))?.figure;
    expect(figureOf(/^trees of depth/)).toBeLessThan((figureOf(chosen) ?? 0) - 0.02);
  });

  it("gains nothing by it where a straight line is all there is", async () => {
    const { parts } = await chosenOf(12_000, false);
    expect(parts.some(({ crossFit }) => crossFit.recipe.learner === "linear")).toBe(true);
  });

  it("leaves small leaves alone where rows are few", async () => {
    const { tried } = await chosenOf(5000, true);
    expect(tried.map(({ name }) => name).join()).not.toMatch(/leaves|average/);
  });
});
