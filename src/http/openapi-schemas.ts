/**
 * The schemas of the OpenAPI document, from those that validate. What a schema does by code
 * (refinements) is said here in JSON Schema, and a test compares the two.
 */
import { z } from "zod";
import { experimentInputSchema } from "../catalog/experiment.js";
import { couponInputSchema, productInputSchema } from "../catalog/records.js";
import {
  recommendationRequestSchema,
  recommendationResponseSchema,
  scoresRequestSchema,
  scoresResponseSchema,
  suggestionSchema,
} from "../decision/answer.js";
import {
  EVENT_TYPES,
  eventInputSchema,
  idSchema,
  memberRefSchema,
  timeSchema,
} from "../events/event.js";
import { leadSchema, rankRequestSchema, rankResponseSchema } from "../leads/rank-answer.js";
import { consentSchema, memberInputSchema } from "../members/profile.js";
import { problemSchema } from "./problem.js";
import { experimentReportSchema } from "./report-schemas.js";
import type { Route } from "./route.js";
import * as records from "./schemas.js";

export type JsonSchema = z.core.JSONSchema.BaseSchema;

/** Names of what callers send. Everything else is named after its route. */
const INPUT_NAMES: Record<string, z.ZodType> = {
  Id: idSchema,
  Time: timeSchema,
  MemberRef: memberRefSchema,
  Event: eventInputSchema,
  RecommendationRequest: recommendationRequestSchema,
  ScoresRequest: scoresRequestSchema,
  RankLeadsRequest: rankRequestSchema,
  ConsentInput: consentSchema,
  MemberInput: memberInputSchema,
  ProductInput: productInputSchema,
  CouponInput: couponInputSchema,
  ExperimentInput: experimentInputSchema,
  SuppressionInput: records.suppressionInputSchema,
};

const OUTPUT_NAMES: Record<string, z.ZodType> = {
  RecommendationResponse: recommendationResponseSchema,
  Suggestion: suggestionSchema,
  ScoresResponse: scoresResponseSchema,
  RankLeadsResponse: rankResponseSchema,
  Lead: leadSchema,
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
  Experiment: records.experimentSchema,
  ExperimentReport: experimentReportSchema,
  Suppression: records.suppressionSchema,
  SuppressionEntry: records.suppressionEntrySchema,
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
    else if (zodSchema === couponInputSchema)
      jsonSchema.oneOf = [{ required: ["amountOff"] }, { required: ["percentOff"] }];
    if (io === "output" && !closedAnswers && jsonSchema.additionalProperties === false) {
      delete jsonSchema.additionalProperties;
    }
  };

const pascal = (name: string): string => name.charAt(0).toUpperCase() + name.slice(1);

export type Names = z.core.$ZodRegistry<{ id: string }>;

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

export const requestSchemaOf = (one: Route): z.ZodType | undefined =>
  one.documentedBody ?? one.body ?? one.ndjson;

export const refTo = (id: string): string => `#/components/schemas/${id}`;

export function componentsOf(
  names: Names,
  io: "input" | "output",
  closedAnswers: boolean,
): Record<string, JsonSchema> {
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

/** Query values arrive as text: the output side says what they must read as. */
export function inline(schema: z.ZodType): JsonSchema {
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

export const inputNames = (routes: readonly Route[]): Names =>
  namesOf(INPUT_NAMES, routes, "input");

export const outputNames = (routes: readonly Route[]): Names =>
  namesOf(OUTPUT_NAMES, routes, "output");
