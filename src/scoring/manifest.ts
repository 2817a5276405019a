/** What travels with a model: what it expects, what it was trained on, and how good it was. */
import { z } from "zod";
import { CuecardError } from "../errors.js";
import { sha256Of } from "./sha256.js";

/** One figure that may be undefined (one class only): null, since JSON has no NaN. */
const figureSchema = z.number().nullable();

export const manifestSchema = z.object({
  /** `heads`, `ranker`, … */
  name: z.string().min(1).max(64),
  version: z.string().min(1).max(64),
  /** Epoch milliseconds. */
  createdAt: z.number(),
  /** Names of the input columns, in order. */
  features: z.array(z.string()).min(1),
  /** Hash of the schema those columns belong to; a model is refused under another. */
  schemaHash: z.string(),
  /** One name per column of the graph's outputs, in order. */
  outputs: z.array(z.string()).min(1),
  /** Epoch milliseconds: the instants of the earliest and the latest row trained on. */
  trainedWindow: z.object({ from: z.number(), to: z.number() }),
  /** Rows trained on. */
  rows: z.number().int().min(0),
  /** Output → slice (`train`, `report`, …) → figure. */
  metrics: z.record(z.string(), z.record(z.string(), z.record(z.string(), figureSchema))),
  /** Output → Platt parameters; null for a graph without probabilities. */
  calibration: z
    .record(z.string(), z.object({ slope: z.number(), intercept: z.number() }))
    .nullable(),
  /** What the trainer noticed and chose, in sentences. */
  notes: z.array(z.string()).optional(),
  /** Version of XGBoost. */
  libraryVersion: z.string(),
  threads: z.number().int(),
  seed: z.number().int(),
  /** Of the bytes, in hex. */
  sha256: z.string().length(64),
  bytes: z.number().int().min(1),
  /** Trained on the demo world: serves nothing else. */
  demo: z.boolean().optional(),
  /** Whether it became champion when it was published, and why (not), in a sentence. */
  promotion: z.object({ promoted: z.boolean(), reason: z.string() }).optional(),
});

export type Manifest = z.infer<typeof manifestSchema>;

/** Sorts by time; the same bytes made in the same second are the same version. */
export function versionOf(createdAt: number, sha256: string): string {
  const time = new Date(createdAt).toISOString().slice(0, 19).replace(/[-:T]/g, "");
  return `${time}-${sha256.slice(0, 8)}`;
}

/** Completes a manifest with what follows from the bytes. */
export function manifestFor(
  bytes: Uint8Array,
  facts: Omit<Manifest, "version" | "sha256" | "bytes">,
): Manifest {
  const sha256 = sha256Of(bytes);
  return { ...facts, version: versionOf(facts.createdAt, sha256), sha256, bytes: bytes.length };
}

/** @throws CuecardError `model_invalid` when the text is no manifest. */
export function parseManifest(text: string): Manifest {
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch (cause) {
    throw new CuecardError("model_invalid", "the manifest is not JSON", { cause });
  }
  const parsed = manifestSchema.safeParse(raw);
  if (parsed.success) return parsed.data;
  const { path, message } = parsed.error.issues[0];
  throw new CuecardError("model_invalid", `the manifest's ${path.join(".")}: ${message}`);
}
