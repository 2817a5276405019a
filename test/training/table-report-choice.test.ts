import { describe, expect, it } from "vitest";
import type { Choice } from "../../src/training/table-choice.js";
import { affordable, LINEAR, TREES } from "../../src/training/table-recipes.js";
import { chosenText } from "../../src/training/table-report-choice.js";

const choiceOf = (chosen: string): Choice => ({
  criterion: "",
  tried: [],
  chosen,
  why: "",
  parts: [],
});

describe("what a table's report says was chosen", () => {
  it("is the one name where measuring and the last fit agree", () => {
    expect(chosenText([choiceOf("trees"), choiceOf("trees")], "trees")).toBe("**trees**");
  });

  it("is what was measured, and what all rows led to where that differs", () => {
    expect(chosenText([choiceOf("linear"), choiceOf("trees")], "linear")).toBe(
      "**linear** or, by fold, **trees** (measured); the fit on all rows chose **linear**",
    );
    expect(chosenText([choiceOf("linear")], "trees")).toBe(
      "**linear** (measured); the fit on all rows chose **trees**",
    );
  });
});

describe("recipes of a wide table", () => {
  it("do without bends and fine cuts, each once and under a name that says so", () => {
    const recipes = affordable([...LINEAR, ...TREES], 500);
    expect(recipes.some(({ bends }) => bends)).toBe(false);
    expect(recipes.filter(({ learner }) => learner === "trees")[0]).toMatchObject({
      name: "trees of depth 4, 64 cuts",
      params: { max_bin: 64 },
    });
    expect(new Set(recipes.map(({ name }) => name)).size).toBe(recipes.length);
    expect(affordable([...LINEAR, ...TREES], 100)).toEqual([...LINEAR, ...TREES]);
  });
});
