/** Declared attributes of the profile as features; categories one column a level, plus the rest. */
import type { AttributeConfig } from "../config.js";
import type { Profile } from "../members/profile.js";

const DAY_MS = 86_400_000;

function attributeFeatures(attribute: AttributeConfig): string[] {
  if (attribute.type !== "category") return [`attribute_${attribute.name}`];
  const levels = attribute.levels ?? [];
  return [...levels, "other"].map((level) => `attribute_${attribute.name}_${level}`);
}

export const attributeFeatureNames = (attributes: readonly AttributeConfig[]): string[] =>
  attributes.flatMap(attributeFeatures);

function numeric(attribute: AttributeConfig, value: unknown, now: number): number {
  if (value === undefined || value === null) return Number.NaN;
  if (attribute.type === "boolean") return value === true || value === "true" ? 1 : 0;
  if (attribute.type === "date") {
    // Days from now: a birthday behind is negative, a renewal ahead positive.
    const at = typeof value === "number" ? value : Date.parse(String(value));
    return (at - now) / DAY_MS;
  }
  return typeof value === "number" ? value : Number.parseFloat(String(value));
}

/** Writes the declared attributes from `offset`; returns the offset behind them. */
export function hydrateAttributes(
  attributes: readonly AttributeConfig[],
  profile: Profile | null,
  now: number,
  out: Float32Array,
  offset: number,
): number {
  let at = offset;
  for (const attribute of attributes) {
    const value = profile?.attributes?.[attribute.name];
    if (attribute.type !== "category") {
      out[at++] = numeric(attribute, value, now);
      continue;
    }
    const levels = attribute.levels ?? [];
    const level = value === undefined || value === null ? -1 : levels.indexOf(String(value));
    const missing = value === undefined || value === null;
    for (let i = 0; i < levels.length; i++) out[at++] = missing ? Number.NaN : level === i ? 1 : 0;
    out[at++] = missing ? Number.NaN : level < 0 ? 1 : 0;
  }
  return at;
}
