/** Command line: train, score, evaluate. Options in, one function called, its report printed. */
import type { Command } from "commander";
import type { Config } from "./config.js";
import { CuecardError } from "./errors.js";
import { fitDeps, train } from "./job-functions.js";
import { startProgress } from "./progress.js";
import { readStamp } from "./redis/store-stamp.js";
import { evaluateModels, formatReports } from "./training/evaluate.js";
import { sequencesReport, tableReportLines } from "./training/report-lines.js";
import { evaluateSequences, type SequencesOptions } from "./training/sequences.js";
import {
  evaluateTable,
  evaluationJson,
  scoreTable,
  type TableOptions,
  type TableProgress,
  trainTable,
} from "./training/table.js";
import { withCore } from "./with-core.js";

const print = (text: string): void => void process.stdout.write(`${text}\n`);

const list = (text: string): string[] =>
  text
    .split(",")
    .map((one) => one.trim())
    .filter(Boolean);

interface TableFlags {
  file: string;
  label: string;
  positive?: string;
  drop?: string[];
  treatment?: string;
  treated?: string;
  control?: string;
  separator?: string;
  header?: string;
  encoding?: string;
  group?: string;
  ordered?: boolean;
  time?: string;
  threads?: number;
  seed?: number;
}

const withTableFlags = (command: Command): Command =>
  command
    .requiredOption("--file <csv>", "table, .gz too")
    .requiredOption("--label <column>", "what is to be predicted")
    .option("--positive <value>", "level of the label that counts as 1")
    .option("--drop <columns>", "columns to leave out, separated by commas", list)
    .option("--treatment <column>", "who was treated: models uplift")
    .option("--treated <value>", "arm compared")
    .option("--control <value>", "arm it is compared with")
    .option("--separator <character>", "default: told from the first line")
    .option("--header <yes|no>", "no: columns are c1, c2, …", "yes")
    .option("--encoding <name>", "default UTF-8")
    .option("--group <column>", "its rows of one value stay on one side of every split")
    .option("--ordered", "the rows are in order of time: choose by what came later")
    .option("--time <column>", "dates or numbers that put the rows in order of time")
    .option("--threads <n>", "default: every core", Number)
    .option("--seed <n>", "default 0", Number);

const tableOptions = (
  flags: TableFlags,
  config: Config,
  onProgress: (p: TableProgress) => void,
): TableOptions => ({
  ...flags,
  header: flags.header !== "no",
  xgboostLibrary: config.xgboostLibrary,
  onProgress,
});

/** Shows the steps of a table command and ends with its answer. */
async function watched<T>(
  title: string,
  work: (onProgress: (p: TableProgress) => void) => Promise<T>,
): Promise<T> {
  const progress = startProgress(title);
  try {
    return await work(({ stage, done, total }) =>
      progress.update(
        total === undefined ? 0 : done / total,
        `${stage} ${done}${total === undefined ? "" : `/${total}`}`,
      ),
    );
  } finally {
    progress.stop();
  }
}

export function addModelCommands(program: Command, config: () => Config): void {
  const trainCommand = program
    .command("train")
    .description("train from the event log: heads, ranker, candidates, alive (default all)")
    .argument("[names...]")
    .action(async (names: string[]) => {
      await withCore(config(), async (core) => {
        const progress = startProgress("Training");
        const demo = (await readStamp(core.client))?.world === "demo";
        const result = await train(core, {
          names: names.length === 0 ? undefined : names.map(trainable),
          demo,
          threads: 2,
          onProgress: (percent, text) => progress.update(percent / 100, text),
        }).finally(() => progress.stop());
        print(JSON.stringify(result, null, 2));
      });
    });
  withTableFlags(trainCommand.command("table").description("a model from a flat table"))
    .requiredOption("--out <directory>", "where model, manifest and report go")
    .action(async (flags: TableFlags & { out: string }) => {
      const { directory, notes } = await watched("Training", (onProgress) =>
        trainTable({ ...tableOptions(flags, config(), onProgress), out: flags.out }),
      );
      for (const note of notes) print(`note: ${note}`);
      print(`model, manifest and report.md are in ${directory}`);
    });
  addScore(program);
  addEvaluate(program, config);
}

const TRAINABLE = ["heads", "ranker", "candidates", "alive"] as const;

function trainable(name: string): (typeof TRAINABLE)[number] {
  const known = TRAINABLE.find((one) => one === name);
  if (known !== undefined) return known;
  throw new CuecardError("usage", `${name} cannot be trained; there are ${TRAINABLE.join(", ")}`);
}

function addScore(program: Command): void {
  program
    .command("score")
    .description("score with a model made by train")
    .command("table")
    .description("rows of a flat table: row,score (or row,uplift)")
    .requiredOption("--model <directory>")
    .requiredOption("--file <csv>")
    .requiredOption("--out <csv>")
    .option("--id <column>", "copied beside row and score")
    .option("--separator <character>")
    .option("--encoding <name>")
    .action(async (flags: { model: string; file: string; out: string; id?: string }) => {
      const { rows, out, notes } = await watched("Scoring", (onProgress) =>
        scoreTable({ ...flags, onProgress }),
      );
      print(`scored: rows=${rows} file=${out}`);
      for (const note of notes) print(`note: ${note}`);
    });
}

function addEvaluate(program: Command, config: () => Config): void {
  const evaluate = program
    .command("evaluate")
    .description("held-out report of the models that serve: at training, and on the log of now")
    .option("--json", "the whole report as JSON", false)
    .action(async ({ json }: { json: boolean }) => {
      await withCore(config(), async (core) => {
        const reports = await evaluateModels({ ...fitDeps(core), models: core.models });
        print(json ? JSON.stringify(reports, null, 2) : formatReports(reports));
      });
    });
  withTableFlags(evaluate.command("table").description("the table trainer on held-out rows"))
    .requiredOption("--split <kfold:5|random:0.2|order:0.8>")
    .option("--json", "the whole report as JSON", false)
    .action(async (flags: TableFlags & { split: string; json: boolean }) => {
      const report = await watched("Evaluating", (onProgress) =>
        evaluateTable({ ...tableOptions(flags, config(), onProgress), split: flags.split }),
      );
      print(flags.json ? evaluationJson(report) : tableReportLines(report));
    });
  addSequences(evaluate, config);
}

interface SequenceFlags extends Omit<SequencesOptions, "format"> {
  format?: "columns" | "baskets-json" | "sequences";
  json: boolean;
}

function addSequences(evaluate: Command, config: () => Config): void {
  evaluate
    .command("sequences")
    .description("the product's recommender on any log of purchases or sessions")
    .requiredOption("--file <file>")
    .option("--user <column>")
    .option("--item <column>")
    .option("--time <column>")
    .option("--basket <column>")
    .option("--quantity <column>", "rows that are not positive are left out")
    .option("--format <baskets-json|sequences>")
    .option("--future <file>", "the basket to predict, one a user")
    .requiredOption("--protocol <last-basket|leave-one-out|next-in-session|time:DATE>")
    .option("--k <list>", "cut-offs", (text) => list(text).map(Number), [10, 20])
    .option("--out <csv>", "write the recommendations")
    .option("--separator <character>")
    .option("--encoding <name>")
    .option("--seed <n>", "default 0", Number)
    .option("--json", "the whole report as JSON", false)
    .action(async ({ json, format, ...flags }: SequenceFlags) => {
      const progress = startProgress("Evaluating");
      const options = {
        ...flags,
        format: format ?? "columns",
        xgboostLibrary: config().xgboostLibrary,
      };
      const report = await evaluateSequences(options, ({ step, done, total }) =>
        progress.update(total === undefined ? 0 : done / total, `${step} ${done}`),
      ).finally(() => progress.stop());
      print(json ? JSON.stringify(report, null, 2) : sequencesReport(report));
    });
}
