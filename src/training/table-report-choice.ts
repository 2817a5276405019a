/** The parts of a table's report about what drifted, what was tried and what was chosen. */
import type { Choice } from "./table-choice.js";
import type { DriftFinding, FittedTable } from "./table-model.js";
import { cell } from "./table-report-text.js";

const SHOWN_DRIFTS = 15;

export function driftSection(drift: DriftFinding | undefined, order: string | undefined): string[] {
  if (drift === undefined) {
    return [
      "",
      "## Drift",
      "",
      "Not looked for: nothing says that the rows are in order of time (`--ordered`, `--time COLUMN`).",
    ];
  }
  const moved = drift.columns.filter(({ isDrifting }) => isDrifting);
  const shown = drift.columns.filter(({ psi }) => psi >= 0.1).slice(0, SHOWN_DRIFTS);
  return [
    "",
    "## Drift",
    "",
    `Rows in order of time, by ${cell(order ?? "the file")}. A linear model tells the later half from the ` +
      `earlier with AUC ${drift.adversarialAuc.toFixed(3)} (0.5: nothing moved). ${moved.length} of ` +
      `${drift.columns.length} columns drift between the first 70 % and the last 30 % of the training rows ` +
      "(PSI from 0.25; from 0.1 they are shown).",
    "",
    ...(shown.length === 0
      ? []
      : [
          "| column | PSI | tells late from early, AUC | |",
          "|---|---|---|---|",
          ...shown.map(
            ({ column, psi, auc, isDrifting }) =>
              `| ${cell(column)} | ${psi.toFixed(2)} | ${auc?.toFixed(3) ?? ""} | ${isDrifting ? "drifts" : ""} |`,
          ),
        ]),
  ];
}

/** What was measured, which is what the figures are of, and what all rows then led to. */
export function chosenText(measured: readonly Choice[], written: string): string {
  const names = [...new Set(measured.map(({ chosen }) => chosen))];
  const listed = names.map((name) => `**${name}**`).join(" or, by fold, ");
  return names.length === 1 && names[0] === written
    ? listed
    : `${listed} (measured); the fit on all rows chose **${written}**`;
}

export function choiceSection({ choice, heads }: FittedTable): string[] {
  const { criterion, tried, chosen, why } = choice;
  return [
    "",
    "## What was tried, and what was chosen",
    "",
    `**${chosen}**: ${why}. Criterion: ${criterion}.`,
    "",
    "| candidate | figure | by fold |",
    "|---|---|---|",
    ...tried.map(
      ({ name, figure, folds }) =>
        `| ${name === chosen ? `**${name}**` : name} | ${figure.toFixed(4)} | ${folds.map((value) => value.toFixed(4)).join(" ")} |`,
    ),
    "",
    ...heads.map(({ name, parts, calibration }) => {
      const sums = parts.map(({ recipe, weight, trees }) => {
        const params = Object.entries(recipe.params ?? {}).map(([key, value]) => `${key} ${value}`);
        const rounds = trees === undefined ? [] : [`${trees.trees.length} rounds`, ...params];
        return `${Number(weight.toPrecision(4))} · ${recipe.name}${rounds.length === 0 ? "" : ` (${rounds.join(", ")})`}`;
      });
      return (
        `- ${name}: margin = ${sums.join(" + ")}; probability = sigmoid(${calibration.slope.toFixed(4)} · margin ` +
        `${calibration.intercept < 0 ? "−" : "+"} ${Math.abs(calibration.intercept).toFixed(4)})`
      );
    }),
  ];
}
