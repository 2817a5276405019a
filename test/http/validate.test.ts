import { describe, expect, it } from "vitest";
import { z } from "zod";
import { recommendationRequestSchema } from "../../src/decision/answer.js";
import { type CuecardError, isCuecardError } from "../../src/errors.js";
import { eventInputSchema } from "../../src/events/event.js";
import { faultLine, pathText, validate } from "../../src/http/validate.js";

function refusal(schema: z.ZodType, value: unknown): CuecardError {
  try {
    validate(schema, value, "the body");
  } catch (error) {
    if (isCuecardError(error)) return error;
    throw error;
  }
  throw new Error("nothing was refused");
}

const events = z.strictObject({ events: z.array(eventInputSchema) });
const event = { type: "view", member: "m", at: 1, product: "p" };

describe("validation", () => {
  it("names the path of a fault the way a program would reach it", () => {
    const error = refusal(events, { events: [event, { ...event, at: "yesterday" }] });
    expect(error.code).toBe("invalid_request");
    expect(error.errors?.map(({ path }) => path)).toEqual(["events[1].at"]);
    expect(pathText(["attributes", "two words", 3])).toBe('attributes["two words"][3]');
    expect(pathText([])).toBe("");
  });

  it("says of a union what is wrong with the form that was meant", () => {
    const error = refusal(recommendationRequestSchema, {
      member: { phone: "" },
      placement: "home",
    });
    expect(error.errors).toEqual([
      { path: "member.phone", message: "Too small: expected string to have >=1 characters" },
    ]);
    const none = refusal(recommendationRequestSchema, { member: 5, placement: "home" });
    expect(none.errors).toEqual([{ path: "member", message: "is none of the accepted forms" }]);
    const long = refusal(recommendationRequestSchema, { member: "x".repeat(300), placement: "a" });
    expect(long.errors?.[0].message).toContain("<=200");
  });

  it("names unknown fields, a few of them", () => {
    const error = refusal(recommendationRequestSchema, { member: "m", placement: "home", limt: 3 });
    expect(error.errors).toEqual([{ path: "", message: 'unknown field "limt"' }]);
    const fields = Object.fromEntries(Array.from({ length: 9 }, (_, i) => [`f${i}`, i]));
    const many = refusal(z.strictObject({}), fields);
    expect(many.errors?.[0].message).toMatch(/"f4" and 4 more$/);
  });

  it("never answers at length, however long or wrong the input is", () => {
    const long = "x".repeat(1_000_000);
    const wrong = Array.from({ length: 1_000 }, () => ({ [long]: 1 }));
    const error = refusal(events, { events: wrong, [long]: 1 });
    expect(error.errors).toHaveLength(20);
    expect(JSON.stringify(error.errors).length).toBeLessThan(10_000);
    const keyed = refusal(z.record(z.string(), z.number()), { [long]: "no" });
    expect(JSON.stringify(keyed.errors).length).toBeLessThan(500);
  });

  it("puts several faults on one line where there is room for one", () => {
    const parsed = eventInputSchema.safeParse({ type: 1, member: "m", at: "x" });
    expect(faultLine(parsed.error!)).toMatch(/^type: .* \(and 1 more\)$/);
  });
});
