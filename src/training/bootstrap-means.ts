/** Percentile bootstrap of many means over the same rows at once, resampling whole groups. */
import { type Interval, quantile } from "./bootstrap.js";
import { seededRandom } from "./random.js";

const ROUNDS = 500;

export interface RowGroups {
  /** In order of first appearance. */
  readonly ids: readonly (string | number)[];
  /** Group of each row. */
  readonly of: Uint32Array;
}

export function groupRows(ids: readonly (string | number)[]): RowGroups {
  const numbers = new Map<string | number, number>();
  const of = Uint32Array.from(ids, (id) => {
    const number = numbers.get(id) ?? numbers.size;
    numbers.set(id, number);
    return number;
  });
  return { ids: [...numbers.keys()], of };
}

export interface BootstrappedMean {
  /** Over rows with a value; NaN where there is none. */
  readonly mean: number;
  /** 95 %. */
  readonly interval: Interval;
  /** Mean of each group's rows, NaN for a group without a value. */
  readonly byGroup: Float64Array;
}

/**
 * Every series has one value a row, NaN where it has none. All series see the same draws, so that the
 * interval of a difference given as a series of its own is that of the paired difference.
 */
export function bootstrapMeans(
  series: readonly Float64Array[],
  groups: RowGroups,
  { rounds = ROUNDS, seed = 0 }: { rounds?: number; seed?: number } = {},
): BootstrappedMean[] {
  const groupCount = groups.ids.length;
  const totals = series.map((values) => totalsOf(values, groups));
  const drawn = series.map(() => new Float64Array(rounds));
  const random = seededRandom(seed);
  const times = new Uint16Array(groupCount);
  for (let round = 0; round < rounds; round++) {
    times.fill(0);
    for (let draw = 0; draw < groupCount; draw++) times[Math.floor(random() * groupCount)]++;
    totals.forEach(({ sum, count }, s) => {
      let [top, bottom] = [0, 0];
      for (let group = 0; group < groupCount; group++) {
        top += times[group] * sum[group];
        bottom += times[group] * count[group];
      }
      drawn[s][round] = top / bottom;
    });
  }
  return totals.map(({ sum, count }, s) => {
    const sorted = Array.from(drawn[s].filter(Number.isFinite).sort());
    return {
      mean: total(sum) / total(count),
      interval: { low: quantile(sorted, 0.025), high: quantile(sorted, 0.975) },
      byGroup: sum.map((value, group) => value / count[group]),
    };
  });
}

const total = (values: Float64Array): number => values.reduce((sum, value) => sum + value, 0);

function totalsOf(
  values: Float64Array,
  { ids, of }: RowGroups,
): { sum: Float64Array; count: Float64Array } {
  const sum = new Float64Array(ids.length);
  const count = new Float64Array(ids.length);
  for (let row = 0; row < values.length; row++) {
    if (Number.isNaN(values[row])) continue;
    sum[of[row]] += values[row];
    count[of[row]]++;
  }
  return { sum, count };
}
