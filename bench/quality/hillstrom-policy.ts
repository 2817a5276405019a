/** Three arms: does choosing the e-mail per customer beat the best e-mail for all? */
import { bootstrap, type Interval } from "../../src/training/bootstrap.js";
import { loadTableData, type TableData } from "../../src/training/table-data.js";
import { fitTable, predictTable } from "../../src/training/table-model.js";
import { splitRows } from "../../src/training/table-split.js";
import { ARMS, hillstromOptions } from "./hillstrom-arms.js";
import type { SetContext } from "./set.js";

export interface PolicyGains {
  /** Visits a customer, the policy's less the men's e-mail to all; mean over seeds. */
  readonly gain: number;
  readonly interval: Interval;
  readonly policyRate: number;
  readonly mensRate: number;
  /** Share of customers the policy gives each arm. */
  readonly shares: Readonly<Record<string, number>>;
}

const NONE = 0;
const MENS = 2;
const NAMES = ["none", "women's", "men's"];

/** What really happened to the held-out customers, and what the policy would have given them. */
interface Asked {
  readonly visits: Uint8Array;
  readonly given: Uint8Array;
  readonly chosen: Uint8Array;
}

/** The arms were given with equal chance, so those who got what a policy gives stand for all. */
export async function policyGains(
  file: string,
  seeds: readonly number[],
  context: SetContext,
  onSeed: (done: number) => void,
): Promise<PolicyGains> {
  const tables = await Promise.all(ARMS.map((arm) => loadTableData(hillstromOptions(file, arm))));
  const results = seeds.map((seed, index) => {
    onSeed(index);
    return rateOf(askedOf(tables, seed, context), seed);
  });
  const mean = (pick: (one: (typeof results)[number]) => number): number =>
    results.reduce((sum, one) => sum + pick(one) / results.length, 0);
  return {
    gain: mean((one) => one.policyRate - one.mensRate),
    interval: { low: mean((one) => one.interval.low), high: mean((one) => one.interval.high) },
    policyRate: mean((one) => one.policyRate),
    mensRate: mean((one) => one.mensRate),
    shares: Object.fromEntries(NAMES.map((name, arm) => [name, mean((one) => one.shares[arm])])),
  };
}

function askedOf(tables: readonly TableData[], seed: number, context: SetContext): Asked {
  const [{ table, labels }] = tables;
  const given = new Uint8Array(table.rowCount).fill(NONE);
  tables.forEach(({ treated }, arm) => {
    for (let row = 0; row < given.length; row++) if (treated![row] === 1) given[row] = arm + 1;
  });
  const all = Uint32Array.from(given, (_, row) => row);
  const strata = Array.from(all, (row) => labels[row] + 2 * given[row]);
  const [{ train, test }] = splitRows(all, strata, "random:0.5", seed);
  const uplifts = tables.map((data) => {
    const own = new Set(data.rows);
    return upliftOf(
      data,
      train.filter((row) => own.has(row)),
      test,
      seed,
      context,
    );
  });
  return {
    visits: Uint8Array.from(test, (row) => labels[row]),
    given: Uint8Array.from(test, (row) => given[row]),
    chosen: Uint8Array.from(test, (_, index) => {
      const [womens, mens] = uplifts.map((values) => values[index]);
      return Math.max(womens, mens) <= 0 ? NONE : womens > mens ? 1 : MENS;
    }),
  };
}

/** Of any rows of the file, whatever arm they were in. */
function upliftOf(
  data: TableData,
  train: Uint32Array,
  rows: Uint32Array,
  seed: number,
  { xgboost, threads }: SetContext,
): Float64Array {
  return predictTable(xgboost, data, fitTable(xgboost, data, train, { seed, threads }), rows);
}

function rateOf({ visits, given, chosen }: Asked, seed: number) {
  const rateIn = (rows: ArrayLike<number>, isIn: (row: number) => boolean): number => {
    let [count, visited] = [0, 0];
    for (let i = 0; i < rows.length; i++) {
      if (!isIn(rows[i])) continue;
      count++;
      visited += visits[rows[i]];
    }
    return visited / count;
  };
  const policy = (rows: ArrayLike<number>) => rateIn(rows, (row) => given[row] === chosen[row]);
  const mens = (rows: ArrayLike<number>) => rateIn(rows, (row) => given[row] === MENS);
  const all = Array.from(visits, (_, row) => row);
  return {
    policyRate: policy(all),
    mensRate: mens(all),
    interval: bootstrap(visits.length, (rows) => policy(rows) - mens(rows), { seed }),
    shares: NAMES.map((_, arm) => chosen.filter((one) => one === arm).length / chosen.length),
  };
}
