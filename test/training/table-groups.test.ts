import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { seededRandom } from "../../src/training/random.js";
import { evaluateTable } from "../../src/training/table.js";
import { labelsOf, loadTableData } from "../../src/training/table-data.js";
import { innerFolds } from "../../src/training/table-folds.js";
import { dealGroups } from "../../src/training/table-groups.js";
import { splitRows } from "../../src/training/table-split.js";

const directory = mkdtempSync(join(tmpdir(), "cuecard-table-groups-"));
afterAll(() => rmSync(directory, { recursive: true }));

const GROUPS = 150;
const random = seededRandom(2);
const labelOf = Array.from({ length: GROUPS }, () => (random() < 0.3 ? 1 : 0));
/** The home decides the label; `mark` names the home, and nothing else says anything. */
const homes = Array.from({ length: 900 }, () => Math.floor(random() * GROUPS));
const file = join(directory, "homes.csv");
writeFileSync(
  file,
  `home,mark,noise,bought\n${homes
    .map((home) => `h${home},${(home * 0.37).toFixed(2)},${random()},${labelOf[home]}`)
    .join("\n")}\n`,
);

describe("rows that belong together", { timeout: 60_000 }, () => {
  it("stand on one side of every split, with every part's share of positives alike", () => {
    const labels = homes.map((home) => labelOf[home]);
    const rate = labels.reduce<number>((sum, label) => sum + label, 0) / labels.length;
    const rows = Uint32Array.from(homes.keys());
    const folds = innerFolds(labels, labels, { seed: 1, isOrdered: false }, homes);
    const pairs = [
      ...folds.map(({ fit, held }) => [fit, held]),
      ...["kfold:4", "random:0.3"].flatMap((split) =>
        splitRows(rows, labels, split, 1, homes).map(({ train, test }) => [train, test]),
      ),
    ];
    expect(pairs).toHaveLength(10);
    for (const [fit, held] of pairs) {
      const seen = new Set(Array.from(fit, (row) => homes[row]));
      expect(held.some((row) => seen.has(homes[row]))).toBe(false);
      const own = held.reduce((sum, row) => sum + labels[row], 0) / held.length;
      expect(Math.abs(own - rate)).toBeLessThan(0.05);
    }
    const part = dealGroups(homes, labels, [0.7, 0.3], 1);
    expect(part.reduce((sum, one) => sum + one, 0) / part.length).toBeCloseTo(0.3, 1);
  });

  it("leaves no skill where only the group was known by heart, and says how rows were split", async () => {
    const options = { file, label: "bought", positive: "1", threads: 1, split: "random:0.3" };
    const byRow = await evaluateTable({ ...options, drop: ["home"] });
    const byGroup = await evaluateTable({ ...options, group: "home" });
    expect(byRow.auc).toBeGreaterThan(0.8);
    expect(byGroup.auc).toBeLessThan(0.65);
    expect(byGroup.notes.join()).toMatch(/rows of one home were kept on one side .* groups/);
    const wrong = evaluateTable({ ...options, group: "home", ordered: true });
    await expect(wrong).rejects.toMatchObject({ code: "usage" });
  });

  it("takes the group for no input, and equal inputs for no copies where inputs are few", async () => {
    const data = await loadTableData({ file, label: "bought", group: "home" });
    expect(data.kinds.map(({ column }) => column)).toEqual(["mark", "noise"]);
    expect(data.groups?.count).toBe(new Set(homes).size);
    const few = await loadTableData({ file, label: "bought", drop: ["noise", "mark", "home"] });
    expect(few.groups).toBeUndefined();
    expect(labelsOf(few, few.rows)).toHaveLength(900);
  });
});
