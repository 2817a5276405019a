/** CDNOW: the two buying processes fitted to the published figures, and nine months foretold. */
import { readFileSync } from "node:fs";
import {
  type AliveModel,
  type AliveProcess,
  type AliveSummary,
  expectedOrders,
} from "../../src/features/alive.js";
import { bootstrap, type Interval } from "../../src/training/bootstrap.js";
import { type AliveFit, fitAlive } from "../../src/training/fit-alive.js";
import { atLeast, type Bar, type QualityRow, type SetFigures, shown } from "./result.js";
import type { QualitySet, SetContext } from "./set.js";
import { trackingSvg } from "./tracking-svg.js";

const FIT_WEEKS = 39;
const ALL_WEEKS = 78;
const BEGIN = Date.UTC(1997, 0, 1) / 86_400_000;
const FIT_END = Date.UTC(1997, 8, 30) / 86_400_000;
const END = Date.UTC(1998, 5, 30) / 86_400_000;
/** Fader, Hardie, Lee (2005), table 2; for MBG/NBD the figures BTYDplus gives on the same customers. */
const REFERENCE: Record<AliveProcess, AliveModel> = {
  bg: { r: 0.243, alpha: 4.414, a: 0.793, b: 2.426 },
  mbg: { r: 0.525, alpha: 6.183, a: 0.891, b: 1.614 },
};
const REFERENCE_LOG_LIKELIHOOD = -9582.4;
const REFERENCE_ORDERS = 1653;
const NAMES: Record<AliveProcess, string> = { bg: "BG/NBD", mbg: "MBG/NBD" };

interface Customer extends AliveSummary {
  /** Days of orders, ascending, same-day orders as one. */
  readonly days: readonly number[];
  /** Orders in weeks 40 to 78. */
  readonly future: number;
}

/** Unit of time: weeks, as in the paper. */
function readCustomers(file: string): Customer[] {
  const byCustomer = new Map<string, Set<number>>();
  for (const line of readFileSync(file, "utf8").split("\n")) {
    const [customer, , date] = line.trim().split(/\s+/);
    if (date === undefined) continue;
    const [, year, month, day] = /^(\d{4})(\d\d)(\d\d)$/.exec(date)!.map(Number);
    const days = byCustomer.get(customer) ?? new Set();
    byCustomer.set(customer, days.add(Date.UTC(year, month - 1, day) / 86_400_000));
  }
  return [...byCustomer.values()].map((set) => {
    const days = [...set].sort((a, b) => a - b);
    const before = days.filter((at) => at <= FIT_END);
    return {
      days,
      x: before.length - 1,
      tx: (before[before.length - 1] - before[0]) / 7,
      T: (FIT_END - before[0]) / 7,
      future: days.filter((at) => at > FIT_END && at <= END).length,
    };
  });
}

interface Forecast {
  readonly process: AliveProcess;
  readonly fit: AliveFit;
  /** Orders foretold for weeks 40 to 78, one a customer. */
  readonly orders: readonly number[];
}

async function measure({ path, seed, onProgress, plot }: SetContext): Promise<SetFigures> {
  const customers = readCustomers(path("CDNOW_sample.txt"));
  const forecasts = (["bg", "mbg"] as const).map((process, index): Forecast => {
    onProgress(0.1 + index * 0.4, `fitting ${NAMES[process]}`);
    const fit = fitAlive(customers, { process });
    const horizon = ALL_WEEKS - FIT_WEEKS;
    const orders = customers.map((one) => expectedOrders(fit.model, one, horizon, process));
    return { process, fit, orders };
  });
  onProgress(0.9, "tracking by week");
  const future = customers.map((one) => one.future);
  const lines = [
    { name: "came", values: cameByWeek(customers) },
    ...forecasts.map(({ process, fit }) => ({
      name: NAMES[process],
      values: foretoldByWeek(customers, fit.model, process),
    })),
  ];
  const file = plot("tracking", trackingSvg(lines, FIT_WEEKS, "CDNOW: cumulative repeat orders"));
  return {
    protocol:
      `The sample of 2,357 customers, same-day orders as one, time in weeks. Weeks 1 to ${FIT_WEEKS} are fitted, weeks ` +
      `${FIT_WEEKS + 1} to ${ALL_WEEKS} foretold. Fits are deterministic; intervals resample customers (200 draws, seed ${seed}).`,
    rows: forecasts.flatMap((forecast) => rowsOf(forecast, customers, future, seed)),
    tables: [parameterTable(forecasts, future)],
    text: [
      "Read the picture from the dashed line on: it was drawn with what was known at week 39. " +
        `${shortfall(forecasts, future)} in weeks 40 to 78; neither knows of seasons. ` +
        "Serving uses MBG/NBD: a one-time buyer may be gone, while under BG/NBD whoever bought once is alive for ever.",
    ],
    plots: [{ file, title: "Cumulative repeat orders by week, came and foretold" }],
  };
}

function rowsOf(
  { process, fit, orders }: Forecast,
  customers: readonly Customer[],
  future: readonly number[],
  seed: number,
): QualityRow[] {
  const row = `cdnow ${NAMES[process]}`;
  const far = distance(fit.model, REFERENCE[process]);
  const near: Bar = { text: "≤ 0.005", reached: far <= 0.005 };
  const bar = (value: Bar) => (process === "bg" ? { floor: value } : { target: value });
  const total = sum(orders);
  const off = Math.abs(total - REFERENCE_ORDERS);
  const own = correlation(orders, future);
  const rate = customers.map(({ x, T }) => (x / T) * (ALL_WEEKS - FIT_WEEKS));
  const recency = customers.map(({ tx, T }) => tx - T);
  const rows: QualityRow[] = [
    { row, metric: "parameters, largest distance to reference", ours: far, ...bar(near) },
    {
      row,
      metric: `orders foretold, weeks 40–78 (came: ${sum(future)})`,
      ours: total,
      decimals: 0,
      interval: resampled(customers.length, seed, (drawn) => sum(drawn.map((i) => orders[i]))),
      ...(process === "bg" && { floor: { text: `${REFERENCE_ORDERS} ± 2`, reached: off <= 2 } }),
    },
    {
      row,
      metric: "correlation by customer",
      ours: own,
      interval: resampled(customers.length, seed, (drawn) =>
        correlation(
          drawn.map((i) => orders[i]),
          drawn.map((i) => future[i]),
        ),
      ),
      baselines: {
        "personal frequency": correlation(rate, future),
        "recency only": correlation(recency, future),
      },
      ...bar(atLeast(own, 0.62)),
    },
  ];
  if (process === "mbg") return rows;
  const gap = Math.abs(fit.logLikelihood - REFERENCE_LOG_LIKELIHOOD);
  const floor = { text: "−9582.4 ± 0.1", reached: gap <= 0.1 };
  rows.splice(1, 0, { row, metric: "log-likelihood", ours: fit.logLikelihood, decimals: 2, floor });
  return rows;
}

function parameterTable(forecasts: readonly Forecast[], future: readonly number[]) {
  const values = ({ r, alpha, a, b }: AliveModel) => [r, alpha, a, b].map((value) => shown(value));
  return {
    caption: "Parameters and forecast, ours beside the reference:",
    rows: [
      ["model", "r", "α", "a", "b", "log-likelihood", "orders 40–78", "correlation"],
      ...forecasts.flatMap(({ process, fit, orders }) => [
        [
          NAMES[process],
          ...values(fit.model),
          shown(fit.logLikelihood, 2),
          shown(sum(orders), 1),
          shown(correlation(orders, future)),
        ],
        [
          `${NAMES[process]}, reference`,
          ...values(REFERENCE[process]),
          ...(process === "bg" ? ["−9582.4", "1653.4", "0.626"] : ["", "", ""]),
        ],
      ]),
    ],
  };
}

const shortfall = (forecasts: readonly Forecast[], future: readonly number[]): string =>
  forecasts
    .map(({ process, orders }) => {
      const share = 1 - sum(orders) / sum(future);
      return `${NAMES[process]} foretells ${(share * 100).toFixed(0)} % fewer orders than came`;
    })
    .join(" and ");

const distance = (one: AliveModel, other: AliveModel): number =>
  Math.max(...(["r", "alpha", "a", "b"] as const).map((key) => Math.abs(one[key] - other[key])));

const sum = (values: readonly number[]): number =>
  values.reduce((total, value) => total + value, 0);

const resampled = (
  count: number,
  seed: number,
  figure: (rows: readonly number[]) => number,
): Interval => bootstrap(count, figure, { seed });

function correlation(a: readonly number[], b: readonly number[]): number {
  const [meanA, meanB] = [sum(a) / a.length, sum(b) / b.length];
  const product = sum(a.map((value, i) => (value - meanA) * (b[i] - meanB)));
  const squares = (values: readonly number[], mean: number): number =>
    sum(values.map((value) => (value - mean) ** 2));
  return product / Math.sqrt(squares(a, meanA) * squares(b, meanB));
}

const weekEnds = Array.from({ length: ALL_WEEKS }, (_, week) => BEGIN + (week + 1) * 7 - 1);

const cameByWeek = (customers: readonly Customer[]): number[] =>
  weekEnds.map((end) =>
    sum(customers.map(({ days }) => days.slice(1).filter((at) => at <= end).length)),
  );

/** Expected repeat orders of customers of whom only the day of their first order is known. */
function foretoldByWeek(
  customers: readonly Customer[],
  model: AliveModel,
  process: AliveProcess,
): number[] {
  const newcomers = new Map<number, number>();
  for (const { days } of customers) newcomers.set(days[0], (newcomers.get(days[0]) ?? 0) + 1);
  const unknown = { x: 0, tx: 0, T: 0 };
  return weekEnds.map((end) =>
    sum(
      [...newcomers].map(([first, count]) =>
        first >= end ? 0 : count * expectedOrders(model, unknown, (end - first) / 7, process),
      ),
    ),
  );
}

export const cdnow: QualitySet = {
  id: "cdnow",
  title: "CDNOW: how often customers come back",
  folder: "cdnow",
  files: ["CDNOW_sample.txt"],
  measure,
};
