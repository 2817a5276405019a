import { describe, expect, it } from "vitest";
import { CANDIDATE_FEATURES } from "../../src/candidates/features.js";
import { joinRankerRows, rankerRows } from "../../src/training/ranker-rows.js";
import { aCatalog, aHistory, aPurchase, aRequest, learnt, NOW } from "../candidates/builders.js";

const catalog = aCatalog("tea", "cup", "pot", "far");
const artifacts = learnt([
  aPurchase("a", 9, "tea", "cup"),
  aPurchase("b", 9, "tea", "cup"),
  aPurchase("c", 9, "pot"),
]);
const indexOf = (id: string) => catalog.indexOf.get(id) as number;
const example = (...bought: string[]) => ({
  request: aRequest({ history: aHistory([[20, "tea"]]) }),
  bought: new Set(bought.map(indexOf)),
});

describe("ranker rows", () => {
  it("hold one group an example, labelled by what was bought next", () => {
    const rows = rankerRows([example("cup"), example("tea", "pot")], artifacts, catalog);
    const width = CANDIDATE_FEATURES.length;
    expect(rows.columnCount).toBe(width);
    expect(rows.rows).toHaveLength(rows.rowCount * width);
    expect(Array.from(rows.groups).reduce((sum, size) => sum + size, 0)).toBe(rows.rowCount);
    expect(rows.groups).toHaveLength(2);
    const labelsOf = (from: number, size: number) => rows.labels.slice(from, from + size);
    expect(labelsOf(0, rows.groups[0]).reduce((sum, label) => sum + label, 0)).toBe(1);
    expect(labelsOf(rows.groups[0], rows.groups[1]).reduce((sum, label) => sum + label, 0)).toBe(2);
    // Of the bought one, the row says it was not bought before; of tea, that it was.
    const bought = rows.labels.indexOf(1) * width + CANDIDATE_FEATURES.indexOf("bought_times");
    expect(rows.rows[bought]).toBe(0);
    expect(rows.candidateRecall).toBe(1);
  });

  it("leave out examples that teach nothing, but count them in the candidates' recall", () => {
    const nowhere = { request: aRequest(), bought: new Set([9999]) };
    const rows = rankerRows([nowhere, example("cup")], artifacts, catalog);
    expect(rows.groups).toHaveLength(1);
    expect(rows.candidateRecall).toBe(0.5);
  });

  it("refuse artifacts that know what came after", () => {
    const early = {
      ...example("cup"),
      request: aRequest({ history: aHistory([], { now: NOW - 1 }) }),
    };
    expect(() => rankerRows([early], artifacts, catalog)).toThrow(RangeError);
    expect(() =>
      rankerRows([early], artifacts, catalog, { heldOutByPosition: true }),
    ).not.toThrow();
  });

  it("join the rows of several instants in order", () => {
    const one = rankerRows([example("cup")], artifacts, catalog);
    const two = rankerRows([example("pot")], artifacts, catalog);
    const both = joinRankerRows([one, two]);
    expect(both.rowCount).toBe(one.rowCount + two.rowCount);
    expect(Array.from(both.labels)).toEqual([...one.labels, ...two.labels]);
    expect(Array.from(both.groups)).toEqual([...one.groups, ...two.groups]);
  });
});
