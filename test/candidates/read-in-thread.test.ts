import { describe, expect, it } from "vitest";
import { ordersOf } from "../../src/candidates/artifact-orders.js";
import { decodeArtifacts, encodeArtifacts } from "../../src/candidates/artifacts-codec.js";
import { bindArtifacts } from "../../src/candidates/bind-artifacts.js";
import { readInThread } from "../../src/candidates/read-in-thread.js";
import { aCatalog, aPurchase, learnt } from "./builders.js";

const bytes = encodeArtifacts(
  learnt([aPurchase("a", 60, "tea", "cup"), aPurchase("b", 50, "tea"), aPurchase("", 45, "pot")]),
);
const snapshot = aCatalog("cup", "tea", "tray");

describe("candidate artifacts read in a thread", () => {
  it("are what they are when read here, with what follows from them", async () => {
    const there = await readInThread(bytes, () => snapshot, true);
    const here = decodeArtifacts(bytes);
    expect(there).toEqual(here);
    expect(ordersOf(there)).toEqual(ordersOf(here));
  });

  it("come bound to the catalog as a request would bind them", async () => {
    const there = await readInThread(bytes, () => snapshot, false);
    const bound = bindArtifacts(there, snapshot);
    const here = bindArtifacts(decodeArtifacts(bytes), snapshot);
    expect(bound).toEqual(here);
    expect([...bound.toCatalog].sort()).toEqual([-1, 0, 1]);
  });

  it("are refused for the same reason", async () => {
    const altered = Buffer.from(bytes);
    altered[altered.length - 9] ^= 1;
    await expect(readInThread(altered, () => snapshot, true)).rejects.toMatchObject({
      code: "model_invalid",
      detail: expect.stringMatching(/checksum/),
    });
  });
});
