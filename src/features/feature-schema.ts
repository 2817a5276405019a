/**
 * The feature vector: names in order, their hash, and `hydrate`, which serving and training share.
 * A model names the schema hash it was trained on and is refused under another.
 */
import { createHash } from "node:crypto";
import type { AttributeConfig } from "../config.js";
import { attributeFeatureNames, hydrateAttributes } from "./attributes.js";
import type { HydrateContext } from "./family.js";
import { FAMILIES, type FeatureState } from "./state.js";

export interface FeatureSchema {
  readonly names: readonly string[];
  readonly length: number;
  readonly hash: string;
  /** Writes `length` values into `out` from `offset`; NaN means missing. */
  hydrate(state: FeatureState, context: HydrateContext, out: Float32Array, offset?: number): void;
}

/** First 16 hex digits of SHA-256 over the names: any list of features is told from any other. */
export const schemaHashOf = (names: readonly string[]): string =>
  createHash("sha256").update(names.join("\n")).digest("hex").slice(0, 16);

export function createFeatureSchema(attributes: readonly AttributeConfig[]): FeatureSchema {
  const names = [
    ...FAMILIES.flatMap((family) => family.features),
    ...attributeFeatureNames(attributes),
  ];
  return {
    names,
    length: names.length,
    hash: schemaHashOf(names),
    hydrate(state, context, out, offset = 0) {
      let at = offset;
      for (const family of FAMILIES) {
        family.hydrate((state as Record<string, unknown>)[family.name], context, out, at);
        at += family.features.length;
      }
      hydrateAttributes(attributes, context.profile, context.now, out, at);
    },
  };
}
