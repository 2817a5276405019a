import { describe, expect, it } from "vitest";
import { auc } from "../../src/training/metrics.js";
import { seededRandom } from "../../src/training/random.js";
import {
  encodeRows,
  encodeTrainingRows,
  featureNames,
  findKind,
  fitEncoder,
} from "../../src/training/table-encoder.js";
import type { Column, Table } from "../../src/training/table-read.js";

/** A column from its cells; null is missing. */
function aColumn(name: string, cells: readonly (string | null)[]): Column {
  const levels = [...new Set(cells.filter((cell) => cell !== null))];
  const codes = Int32Array.from(cells, (cell) => (cell === null ? -1 : levels.indexOf(cell)));
  return { name, levels, codes };
}

const aTable = (...columns: Column[]): Table => ({ columns, rowCount: columns[0].codes.length });
const rowsOf = (table: Table) => Uint32Array.from({ length: table.rowCount }, (_, row) => row);
const repeated = <T>(values: readonly T[], count: number): T[] =>
  Array.from({ length: count }, (_, index) => values[index % values.length]);

/** Encodes every row with an encoder fitted on the table itself. */
function encoded(...columns: Column[]) {
  const table = aTable(...columns);
  const kinds = columns.map((column) => ({ column: column.name, kind: findKind(column) }));
  const encoder = fitEncoder(table, kinds, new Uint8Array(table.rowCount), rowsOf(table));
  const features = encodeRows(encoder, table, rowsOf(table));
  const names = featureNames(encoder);
  const row = (index: number) => [
    ...features.slice(index * names.length, (index + 1) * names.length),
  ];
  return { encoder, names, row };
}

describe("what a column is", () => {
  const kindOf = (...cells: (string | null)[]) => findKind(aColumn("x", cells));

  it("tells numbers, codes, dates, flags and texts apart", () => {
    expect(kindOf("1", "-2.5", "1e3", null, ".5")).toBe("number");
    expect(kindOf("0123", "0456", "0789")).toBe("levels");
    expect(kindOf("2024-01-02", "2024/2/3", "2024-03-04T05:06:07Z")).toBe("date");
    expect(kindOf("yes", "no", "yes")).toBe("flag");
    expect(kindOf("red", "green", "blue")).toBe("levels");
    expect(findKind(aColumn("x", repeated(range(30, "city"), 300)))).toBe("rate");
  });

  it("leaves out constants and what names the row", () => {
    expect(kindOf("a", "a", "a")).toBe("constant");
    expect(kindOf(null, null)).toBe("constant");
    expect(kindOf("a", null, "a")).not.toBe("constant");
    expect(findKind(aColumn("x", range(100, "id-")))).toBe("identifier");
    expect(findKind(aColumn("x", range(100, "")))).toBe("identifier");
  });

  it("stays a number column when a few cells are not numbers, and those are missing", () => {
    const { names, row } = encoded(aColumn("x", [...repeated(["1.5", "2.5", "4"], 99), "n.a."]));
    expect(names).toEqual(["x"]);
    expect(row(0)).toEqual([1.5]);
    expect(row(99)).toEqual([Number.NaN]);
  });

  it("stays one however often its cells say in words that there is no value", () => {
    const words = ["None", "n/a", "#N/A", "<NA>", "-", "missing", "inf", "-Infinity", "1e400"];
    const { names, row } = encoded(aColumn("x", [...repeated(["1.5", "2.5", "4"], 20), ...words]));
    expect(names).toEqual(["x"]);
    for (let i = 20; i < 20 + words.length; i++) expect(row(i)).toEqual([Number.NaN]);
    expect(kindOf("2024-01-02", "None", "2024-03-04")).toBe("date");
    expect(kindOf("None", "1", "2")).toBe("number");
    expect(kindOf("None", "-", "missing")).toBe("levels");
  });

  function range(count: number, prefix: string): string[] {
    return Array.from({ length: count }, (_, index) => `${prefix}${index + 1}`);
  }
});

describe("features of a column", () => {
  it("gives dates as day, month and weekday in UTC", () => {
    const { names, row } = encoded(aColumn("d", ["1970-01-02", "2024-02-29", null]));
    expect(names).toEqual(["d:day", "d:month", "d:weekday"]);
    expect(row(0)).toEqual([1, 1, 5]);
    expect(row(1).slice(1)).toEqual([2, 4]);
    expect(row(2)).toEqual([Number.NaN, Number.NaN, Number.NaN]);
  });

  it("gives frequent levels a feature each, rare and unseen ones share one, missing is missing", () => {
    const cells = [...repeated(["a", "b"], 40), "rare", null];
    const { encoder, names, row } = encoded(aColumn("c", cells));
    expect(names).toEqual(["c=a", "c=b", "c=(other)"]);
    expect(row(1)).toEqual([0, 1, 0]);
    expect(row(40)).toEqual([0, 0, 1]);
    expect(row(41)).toEqual([Number.NaN, Number.NaN, Number.NaN]);
    const unseen = aTable(aColumn("c", ["new"]));
    expect([...encodeRows(encoder, unseen, [0])]).toEqual([0, 0, 1]);
  });

  it("treats numbers beyond float32 as missing", () => {
    expect(encoded(aColumn("x", ["1", "3", "1e300"])).row(2)).toEqual([Number.NaN]);
  });

  it("an unseen level of many gets the prior, a rare one is close to it", () => {
    const column = aColumn("city", [...repeated(["a", "b"], 400), "rare"]);
    const labels = Uint8Array.from(column.codes, (code) => (code === 0 || code === 2 ? 1 : 0));
    const table = aTable(column);
    const encoder = fitEncoder(table, [{ column: "city", kind: "rate" }], labels, rowsOf(table));
    const other = aTable(aColumn("city", ["a", "b", "rare", "unseen", "__proto__"]));
    const [a, b, rare, unseen, proto] = encodeRows(encoder, other, [0, 1, 2, 3, 4]);
    expect(unseen).toBeCloseTo(201 / 401, 6);
    expect(proto).toBe(unseen);
    expect(a).toBeCloseTo((200 + 20 * (201 / 401)) / 220, 6);
    expect(b).toBeLessThan(0.1);
    expect(rare - unseen).toBeLessThan(0.03);
  });
});

describe("rates of levels", () => {
  it("do not carry a training row's own label into its feature", () => {
    const random = seededRandom(1);
    const cells = Array.from({ length: 2000 }, () => `city${Math.floor(random() * 700)}`);
    const labels = Uint8Array.from(cells, () => (random() < 0.5 ? 1 : 0));
    const table = aTable(aColumn("city", cells));
    const rows = rowsOf(table);
    const encoder = fitEncoder(table, [{ column: "city", kind: "rate" }], labels, rows);
    // Labels are noise, so what ranks them is a leak; the naive rate shows what that looks like.
    expect(auc(encodeRows(encoder, table, rows), labels)).toBeGreaterThan(0.7);
    const standardError = Math.sqrt(1 / 12 / 500);
    const outOfFold = encodeTrainingRows(encoder, table, labels, rows, 1);
    expect(auc(outOfFold, labels)).toBeLessThan(0.5 + 3 * standardError);
  });
});
