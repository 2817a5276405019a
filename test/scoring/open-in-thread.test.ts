import { describe, expect, it } from "vitest";
import { manifestFor } from "../../src/scoring/manifest.js";
import { openInThread } from "../../src/scoring/open-in-thread.js";
import { openVerified } from "../../src/scoring/open-model.js";
import { rankerGraph } from "../../src/training/onnx.js";
import { aHead, aModel, schema } from "./a-model.js";

const expected = { schema, outputs: ["purchase"], probabilities: true };

describe("a model opened in a thread", () => {
  it("answers as one opened here", async () => {
    const { bytes, manifest } = aModel(2);
    const there = await openInThread(bytes, manifest, expected);
    const here = await openVerified(bytes, manifest, expected);
    const rows = Float32Array.of(1, 0, -1, Number.NaN);
    expect(await there.run(rows, 2)).toEqual(await here.run(rows, 2));
    expect({ ...there, run: 0, release: 0 }).toEqual({ ...here, run: 0, release: 0 });
  });

  it("is served by onnxruntime where trees of our own cannot stand in for it", async () => {
    const names = Array.from({ length: 600 }, (_, column) => `f${column}`);
    const bytes = rankerGraph({ ...aHead(3).model, featureCount: names.length });
    const manifest = manifestFor(bytes, { ...aModel().manifest, features: names });
    const scorer = await openInThread(bytes, manifest, {
      schema: { names, hash: schema.hash },
      outputs: ["purchase"],
      probabilities: false,
    });
    expect((await scorer.run(new Float32Array(600).fill(1), 1)).margins[0]).toBe(3);
    await scorer.release();
  });

  it("leaves the bytes with the caller", async () => {
    const { bytes, manifest } = aModel(2);
    await openInThread(bytes, manifest, expected);
    expect(bytes.length).toBe(manifest.bytes);
  });

  it("is refused for the same reason", async () => {
    const { bytes, manifest } = aModel(2);
    const half = bytes.slice(0, bytes.length / 2);
    const halved = manifestFor(half, manifest);
    for (const open of [openInThread, openVerified]) {
      const code = "model_invalid";
      await expect(open(half, manifest, expected)).rejects.toMatchObject({ code });
      const opening = open(half, halved, expected);
      await expect(opening).rejects.toMatchObject({ code, detail: expect.stringMatching(/ONNX/) });
    }
  });
});
