import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { productInputSchema } from "../../src/catalog/records.js";
import { CuecardError } from "../../src/errors.js";
import { importMembers, importProducts } from "../../src/events/import-records-command.js";
import { formatSummary } from "../../src/events/import-report.js";
import { type MemberInput, memberInputSchema } from "../../src/members/profile.js";
import { temporaryDir } from "../support/redis.js";

let dir: string;
beforeAll(() => {
  dir = temporaryDir();
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

function aFile(name: string, text: string): string {
  const file = join(dir, name);
  writeFileSync(file, text);
  return file;
}

describe("importMembers", () => {
  it("writes each row, the later of one id last, and rejects what is refused", async () => {
    const file = aFile("members.csv", "id,name,mail\n1,A,a@x.cn\n2,B,none\n1,C,\n3,D,d@x.cn\n");
    const mapping = { id: "id", name: "name", email: "mail" };
    const written: [string, MemberInput][] = [];
    let away = true;
    const put = async (id: string, input: MemberInput): Promise<void> => {
      if (away) {
        away = false;
        throw new CuecardError("store_unavailable", "not now");
      }
      if (id === "3") throw new CuecardError("member_erased", "this member was erased");
      written.push([id, input]);
    };
    const summary = await importMembers({ file, mapping, schema: memberInputSchema }, put);
    expect(written.map(([id, { name }]) => [id, name])).toEqual([
      ["1", "A"],
      ["1", "C"],
    ]);
    expect(formatSummary(summary)).toMatch(/^imported: rows=4 events=0 members=1 .*rejected=2 /);
    const rejects = readFileSync(summary.rejectFile!, "utf8");
    expect(rejects).toContain("2,invalid_request,");
    expect(rejects).toContain("4,member_erased,");
  });
});

describe("importProducts", () => {
  it("writes in batches and rejects refused products", async () => {
    const rows = Array.from({ length: 700 }, (_, i) => `p${i},Product ${i},${i}.5`);
    const file = aFile("products.csv", `sku,title,price\n${rows.join("\n")}\n`);
    const mapping = { id: "sku", name: "title", price: "price" };
    const sizes: number[] = [];
    const summary = await importProducts(
      { file, mapping, schema: productInputSchema },
      async (batch) => {
        sizes.push(batch.length);
        const index = batch.findIndex(({ id }) => id === "p650");
        const error = new CuecardError("product_id_collision", "as p1");
        return index < 0 ? [] : [{ index, error }];
      },
    );
    expect(sizes).toEqual([500, 200]);
    expect(readFileSync(summary.rejectFile!, "utf8")).toContain("651,product_id_collision,");
    expect(summary).toMatchObject({ rows: 700, products: 699, rejected: 1, members: 0 });
  });
});
