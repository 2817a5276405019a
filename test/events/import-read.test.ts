import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { DuckDBInstance } from "@duckdb/node-api";
import fc from "fast-check";
import iconv from "iconv-lite";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CsvReader } from "../../src/events/import-csv.js";
import {
  fileHash16,
  type ReadOptions,
  type ReadRow,
  readRows,
} from "../../src/events/import-read.js";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "import-read-"));
});
afterAll(() => rm(folder, { recursive: true }));

async function read(name: string, content: string | Buffer, options: ReadOptions = {}) {
  const file = join(folder, name);
  await writeFile(file, content);
  return all(file, options);
}

async function all(file: string, options: ReadOptions = {}): Promise<ReadRow[]> {
  const rows: ReadRow[] = [];
  for await (const row of readRows(file, options)) rows.push(row);
  return rows;
}

const valuesOf = (rows: ReadRow[]) => rows.map((row) => ("values" in row ? row.values : null));

describe("readRows of CSV", () => {
  it("reads plain and quoted fields, quotes in quotes, line breaks in quotes, CRLF and a BOM", async () => {
    const rows = await read(
      "plain.csv",
      '\ufeffid,text\r\n1,plain\r\n2,"a, ""b"""\r\n3,"two\r\nlines"\r\n4,6" nails\r\n5,',
    );
    expect(valuesOf(rows)).toEqual([
      { id: "1", text: "plain" },
      { id: "2", text: 'a, "b"' },
      { id: "3", text: "two\nlines" },
      { id: "4", text: '6" nails' },
      { id: "5", text: "" },
    ]);
    expect(rows.map((row) => row.row)).toEqual([1, 2, 3, 4, 5]);
  });

  it("reports one row for a quote left open, and keeps every row after it", async () => {
    const lines = Array.from({ length: 300 }, (_, i) => `${i + 1},item ${i + 1}`);
    lines[49] = '50,"never closed';
    lines[119] = '120,"closed" too early';
    const rows = await read("broken.csv", `id,text\n${lines.join("\n")}\n`);
    expect(rows).toHaveLength(300);
    const faults = rows.filter((row) => "fault" in row);
    expect(faults.map((row) => row.row)).toEqual([50, 120]);
    expect(faults[0]).toMatchObject({ raw: '50,"never closed' });
    expect(rows[50]).toEqual({ row: 51, values: { id: "51", text: "item 51" } });
  });

  it("does not let two stray quotes swallow the rows between them", async () => {
    const rows = await read("two.csv", 'id,text\n1,"open\n2,fine\n3,"open too\n4,fine\n');
    expect(rows.map((row) => "fault" in row)).toEqual([true, false, true, false]);
  });

  it("does not join lines into a record that has not the columns of the header", async () => {
    const rows = await read("joined.csv", 'id,text,n\n1,"open,5\n2,b"\n3,c,7\n');
    expect(rows.map((row) => "fault" in row)).toEqual([true, true, false]);
  });

  it("reports rows with too few or too many columns and forgives empty ones at the end", async () => {
    const rows = await read("columns.csv", "a,b\n1\n1,2,3\n1,2,,\n1,2\n");
    expect(rows.map((row) => "fault" in row)).toEqual([true, true, false, false]);
  });

  it("finds the separator, takes the one it is told, and names columns without a header", async () => {
    expect(valuesOf(await read("semi.csv", "a;b\n1,5;2\n"))).toEqual([{ a: "1,5", b: "2" }]);
    expect(valuesOf(await read("tabs.tsv", "a\tb\n1\t2\n"))).toEqual([{ a: "1", b: "2" }]);
    expect(valuesOf(await read("bar.csv", "a,c|b\n1|2\n", { separator: "|" }))).toEqual([
      { "a,c": "1", b: "2" },
    ]);
    expect(valuesOf(await read("bare.csv", "7,8\n9,10\n", { header: false }))).toEqual([
      { 1: "7", 2: "8" },
      { 1: "9", 2: "10" },
    ]);
  });

  it("names the missing column and the columns there are", async () => {
    const reading = read("map.csv", "Customer ID,Invoice\n1,2\n", {
      columns: ["CustomerID", "Invoice"],
    });
    await expect(reading).rejects.toMatchObject({
      code: "file_invalid",
      detail: expect.stringMatching(/no column CustomerID; the file has: Customer ID, Invoice/),
    });
  });

  it("refuses a wanted column that stands twice, an empty file and a missing one", async () => {
    await expect(read("twice.csv", "a,a\n1,2\n", { columns: ["a"] })).rejects.toThrow(/column a/);
    await expect(read("empty.csv", "")).rejects.toMatchObject({ code: "file_invalid" });
    await expect(all(join(folder, "absent.csv"))).rejects.toThrow(/no such file/);
    await expect(all(join(folder, "absent.docx"))).rejects.toThrow(/none of .csv/);
  });

  it("reads gz, and says when a gz is damaged or cut", async () => {
    const packed = gzipSync(`id,text\n${"1,some text\n".repeat(5000)}`);
    expect(await read("packed.csv.gz", packed)).toHaveLength(5000);
    await expect(read("cut.csv.gz", packed.subarray(0, 60))).rejects.toThrow(/ends too early/);
    await expect(read("not.csv.gz", "id,text\n1,2\n")).rejects.toThrow(/not gzip/);
  });

  it("gives the same rows however the text is cut", () => {
    const field = fc.string({
      unit: fc.constantFrom("a", '"', ",", "\n", "\r", "茶", " "),
      maxLength: 8,
    });
    fc.assert(
      fc.property(fc.array(fc.tuple(field, field), { maxLength: 8 }), fc.nat(), (records, cut) => {
        const quote = (text: string) => `"${text.replaceAll('"', '""').replaceAll("\r", "")}"`;
        const text = records.map(([a, b]) => `${quote(a)},${quote(b)}\n`).join("");
        const whole = new CsvReader(["a", "b"], ",");
        const rows = [...whole.push(text), ...whole.end()];
        const split = new CsvReader(["a", "b"], ",");
        const at = cut % (text.length + 1);
        const pieces = [
          ...split.push(text.slice(0, at)),
          ...split.push(text.slice(at)),
          ...split.end(),
        ];
        expect(pieces).toEqual(rows);
        expect(rows.map((row) => ("values" in row ? [row.values.a, row.values.b] : null))).toEqual(
          records.map(([a, b]) => [a.replaceAll("\r", ""), b.replaceAll("\r", "")]),
        );
      }),
    );
  });

  it("accounts for every line of any garbage and never throws", () => {
    const line = fc.string({ unit: fc.constantFrom("a", '"', ","), maxLength: 6 });
    fc.assert(
      fc.property(fc.array(line, { maxLength: 30 }), (lines) => {
        const reader = new CsvReader(["a", "b"], ",");
        const rows = [...reader.push(lines.join("\n")), ...reader.end()];
        const kept = rows.reduce(
          (sum, row) =>
            sum + ("fault" in row ? row.raw.split("\n").length : 1 + breaksIn(row.values)),
          0,
        );
        expect(kept).toBeLessThanOrEqual(lines.length);
        const empty = lines.filter((one) => one === "").length;
        expect(kept).toBeGreaterThanOrEqual(lines.length - empty);
      }),
    );
  });
});

const breaksIn = (values: Readonly<Record<string, string>>) =>
  Object.values(values).join("").split("\n").length - 1;

describe("readRows and encodings", () => {
  const chinese = `编号,名称\n${"1,茉莉花茶\n2,婴儿配方奶粉一段\n".repeat(50)}`;

  it("tells GB18030 from UTF-8 by itself, even when the first megabyte is ASCII", async () => {
    const late = `id,name\n${"1,tea\n".repeat(60_000)}2,茉莉花茶\n3,乌龙茶\n`;
    for (const [name, text] of [
      ["gb.csv", chinese],
      ["gb-late.csv", late],
    ] as const) {
      const rows = await read(name, iconv.encode(text, "gb18030"));
      const last = rows[rows.length - 1]!;
      expect("values" in last && Object.values(last.values)[1]).toMatch(/奶粉一段|乌龙茶/);
    }
    expect(await read("utf.csv", chinese)).toHaveLength(100);
  });

  it("reads characters cut by a chunk of the file", async () => {
    const text = `id,name\n${"1,茉莉花茶龙井普洱\n".repeat(30_000)}`;
    for (const encoding of ["utf8", "gb18030"] as const) {
      const rows = await read(`cut-${encoding}.csv`, iconv.encode(text, encoding), { encoding });
      expect(rows).toHaveLength(30_000);
      const odd = rows.filter(
        (row) => !("values" in row) || row.values.name !== "茉莉花茶龙井普洱",
      );
      expect(odd).toEqual([]);
    }
  });

  it("names --encoding gb18030 when told UTF-8 and it is not", async () => {
    const bytes = iconv.encode(chinese, "gb18030");
    await expect(read("wrong.csv", bytes, { encoding: "utf8" })).rejects.toMatchObject({
      code: "file_invalid",
      detail: expect.stringContaining("--encoding gb18030"),
    });
  });

  it("does not take Latin-1 for Chinese, and refuses UTF-16", async () => {
    const latin = Buffer.from("id,name\n1,café crème brûlée\n2,Müller größe\n", "latin1");
    await expect(read("latin.csv", latin)).rejects.toMatchObject({ code: "file_invalid" });
    const wide = Buffer.from("\ufeffid,name\n1,tea\n", "utf16le");
    await expect(read("wide.csv", wide)).rejects.toThrow(/UTF-16/);
  });
});

describe("readRows of NDJSON and Parquet", () => {
  it("flattens objects and reports a broken line without losing the next", async () => {
    const rows = await read(
      "a.ndjson.gz",
      gzipSync(
        '{"user":{"id":7},"n":1.5,"ok":true,"none":null,"list":[1]}\n{broken\n\n[1]\n{"user":{"id":8}}',
      ),
      { columns: ["user.id"] },
    );
    expect(rows[0]).toEqual({
      row: 1,
      values: { "user.id": "7", n: "1.5", ok: "true", none: "", list: "[1]" },
    });
    expect(rows.map((row) => "fault" in row)).toEqual([false, true, true, false]);
    expect(rows[3]).toEqual({ row: 4, values: { "user.id": "8" } });
  });

  it("reads Parquet as text, in order, and names a missing column", async () => {
    const file = join(folder, "a.parquet");
    const instance = await DuckDBInstance.create(":memory:");
    const connection = await instance.connect();
    await connection.run(
      `COPY (SELECT i AS id, 'tea ' || i AS name, TIMESTAMP '2026-01-02 03:04:05' AS at,
             CASE WHEN i = 1 THEN NULL ELSE 1.5 END AS price FROM range(1, 5001) t(i))
       TO '${file}' (FORMAT parquet)`,
    );
    connection.closeSync();
    const rows = await all(file);
    expect(rows).toHaveLength(5000);
    expect(rows[0]).toEqual({
      row: 1,
      values: { id: "1", name: "tea 1", at: "2026-01-02 03:04:05", price: "" },
    });
    expect(rows[4999]).toMatchObject({ row: 5000, values: { id: "5000", price: "1.5" } });
    await expect(all(file, { columns: ["sku"] })).rejects.toThrow(
      /no column sku; the file has: id/,
    );
    await expect(read("b.parquet", "no")).rejects.toMatchObject({ code: "file_invalid" });
  });
});

describe("fileHash16", () => {
  it("is the start of the file's SHA-256", async () => {
    await writeFile(join(folder, "hash.csv"), "abc");
    expect(await fileHash16(join(folder, "hash.csv"))).toBe("ba7816bf8f01cfea");
  });
});
