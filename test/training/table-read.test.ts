import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import iconv from "iconv-lite";
import { afterAll, describe, expect, it } from "vitest";
import { columnOf, readTable, type TableFormat } from "../../src/training/table-read.js";

const directory = mkdtempSync(join(tmpdir(), "cuecard-table-read-"));
afterAll(() => rmSync(directory, { recursive: true }));

let files = 0;
function aFile(content: string | Uint8Array, extension = "csv"): string {
  const path = join(directory, `${++files}.${extension}`);
  writeFileSync(path, content);
  return path;
}

async function cells(content: string | Uint8Array, format?: TableFormat, extension?: string) {
  const table = await readTable(aFile(content, extension), format);
  const rows = Array.from({ length: table.rowCount }, (_, row) =>
    table.columns.map(({ levels, codes }) => (codes[row] < 0 ? null : levels[codes[row]])),
  );
  return { names: table.columns.map((column) => column.name), rows };
}

const refused = (detail: RegExp) =>
  expect.objectContaining({ code: "file_invalid", detail: expect.stringMatching(detail) });

describe("reading a flat table", () => {
  it("reads quotes, quoted line breaks, trims, and takes empty, NA and ? as missing", async () => {
    const { names, rows } = await cells('a,b,c\n1," x ","two\nlines"\n NA ,?,\n');
    expect(names).toEqual(["a", "b", "c"]);
    expect(rows).toEqual([
      ["1", "x", "two\nlines"],
      [null, null, null],
    ]);
  });

  it("reads other separators, gzip, a byte-order mark and GB18030", async () => {
    expect((await cells("a;b\n1;2\n", { separator: ";" })).rows).toEqual([["1", "2"]]);
    expect((await cells("a;b\n1,5;2\n")).rows).toEqual([["1,5", "2"]]);
    expect((await cells("a\tb\n1\t2\n")).rows).toEqual([["1", "2"]]);
    expect((await cells(gzipSync("a,b\n1,2\n"), {}, "csv.gz")).rows).toEqual([["1", "2"]]);
    expect((await cells("\ufeffa,b\n1,2\n")).names).toEqual(["a", "b"]);
    const chinese = iconv.encode("姓名,城市\n张伟,上海\n", "gb18030");
    for (const encoding of ["gb18030", undefined]) {
      const read = await cells(chinese, { encoding });
      expect(read).toEqual({ names: ["姓名", "城市"], rows: [["张伟", "上海"]] });
    }
    const zipped = gzipSync(iconv.encode("姓名;城市\n张伟;上海\n", "gb18030"));
    expect((await cells(zipped, {}, "csv.gz")).names).toEqual(["姓名", "城市"]);
  });

  it("names columns by number when there is no header", async () => {
    const table = await readTable(aFile("1,x\n2,y\n"), { header: false });
    expect(table.rowCount).toBe(2);
    expect(columnOf(table, "2", false).levels).toEqual(["x", "y"]);
    expect(columnOf(table, "c2", false).name).toBe("c2");
  });

  it("keeps more rows than its first buffer", async () => {
    const lines = Array.from({ length: 5000 }, (_, row) => String(row % 7));
    const table = await readTable(aFile(`n\n${lines.join("\n")}\n`));
    expect(table.rowCount).toBe(5000);
    expect(table.columns[0].levels).toHaveLength(7);
    expect(table.columns[0].codes[4999]).toBe(4999 % 7);
  });

  it("refuses broken files with the line or the reason", async () => {
    await expect(cells("a,b\n1,2\n3\n")).rejects.toThrow(refused(/line 3/));
    await expect(cells('a,b\n1,"2\n')).rejects.toThrow(refused(/Quote/));
    await expect(cells("a,a\n1,2\n")).rejects.toThrow(refused(/twice/));
    await expect(cells("a;b\n1;2\n", { separator: "," })).rejects.toThrow(refused(/separator ";"/));
    await expect(cells("a,b\n")).rejects.toThrow(refused(/no rows/));
    await expect(cells("")).rejects.toThrow(refused(/no rows/));
    await expect(cells("not gzip", {}, "csv.gz")).rejects.toThrow(refused(/./));
    await expect(cells("a\n1\n", { encoding: "klingon" })).rejects.toThrow(refused(/encoding/));
    await expect(readTable(join(directory, "absent.csv"))).rejects.toThrow(refused(/no such file/));
    await expect(readTable(directory)).rejects.toThrow(refused(/this is a directory/));
  });
});
