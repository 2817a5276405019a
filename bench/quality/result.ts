/** What one data set's measurement comes to: plain data, kept in results.json, told by render.ts. */
import type { Interval } from "../../src/training/bootstrap.js";

/** A figure to reach, in words, and whether ours does. */
export interface Bar {
  readonly text: string;
  readonly reached: boolean;
}

/** One line of the table at the top. */
export interface QualityRow {
  readonly row: string;
  readonly metric: string;
  readonly ours: number;
  /** 95 %. */
  readonly interval?: Interval;
  /** Name → value of the same metric, measured on the same rows by the same command. */
  readonly baselines?: Readonly<Record<string, number>>;
  /** Ours minus the best baseline, paired, 95 %. */
  readonly lead?: { readonly over: string; readonly difference: number } & Interval;
  readonly floor?: Bar;
  readonly target?: Bar;
  /** Default 4. */
  readonly decimals?: number;
}

export interface Measured {
  /** ISO 8601, UTC, to the minute. */
  readonly at: string;
  readonly commit: string;
  readonly machine: string;
  readonly node: string;
  readonly xgboost: string;
  readonly threads: number;
  readonly seconds: number;
  /** Processor time of this process; what it started, as a command of the product, is not in it. */
  readonly cpuSeconds: number;
}

export interface Plot {
  /** Beside the report, e.g. plots/cdnow-tracking.svg. */
  readonly file: string;
  readonly title: string;
}

/** What a set gives; who measured it, and when, is added by the command. */
export interface SetFigures {
  readonly rows: readonly QualityRow[];
  /** Split, seed, where the intervals are from: one paragraph. */
  readonly protocol: string;
  /** Paragraphs: what was chosen and why, how to read it. */
  readonly text: readonly string[];
  readonly tables: readonly { readonly caption: string; readonly rows: readonly string[][] }[];
  readonly plots: readonly Plot[];
}

export interface SetResult extends SetFigures {
  readonly measured: Measured;
}

/** By id of the set. */
export type Results = Readonly<Record<string, SetResult>>;

export const atLeast = (ours: number, least: number, text = `${least}`): Bar => ({
  text,
  reached: ours >= least,
});

/** `0.0123`, `−9582.4`: fixed decimals, a real minus sign, none before a zero. */
export function shown(value: number, decimals = 4): string {
  if (!Number.isFinite(value)) return "–";
  const text = value.toFixed(decimals);
  return Number(text) === 0 ? text.replace("-", "") : text.replace("-", "−");
}

export const range = ({ low, high }: Interval, decimals = 4): string =>
  `${shown(low, decimals)} … ${shown(high, decimals)}`;

/** `0.0123 (0.0100 … 0.0140)` */
export const withInterval = (value: number, interval?: Interval, decimals = 4): string =>
  interval === undefined
    ? shown(value, decimals)
    : `${shown(value, decimals)} (${range(interval, decimals)})`;

/** `13,858` */
export const counted = (count: number): string => count.toLocaleString("en-US");
