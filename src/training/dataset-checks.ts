/** What is odd about the members' data set, found before anyone believes its figures. */
import { createHash } from "node:crypto";
import type { Dataset } from "./dataset.js";

export interface DatasetChecks {
  readonly rows: number;
  /** Rows that repeat an earlier row of the same snapshot in every feature. */
  readonly duplicateRows: number;
  /** Features with one value, or none, in all rows. */
  readonly constantFeatures: readonly string[];
  readonly notes: readonly string[];
}

export function checkDataset(data: Dataset): DatasetChecks {
  const constantFeatures = data.names.filter((_, column) => isConstant(data, column));
  const duplicateRows = countDuplicates(data);
  const share = ((100 * duplicateRows) / Math.max(1, data.rowCount)).toFixed(1);
  const notes = [
    `${data.rowCount} rows of ${data.names.length} features; ` +
      `${duplicateRows} (${share} %) repeat another member's in every feature`,
    ...(constantFeatures.length === 0
      ? []
      : [`the same for everyone: ${constantFeatures.join(", ")}`]),
  ];
  return { rows: data.rowCount, duplicateRows, constantFeatures, notes };
}

function isConstant({ rows, rowCount, names }: Dataset, column: number): boolean {
  for (let row = 1; row < rowCount; row++) {
    if (!Object.is(rows[row * names.length + column], rows[column])) return false;
  }
  return true;
}

function countDuplicates({ rows, rowCount, names, snapshot }: Dataset): number {
  const bytes = new Uint8Array(rows.buffer, rows.byteOffset, rows.byteLength);
  const width = names.length * rows.BYTES_PER_ELEMENT;
  const seen = new Set<string>();
  for (let row = 0; row < rowCount; row++) {
    const values = bytes.subarray(row * width, (row + 1) * width);
    seen.add(`${snapshot[row]} ${createHash("sha1").update(values).digest("base64")}`);
  }
  return rowCount - seen.size;
}
