/** Next baskets and next items in a session, by `evaluate sequences`, on every log there is. */

import {
  evaluateSequences,
  type SequencesOptions,
  type SequencesReport,
} from "../../src/training/sequences.js";
import type { SequenceMetric } from "../../src/training/sequences-report.js";
import { bestOf } from "./baselines.js";
import {
  atLeast,
  type Bar,
  counted,
  type QualityRow,
  type SetFigures,
  shown,
  withInterval,
} from "./result.js";
import type { QualitySet, SetContext } from "./set.js";

const METRIC_NAMES: Record<SequenceMetric, string> = {
  recall: "Recall",
  ndcg: "NDCG",
  phr: "PHR",
  mrr: "MRR",
  recall_repeat: "repeat",
  recall_explore: "explore",
};
const OWN = "cuecard";

interface BasketSet extends Omit<QualitySet, "measure"> {
  readonly row: string;
  readonly source: Omit<SequencesOptions, "file" | "future" | "k">;
  /** The first is the log, a second the baskets asked for. */
  readonly metrics: readonly SequenceMetric[];
  /** Figures to reach @10. */
  readonly floors?: Partial<Record<SequenceMetric, number>>;
  /** Floor and target are those of the notes: to beat every baseline, by a margin that excludes 0. */
  readonly mustBeat: boolean;
  readonly protocol: string;
  readonly text: readonly string[];
}

function basketSet(set: BasketSet): QualitySet {
  return { ...set, measure: (context) => measure(set, context) };
}

async function measure(set: BasketSet, context: SetContext): Promise<SetFigures> {
  const { path, seed, threads, xgboostLibrary, onProgress } = context;
  const [file, future] = set.files.map(path);
  const options = { ...set.source, file, future, k: [10, 20], seed, threads, xgboostLibrary };
  const report = await evaluateSequences(options, ({ step, done, total }) =>
    onProgress(shareOf(step, total === undefined ? 0 : done / total), `${step} ${done}`),
  );
  return {
    protocol:
      `${set.protocol} ${counted(report.users)} users, ${counted(report.items)} items, ${counted(report.cases)} cases asked; ` +
      `ranked by LambdaMART on ${counted(report.trainingGroups)} earlier cases, seed ${seed}; intervals resample users. ` +
      `Of what was asked for, ${percent(report.candidateRecall.all)} was among the candidates: recall cannot exceed it.`,
    rows: set.metrics.map((metric) => rowOf(set, report, metric)),
    tables: [{ caption: "All methods, on the same cases:", rows: methodTable(report) }],
    text: [
      ...set.text,
      ...(report.notes.length > 0 ? [`Of the file: ${report.notes.join("; ")}.`] : []),
    ],
    plots: [],
  };
}

/** Rough shares of the time the steps take. */
function shareOf(step: string, done: number): number {
  const from: Record<string, [number, number]> = {
    read: [0, 0],
    learn: [0.02, 0.2],
    train: [0.25, 0.15],
    recommend: [0.4, 0.55],
    measure: [0.95, 0.05],
  };
  const [start, length] = from[step] ?? [0, 0];
  return start + length * done;
}

function rowOf(set: BasketSet, report: SequencesReport, metric: SequenceMetric): QualityRow {
  const at10 = report.figures.filter(({ k }) => k === 10);
  const own = at10.find(({ method }) => method === OWN)!;
  const baselines = Object.fromEntries(
    at10.filter(({ method }) => method !== OWN).map((one) => [nameOf(one.method), one[metric]]),
  );
  const over = bestOf(baselines);
  const found = report.differences.find(
    (one) => one.k === 10 && one.metric === metric && nameOf(one.against) === over,
  )!;
  const lead = { over, difference: found.difference, ...found.interval };
  const floor = set.floors?.[metric];
  const beaten: Bar = { text: "beats baselines", reached: lead.difference > 0 };
  const margin: Bar = { text: "lead > 0 at 95 %", reached: lead.low > 0 };
  return {
    row: set.row,
    metric: `${METRIC_NAMES[metric]}@10`,
    ours: own[metric],
    interval: own.intervals[metric],
    baselines,
    lead,
    ...(floor !== undefined && { floor: atLeast(own[metric], floor), target: margin }),
    ...(set.mustBeat && { floor: beaten, target: margin }),
  };
}

const percent = (share: number): string => `${(share * 100).toFixed(0)} %`;

const NAMES: Readonly<Record<string, string>> = {
  gp_topfreq: "GP-TopFreq",
  item_knn: "item-kNN",
  session_knn: "session-kNN (our source alone)",
};
const nameOf = (method: string): string => NAMES[method] ?? method.replaceAll("_", " ");

const COLUMNS: readonly [SequenceMetric, number][] = [
  ["recall", 10],
  ["ndcg", 10],
  ["phr", 10],
  ["mrr", 10],
  ["recall_repeat", 10],
  ["recall_explore", 10],
  ["recall", 20],
  ["ndcg", 20],
];

function methodTable({ figures, differences }: SequencesReport): string[][] {
  const at = (method: string, [metric, k]: (typeof COLUMNS)[number]): number =>
    figures.find((one) => one.method === method && one.k === k)![metric];
  const columns = COLUMNS.filter((column) => Number.isFinite(at(OWN, column)));
  const head = columns.map(([metric, k]) => `${METRIC_NAMES[metric]}@${k}`);
  const methods = [...new Set(figures.map(({ method }) => method))];
  return [
    ["method", ...head, "our lead, NDCG@10"],
    ...methods.map((method) => [
      nameOf(method),
      ...columns.map((column) => shown(at(method, column))),
      leadOver(differences, method),
    ]),
  ];
}

function leadOver(differences: SequencesReport["differences"], method: string): string {
  const found = differences.find(
    ({ against, k, metric }) => against === method && k === 10 && metric === "ndcg",
  );
  return found === undefined ? "" : withInterval(found.difference, found.interval);
}

export const tafeng = basketSet({
  id: "tafeng",
  title: "Ta-Feng: the next grocery basket",
  row: "tafeng-nbr, last basket",
  folder: "tafeng-nbr",
  files: ["tafeng_history.json.gz", "tafeng_future.json.gz"],
  source: { format: "baskets-json", protocol: "last-basket" },
  metrics: ["recall", "ndcg", "phr"],
  floors: { recall: 0.131, ndcg: 0.113, phr: 0.408 },
  mustBeat: false,
  protocol:
    "The last basket of every user is asked for, from the baskets before it (Li et al. 2023).",
  text: [
    "The ranker learned and stopped on baskets before the last; nothing was chosen on the last. GP-TopFreq (the " +
      "user's own items by the number of baskets, filled up with popular ones) is what most neural models of the " +
      "literature do not beat.",
  ],
});

const invoices = {
  format: "columns",
  item: "StockCode",
  time: "InvoiceDate",
  basket: "InvoiceNo",
} as const;

export const retailBasket = basketSet({
  id: "retail-basket",
  title: "Online Retail: the next basket",
  row: "online-retail, next basket",
  folder: "online-retail",
  files: ["online_retail.csv.gz"],
  source: { ...invoices, user: "CustomerID", protocol: "time:2011-09-09" },
  metrics: ["recall", "ndcg", "phr"],
  mustBeat: true,
  protocol:
    "Everything before 2011-09-09 is known; the first basket of each customer from then on is asked for.",
  text: [
    "A wholesaler's baskets hold dozens of lines, so ten suggestions can reach only a part: recall reads low and PHR high.",
  ],
});

export const retailSession = basketSet({
  id: "retail-session",
  title: "Online Retail: the next item of a session",
  row: "online-retail, next in session",
  folder: "online-retail",
  files: ["online_retail.csv.gz"],
  source: { ...invoices, user: "InvoiceNo", protocol: "next-in-session" },
  metrics: ["recall", "ndcg"],
  mustBeat: false,
  protocol:
    "An invoice is taken for a session, its lines for clicks, in the order they were entered. The latest fifth of the " +
    "invoices is asked for, step by step, from the four fifths before.",
  text: [
    "Nothing of the customer is known here, only the items so far: what a web page has of a visitor without a name.",
  ],
});

export const journeyBasket = basketSet({
  id: "journey",
  title: "The Complete Journey: the next grocery basket",
  row: "completejourney, next basket",
  folder: "completejourney-sample",
  files: ["transactions_sample.csv.gz"],
  source: {
    format: "columns",
    user: "household_id",
    item: "product_id",
    time: "transaction_timestamp",
    basket: "basket_id",
    protocol: "time:2017-10-01",
  },
  metrics: ["recall", "ndcg"],
  mustBeat: false,
  protocol:
    "Everything before 2017-10-01 is known; the first basket of each household from then on is asked for.",
  text: [
    "The public sample holds one line in twenty of what was bought, so most baskets have a single line and histories have " +
      "holes: the figures say how the methods compare on sparse data, not how good they are in a shop.",
  ],
});
