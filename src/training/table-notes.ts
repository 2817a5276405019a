/** What a reader of a table's figures has to know before believing them. */
import type { Interval } from "./bootstrap.js";
import { adversarialAuc } from "./drift.js";
import type { SuspectedLeak } from "./table-checks.js";
import { labelsOf, type TableData } from "./table-data.js";
import { type Encoder, encodeRows } from "./table-encoder.js";
import { inputKeys } from "./table-groups.js";
import { type HeldOut, type Metrics, mean, pooledMetrics } from "./table-held-out.js";
import type { FittedTable } from "./table-model.js";
import { notationNotes } from "./table-notation.js";
import type { Split } from "./table-split.js";

export interface Measured {
  readonly metrics: Metrics;
  readonly intervals: Readonly<Record<string, Interval>>;
  readonly heldOut: readonly HeldOut[];
  readonly baselines: readonly {
    readonly name: string;
    readonly ahead: Readonly<Record<string, Interval>>;
  }[];
}

/**
 * Rates that moved by more than this factor between training and held-out rows are worth a warning.
 */
const RATE_DRIFT = 1.25;
/** A share of held-out rows with a twin among the training rows that is worth a warning. */
const REPEATED_SHARE = 0.01;
/** Fewer rows of either class than this give no figure. */
const FEWEST = 20;

/** `isOrdered`: the splits are by time, nothing was kept together. */
export function notesOn(
  data: TableData,
  splits: readonly Split[],
  measured: Measured,
  isOrdered: boolean,
): string[] {
  return [
    ...labelNotes(data),
    ...notationNotes(data),
    ...rateNotes(data, splits),
    ...skillNotes(measured),
    ...(isOrdered ? [] : groupNotes(data)),
    ...repeatNotes(data, splits, measured),
  ];
}

/** A share of rows without a label that is worth a warning. */
const UNLABELLED_SHARE = 0.01;
const LEVELS_NAMED = 5;

/** What the label says beside yes and no. */
function labelNotes({ table, label }: TableData): string[] {
  const column = table.columns.find(({ name }) => name === label.column)!;
  const others = column.levels.filter((level) => level !== label.positive);
  const unlabelled = column.codes.filter((code) => code < 0).length;
  const named = others.slice(0, LEVELS_NAMED).join(", ");
  return [
    ...(others.length > 1
      ? [
          `${label.column} has ${others.length + 1} levels: ${label.positive} counts as yes, all others as no (${named}${others.length > LEVELS_NAMED ? ", …" : ""})`,
        ]
      : []),
    ...(unlabelled > UNLABELLED_SHARE * table.rowCount
      ? [
          `${unlabelled} of ${table.rowCount} rows have no ${label.column} and were left out; where those are the ` +
            "cases not yet known, the others may be of another kind",
        ]
      : []),
  ];
}

/** Hardly any honest table allows more; columns that only together know the outcome do. */
const TOO_GOOD_AUC = 0.98;

/** `goesBy`: columns the model goes by, the strongest first, where that was looked at. */
export function leakNotes(
  leaks: readonly SuspectedLeak[],
  heldOutAuc = 0,
  goesBy: readonly string[] = [],
): string[] {
  if (leaks.length > 0) {
    return leaks.map(
      ({ column, auc }) =>
        `suspected leak: ${column} alone reaches AUC ${auc.toFixed(3)}; drop it if it is only known ` +
        "after the outcome",
    );
  }
  if (heldOutAuc < TOO_GOOD_AUC) return [];
  const names = goesBy.slice(0, 3).join(", ");
  const columns = names === "" ? "the columns" : `the columns it goes by most (${names})`;
  return [
    `suspected leak: AUC ${heldOutAuc.toFixed(3)} on held-out rows is seldom honest; ask of ${columns} ` +
      "whether they are known before the outcome",
  ];
}

/** An AUC surely above this says that the inputs decided who was treated. */
const ASSIGNED_AUC = 0.55;
/** More rows would not make it much surer, only later. */
const ASSIGNED_ROWS = 8000;

/**
 * Whether a linear model tells treated from control rows by their inputs. The standard error of the
 * AUC is that of no difference (Mann, Whitney 1947): √((m + n + 1) / (12·m·n)).
 */
export function assignmentNotes(data: TableData, encoder: Encoder): string[] {
  const { groups, treated } = data;
  if (treated === undefined) return [];
  // One row a group: copies would be recognised.
  const seen = new Set<number>();
  const alone = data.rows.filter((row) => {
    const id = groups?.ids[row] ?? row;
    return !seen.has(id) && seen.add(id);
  });
  const stride = Math.max(1, Math.ceil(alone.length / ASSIGNED_ROWS));
  const rows = alone.filter((_, index) => index % stride === 0);
  const arms = Array.from(rows, (row) => treated[row]);
  const own = arms.reduce((sum, arm) => sum + arm, 0);
  const others = arms.length - own;
  if (Math.min(own, others) < FEWEST) return [];
  const features = encodeRows(encoder, data.table, rows);
  const area = adversarialAuc(features, features.length / rows.length, arms);
  const error = Math.sqrt((own + others + 1) / (12 * own * others));
  const [low, high] = [area - 1.96 * error, area + 1.96 * error];
  if (low <= ASSIGNED_AUC) return [];
  return [
    "the treatment was not given at random: no effect can be claimed; the inputs tell the treated from the " +
      `others with AUC ${area.toFixed(3)} (${low.toFixed(3)} … ${Math.min(1, high).toFixed(3)})`,
  ];
}

function rateNotes(data: TableData, [{ train, test }]: readonly Split[]): string[] {
  const before = mean(labelsOf(data, train));
  const after = mean(labelsOf(data, test));
  if (Math.max(before, after) / Math.min(before, after) <= RATE_DRIFT) return [];
  const [from, to] = [before, after].map((rate) => `${(rate * 100).toFixed(1)} %`);
  return [
    `drift: the share of positives moves from ${from} in the training rows to ${to} in the ` +
      "held-out rows; probabilities will be off and the ranking may be, train on recent rows",
  ];
}

function skillNotes({ intervals, baselines }: Measured): string[] {
  const { auc, qini } = intervals;
  const main = qini === undefined ? "auc" : "qini";
  const better = baselines.filter(({ ahead }) => ahead[main].high < 0).map(({ name }) => name);
  return [
    ...(qini !== undefined && qini.low <= 0
      ? [
          "no uplift ranking can be claimed: the interval of the Qini coefficient includes 0, so treating " +
            "everyone or no one is as good as choosing by this score",
        ]
      : []),
    ...(auc !== undefined && auc.low <= 0.5
      ? [
          "no skill can be claimed: the interval of the AUC reaches down to .5, so the base rate for everyone may be as good as this score",
        ]
      : []),
    ...(baselines.some(({ name, ahead }) => name === "base rate" && ahead.logLoss?.low > 0)
      ? [
          "the probabilities are worse than the base rate for everyone, by log loss; use the order only",
        ]
      : []),
    ...better.map(
      (name) =>
        `the plain model "${name}" is better on these rows: the interval of the difference excludes 0`,
    ),
  ];
}

/** What stood together on one side of every split. */
function groupNotes({ groups, rows }: TableData): string[] {
  if (groups === undefined) return [];
  const { column, count } = groups;
  if (column !== undefined) {
    return [
      `rows of one ${column} were kept on one side of every split: ${rows.length} rows, ${count} groups; ` +
        "intervals are drawn by row and may be too narrow",
    ];
  }
  const copies = rows.length - count;
  return copies <= REPEATED_SHARE * rows.length
    ? []
    : [
        `${copies} of ${rows.length} rows equal another in every input: such rows were kept on one side of every random split`,
      ];
}

/** Held-out rows whose every input also stands in a training row: an answer learnt by heart. */
function repeatNotes(
  data: TableData,
  splits: readonly Split[],
  { heldOut, metrics }: Measured,
): string[] {
  const keys = inputKeys(data.table, data.kinds);
  const isTwin = splits.map(({ train, test }) => {
    const seen = new Set(Array.from(train, (row) => keys[row]));
    return Array.from(test, (row) => seen.has(keys[row]));
  });
  const total = isTwin.reduce((sum, own) => sum + own.length, 0);
  const twins = isTwin.reduce((sum, own) => sum + own.filter(Boolean).length, 0);
  if (twins <= REPEATED_SHARE * total) return [];
  const others = heldOut.map(({ labels, scores, treated }, fold) => ({
    labels: labels.filter((_, row) => !isTwin[fold][row]),
    scores: scores.filter((_, row) => !isTwin[fold][row]),
    treated: treated?.filter((_, row) => !isTwin[fold][row]),
  }));
  const positives = others.reduce(
    (sum, { labels }) => sum + labels.filter((y) => y === 1).length,
    0,
  );
  const isEnough = Math.min(positives, total - twins - positives) >= FEWEST;
  const rest = isEnough ? pooledMetrics(others) : {};
  const [name, whole, part] =
    metrics.qini === undefined ? ["AUC", metrics.auc, rest.auc] : ["Qini", metrics.qini, rest.qini];
  const figure =
    part === undefined || whole === undefined || Number.isNaN(part)
      ? "the others are too few to measure on"
      : `on the other ${total - twins} rows ${name} is ${part.toFixed(4)}, on all ${whole.toFixed(4)}`;
  return [
    `${twins} of ${total} held-out rows repeat a training row in every input; where those are copies of ` +
      `one case the figures are too good: ${figure}`,
  ];
}

export function driftNotes({ drift }: FittedTable): string[] {
  const moved = drift?.columns.filter(({ isDrifting }) => isDrifting) ?? [];
  if (drift === undefined || moved.length === 0) return [];
  const names = moved.map(({ column, psi }) => `${column} (PSI ${psi.toFixed(2)})`).join(", ");
  return [
    `drift of columns within the training rows: ${names}; early and late rows are told apart with ` +
      `AUC ${drift.adversarialAuc.toFixed(3)}`,
  ];
}
