/** What stands beside a table model: everything scoring needs, and what a reader asks about. */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { CuecardError } from "../errors.js";
import { columnEncodingSchema, type Encoder, featureNames } from "./table-encoder.js";

export const MANIFEST_FILE = "manifest.json";
export const MODEL_FILE = "model.onnx";
export const REPORT_FILE = "report.md";

const manifestSchema = z.object({
  format: z.literal("cuecard-table/1"),
  task: z.enum(["probability", "uplift"]),
  createdAt: z.string(),
  label: z.object({ column: z.string(), positive: z.string() }),
  treatment: z.object({ column: z.string(), treated: z.string(), control: z.string() }).optional(),
  source: z.object({
    separator: z.string(),
    header: z.boolean(),
    encoding: z.string(),
    rows: z.number(),
    positives: z.number(),
  }),
  encoder: z.array(columnEncodingSchema),
  features: z.array(z.string()),
  /** SHA-256 over encoder and features: equal hashes mean equal inputs. */
  schemaHash: z.string(),
  heads: z.array(
    z.object({
      name: z.string(),
      /** margin = Σ weight · margin of the part */
      parts: z.array(
        z.object({
          recipe: z.string(),
          learner: z.enum(["trees", "linear"]),
          weight: z.number(),
          /** Of trees. */
          rounds: z.number().optional(),
        }),
      ),
      calibration: z.object({ slope: z.number(), intercept: z.number() }),
    }),
  ),
  /** What the rows were ordered by, where that counted. */
  order: z.string().optional(),
  chosen: z.object({ name: z.string(), criterion: z.string(), why: z.string() }),
  /** On rows held out from another fit: `split`, `seed` and figures. */
  measured: z.string(),
  metrics: z.record(z.string(), z.number()),
  library: z.object({ name: z.literal("xgboost"), version: z.string(), threads: z.number() }),
  seed: z.number(),
  model: z.object({ file: z.string(), bytes: z.number(), sha256: z.string() }),
});

export type TableManifest = z.infer<typeof manifestSchema>;

export const sha256 = (bytes: Uint8Array | string): string =>
  createHash("sha256").update(bytes).digest("hex");

export const schemaHashOf = (encoder: Encoder): string =>
  sha256(JSON.stringify({ encoder, features: featureNames(encoder) }));

/**
 * Reads a model directory and verifies it: manifest shape, schema hash, size and hash of the graph.
 * @throws CuecardError `model_invalid`
 */
export async function readTableModel(
  directory: string,
): Promise<{ manifest: TableManifest; graph: Uint8Array }> {
  let manifest: TableManifest;
  let graph: Uint8Array;
  try {
    manifest = manifestSchema.parse(
      JSON.parse(await readFile(join(directory, MANIFEST_FILE), "utf8")),
    );
    graph = await readFile(join(directory, MODEL_FILE));
  } catch (cause) {
    const why = cause instanceof z.ZodError ? z.prettifyError(cause) : (cause as Error).message;
    throw new CuecardError("model_invalid", `${directory} holds no table model: ${why}`, {
      cause,
      remedy: "--model takes the directory that `train table --out` wrote.",
    });
  }
  if (schemaHashOf(manifest.encoder) !== manifest.schemaHash) {
    throw new CuecardError(
      "model_invalid",
      "the manifest's encoder is not the one it was trained with",
    );
  }
  if (sha256(graph) !== manifest.model.sha256) {
    throw new CuecardError("model_invalid", `${MODEL_FILE} is not the file the manifest describes`);
  }
  return { manifest, graph };
}
