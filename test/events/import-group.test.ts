import { existsSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { loadConfig } from "../../src/config.js";
import { groupRows, type ImportChunk } from "../../src/events/import-group.js";
import {
  columnsOfMapping,
  createEventMapper,
  type ImportedRow,
  parseMapping,
  type RejectedRow,
} from "../../src/events/import-map.js";
import { readBatches } from "../../src/events/import-read.js";

type Row = ImportedRow | RejectedRow;

function aRow(row: number, more: Partial<ImportedRow> = {}): ImportedRow {
  return {
    row,
    member: "m1",
    type: "purchase",
    order: "o1",
    at: 1000 + row,
    product: `p${row}`,
    name: null,
    category: null,
    quantity: 1,
    amount: 2,
    channel: null,
    id: null,
    properties: null,
    ...more,
  };
}

async function group(rows: Row[], options: { chunkRows?: number; batch?: number } = {}) {
  async function* batches() {
    const size = options.batch ?? 1000;
    for (let i = 0; i < rows.length; i += size) yield rows.slice(i, i + size);
  }
  const chunks: ImportChunk[] = [];
  const grouped = groupRows(batches(), {
    fileHash16: "00ff",
    ...(options.chunkRows === undefined ? {} : { chunkRows: options.chunkRows }),
  });
  for await (const chunk of grouped) chunks.push(chunk);
  return chunks;
}

const eventsOf = (chunks: ImportChunk[]) => chunks.flatMap((chunk) => chunk.events);

describe("groupRows", () => {
  it("makes one purchase of the contiguous lines of one order, named by file and first row", async () => {
    const [chunk] = await group([
      aRow(1),
      aRow(2),
      aRow(3, { order: "o2" }),
      aRow(4, { order: "o2", member: "m2" }),
    ]);
    expect(
      chunk!.events.map(({ member, rows, event }) => [member, rows, event.id, event.order]),
    ).toEqual([
      ["m1", 2, "00ff:1", "o1"],
      ["m1", 1, "00ff:3", "o2"],
      ["m2", 1, "00ff:4", "o2"],
    ]);
    expect(chunk!.events[0]!.event).toMatchObject({
      at: 1001,
      type: "purchase",
      lines: [
        { product: "p1", quantity: 1, amount: 2 },
        { product: "p2", quantity: 1, amount: 2 },
      ],
    });
  });

  it("keeps equal rows as separate lines", async () => {
    const [chunk] = await group([aRow(1, { product: "p" }), aRow(2, { product: "p" })]);
    expect(chunk!.events[0]!.event.lines).toHaveLength(2);
  });

  it("marks a later part of an order as its continuation, across chunks and beyond 500 lines", async () => {
    const rows = [
      aRow(1),
      aRow(2, { order: "o2" }),
      aRow(3),
      ...Array.from({ length: 600 }, (_, i) => aRow(4 + i, { order: "big" })),
    ];
    const events = eventsOf(await group(rows, { chunkRows: 2 })).map(({ event }) => event);
    expect(
      events.map((event) => [event.order, event.continuation ?? false, event.lines.length]),
    ).toEqual([
      ["o1", false, 1],
      ["o2", false, 1],
      ["o1", true, 1],
      ["big", false, 500],
      ["big", true, 100],
    ]);
    expect(new Set(events.map((event) => event.id)).size).toBe(events.length);
  });

  it("does not join rows without an order, nor a return to its purchase", async () => {
    const rows = [
      aRow(1, { order: null }),
      aRow(2, { order: null }),
      aRow(3),
      aRow(4, { type: "return" }),
    ];
    const events = eventsOf(await group(rows)).map(({ event }) => event);
    expect(events).toHaveLength(4);
    expect(events.every((event) => event.continuation === undefined)).toBe(true);
  });

  it("counts rows without a member by product, returns as negative", async () => {
    const [chunk] = await group([
      aRow(1, { member: null, quantity: 3 }),
      aRow(2, { member: null, type: "return" }),
    ]);
    expect(chunk).toMatchObject({
      events: [],
      anonymous: [
        { product: "p1", at: 1001, quantity: 3 },
        { product: "p2", at: 1002, quantity: -1 },
      ],
    });
  });

  it("lists the products seen with name and unit price of the latest sale", async () => {
    const [chunk] = await group([
      aRow(1, { product: "p", name: "Old", quantity: 2, amount: 10 }),
      aRow(2, { product: "p", name: "Tea", category: "drinks", quantity: 4, amount: 24 }),
      aRow(3, { product: "p", name: "damaged", amount: 0 }),
      aRow(4, { product: "p", name: "refund", type: "return", amount: 99 }),
    ]);
    const tea = { id: "p", name: "Tea", category: "drinks", unitPrice: 6 };
    expect(chunk!.products).toEqual([{ ...tea, at: aRow(1).at }]);
  });

  it("keeps the money of an event without a product", async () => {
    const [chunk] = await group([aRow(1, { type: "payment_failed", product: null, amount: 12 })]);
    expect(chunk!.events[0]!.event).toMatchObject({ lines: [], properties: { amount: 12 } });
  });

  it("accounts for every row once, in chunks that do not depend on how rows arrive", async () => {
    const anyRow = fc.record({
      member: fc.constantFrom("m1", "m2", null),
      order: fc.constantFrom("o1", "o2", null),
      type: fc.constantFrom("purchase" as const, "return" as const),
      bad: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(anyRow, { maxLength: 60 }),
        fc.integer({ min: 1, max: 20 }),
        fc.integer({ min: 1, max: 9 }),
        async (specs, chunkRows, batch) => {
          const rows = specs.map(
            ({ bad, ...more }, i): Row =>
              bad && i % 5 === 0
                ? { row: i + 1, code: "invalid_time", detail: "at: empty", raw: "" }
                : aRow(i + 1, more),
          );
          const chunks = await group(rows, { chunkRows, batch });
          expect(chunks).toEqual(await group(rows, { chunkRows, batch: 1000 }));
          const total = chunks.reduce(
            (sum, chunk) =>
              sum +
              chunk.events.reduce((lines, { event }) => lines + event.lines.length, 0) +
              chunk.anonymous.length +
              chunk.rejected.length,
            0,
          );
          expect(total).toBe(rows.length);
          expect(chunks.reduce((sum, chunk) => sum + chunk.rows, 0)).toBe(rows.length);
          expect(chunks.map((chunk) => chunk.chunk)).toEqual(chunks.map((_, i) => i));
        },
      ),
    );
  });
});

const datasets = loadConfig().datasetsDir;
const shop =
  datasets === undefined ? undefined : join(datasets, "online-retail", "online_retail.csv.gz");

describe.runIf(shop !== undefined && existsSync(shop))("a real shop's file", () => {
  it("is accounted for to the last row and the last penny", async () => {
    const mapping = parseMapping(
      "member=CustomerID,order=InvoiceNo,product=StockCode,at=InvoiceDate,quantity=Quantity,price=UnitPrice,name=Description",
    );
    const map = createEventMapper({
      mapping,
      negativeQuantity: "return",
      timezone: "Europe/London",
    });
    async function* mapped() {
      for await (const batch of readBatches(shop!, { columns: columnsOfMapping(mapping) })) {
        yield batch.map(map);
      }
    }
    const count = { rows: 0, lines: 0, anonymous: 0, rejected: 0, returned: 0, money: 0 };
    const members = new Set<string>();
    for await (const chunk of groupRows(mapped(), { fileHash16: "00ff" })) {
      count.rows += chunk.rows;
      count.anonymous += chunk.anonymous.length;
      count.rejected += chunk.rejected.length;
      for (const { member, event } of chunk.events) {
        members.add(member);
        count.lines += event.lines.length;
        const sign = event.type === "return" ? -1 : 1;
        if (sign < 0) count.returned += event.lines.length;
        for (const line of event.lines) count.money += sign * line.amount;
      }
    }
    expect(members.size).toBe(4372);
    // Two of the rows without a customer are bad debt at a negative price: nobody's money is asked for.
    expect({ ...count, money: Math.round(count.money) }).toEqual({
      rows: 541_909,
      lines: 406_829,
      anonymous: 135_080,
      rejected: 0,
      returned: 8905,
      money: 8_300_066,
    });
  });
});
