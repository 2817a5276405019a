import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeRecord, encodeRecord, type LogRecord } from "../../src/events/log-record.js";

const text = fc.string({
  unit: fc.constantFrom("a", '"', "\\", "\n", "\u2028", "好", "😀", "\ud800", "\u007f"),
});
const line = fc.record(
  {
    product: text,
    quantity: fc.constantFrom(1, 0.5, 1.234, 1e6),
    amount: fc.constantFrom(0, 12.345, 1e-7, 1e9),
    category: text,
  },
  { requiredKeys: ["product", "quantity", "amount"] },
);
const event = fc.record(
  {
    id: text,
    type: fc.constantFrom("view" as const, "purchase" as const, "custom_x" as const),
    at: fc.integer({ min: 0, max: 4e12 }),
    lines: fc.array(line, { maxLength: 4 }),
    order: text,
    continuation: fc.constant(true),
    channel: text,
    properties: fc.dictionary(text, fc.oneof(text, fc.boolean(), fc.integer(), fc.constant(null))),
  },
  { requiredKeys: ["id", "type", "at", "lines"] },
);

describe("a record of the log", () => {
  it("is JSON, and reads back as it was written", () => {
    fc.assert(
      fc.property(text, text, event, (member, subject, event) => {
        const record: LogRecord = { kind: "event", member, subject, event };
        const written = encodeRecord(record);
        expect(JSON.stringify(JSON.parse(written))).toBe(written);
        expect(decodeRecord(written)).toEqual(record);
      }),
    );
    fc.assert(
      fc.property(fc.array(line), (lines) => {
        const record: LogRecord = { kind: "anonymous", at: 5, lines };
        expect(decodeRecord(encodeRecord(record))).toEqual(record);
      }),
    );
  });

  it("names the subject only where it is not the member", () => {
    const event = { id: "e", type: "visit" as const, at: 1, lines: [] };
    expect(encodeRecord({ kind: "event", member: "m", subject: "m", event })).toBe(
      '{"k":"event","m":"m","e":{"id":"e","t":"visit","at":1}}',
    );
    expect(encodeRecord({ kind: "event", member: "m", subject: "s", event })).toBe(
      '{"k":"event","m":"m","s":"s","e":{"id":"e","t":"visit","at":1}}',
    );
  });
});
