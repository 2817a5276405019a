/** HTML as text: escaping, inline code, coloured JSON, and schemas as rows of fields. */
import type { JsonSchema } from "./openapi.js";

const ENTITIES: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };

export const escapeHtml = (text: string): string =>
  text.replace(/[&<>"]/g, (character) => ENTITIES[character]);

/** Escaped, with `code` between backticks marked as such. */
export const prose = (text: string): string =>
  escapeHtml(text).replace(/`([^`]+)`/g, "<code>$1</code>");

const TOKEN = /("(?:[^"\\]|\\.)*")(\s*:)?|\b(true|false|null)\b|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;

/** Pretty-printed JSON, small arrays and objects on one line, coloured by kind. */
export function jsonHtml(value: unknown): string {
  const text = layOut(value, "");
  let html = "";
  let from = 0;
  for (const match of text.matchAll(TOKEN)) {
    html += escapeHtml(text.slice(from, match.index));
    const [whole, quoted, colon, word] = match;
    const kind = quoted === undefined ? (word === undefined ? "n" : "w") : colon ? "k" : "s";
    const token = quoted ?? whole;
    html += `<span class="${kind}">${escapeHtml(token)}</span>${colon ?? ""}`;
    from = match.index + whole.length;
  }
  return html + escapeHtml(text.slice(from));
}

const LINE_LENGTH = 60;

function layOut(value: unknown, indent: string): string {
  const flat = JSON.stringify(value);
  if (typeof value !== "object" || value === null) return flat;
  const spaced = JSON.stringify(value, null, 1).replace(/\n\s*/g, " ");
  if (spaced.length + indent.length <= LINE_LENGTH) return spaced;
  const inner = `${indent}  `;
  if (Array.isArray(value)) {
    return `[\n${value.map((item) => inner + layOut(item, inner)).join(",\n")}\n${indent}]`;
  }
  const fields = Object.entries(value).map(
    ([name, field]) => `${inner}${JSON.stringify(name)}: ${layOut(field, inner)}`,
  );
  return `{\n${fields.join(",\n")}\n${indent}}`;
}

const refName = (schema: JsonSchema): string | undefined => schema.$ref?.split("/").at(-1);

const objectSchemas = (list: JsonSchema["anyOf"]): JsonSchema[] =>
  (list ?? []).filter((one) => typeof one === "object") as JsonSchema[];

const linkTo = (name: string): string => `<a href="#schema-${name}">${name}</a>`;

/** A schema in a few words: `string`, `Product[]`, `"on" | "off"`. HTML. */
export function typeHtml(schema: JsonSchema): string {
  const name = refName(schema);
  if (name !== undefined) return linkTo(name);
  if (schema.const !== undefined) return escapeHtml(JSON.stringify(schema.const));
  if (schema.enum !== undefined) {
    return schema.enum.map((one) => escapeHtml(JSON.stringify(one))).join(" | ");
  }
  const choices = objectSchemas(schema.anyOf ?? schema.oneOf);
  if (choices.length > 0) return [...new Set(choices.map(typeHtml))].join(" | ");
  if (schema.type === "array") {
    const item = typeof schema.items === "object" ? (schema.items as JsonSchema) : {};
    const inner = typeHtml(item);
    return inner.includes(" | ") ? `(${inner})[]` : `${inner}[]`;
  }
  if (schema.type === "object" && isShort(schema)) return `{ ${shortFields(schema)} }`;
  if (Array.isArray(schema.type)) return schema.type.join(" | ");
  return schema.type ?? "any";
}

/** Objects of one field, like the forms of a member reference, read best in place. */
const isShort = (schema: JsonSchema): boolean => Object.keys(schema.properties ?? {}).length === 1;

const shortFields = (schema: JsonSchema): string =>
  Object.entries(schema.properties ?? {})
    .map(([name, field]) => `${escapeHtml(name)}: ${typeHtml(field as JsonSchema)}`)
    .join(", ");

/** Bounds a reader wants to know, in words. */
function limitsOf(schema: JsonSchema): string {
  const said: string[] = [];
  const { minimum, maximum, exclusiveMinimum, maxLength, maxItems } = schema;
  const low = minimum !== undefined && minimum > Number.MIN_SAFE_INTEGER ? minimum : undefined;
  const high = maximum !== undefined && maximum < Number.MAX_SAFE_INTEGER ? maximum : undefined;
  if (low !== undefined && high !== undefined) said.push(`${low} to ${high.toLocaleString("en")}`);
  else if (low !== undefined) said.push(`≥ ${low}`);
  else if (high !== undefined) said.push(`≤ ${high.toLocaleString("en")}`);
  if (exclusiveMinimum !== undefined) said.push(`> ${exclusiveMinimum}`);
  if (maxLength !== undefined) said.push(`at most ${maxLength} characters`);
  if (maxItems !== undefined) said.push(`at most ${maxItems.toLocaleString("en")}`);
  if (schema.default !== undefined) said.push(`default ${JSON.stringify(schema.default)}`);
  return said.join(", ");
}

interface Field {
  path: string;
  depth: number;
  required: boolean;
  schema: JsonSchema;
}

const DEPTH_SHOWN = 3;

/** The fields of an object, those of objects within it after it. */
function fieldsOf(schema: JsonSchema, depth = 0): Field[] {
  const required = new Set(schema.required ?? []);
  return Object.entries(schema.properties ?? {}).flatMap(([path, property]) => {
    const field = property as JsonSchema;
    const row = { path, depth, required: required.has(path), schema: field };
    const inner = objectWithin(field);
    if (inner === undefined || depth >= DEPTH_SHOWN) return [row];
    return [row, ...fieldsOf(inner, depth + 1)];
  });
}

/** The object a field holds, itself, in a list, or beside null; none where a link leads to it. */
function objectWithin(schema: JsonSchema): JsonSchema | undefined {
  if (schema.type === "object" && schema.properties !== undefined) {
    return isShort(schema) ? undefined : schema;
  }
  if (schema.type === "array" && typeof schema.items === "object") {
    return objectWithin(schema.items as JsonSchema);
  }
  const choices = objectSchemas(schema.anyOf).filter((one) => one.type !== "null");
  return choices.length === 1 ? objectWithin(choices[0]) : undefined;
}

/** A request must hold some fields; an answer always does. */
export type RequiredMark = "required" | "always";

function fieldRow({ path, depth, required, schema }: Field, word: RequiredMark): string {
  const indent = depth === 0 ? "" : ` style="padding-left:${depth * 1.1}rem"`;
  const mark = required ? `<span class="mark ${word}">${word}</span>` : "";
  const notes = [
    schema.description === undefined ? "" : prose(schema.description),
    limitsOf(schema),
  ];
  const said = notes.filter((note) => note !== "").join(" · ");
  return (
    `<tr><td${indent}><code>${escapeHtml(path)}</code>${mark}</td>` +
    `<td class="type">${typeHtml(schema)}</td><td>${said}</td></tr>`
  );
}

/** A table of a schema's fields; for what is no object, its type in words. */
export function schemaHtml(schema: JsonSchema, word: RequiredMark): string {
  const inner = objectWithin(schema) ?? schema;
  const fields = fieldsOf(inner);
  if (fields.length === 0) {
    const limits = limitsOf(schema);
    const note = schema.description === undefined ? "" : ` · ${prose(schema.description)}`;
    return `<p class="type">${typeHtml(schema)}${limits === "" ? "" : `, ${limits}`}${note}</p>`;
  }
  return `<table class="fields">${fields.map((field) => fieldRow(field, word)).join("")}</table>`;
}
