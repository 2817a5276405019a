/** Hillstrom's e-mail test: whom a message moves, whom it does not, and no policy sold as a gain. */
import type { Interval } from "../../src/training/bootstrap.js";
import { qiniCurve } from "../../src/training/metrics.js";
import { qiniSvg } from "../../src/training/plots.js";
import { evaluateTable, type TableEvaluation } from "../../src/training/table.js";
import { bestOf } from "./baselines.js";
import { ARMS, type Arm, hillstromOptions } from "./hillstrom-arms.js";
import { type PolicyGains, policyGains } from "./hillstrom-policy.js";
import {
  atLeast,
  type Plot,
  type QualityRow,
  type SetFigures,
  shown,
  withInterval,
} from "./result.js";
import type { QualitySet, SetContext } from "./set.js";

const SEEDS = 5;
const FLOOR = 0.006;
const TARGET = 0.0073;
const FILE = "hillstrom.csv.gz";
interface Measured {
  readonly arm: Arm;
  /** One a seed. */
  readonly reports: readonly TableEvaluation[];
}

async function measure(context: SetContext): Promise<SetFigures> {
  const { seed, threads, xgboostLibrary, onProgress } = context;
  const seeds = Array.from({ length: SEEDS }, (_, i) => seed + i);
  const measured: Measured[] = [];
  for (const [a, arm] of ARMS.entries()) {
    const reports: TableEvaluation[] = [];
    for (const [s, own] of seeds.entries()) {
      onProgress((a * SEEDS + s) / (3 * SEEDS), `${arm.name}, seed ${own}`);
      reports.push(
        await evaluateTable({
          ...hillstromOptions(context.path(FILE), arm),
          split: "random:0.5",
          seed: own,
          threads,
          xgboostLibrary,
        }),
      );
    }
    measured.push({ arm, reports });
  }
  const policy = await policyGains(context.path(FILE), seeds, context, (done) =>
    onProgress((2 + done / SEEDS) / 3, "three arms"),
  );
  return {
    protocol:
      `64,000 customers, one of three arms at random. Each e-mail against none: half the rows learned from, half asked, seeds ${seeds[0]} to ${seeds.at(-1)}. ` +
      "Qini is the area between its curve and a random order, per treated customer. Figures are means over seeds; so are the bounds of the " +
      "intervals, each from resampling the held-out half.",
    rows: [...measured.map(rowOf), policyRow(policy)],
    tables: [{ caption: "All methods, mean over seeds:", rows: methodTable(measured) }],
    text: [saidOf(measured), policyText(policy)],
    plots: measured.map((one) => plotOf(one, context)),
  };
}

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

const meanInterval = (intervals: readonly (Interval | undefined)[]): Interval => ({
  low: mean(intervals.map((one) => one?.low ?? Number.NaN)),
  high: mean(intervals.map((one) => one?.high ?? Number.NaN)),
});

const qiniOf = (reports: readonly { qini?: number }[]): number =>
  mean(reports.map(({ qini }) => qini ?? Number.NaN));

const claimsNothing = ({ notes }: TableEvaluation): boolean =>
  notes.some((note) => /no uplift ranking/.test(note));

function rowOf({ arm, reports }: Measured): QualityRow {
  const ours = qiniOf(reports);
  const interval = meanInterval(reports.map(({ intervals }) => intervals.qini));
  const named = baselinesOf(reports);
  const baselines = Object.fromEntries(named.map(([name, own]) => [name, qiniOf(own)]));
  const over = bestOf(baselines);
  const ahead = meanInterval(
    named.find(([name]) => name === over)![1].map((one) => one.ahead.qini),
  );
  const lead = { over, difference: ours - baselines[over], ...ahead };
  const row = {
    row: `hillstrom, ${arm.name}`,
    metric: "Qini of visits",
    ours,
    interval,
    baselines,
    lead,
  };
  if (arm.id === "womens") {
    return { ...row, floor: atLeast(ours, FLOOR), target: atLeast(ours, TARGET) };
  }
  const said = reports.filter(claimsNothing).length;
  return {
    ...row,
    floor: { text: "≈ 0, and said so", reached: interval.low <= 0 && said > SEEDS / 2 },
  };
}

/** Name → its evaluation in each report. */
function baselinesOf(reports: readonly TableEvaluation[]) {
  return reports[0].baselines.map(
    ({ name }) =>
      [name, reports.map((one) => one.baselines.find((own) => own.name === name)!)] as const,
  );
}

function methodTable(measured: readonly Measured[]): string[][] {
  const cells = (reports: readonly { qini?: number; intervals: TableEvaluation["intervals"] }[]) =>
    withInterval(qiniOf(reports), meanInterval(reports.map(({ intervals }) => intervals.qini)));
  const names = measured[0].reports[0].baselines.map(({ name }) => name);
  return [
    ["method", ...measured.map(({ arm }) => `Qini, ${arm.name}`)],
    ["cuecard", ...measured.map(({ reports }) => cells(reports))],
    ...names.map((name) => [
      name as string,
      ...measured.map(({ reports }) =>
        cells(baselinesOf(reports).find(([own]) => own === name)![1]),
      ),
    ]),
    [
      "average effect of the e-mail",
      ...measured.map(({ reports }) =>
        shown(mean(reports.map((one) => one.averageEffect ?? Number.NaN))),
      ),
    ],
  ];
}

function saidOf(measured: readonly Measured[]): string {
  const said = measured.map(({ arm, reports }) => {
    const none = reports.filter(claimsNothing).length;
    const each = reports.map(({ qini }) => shown(qini ?? Number.NaN)).join(", ");
    return `Of the ${arm.name} the product claimed no ranking by uplift in ${none} of ${reports.length} splits (Qini ${each}).`;
  });
  return `${said.join(" ")} The men's e-mail moves everybody alike, so there is nothing to rank.`;
}

function policyRow({ gain, interval }: PolicyGains): QualityRow {
  return {
    row: "hillstrom, three arms",
    metric: "visits gained by a policy per customer over men's to all",
    ours: gain,
    interval,
    floor: { text: "no gain claimed", reached: interval.low <= 0 },
  };
}

const percent = (share: number): string => `${(share * 100).toFixed(1)} %`;

function policyText({ gain, interval, policyRate, mensRate, shares }: PolicyGains): string {
  const given = Object.entries(shares).map(([name, share]) => `${name} ${percent(share)}`);
  const verdict =
    interval.low > 0
      ? "A gain, its interval above 0."
      : "That is no gain: send the men's e-mail to everybody, and do not pay for a policy per customer here.";
  return (
    `Three arms: giving each customer the arm of the largest uplift (${given.join(", ")}) brought ${percent(policyRate)} visits, the men's e-mail ` +
    `to all ${percent(mensRate)}, a difference of ${withInterval(gain, interval)}, told from the customers of the held-out half who happened to get what the policy gives. ${verdict}`
  );
}

function plotOf({ arm, reports }: Measured, { plot }: SetContext): Plot {
  const [{ heldOut, baselines }] = reports;
  const curve = (rows: TableEvaluation["heldOut"]) =>
    qiniCurve(rows[0].scores, rows[0].labels, rows[0].treated!);
  const series = [
    { name: "cuecard", points: curve(heldOut) },
    ...baselines
      .filter(({ heldOut: rows }) => new Set(rows[0].scores).size > 1)
      .map(({ name, heldOut: rows }) => ({ name: name as string, points: curve(rows) })),
  ];
  const title = `Qini curve: ${arm.name}, first split`;
  return { file: plot(`qini-${arm.id}`, qiniSvg(series, title)), title };
}

export const hillstrom: QualitySet = {
  id: "hillstrom",
  title: "Hillstrom: whom an e-mail moves",
  folder: "hillstrom",
  files: [FILE],
  measure,
};
