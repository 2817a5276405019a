/**
 * How good the models are on public data: every row of the table in the decision-science notes, beside
 * baselines run by the same command. Writes bench/QUALITY.md, plots beside it, and the figures as JSON.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { loadConfig } from "../src/config.js";
import { startProgress } from "../src/progress.js";
import { loadXgboost, type Xgboost } from "../src/training/xgboost.js";
import { journeyBasket, retailBasket, retailSession, tafeng } from "./quality/baskets.js";
import { cdnow } from "./quality/cdnow.js";
import { hillstrom } from "./quality/hillstrom.js";
import { renderQuality } from "./quality/render.js";
import type { Results, SetResult } from "./quality/result.js";
import type { QualitySet } from "./quality/set.js";
import { retailShop } from "./quality/shop.js";
import { bankOrder, bankRandom, telco } from "./quality/tables.js";
import { projectRoot } from "./support/compile.js";
import { cpuMicroseconds } from "./support/cpu.js";
import type { BenchOptions } from "./support/options.js";
import { commitOf, machineOf } from "./support/results.js";

const SETS: readonly QualitySet[] = [
  bankRandom,
  bankOrder,
  telco,
  hillstrom,
  cdnow,
  tafeng,
  retailBasket,
  retailShop,
  retailSession,
  journeyBasket,
];
const FOLDER = `${projectRoot}bench/quality`;
const REPORT = `${projectRoot}bench/QUALITY.md`;
const THREADS = 2;

export async function benchQuality({ only, seed }: BenchOptions): Promise<void> {
  const { datasetsDir, xgboostLibrary } = loadConfig();
  if (datasetsDir === undefined) {
    throw new Error("CUECARD_DATASETS names no folder: there is nothing to measure on");
  }
  const wanted = SETS.filter(({ id }) => only === "" || isNamed(id, only));
  if (wanted.length === 0) {
    throw new Error(`--only ${only}: there are ${SETS.map(({ id }) => id).join(", ")}`);
  }
  const xgboost = loadXgboost(xgboostLibrary);
  for (const set of wanted) {
    const folder = join(datasetsDir, set.folder);
    const missing = set.files.filter((file) => !existsSync(join(folder, file)));
    if (missing.length > 0) {
      process.stderr.write(`${set.id}: skipped, ${set.folder} lacks ${missing.join(", ")}\n`);
      continue;
    }
    // Kept after every set: a run that is cut off loses one set at most.
    keep(set.id, await measured(set, folder, { xgboost, xgboostLibrary, seed }));
  }
  process.stdout.write(`${REPORT}\n`);
}

/** `bank` names bank and bank-order. */
const isNamed = (id: string, only: string): boolean =>
  only.split(",").some((name) => id === name || id.startsWith(`${name}-`));

async function measured(
  set: QualitySet,
  folder: string,
  shared: { xgboost: Xgboost; xgboostLibrary: string | undefined; seed: number },
): Promise<SetResult> {
  const progress = startProgress(set.id);
  const startedAt = performance.now();
  const cpuAtStart = cpuMicroseconds();
  try {
    const figures = await set.measure({
      ...shared,
      threads: THREADS,
      path: (name) => join(folder, name),
      onProgress: (share, text) => progress.update(share, text),
      plot(name, svg) {
        mkdirSync(`${FOLDER}/plots`, { recursive: true });
        writeFileSync(`${FOLDER}/plots/${set.id}-${name}.svg`, svg);
        return `plots/${set.id}-${name}.svg`;
      },
    });
    const seconds = (performance.now() - startedAt) / 1000;
    return {
      ...figures,
      measured: {
        at: `${new Date().toISOString().slice(0, 16)}Z`,
        commit: commitOf(),
        machine: machineOf(),
        node: process.versions.node,
        xgboost: shared.xgboost.version,
        threads: THREADS,
        seconds,
        cpuSeconds: (cpuMicroseconds() - cpuAtStart) / 1e6,
      },
    };
  } finally {
    progress.stop();
  }
}

function keep(id: string, result: SetResult): void {
  const file = `${FOLDER}/results.json`;
  const before = existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as Results) : {};
  const results = { ...before, [id]: result };
  writeFileSync(file, `${JSON.stringify(results, null, 2)}\n`);
  writeFileSync(REPORT, renderQuality(SETS, results));
}
