import { describe, expect, it } from "vitest";
import { factsOf } from "../../src/decision/member-scores.js";
import { encodeState } from "../../src/features/state.js";
import { LEAD_FIELDS } from "../../src/leads/lead-fields.js";
import { compileWhere } from "../../src/leads/where.js";
import { aPurchase, NOW } from "../support/builders.js";
import { foldAll } from "../support/core.js";
import { config } from "./a-lead-world.js";

const facts = factsOf(
  {
    id: "m",
    version: 1,
    state: encodeState(foldAll([aPurchase(40), aPurchase(10)])),
    profile: {
      id: "m",
      createdAt: 0,
      updatedAt: 0,
      jurisdiction: "US-FL",
      timezone: "America/New_York",
      tags: ["gold", "tea"],
      attributes: { city: "Miami", children: 2, vip: true, note: null },
    },
    redirect: null,
    erased: false,
    contacts: null,
    offers: null,
  },
  NOW,
  config,
);
const scored = { scores: { purchase: 0.4, churn: 0.1 }, expectedValue: 12 };
const matches = (text: string): boolean => compileWhere(text).matches(facts, NOW, scored);
const faultOf = (text: string): string => {
  try {
    compileWhere(text);
  } catch (error) {
    const { code, errors } = error as { code: string; errors: { path: string; message: string }[] };
    expect(code).toBe("invalid_request");
    expect(errors[0]!.path).toBe("where");
    return errors[0]!.message;
  }
  throw new Error(`${text} was taken`);
};

describe("where", () => {
  it.each([
    "stage == 'growth' || stage == 'mature'",
    "order_count == 2 && order_count >= 2.0 && order_count in [1, 2, 3]",
    "days_since_order > 9 && days_since_order < 11",
    "order_count + 1 == 3 && 1 / 2 == 0.5 && -1 < order_count && order_count - -1 == 3",
    "purchase > 0.3 && churn < 0.2 && expected_value == 12",
    "'gold' in tags && size(tags) == 2 && tags[0] == 'gold'",
    "tags.exists(tag, tag.startsWith('te')) && !tags.exists(tag, tag == 'dog')",
    "attributes.city == 'Miami' && attributes.children > 1 && attributes.vip == true",
    "country == 'US' && jurisdiction == 'US-FL' && timezone == 'America/New_York'",
    "timezones.size() == 1 && locale == '' && !has_email",
    "has(attributes.note) && !has(attributes.age)",
  ])("finds a member it describes: %s", (text) => {
    expect(matches(text)).toBe(true);
  });

  it.each([
    "stage == 'prospect'",
    "attributes.age > 30",
    "attributes.city > 3",
    "attributes.constructor == 'x'",
    "alive > 0.0",
    "alive <= 1.0",
  ])("passes over whom it does not describe or cannot be computed for: %s", (text) => {
    expect(matches(text)).toBe(false);
  });

  it("says at which character it is wrong, whole numbers before it notwithstanding", () => {
    expect(faultOf("order_count > 3 && order_cuont > 100 && nope == 1")).toContain(
      "(character 20)",
    );
    expect(faultOf("order_count >")).toContain("(character 14)");
    expect(faultOf("order_count > 3 && stage == 3")).toContain("(character 20)");
    expect(faultOf("order_count + 3")).toContain("double, and must be true or false");
    expect(faultOf("attributes.vip")).toContain("must be true or false");
  });

  it("refuses what may run long", () => {
    expect(faultOf("stage == 'new' && stage.matches('(a+)+$')")).toMatch(/regular.*character 19/);
    expect(faultOf("tags.exists(a, tags.exists(b, a == b))")).toContain("a loop within a loop");
    expect(faultOf("tags.exists(a, [1, 2].all(n, n > 0))")).toContain("a loop within a loop");
    expect(matches("tags.filter(a, a != 'tea').exists(b, b == 'gold')")).toBe(true);
    expect(faultOf(Array(200).fill("has_email").join(" || "))).toContain("maxAstNodes");
    expect(faultOf(`${"(".repeat(100)}true${")".repeat(100)}`)).toContain("maxDepth");
  });

  it("asks for scores only where they are used", () => {
    expect(compileWhere("churn > 0.5").usesScores).toBe(true);
    expect(compileWhere("stage == 'new' && attributes.churn > 1").usesScores).toBe(false);
  });

  it("can read every field there is", () => {
    for (const name of Object.keys(LEAD_FIELDS)) {
      expect(compileWhere(`dyn(${name}) == dyn(${name}) || true`).matches(facts, NOW, scored)).toBe(
        true,
      );
    }
  });
});
