import { describe, expect, it } from "vitest";
import { productInputSchema } from "../../src/catalog/records.js";
import {
  createEventMapper,
  type EventMapOptions,
  parseMapping,
} from "../../src/events/import-map.js";
import { createMemberMapper, createProductMapper } from "../../src/events/import-records.js";
import { parseNumber, timeReader } from "../../src/events/import-values.js";
import { memberInputSchema } from "../../src/members/profile.js";

describe("parseNumber", () => {
  it.each([
    ["12", 12],
    ["-3.5", -3.5],
    [".5", 0.5],
    ["1e3", 1000],
    ["1,234.50", 1234.5],
    ["1.234,50", 1234.5],
    ["1 234,50", 1234.5],
    ["1,234", 1234],
    ["12,5", 12.5],
    ["1.234", 1.234],
    ["1.234.567", 1234567],
    ["1,234,567", 1234567],
    ["¥12.50", 12.5],
    ["￥１２．５", 12.5],
    ["12.5元", 12.5],
    ["CNY 1,200", 1200],
    ["-$5", -5],
    ["(12.00)", -12],
  ])("%j is %d", (text, value) => expect(parseNumber(text)).toBe(value));

  it.each(["", "twelve", "1-2", "1,2,3", "NaN", "Infinity", "0x10", "--1", "1.2.3"])(
    "%j is not a number",
    (text) => expect(parseNumber(text)).toBeNaN(),
  );
});

describe("timeReader", () => {
  const read = timeReader({ timezone: "Asia/Shanghai" });
  const expected = Date.parse("2010-12-01T08:26:00+08:00");

  it.each([
    "2010-12-01 08:26:00",
    "2010-12-01T08:26",
    "2010/12/1 8:26",
    "2010.12.01 08:26:00.000",
    "2010年12月1日 8时26分",
    "2010年12月1日8:26:00",
    "20101201082600",
    "2010-12-01T00:26:00Z",
    "2010-12-01T08:26:00+08:00",
    "2010-12-01 08:26:00+08",
    "2010-12-01T08:26:00+0800",
    String(expected),
    String(expected / 1000),
  ])("%j is one and the same instant", (text) => expect(read(text)).toBe(expected));

  it("takes a date as midnight of the zone", () => {
    const midnight = Date.parse("2010-12-01T00:00:00+08:00");
    for (const text of ["2010-12-01", "20101201", "2010年12月1日"])
      expect(read(text)).toBe(midnight);
  });

  it.each([
    "2010-02-31",
    "2010-13-01",
    "2010-12-01 25:00",
    "soon",
    "",
    "12",
    "2010-12-01T99:00:00Z",
  ])("%j is refused with a reason", (text) => expect(typeof read(text)).toBe("string"));

  it("refuses to guess day and month, and obeys when told", () => {
    expect(read("03/04/2026 1:05 PM")).toMatch(/--date-order/);
    const dmy = timeReader({ timezone: "UTC", dateOrder: "dmy" });
    const mdy = timeReader({ timezone: "UTC", dateOrder: "mdy" });
    expect(dmy("03/04/2026 1:05 PM")).toBe(Date.UTC(2026, 3, 3, 13, 5));
    expect(mdy("03/04/2026 12:05 am")).toBe(Date.UTC(2026, 2, 4, 0, 5));
  });

  it("is right on both sides of clock changes", () => {
    const london = timeReader({ timezone: "Europe/London" });
    expect(london("2011-03-27 00:30:00")).toBe(Date.parse("2011-03-27T00:30:00Z"));
    expect(london("2011-03-27 02:30:00")).toBe(Date.parse("2011-03-27T01:30:00Z"));
    expect(london("2011-10-30 00:30:00")).toBe(Date.parse("2011-10-29T23:30:00Z"));
    expect(london("2011-10-30 01:30:00")).toBe(Date.parse("2011-10-30T00:30:00Z"));
    expect(london("2011-10-30 02:30:00")).toBe(Date.parse("2011-10-30T02:30:00Z"));
    const newYork = timeReader({ timezone: "America/New_York" });
    expect(newYork("2026-07-01 12:00")).toBe(Date.parse("2026-07-01T12:00:00-04:00"));
    expect(newYork("2026-01-01 12:00")).toBe(Date.parse("2026-01-01T12:00:00-05:00"));
  });
});

const MAPPING = parseMapping(
  "member=Customer,order=Invoice,product=Code,at=Date,quantity=Qty,price=Price,name=Text,properties.country=Country",
);

const row = (values: Record<string, string> = {}) => ({
  row: 7,
  values: {
    Customer: "17850",
    Invoice: "536365",
    Code: "85123A",
    Date: "2010-12-01 08:26:00",
    Qty: "6",
    Price: "2.55",
    Text: " WHITE HEART ",
    Country: "France",
    ...values,
  },
});

const mapper = (options: Partial<EventMapOptions> = {}) =>
  createEventMapper({ mapping: MAPPING, timezone: "UTC", ...options });

describe("createEventMapper", () => {
  it("turns a row into a line of a purchase", () => {
    expect(mapper()(row())).toEqual({
      row: 7,
      member: "17850",
      type: "purchase",
      order: "536365",
      at: Date.UTC(2010, 11, 1, 8, 26),
      product: "85123A",
      name: "WHITE HEART",
      category: null,
      quantity: 6,
      amount: 15.3,
      channel: null,
      id: null,
      properties: { country: "France" },
    });
  });

  it("makes a return of a negative quantity only when told to", () => {
    expect(mapper()(row({ Qty: "-6" }))).toMatchObject({ code: "invalid_amount", row: 7 });
    expect(mapper({ negativeQuantity: "return" })(row({ Qty: "-6" }))).toMatchObject({
      type: "return",
      quantity: 6,
      amount: 15.3,
    });
  });

  it("keeps a row without a member as anonymous and takes a price of zero", () => {
    expect(mapper()(row({ Customer: "NULL", Price: "0" }))).toMatchObject({
      member: null,
      amount: 0,
    });
  });

  it.each<[Record<string, string>, string]>([
    [{ Price: "-1" }, "invalid_amount"],
    [{ Price: "cheap" }, "invalid_amount"],
    [{ Qty: "0" }, "invalid_amount"],
    [{ Qty: "1e9" }, "invalid_amount"],
    [{ Date: "" }, "invalid_time"],
    [{ Date: "yesterday" }, "invalid_time"],
    [{ Date: "1850-01-01" }, "time_too_old"],
    [{ Date: "2200-01-01" }, "time_in_future"],
    [{ Code: "" }, "invalid_id"],
    [{ Customer: "x".repeat(201) }, "invalid_id"],
    [{ Customer: "a\u0007b" }, "invalid_id"],
  ])("rejects %j as %s, with the row for the reject file", (values, code) => {
    const limits = { earliest: Date.UTC(1990, 0), latest: Date.UTC(2100, 0) };
    const mapped = mapper(limits)(row(values));
    expect(mapped).toMatchObject({ row: 7, code });
    expect("raw" in mapped && mapped.raw).toContain(values.Code ?? "85123A");
  });

  it("passes on a broken row of the reader", () => {
    expect(mapper()({ row: 3, fault: "a quote", raw: '1,"2' })).toEqual({
      row: 3,
      code: "row_broken",
      detail: "a quote",
      raw: '1,"2',
    });
  });

  it("reads types from a column, and ids from columns", () => {
    const map = mapper({
      mapping: parseMapping("member=Customer,at=Date,type=Kind,amount=Price"),
      idFrom: ["Invoice", "Code"],
    });
    expect(map(row({ Kind: "Call_Inbound" }))).toMatchObject({
      type: "call_inbound",
      id: "536365:85123A",
      amount: 2.55,
    });
    expect(map(row({ Kind: "custom_survey" }))).toMatchObject({ type: "custom_survey" });
    expect(map(row({ Kind: "nonsense" }))).toMatchObject({ code: "unknown_event_type" });
    expect(map(row({ Kind: "purchase" }))).toMatchObject({ code: "invalid_id" });
  });

  it("refuses a mapping that cannot work, naming what is wrong", () => {
    const build = (mapping: string, type?: string) => () =>
      mapper({ mapping: parseMapping(mapping), ...(type === undefined ? {} : { type }) });
    expect(build("member=A")).toThrow(/usage: --map: at, product is missing/);
    expect(build("member=A,at=B,product=C,colour=D")).toThrow(
      /no target colour; there are: member/,
    );
    expect(build("member=A,at=B", "dance")).toThrow(/--type: dance/);
    expect(build("member=A,member=B")).toThrow(/mapped twice/);
    expect(build("member")).toThrow(/not target=COLUMN/);
  });
});

describe("record mappers", () => {
  it("keep a consent's proof; one without a time never outweighs a refusal", () => {
    const map = createMemberMapper({
      mapping: parseMapping(
        "id=ID,consents.sms=S,consents.sms.at=At,consents.sms.source=From,consents.phone=P,consents.phone.at=PAt",
      ),
      schema: memberInputSchema,
    });
    const consentsOf = (values: Record<string, string>) => {
      const row = map({ row: 1, values: { ID: "m", ...values } });
      return "record" in row ? row.record.consents : row;
    };
    const marketing = { purpose: "marketing" } as const;
    expect(
      consentsOf({ S: "yes", At: "2026-03-01T09:30:00+08:00", From: "form 12", P: "no" }),
    ).toEqual([
      {
        ...marketing,
        channel: "sms",
        status: "granted",
        at: Date.parse("2026-03-01T09:30:00+08:00"),
        source: "form 12",
      },
      { ...marketing, channel: "phone", status: "denied", source: "import" },
    ]);
    expect(consentsOf({ S: "yes", At: "2026-03-01" })).toMatchObject([
      { at: Date.parse("2026-03-01T00:00:00Z"), source: "import" },
    ]);
    // A date alone is no word.
    expect(consentsOf({ At: "2026-03-01", PAt: "2026-03-01" })).toEqual([]);
    expect(consentsOf({ P: "yes" })).toMatchObject([{ status: "granted", at: 0 }]);
    expect(consentsOf({ S: "yes", At: "last spring" })).toMatchObject({ code: "invalid_request" });
  });

  it("make a member with attributes, consents and lists", () => {
    const map = createMemberMapper({
      mapping: parseMapping(
        "id=ID,name=Name,phone=Tel,email=Mail,tags=Tags,vulnerable=V,attributes.age=Age,attributes.code=Code,attributes.plan=Plan,consents.sms=SMS",
      ),
      schema: memberInputSchema,
      attributeTypes: { plan: "category" },
    });
    const values = {
      ID: " m1 ",
      Name: "王芳",
      Tel: "138 0013 8000",
      Mail: "",
      Tags: "gold | tea",
      V: "no",
      Age: "41",
      Code: "007",
      Plan: "3",
      SMS: "yes",
    };
    expect(map({ row: 1, values })).toEqual({
      row: 1,
      id: "m1",
      record: {
        id: "m1",
        name: "王芳",
        phone: "138 0013 8000",
        tags: ["gold", "tea"],
        attributes: { age: 41, code: "007", plan: "3" },
        consents: [
          { channel: "sms", purpose: "marketing", status: "granted", at: 0, source: "import" },
        ],
      },
    });
    expect(map({ row: 5, values: { ...values, V: "yes" } })).toMatchObject({
      record: { vulnerable: true },
    });
    expect(map({ row: 2, values: { ...values, Mail: "nonsense" } })).toMatchObject({
      code: "invalid_request",
      detail: expect.stringContaining("email"),
    });
    expect(map({ row: 3, values: { ...values, ID: "" } })).toMatchObject({ code: "invalid_id" });
    expect(map({ row: 4, values: { ...values, V: "perhaps" } })).toMatchObject({
      code: "invalid_request",
    });
  });

  it("make a product, and refuse a price that is none", () => {
    const map = createProductMapper({
      mapping: parseMapping("id=SKU,name=N,price=P,stock=S,season.from=F,replenishmentDays=R"),
      schema: productInputSchema,
    });
    const values = { SKU: "p1", N: "茶", P: "¥1,299.00", S: "12", F: "2026-05-01", R: "30" };
    expect(map({ row: 1, values })).toMatchObject({
      id: "p1",
      record: { price: 1299, stock: 12, season: { from: "2026-05-01" }, replenishmentDays: 30 },
    });
    expect(map({ row: 2, values: { ...values, P: "-3" } })).toMatchObject({
      code: "invalid_request",
    });
    expect(map({ row: 2, values: { ...values, P: "x" } })).toMatchObject({
      detail: "price: not a number",
    });
  });
});
