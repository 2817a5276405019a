import { expect, it } from "vitest";
import { bindArtifacts } from "../../src/candidates/bind-artifacts.js";
import { nextSnapshot } from "../../src/catalog/build-snapshot.js";
import { aCatalog, aProduct, aPurchase, learnt } from "./builders.js";

it("binds once per snapshot, also while decisions by an older one are under way", () => {
  const artifacts = learnt([aPurchase("a", 3, "tea"), aPurchase("b", 2, "cup")]);
  const before = aCatalog("tea", "cup");
  const after = nextSnapshot(before, { version: 2, written: [aProduct("pot")], deleted: [] });
  const [byBefore, byAfter] = [bindArtifacts(artifacts, before), bindArtifacts(artifacts, after)];
  expect(byAfter.newest).toHaveLength(3);
  // In turns, as requests ask that began before and after the change.
  for (let i = 0; i < 3; i++) {
    expect(bindArtifacts(artifacts, before)).toBe(byBefore);
    expect(bindArtifacts(artifacts, after)).toBe(byAfter);
  }
});
