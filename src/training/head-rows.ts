/** Which rows of the data set a head learns from, and which it is stopped, calibrated and judged on. */
import { pick } from "./bootstrap.js";
import type { Dataset, HeadName } from "./dataset.js";
import type { LabelledRows } from "./xgboost.js";

export type SliceName = "train" | "stop" | "calibrate" | "promote" | "report";

/** Rows of each class a slice needs: below, no figure about it means anything. */
export const TRAIN_CLASS_MIN = 40;
export const LATER_CLASS_MIN = 10;
/** To stop and to calibrate: one number each is chosen there, and no figure is told. */
export const CHOICE_CLASS_MIN = 5;

/**
 * Stopping, calibration and promotion take one snapshot, parted by members: a quarter, a quarter and a
 * half. Always the same members, so that a champion is never judged on those it was calibrated on.
 */
const PARTS: Readonly<Record<"stop" | "calibrate" | "promote", readonly number[]>> = {
  stop: [0],
  calibrate: [1],
  promote: [2, 3],
};

/** Rows of a head within a slice, ascending. */
export function rowsOf(data: Dataset, head: HeadName, slice: SliceName): Uint32Array {
  const { weights, slices } = data.heads[head];
  const trained = new Set(slices.train);
  const inSlice = (row: number): boolean => {
    const at = data.snapshot[row];
    if (slice === "train") return trained.has(at);
    if (slice === "report") return at === slices.report;
    return at === slices.calibrate && PARTS[slice].includes(data.member[row] & 3);
  };
  const rows: number[] = [];
  for (let row = 0; row < data.rowCount; row++) {
    if (weights[row] === 1 && inSlice(row)) rows.push(row);
  }
  return Uint32Array.from(rows);
}

export function labelledRows(data: Dataset, head: HeadName, rows: Uint32Array): LabelledRows {
  const columns = data.names.length;
  const gathered = new Float32Array(rows.length * columns);
  rows.forEach((row, index) => {
    gathered.set(data.rows.subarray(row * columns, (row + 1) * columns), index * columns);
  });
  const labels = Float32Array.from(rows, (row) => data.heads[head].labels[row]);
  // XGBoost takes NaN for missing and refuses infinity (an attribute beyond float32).
  for (let at = 0; at < gathered.length; at++) {
    if (!Number.isFinite(gathered[at])) gathered[at] = Number.NaN;
  }
  return { rows: gathered, rowCount: rows.length, labels };
}

export const sliceOf = (data: Dataset, head: HeadName, slice: SliceName): LabelledRows =>
  labelledRows(data, head, rowsOf(data, head, slice));

/** hash32 of each row's member. */
export const membersOf = (data: Dataset, rows: Uint32Array): Float64Array =>
  pick(data.member, rows);

/** What a head lacks to be trained and judged, in words; null when it lacks nothing. */
export function shortageOf(data: Dataset, head: HeadName): string | null {
  const least: [SliceName, number][] = [
    ["train", TRAIN_CLASS_MIN],
    ["stop", CHOICE_CLASS_MIN],
    ["calibrate", CHOICE_CLASS_MIN],
    ["promote", LATER_CLASS_MIN],
    ["report", LATER_CLASS_MIN],
  ];
  for (const [slice, minimum] of least) {
    const rows = rowsOf(data, head, slice);
    const positives = rows.reduce((sum, row) => sum + data.heads[head].labels[row], 0);
    const rarer = Math.min(positives, rows.length - positives);
    if (rarer >= minimum) continue;
    return (
      `${head}: ${positives} of ${rows.length} rows to ${slice} on have the label; ` +
      `at least ${minimum} with and ${minimum} without are needed`
    );
  }
  return null;
}
