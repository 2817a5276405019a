import { expect, it } from "vitest";
import { GrowingIndex } from "../../src/catalog/growing-index.js";

it("shows each version only its own keys, also when one version is extended twice", () => {
  const first = GrowingIndex.of(["a", "b"]);
  const left = first.extended(["left"]);
  const right = first.extended(["right"]);
  expect(first.get("left")).toBeUndefined();
  expect(left.get("right")).toBeUndefined();
  expect(right.get("left")).toBeUndefined();
  expect([left.get("left"), right.get("right"), right.get("a")]).toEqual([2, 2, 0]);
  expect([first.size, left.size, [...first.keys()]]).toEqual([2, 3, ["a", "b"]]);
  expect([...left]).toEqual([
    ["a", 0],
    ["b", 1],
    ["left", 2],
  ]);
});

it("refuses a key that stands twice, since an index would then name nothing", () => {
  expect(() => GrowingIndex.of(["a", "a"])).toThrow("share an id");
});
