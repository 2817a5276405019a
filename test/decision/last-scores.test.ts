import { describe, expect, it } from "vitest";
import { LastScores } from "../../src/decision/last-scores.js";

describe("the scores computed last", () => {
  it("are answered until the member is erased, and never again", () => {
    const erased = new Set<string>();
    const last = new LastScores((member) => erased.has(member));
    last.remember("m1", "growth", { purchase: 0.5 });
    expect(last.of("m1")).toMatchObject({ stage: "growth" });
    erased.add("m1");
    expect(last.of("m1")).toBeUndefined();
    erased.delete("m1");
    expect(last.of("m1")).toBeUndefined();
  });
});
