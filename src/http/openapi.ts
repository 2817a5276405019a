/**
 * OpenAPI 3.1, generated from the table of routes and from the very schemas that validate. What a
 * schema does by code (refinements) is said here in JSON Schema, and a test compares the two.
 */
import { z } from "zod";
import { couponInputSchema, productInputSchema } from "../catalog/records.js";
import {
  recommendationRequestSchema,
  recommendationResponseSchema,
  scoresRequestSchema,
  scoresResponseSchema,
  suggestionSchema,
} from "../decision/answer.js";
import { ERRORS, type ErrorCode } from "../errors.js";
import {
  EVENT_TYPES,
  eventInputSchema,
  idSchema,
  memberRefSchema,
  timeSchema,
} from "../events/event.js";
import { consentSchema, memberInputSchema } from "../members/profile.js";
import { sizeText } from "./body.js";
import { problemSchema } from "./problem.js";
import { BODY_LIMIT_BYTES, type Route, TAGS } from "./route.js";
import * as records from "./schemas.js";

export type JsonSchema = z.core.JSONSchema.BaseSchema;

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

/** Names of what callers send. Everything else is named after its route. */
const INPUT_NAMES: Record<string, z.ZodType> = {
  Id: idSchema,
  Time: timeSchema,
  MemberRef: memberRefSchema,
  Event: eventInputSchema,
  RecommendationRequest: recommendationRequestSchema,
  ScoresRequest: scoresRequestSchema,
  ConsentInput: consentSchema,
  MemberInput: memberInputSchema,
  ProductInput: productInputSchema,
  CouponInput: couponInputSchema,
};

const OUTPUT_NAMES: Record<string, z.ZodType> = {
  RecommendationResponse: recommendationResponseSchema,
  Suggestion: suggestionSchema,
  ScoresResponse: scoresResponseSchema,
  IngestResult: records.ingestResultSchema,
  Member: records.memberRecordSchema,
  Consent: records.consentRecordSchema,
  MergedProfile: records.mergedProfileSchema,
  MemberExport: records.memberExportSchema,
  Erasure: records.erasureSchema,
  TimelineEntry: records.timelineEntrySchema,
  Product: records.productSchema,
  BulkResult: records.bulkResultSchema,
  Coupon: records.couponSchema,
  Model: records.modelSummarySchema,
  Job: records.jobSummarySchema,
  JobStarted: records.jobStartedSchema,
  ApiKey: records.keyRecordSchema,
  ApiKeyCreated: records.keyCreatedSchema,
  Readiness: records.readinessSchema,
  Problem: problemSchema,
};

const NOT_BLANK_AT_ENDS = "^\\S([\\s\\S]*\\S)?$";
const EVENT_TYPE = `^(${EVENT_TYPES.join("|")}|custom_[a-z0-9_]{1,56})$`;

type Override = NonNullable<z.core.ToJSONSchemaParams["override"]>;

/** Says in JSON Schema what the schemas check by code, and keeps answers open for new fields. */
const overrideFor =
  (io: "input" | "output", closedAnswers: boolean): Override =>
  ({ zodSchema, jsonSchema }) => {
    if (zodSchema === idSchema) {
      jsonSchema.allOf = [{ pattern: NOT_BLANK_AT_ENDS }];
      jsonSchema.description =
        "1 to 200 characters, no control characters, no blank at either end.";
    } else if (zodSchema === eventInputSchema.shape.type) jsonSchema.pattern = EVENT_TYPE;
    else if (zodSchema === timeSchema)
      jsonSchema.description = "ISO 8601 with zone, or epoch milliseconds.";
    if (io === "output" && !closedAnswers && jsonSchema.additionalProperties === false) {
      delete jsonSchema.additionalProperties;
    }
  };

const pascal = (name: string): string => name.charAt(0).toUpperCase() + name.slice(1);

type Names = z.core.$ZodRegistry<{ id: string }>;

/** Every schema of one direction under its name. */
function namesOf(
  known: Record<string, z.ZodType>,
  routes: readonly Route[],
  io: "input" | "output",
): Names {
  const names: Names = z.registry<{ id: string }>();
  for (const [id, schema] of Object.entries(known)) names.add(schema, { id });
  for (const one of routes) {
    const schema = io === "input" ? requestSchemaOf(one) : one.response;
    if (schema === undefined || names.has(schema)) continue;
    names.add(schema, { id: `${pascal(one.name)}${io === "input" ? "Request" : "Response"}` });
  }
  return names;
}

const requestSchemaOf = (one: Route): z.ZodType | undefined =>
  one.documentedBody ?? one.body ?? one.ndjson;

const refTo = (id: string): string => `#/components/schemas/${id}`;

function componentsOf(names: Names, io: "input" | "output", closedAnswers: boolean) {
  const { schemas } = z.toJSONSchema(names, {
    uri: refTo,
    io,
    unrepresentable: "any",
    override: overrideFor(io, closedAnswers),
  });
  for (const schema of Object.values(schemas)) {
    delete schema.$schema;
    delete schema.$id;
    delete schema.id;
  }
  return schemas;
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

/** Query values arrive as text: the output side says what they must read as. */
function inline(schema: z.ZodType): JsonSchema {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, {
    io: "output",
    unrepresentable: "any",
    override: overrideFor("output", true),
  });
  const required = (rest.required ?? []).filter(
    (name) => (rest.properties?.[name] as JsonSchema | undefined)?.default === undefined,
  );
  return rest.required === undefined ? rest : { ...rest, required };
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
  const inputs = namesOf(INPUT_NAMES, routes, "input");
  const outputs = namesOf(OUTPUT_NAMES, routes, "output");
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
