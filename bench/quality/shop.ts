/**
 * Online Retail through the product as an operator runs it: `import events` of everything before the
 * cut, `train`, then `import events` of the rest; what was trained before is measured after.
 */
import { spawn } from "node:child_process";
import { createReadStream, createWriteStream, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { finished } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { environmentWith, loadConfig } from "../../src/config.js";
import type { Core } from "../../src/core.js";
import { fitDeps } from "../../src/job-functions.js";
import type { Dataset } from "../../src/training/dataset.js";
import { gatherData, type ModelName, survey } from "../../src/training/training-data.js";
import { withCore } from "../../src/with-core.js";
import { projectRoot } from "../support/compile.js";
import type { SetFigures } from "./result.js";
import type { QualitySet, SetContext } from "./set.js";
import { laterRows, measureHeads } from "./shop-heads.js";
import { laterSlices, measureRanker } from "./shop-ranker.js";

const CUT = "2011-09-09";
const SHOP = "timezone: Europe/London\ncurrency: GBP\n";
const MAP =
  "member=CustomerID,order=InvoiceNo,product=StockCode,at=InvoiceDate,quantity=Quantity,price=UnitPrice,name=Description";
/** The product as compiled by the bench's first step. */
const MAIN = `${projectRoot}.data/bench/build/src/main.js`;

async function measure(context: SetContext): Promise<SetFigures> {
  const directory = mkdtempSync(join(tmpdir(), "cuecard-quality-"));
  try {
    return await measureIn(directory, context);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

async function measureIn(directory: string, context: SetContext): Promise<SetFigures> {
  const { onProgress } = context;
  const files = await cutFile(context.path("online_retail.csv.gz"), directory);
  const settings = join(directory, "cuecard.yaml");
  writeFileSync(settings, SHOP);
  const environment = environmentWith({
    DATA_DIR: join(directory, "data"),
    CUECARD_CONFIG: settings,
    LOG_LEVEL: "warn",
    // Never into a store somebody uses.
    REDIS_URL: "",
    QUEUE_REDIS_URL: "",
  });
  const run = (from: number, to: number, ...args: string[]): Promise<string> =>
    cuecard(environment, args, (text, done) => onProgress(from + (to - from) * done, text));
  const importOf = (file: string) => [
    ...["import", "events", "--file", file, "--map", MAP, "--negative-quantity", "return"],
    ...["--timezone", "Europe/London"],
  ];
  const before = await run(0.01, 0.1, ...importOf(files.before));
  const trained = await run(0.1, 0.45, "train");
  const config = loadConfig(environment);
  const training = await withCore(config, async (core): Promise<Dataset> => {
    onProgress(0.46, "the rows it was trained on, for the baselines");
    const deps = fitDeps(core);
    const { heads, short } = await gatherData(deps, await survey(deps, {}), ["heads"], {});
    if (heads === undefined) throw short.heads;
    return heads;
  });
  const after = await run(0.5, 0.6, ...importOf(files.after));
  const later = await withCore(config, (core) => readLater(core, context));
  // The store is closed by now: what follows blocks this thread for longer than a connection lasts.
  const heads = await measureHeads(later.heads, training, context);
  const ranker = await measureRanker(later.ranker, context);
  return {
    protocol:
      `\`cuecard import events\` of every line before ${CUT} into a private Redis of its own, \`cuecard train\`, then the import of the rest. ` +
      "What was trained before the cut is asked at later instants, each time with what was known by then. " +
      `Training seed 1, baselines' and intervals' seed ${context.seed}; intervals resample customers.`,
    rows: [...heads.rows, ...ranker.rows],
    tables: [...heads.tables, ...ranker.tables],
    text: [
      `First import: \`${lastLine(before)}\`. Second: \`${lastLine(after)}\`.`,
      chosen(trained),
      ...heads.text,
      ...ranker.text,
    ],
    plots: [...heads.plots, ...ranker.plots],
  };
}

/** What `train` answered, after what it may have logged: each model and why it serves. */
function chosen(output: string): string {
  const trained = output.slice(output.search(/^\{$/m));
  const { models } = JSON.parse(trained) as { models: { name: string; reason: string }[] };
  return models.map(({ name, reason }) => `\`train\` on the ${name}: ${reason}.`).join(" ");
}

const lastLine = (output: string): string => output.split("\n").at(-1) ?? "";

/** All that is asked of the store: the models trained before the cut, and the rows of after it. */
async function readLater(core: Core, { onProgress }: SetContext) {
  onProgress(0.61, "reading the whole log");
  const deps = fitDeps(core);
  const shop = { deps, survey: await survey(deps, {}), cut: Date.parse(CUT) };
  const modelOf = async (name: ModelName) => {
    const version = await core.models.champion(name);
    if (version === null) throw new Error(`the training before ${CUT} gave no ${name}`);
    return core.models.get(name, version);
  };
  const heads = await modelOf("heads");
  const ranker = await modelOf("ranker");
  return {
    heads: { model: heads, rows: await laterRows(shop, heads.manifest) },
    ranker: { model: ranker, slices: await laterSlices(shop) },
  };
}

/** Two files at the first line of the cut's day; the file is in order of days. */
async function cutFile(
  path: string,
  directory: string,
): Promise<Record<"before" | "after", string>> {
  const files = { before: join(directory, "before.csv"), after: join(directory, "after.csv") };
  const before = createWriteStream(files.before);
  const after = createWriteStream(files.after);
  let isAfter = false;
  let isHeader = true;
  for await (const line of createInterface({
    input: createReadStream(path).pipe(createGunzip()),
  })) {
    const day = /,(\d{4}-\d\d-\d\d) \d\d:\d\d:\d\d,/.exec(line)?.[1];
    if (day !== undefined && isAfter !== day >= CUT) {
      if (isAfter) throw new Error(`${path}: ${day} stands after ${CUT}`);
      isAfter = true;
    }
    if (isHeader || !isAfter) before.write(`${line}\n`);
    if (isHeader || isAfter) after.write(`${line}\n`);
    isHeader = false;
  }
  for (const stream of [before, after]) stream.end();
  await Promise.all([finished(before), finished(after)]);
  return files;
}

/** One command of the product, in a process of its own; answers what it printed. */
function cuecard(
  env: NodeJS.ProcessEnv,
  args: readonly string[],
  onText: (text: string, done: number) => void,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [MAIN, ...args], {
      env,
      stdio: ["ignore", "pipe", "pipe"],
    });
    let output = "";
    let errors = "";
    child.stdout.on("data", (chunk: Buffer) => {
      output += chunk;
    });
    child.stderr.on("data", (chunk: Buffer) => {
      errors = (errors + chunk).slice(-4000);
      const line = errors.trimEnd().split("\n").at(-1) ?? "";
      onText(line, Number(/(\d+)\s?%/.exec(line)?.[1] ?? 0) / 100);
    });
    child.on("error", reject);
    child.on("exit", (code) => {
      if (code === 0) resolve(output.trimEnd());
      else reject(new Error(`cuecard ${args[0]} ended with ${code}: ${errors}`));
    });
  });
}

export const retailShop: QualitySet = {
  id: "retail-shop",
  title: "Online Retail: the product's own path",
  folder: "online-retail",
  files: ["online_retail.csv.gz"],
  measure,
};
