/** What is odd about a table, found before anyone believes its figures. */
import { auc } from "./metrics.js";
import { stratifiedFolds } from "./random.js";
import type { TableData } from "./table-data.js";
import { encodeRows, outOfFoldRates } from "./table-encoder.js";
import { levelCounts, type Table } from "./table-read.js";

export interface TableChecks {
  /** Rows that repeat an earlier row in every cell, the label included. */
  readonly duplicateRows: number;
  /** Rows left out for want of a label, or because their arm is not compared. */
  readonly unusedRows: number;
  readonly constantColumns: readonly string[];
  /** Columns that name the row (an id, a row number); left out. */
  readonly identifierColumns: readonly string[];
  /**
   * Columns that alone rank the label nearly perfectly: known only afterwards, in all likelihood.
   */
  readonly suspectedLeaks: readonly SuspectedLeak[];
  /** Columns with missing cells, the emptiest first. */
  readonly missing: readonly MissingShare[];
}

export interface SuspectedLeak {
  readonly column: string;
  readonly auc: number;
}

export interface MissingShare {
  readonly column: string;
  readonly share: number;
}

/** A single column above this AUC is reported. */
const LEAK_AUC = 0.95;

export function checkTable(data: TableData): TableChecks {
  const ofKind = (kind: string) =>
    data.kinds.filter((finding) => finding.kind === kind).map((finding) => finding.column);
  return {
    duplicateRows: countDuplicates(data.table),
    unusedRows: data.table.rowCount - data.rows.length,
    constantColumns: ofKind("constant"),
    identifierColumns: ofKind("identifier"),
    suspectedLeaks: findLeaks(data),
    missing: missingShares(data),
  };
}

/**
 * AUC of each column on its own, with missing cells lowest and highest (a column that is only
 * filled afterwards gives itself away by that). Text counts by its out-of-fold rate of positives.
 */
export function findLeaks({ table, rows, labels, kinds }: TableData): SuspectedLeak[] {
  const ownLabels = Array.from(rows, (row) => labels[row]);
  const folds = stratifiedFolds(ownLabels, 5, 0);
  const leaks: SuspectedLeak[] = [];
  for (const { column: name, kind } of kinds) {
    const column = table.columns.find((candidate) => candidate.name === name);
    if (column === undefined || kind === "constant" || kind === "identifier") continue;
    const isNumber = kind === "number";
    const values = isNumber
      ? encodeRows([{ kind, column: name }], table, rows)
      : outOfFoldRates(column, labels, rows, folds);
    const areas = [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY].map((missing) =>
      auc(
        values.map((value) => (Number.isNaN(value) ? missing : value)),
        ownLabels,
      ),
    );
    // A number may fall as the label rises; a rate of positives may not.
    const either = Math.max(...areas, ...(isNumber ? areas.map((area) => 1 - area) : []));
    if (either > LEAK_AUC) leaks.push({ column: name, auc: either });
  }
  return leaks.sort((a, b) => b.auc - a.auc);
}

function countDuplicates(table: Table): number {
  const seen = new Set<string>();
  const cells = new Int32Array(table.columns.length);
  const bytes = Buffer.from(cells.buffer);
  for (let row = 0; row < table.rowCount; row++) {
    for (let column = 0; column < cells.length; column++) {
      cells[column] = table.columns[column].codes[row];
    }
    seen.add(bytes.toString("latin1"));
  }
  return table.rowCount - seen.size;
}

function missingShares({ table, kinds }: TableData): MissingShare[] {
  const inputs = new Set(kinds.map((finding) => finding.column));
  return table.columns
    .filter((column) => inputs.has(column.name))
    .map((column) => {
      const filled = levelCounts(column).reduce((sum, count) => sum + count, 0);
      return { column: column.name, share: 1 - filled / table.rowCount };
    })
    .filter(({ share }) => share > 0)
    .sort((a, b) => b.share - a.share);
}
