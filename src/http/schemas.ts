/** Schemas of addresses and answers that are HTTP's own; records reuse the schemas they are kept by. */
import { z } from "zod";
import { experimentInputSchema } from "../catalog/experiment.js";
import { couponInputSchema, productInputSchema } from "../catalog/records.js";
import { STAGES } from "../decision/answer.js";
import { idSchema } from "../events/event.js";
import { consentSchema, memberInputSchema, phoneMarkSchema } from "../members/profile.js";
import { SUPPRESSION_KINDS } from "../members/suppression-identity.js";
import { SUPPRESSION_REASONS } from "../members/suppressions.js";
import { SCOPES } from "../redis/api-keys.js";

export const PAGE_LIMIT_MAX = 200;
export const PAGE_LIMIT_DEFAULT = 50;

export const pageQuerySchema = z.strictObject({
  limit: z.coerce
    .number()
    .int()
    .min(1)
    .max(PAGE_LIMIT_MAX)
    .default(PAGE_LIMIT_DEFAULT)
    .describe(`Entries per page, at most ${PAGE_LIMIT_MAX}.`),
  cursor: z.string().min(1).max(500).optional().describe("`nextCursor` of the page before."),
});

export const memberListQuerySchema = pageQuerySchema.extend({
  stage: z.enum(STAGES).optional().describe("Only members of this stage; may lag a day."),
});

export const epochMsSchema = z.number().describe("Epoch milliseconds.");

/** One page of records. */
export const pageOf = <T extends z.ZodType>(item: T) =>
  z.object({ items: z.array(item), nextCursor: z.string().nullable() });

export const consentRecordSchema = z.object({
  ...consentSchema.shape,
  at: epochMsSchema.optional(),
});

const phoneMarkRecordSchema = z.object({
  ...phoneMarkSchema.shape,
  at: epochMsSchema.optional(),
});

const profileFields = {
  ...memberInputSchema.shape,
  id: z.string(),
  consents: z.array(consentRecordSchema).optional(),
  phoneMarks: z.array(phoneMarkRecordSchema).optional().describe("What was found out of phones."),
  createdAt: epochMsSchema,
  updatedAt: epochMsSchema,
};

export const mergedProfileSchema = z.object(profileFields);

export const profileSchema = z.object({
  ...profileFields,
  emails: z.array(z.string()).optional().describe("Further addresses of members merged into it."),
  merged: z
    .array(mergedProfileSchema)
    .optional()
    .describe("Profiles merged into this one, each as it was."),
});

export const memberRecordSchema = profileSchema.extend({
  stage: z.enum(STAGES).nullish().describe("Derived at the time of asking."),
});

export const mergeRequestSchema = z.strictObject({
  from: idSchema.describe("Id of the other member."),
});

export const erasureSchema = z.object({
  id: z.string(),
  erasedAt: epochMsSchema,
  completeBy: epochMsSchema.describe("By then the bytes are gone from log and archive."),
});

export const timelineEntrySchema = z.looseObject({
  kind: z.string(),
  at: epochMsSchema,
  id: z.string().optional(),
  type: z.string().optional(),
});

export const memberExportSchema = z.looseObject({
  member: profileSchema,
  events: z.array(z.unknown()),
});

export const productSchema = z.object({
  ...productInputSchema.shape,
  id: z.string(),
  active: z.boolean(),
  createdAt: epochMsSchema,
  updatedAt: epochMsSchema,
  source: z
    .enum(["record", "event"])
    .describe("`event`: first seen in an event, no record was written yet."),
});

export const couponSchema = z.object({
  ...couponInputSchema.shape,
  id: z.string(),
  active: z.boolean(),
  createdAt: epochMsSchema,
  updatedAt: epochMsSchema,
});

export const couponReportSchema = z.object({
  coupon: z.string(),
  budget: z.number().nullable().describe("null: not limited."),
  perMember: z.number(),
  issued: z.number().describe("Redeemed and open ones; expired ones have returned to the budget."),
  open: z.number(),
  redeemed: z.number(),
  members: z.number().describe("Members who hold or redeemed one."),
  left: z.number().nullable(),
  items: z.array(
    z.object({
      token: z.string().describe("The decision it was issued by, or `r_…` for a published code."),
      member: z.string().nullable().describe("null: erased."),
      issuedAt: epochMsSchema,
      until: epochMsSchema.nullable().describe("When it returns unredeemed."),
      redeemedAt: epochMsSchema.nullable(),
    }),
  ),
  nextCursor: z.string().nullable(),
});

export const suppressionInputSchema = z.strictObject({
  source: z
    .string()
    .min(1)
    .max(100)
    .describe("Who or what said so, such as `dialer` or `letter`; nothing personal."),
  reason: z.enum(["do_not_contact", "opt_out"]).default("do_not_contact"),
});

export const suppressionEntrySchema = z.object({
  hash: z.string().describe("Keyed hash of the identity; the identity itself is not kept."),
  kind: z.enum(SUPPRESSION_KINDS),
  reason: z.enum(SUPPRESSION_REASONS),
  source: z.string(),
  at: epochMsSchema,
});

export const suppressionSchema = suppressionEntrySchema.extend({
  identity: z.string().describe("As asked for, in its one spelling."),
});

export const experimentSchema = z.object({
  ...experimentInputSchema.shape,
  id: z.string(),
  active: z.boolean(),
  createdAt: epochMsSchema,
  updatedAt: epochMsSchema,
});

export const refusalFields = {
  code: z.string().describe("See the table of errors."),
  detail: z.string(),
};

export const bulkResultSchema = z.object({
  accepted: z.number().int(),
  rejectedTotal: z.number().int(),
  rejected: z
    .array(z.object({ line: z.number().int().describe("Counts from 1."), ...refusalFields }))
    .describe("The first 1,000 of them."),
});

export const ingestResultSchema = z.object({
  accepted: z.number().int(),
  duplicates: z.number().int(),
  rejected: z.array(
    z.object({ index: z.number().int().describe("Counts from 0."), ...refusalFields }),
  ),
});

export const modelSummarySchema = z.looseObject({
  name: z.string(),
  version: z.string().nullable(),
  trainedAt: epochMsSchema.nullable(),
});

export const modelReportSchema = z.looseObject({});

export const jobStartedSchema = z.object({ job: z.string().describe("Id, see GET /v1/jobs.") });

export const jobSummarySchema = z.object({
  id: z.string(),
  name: z.string(),
  state: z.enum(["waiting", "delayed", "active", "completed", "failed"]),
  progress: z.number().describe("0 to 1."),
  step: z.string().describe("What it is doing now, in words; empty before it says."),
  attempts: z.number().int().describe("Begun so far, also those ended by a crash."),
  createdAt: epochMsSchema,
  startedAt: epochMsSchema.nullable(),
  endedAt: epochMsSchema.nullable(),
  failure: z.string().nullable(),
  result: z
    .record(z.string(), z.unknown())
    .nullable()
    .describe("A few figures about what was done."),
});

export const keyInputSchema = z.strictObject({
  name: z.string().min(1).max(100).describe("Who uses it; shown in lists."),
  scopes: z.array(z.enum(SCOPES)).min(1).max(SCOPES.length),
});

export const keyRecordSchema = z.object({
  id: z.string(),
  name: z.string(),
  scopes: z.array(z.enum(SCOPES)),
  createdAt: epochMsSchema,
});

export const keyCreatedSchema = keyRecordSchema.extend({
  key: z.string().describe("Shown this once; only its hash is kept."),
});

export const readinessSchema = z.looseObject({
  ready: z.boolean(),
  store: z.enum(["up", "down"]).describe("`down`: writes answer 503, reads degrade."),
});
