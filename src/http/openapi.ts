/** OpenAPI 3.1, generated from the table of routes and from the very schemas that validate. */
import { ERRORS, type ErrorCode } from "../errors.js";
import { idSchema } from "../events/event.js";
import { sizeText } from "./body.js";
import {
  componentsOf,
  inline,
  inputNames,
  type JsonSchema,
  type Names,
  outputNames,
  refTo,
  requestSchemaOf,
} from "./openapi-schemas.js";
import { BODY_LIMIT_BYTES, type Route, TAGS } from "./route.js";

export type { JsonSchema } from "./openapi-schemas.js";

export interface Operation {
  operationId: string;
  tags: string[];
  summary: string;
  description?: string;
  security: Record<string, string[]>[];
  parameters?: {
    name: string;
    in: string;
    required: boolean;
    description?: string;
    schema: JsonSchema;
  }[];
  requestBody?: { required: boolean; content: Record<string, Media> };
  responses: Record<string, { description: string; content?: Record<string, Media> }>;
  "x-scopes": readonly string[];
  "x-errors": ErrorCode[];
}

export interface Media {
  schema: JsonSchema;
  example?: unknown;
}

export interface OpenApiDocument {
  openapi: "3.1.0";
  info: {
    title: string;
    version: string;
    description: string;
    license: { name: string; identifier: string };
  };
  servers: { url: string }[];
  tags: { name: string }[];
  paths: Record<string, Record<string, Operation>>;
  components: {
    schemas: Record<string, JsonSchema>;
    securitySchemes: Record<string, Record<string, string>>;
  };
  "x-errors": Record<string, { status: number; title: string; remedy: string }>;
}

function parametersOf(one: Route): Operation["parameters"] {
  const inPath = [...one.path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
    name,
    in: "path",
    required: true,
    description: "Percent-encode what is no letter or digit; it is decoded once.",
    schema: inline(idSchema),
  }));
  if (one.query === undefined) return inPath;
  const { properties = {}, required = [] } = inline(one.query);
  const inQuery = Object.entries(properties).map(([name, property]) => {
    const { description, ...schema } = property as JsonSchema;
    return { name, in: "query", required: required.includes(name), description, schema };
  });
  return [...inPath, ...inQuery];
}

/** The codes a route can answer: its own, and those that follow from what it takes. */
export function errorCodesOf(one: Route): ErrorCode[] {
  const codes = new Set<ErrorCode>(one.errors);
  if (one.path.includes("{")) codes.add("invalid_id");
  if (one.body !== undefined || one.ndjson !== undefined) {
    for (const code of BODY_ERRORS) codes.add(code);
  }
  if (one.body !== undefined) codes.add("malformed_json");
  if (one.body !== undefined || one.query !== undefined) codes.add("invalid_request");
  if (one.scopes !== "open") for (const code of KEY_ERRORS) codes.add(code);
  codes.add("overloaded");
  codes.add("internal");
  return [...codes].sort((a, b) => ERRORS[a].status - ERRORS[b].status || (a < b ? -1 : 1));
}

const BODY_ERRORS = ["body_too_large", "unsupported_media_type", "request_timeout"] as const;
/** `store_unavailable` stands among them: before the keys were read once, none can be judged. */
const KEY_ERRORS = ["key_missing", "key_unknown", "scope_missing", "store_unavailable"] as const;

function responsesOf(one: Route, outputs: Names): Operation["responses"] {
  const responses: Operation["responses"] = {
    [one.status]: { description: one.summary, content: answerContent(one, outputs) },
  };
  const byStatus = new Map<number, ErrorCode[]>();
  for (const code of errorCodesOf(one)) {
    const { status } = ERRORS[code];
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  for (const [status, codes] of byStatus) {
    responses[status] = {
      description: codes.map((code) => `\`${code}\`: ${ERRORS[code].title}`).join("\n\n"),
      content: { "application/problem+json": { schema: { $ref: refTo("Problem") } } },
    };
  }
  return responses;
}

function answerContent(one: Route, outputs: Names): Record<string, Media> | undefined {
  const example = one.example?.response;
  if (one.response !== undefined) {
    const schema = { $ref: refTo(outputs.get(one.response)?.id ?? "") };
    return { "application/json": example === undefined ? { schema } : { schema, example } };
  }
  if (one.fields !== undefined && one.contentType === undefined) {
    return {
      "application/json": { schema: { type: "object" } },
      "text/plain": { schema: { type: "string" } },
    };
  }
  if (one.contentType === undefined) return undefined;
  const isJson = one.contentType === "application/json";
  return { [one.contentType.split(";")[0]]: { schema: { type: isJson ? "object" : "string" } } };
}

function requestBodyOf(one: Route, inputs: Names): Operation["requestBody"] {
  const schema = requestSchemaOf(one);
  if (schema === undefined) return undefined;
  const example = one.example?.request;
  const ref: JsonSchema = { $ref: refTo(inputs.get(schema)?.id ?? "") };
  const media: Media = example === undefined ? { schema: ref } : { schema: ref, example };
  const type = one.ndjson === undefined ? "application/json" : "application/x-ndjson";
  return { required: !schema.safeParse(undefined).success, content: { [type]: media } };
}

function descriptionOf(one: Route): string | undefined {
  const limit = one.bodyLimitBytes ?? BODY_LIMIT_BYTES;
  const takesBody = requestSchemaOf(one) !== undefined;
  const parts = [one.description, takesBody ? `Body: at most ${sizeText(limit)}.` : undefined];
  return parts.filter((part) => part !== undefined).join(" ") || undefined;
}

function operationOf(one: Route, inputs: Names, outputs: Names): Operation {
  const isOpen = one.scopes === "open";
  return {
    operationId: one.name,
    tags: [one.tag],
    summary: one.summary,
    description: descriptionOf(one),
    security: isOpen ? [] : [{ bearer: [] }, { apiKey: [] }],
    parameters: parametersOf(one),
    requestBody: requestBodyOf(one, inputs),
    responses: responsesOf(one, outputs),
    "x-scopes": one.scopes === "open" ? [] : [...new Set([...one.scopes, "admin"])],
    "x-errors": errorCodesOf(one),
  };
}

/**
 * The document. `closedAnswers` (for tests) forbids fields of answers that are not described; in
 * what callers get, answers stay open, since fields may be added.
 */
export function openApiDocument(
  routes: readonly Route[],
  options: { closedAnswers?: boolean } = {},
): OpenApiDocument {
  const inputs = inputNames(routes);
  const outputs = outputNames(routes);
  const paths: OpenApiDocument["paths"] = {};
  for (const one of routes) {
    paths[one.path] ??= {};
    paths[one.path][one.method] = operationOf(one, inputs, outputs);
  }
  const document: OpenApiDocument = {
    openapi: "3.1.0",
    info: {
      title: "Cuecard",
      version: "1",
      description:
        "Who this member is, what to offer (or not), with which coupon, through which channel, when, " +
        "and what to say. Times are ISO 8601 or epoch milliseconds, money is in the configured " +
        "currency's major unit. Fields may be added to answers; none is renamed.",
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    servers: [{ url: "/" }],
    tags: TAGS.map((name) => ({ name })),
    paths,
    components: {
      schemas: {
        ...componentsOf(inputs, "input", true),
        ...componentsOf(outputs, "output", options.closedAnswers ?? false),
      },
      securitySchemes: {
        bearer: { type: "http", scheme: "bearer" },
        apiKey: { type: "apiKey", in: "header", name: "X-API-Key" },
      },
    },
    "x-errors": Object.fromEntries(
      Object.entries(ERRORS).map(([code, { status, title, remedy }]) => [
        code,
        { status, title, remedy },
      ]),
    ),
  };
  // Absent fields are absent, not undefined.
  return JSON.parse(JSON.stringify(document)) as OpenApiDocument;
}
