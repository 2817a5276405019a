import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { createFeatureSchema } from "../../src/features/feature-schema.js";
import { parseManifest } from "../../src/scoring/manifest.js";
import { openVerified } from "../../src/scoring/open-model.js";
import { expectedOf } from "../../src/training/train-command.js";

const shipped = (file: string): Buffer =>
  readFileSync(new URL(`../../models/${file}`, import.meta.url));
const schema = createFeatureSchema([]);

describe("the models shipped for the demo world", () => {
  it.each(["heads", "ranker"] as const)(
    "%s: fits this server's features and answers",
    async (name) => {
      const manifest = parseManifest(shipped(`demo-${name}.json`).toString());
      // After a change of features: npm run bench demo-models
      const scorer = await openVerified(
        shipped(`demo-${name}.onnx`),
        manifest,
        expectedOf(name, { schema }),
      );
      await scorer.release();
    },
  );

  it.each(["heads", "ranker"] as const)(
    "%s: is refused by a store that is not the demo world's",
    async (name) => {
      const manifest = parseManifest(shipped(`demo-${name}.json`).toString());
      const own = { ...expectedOf(name, { schema }), allowDemo: false };
      await expect(openVerified(shipped(`demo-${name}.onnx`), manifest, own)).rejects.toThrow(
        /trained on the demo world/,
      );
    },
  );
});
