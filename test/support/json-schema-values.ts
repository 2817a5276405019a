/** Values that fit a JSON Schema, and values that nearly do: generated, for tests of the contract. */
import fc from "fast-check";
import type { JsonSchema } from "../../src/http/openapi.js";

export type Json = null | boolean | number | string | Json[] | { [name: string]: Json };

/** Strings that an id, a name or a text may be. */
const TEXTS = ["m_1", "张三", "🙂", "a b", "a/b", "*", "{p1}", "x".repeat(64), "\u00e9"];

const EXAMPLES_OF_FORMAT: Record<string, string[]> = {
  "date-time": ["2026-05-04T10:15:00Z", "2024-02-29T23:59:59.123+08:00"],
  date: ["2026-05-04", "2024-02-29"],
  email: ["a@example.com", "first.last+tag@mail.example.org"],
};

export class SchemaValues {
  readonly #components: Record<string, JsonSchema>;

  constructor(components: Record<string, JsonSchema>) {
    this.#components = components;
  }

  /** Values that fit. */
  fitting(schema: JsonSchema): fc.Arbitrary<Json> {
    if (schema.$ref !== undefined)
      return this.fitting(this.#components[schema.$ref.split("/").at(-1)!]);
    if (schema.const !== undefined) return fc.constant(schema.const as Json);
    if (schema.enum !== undefined) return fc.constantFrom(...(schema.enum as Json[]));
    if (schema.anyOf !== undefined) {
      return fc.oneof(...schema.anyOf.map((one) => this.fitting(one as JsonSchema)));
    }
    switch (schema.type) {
      case "string":
        return stringOf(schema);
      case "integer":
      case "number":
        return numberOf(schema);
      case "boolean":
        return fc.boolean();
      case "null":
        return fc.constant(null);
      case "array":
        return fc.array(this.fitting((schema.items ?? {}) as JsonSchema), {
          minLength: schema.minItems ?? 0,
          maxLength: Math.min(schema.maxItems ?? 3, 3),
        });
      case "object":
        return this.#object(schema);
      default:
        return fc.constantFrom<Json>(null, 1, "x", true, [], { a: [1] });
    }
  }

  #object(schema: JsonSchema): fc.Arbitrary<Json> {
    if (schema.oneOf !== undefined) return this.#oneOf(schema);
    const fields = Object.entries(schema.properties ?? {});
    const known = fc.record(
      Object.fromEntries(fields.map(([name, field]) => [name, this.fitting(field as JsonSchema)])),
      { requiredKeys: schema.required ?? [] },
    );
    const more = schema.additionalProperties;
    if (more === undefined || typeof more === "boolean") return known as fc.Arbitrary<Json>;
    return fc.dictionary(fc.constantFrom("a", "color", "张"), this.fitting(more as JsonSchema), {
      maxKeys: 2,
    });
  }

  /** Of the fields named by the branches, each value has those of one. */
  #oneOf({ oneOf = [], properties = {}, required = [], ...rest }: JsonSchema): fc.Arbitrary<Json> {
    const lists = oneOf.map((branch) => (branch as JsonSchema).required ?? []);
    const rivals = new Set(lists.flat());
    const shared = Object.entries(properties).filter(([name]) => !rivals.has(name));
    return fc.oneof(
      ...lists.map((names) => {
        const own = names.map((name) => [name, properties[name]] as const);
        const fields = Object.fromEntries([...shared, ...own]);
        return this.#object({ ...rest, properties: fields, required: [...required, ...names] });
      }),
    );
  }

  /** Values that fit, or did until one thing in them was changed, dropped or added. */
  nearby(schema: JsonSchema): fc.Arbitrary<Json> {
    const spoilt = fc
      .tuple(this.fitting(schema), fc.nat(), fc.constantFrom("change", "drop", "add"), junk)
      .map(([value, place, how, by]) => spoil(value, place, how, by));
    return fc.oneof(this.fitting(schema), spoilt);
  }
}

function stringOf(schema: JsonSchema): fc.Arbitrary<string> {
  const ofFormat = EXAMPLES_OF_FORMAT[schema.format ?? ""];
  if (ofFormat !== undefined) return fc.constantFrom(...ofFormat);
  const { pattern, minLength = 0, maxLength = 1_000 } = schema;
  if (pattern?.startsWith("^(view|")) return fc.constantFrom("view", "purchase", "custom_a_1");
  return fc.constantFrom(
    ...TEXTS.filter((text) => text.length >= minLength && text.length <= maxLength),
  );
}

function numberOf(schema: JsonSchema): fc.Arbitrary<number> {
  const exclusive = Number(schema.exclusiveMinimum ?? -1e6);
  const min = schema.minimum ?? exclusive;
  const max = Math.min(schema.maximum ?? 1e6, 1e6);
  const low = Math.max(min, -1e6);
  if (schema.type === "integer") return fc.integer({ min: low, max });
  const excluded = schema.exclusiveMinimum !== undefined;
  return fc.double({ min: low, max, noNaN: true, minExcluded: excluded }).map((n) => n || 0);
}

const junk: fc.Arbitrary<Json> = fc.constantFrom<Json>(
  null,
  true,
  0,
  -1,
  1.5,
  1e300,
  "",
  " x",
  "x\u0000",
  "y".repeat(5_001),
  "2026-13-01",
  "2026-05-04T10:15:00",
  [],
  [null],
  {},
  { phone: "1", email: "a@b.cc" },
  { surprise: 1 },
);

interface Place {
  holder: Json[] | { [name: string]: Json };
  at: string | number;
}

/** Every place inside a value that holds another. */
function placesIn(value: Json, found: Place[] = []): Place[] {
  if (typeof value !== "object" || value === null) return found;
  const keys = Array.isArray(value) ? value.keys() : Object.keys(value);
  for (const at of keys) {
    found.push({ holder: value, at });
    placesIn(valueAt({ holder: value, at }), found);
  }
  return found;
}

const valueAt = ({ holder, at }: Place): Json =>
  Array.isArray(holder) ? holder[at as number] : holder[at as string];

function spoil(original: Json, place: number, how: string, by: Json): Json {
  const value = structuredClone(original);
  const places = placesIn(value);
  if (places.length === 0) return by;
  const { holder, at } = places[place % places.length];
  if (Array.isArray(holder)) {
    if (how === "drop") holder.splice(at as number, 1);
    else if (how === "add") holder.push(by);
    else holder[at as number] = by;
  } else if (how === "drop") delete holder[at as string];
  else holder[how === "add" ? "unheard_of" : (at as string)] = by;
  return value;
}
