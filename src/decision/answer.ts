/** The shapes that POST /v1/recommendations and /v1/scores take and answer; schemas generate OpenAPI. */
import { z } from "zod";
import { idSchema, type MemberRef, memberRefSchema } from "../events/event.js";

export const STAGES = ["prospect", "new", "growth", "mature", "dormant", "churned"] as const;

/** Of a dry run: up to the year 9999, since an hour to contact lies behind it and must be a date too. */
const nowSchema = z
  .union([z.number().int().min(0).max(253_402_300_799_999), z.iso.datetime({ offset: true })])
  .transform((value) => (typeof value === "number" ? value : Date.parse(value)));

export const recommendationRequestSchema = z.strictObject({
  member: memberRefSchema,
  placement: z.string().min(1).max(64),
  channel: z.string().min(1).max(64).nullish(),
  context: z
    .strictObject({
      cart: z.array(idSchema).max(100).optional(),
      page: z.string().max(2000).nullish(),
      callReason: z.string().max(200).nullish(),
      callId: idSchema.nullish(),
      /** An admin's dry run at another instant. */
      now: nowSchema.nullish(),
    })
    .optional(),
  limit: z.number().int().min(1).max(50).optional(),
  exclude: z.array(idSchema).max(1000).optional(),
  budgetMs: z.number().min(1).max(10_000).optional(),
  explain: z.boolean().optional(),
  reserve: z.boolean().optional(),
});
export type RecommendationRequest = z.infer<typeof recommendationRequestSchema> & {
  /**
   * How else the door knows them: the number a known member calls from, the id beside an unknown
   * number. The guards see these as well. No caller sends it: the schema has no such field.
   */
  readonly alsoNamed?: readonly MemberRef[];
};

export const degradedReasons = [
  "untrained",
  "store_unavailable",
  "budget",
  "model_failed",
  "last_scores",
  "catalog_empty",
  "offers_not_held",
] as const;
export type DegradedReason = (typeof degradedReasons)[number];

export const scoresSchema = z.object({
  purchase: z.number().optional(),
  purchase7: z.number().optional(),
  churn: z.number().optional(),
  alive: z.number().optional(),
});
export type Scores = z.infer<typeof scoresSchema>;

export const reasonSchema = z.object({ code: z.string(), text: z.string() });
export type Reason = z.infer<typeof reasonSchema>;

export const suggestionSchema = z.object({
  rank: z.number().int(),
  kind: z.enum([
    "sell",
    "care",
    "advice",
    "renew",
    "cross_sell",
    "upsell",
    "win_back",
    "retain",
    "invite",
    "none",
  ]),
  product: z
    .object({
      id: z.string(),
      name: z.string(),
      price: z.number().nullable(),
      url: z.string().nullable(),
      image: z.string().nullable(),
    })
    .nullable(),
  coupon: z.object({ id: z.string(), label: z.string() }).nullable(),
  channel: z.string().nullable(),
  contactAt: z.string().nullable(),
  script: z.string().nullable(),
  propensity: z.number().optional(),
  expectedValue: z.number().optional(),
  reasons: z.array(reasonSchema),
});
export type Suggestion = z.infer<typeof suggestionSchema>;

export const candidateFateSchema = z.object({
  product: z.string(),
  sources: z.array(z.string()),
  fate: z.enum(["kept", "removed"]),
  stage: z.string(),
  code: z.string().nullable(),
  margin: z.number().nullable(),
  features: z.record(z.string(), z.number().nullable()).describe("What the ranker saw of it."),
  contributions: z
    .record(z.string(), z.number())
    .nullable()
    .describe("Of what is shown: what each feature added to the margin, with `bias` all of it."),
});

export const recommendationResponseSchema = z.object({
  decisionId: z.string(),
  member: z.object({
    id: z.string().nullable(),
    known: z.boolean(),
    stage: z.enum(STAGES).nullable(),
    name: z.string().nullable(),
  }),
  scores: scoresSchema,
  suggestions: z.array(suggestionSchema),
  /** Set when the answer is to help, not to sell: why, in a sentence. */
  doNotSell: z.object({ code: z.string(), text: z.string() }).nullable(),
  degraded: z.array(z.enum(degradedReasons)),
  models: z.object({ heads: z.string().nullable(), ranker: z.string().nullable() }),
  /** What the guards closed: their numbers are explained in docs/guards.md. Absent: nothing. */
  blocked: z
    .array(
      z.object({
        guard: z.number().int(),
        code: z.string(),
        channel: z.string().nullable(),
        until: z.string().nullable(),
      }),
    )
    .optional(),
  contact: z
    .object({ token: z.string(), channel: z.string(), until: z.string() })
    .optional()
    .describe("With `reserve`: the place taken for the first suggestion, until when it is kept."),
  policyVersion: z.number().int(),
  experiment: z.object({ name: z.string(), arm: z.string() }).nullable(),
  tookMs: z.number(),
  explanation: z
    .object({
      candidates: z.array(candidateFateSchema),
      features: z.record(z.string(), z.number().nullable()),
      contributions: z
        .record(z.string(), z.record(z.string(), z.number()))
        .nullable()
        .describe("Score → what each of the member's features added to its margin."),
      words: z
        .record(z.string(), z.string())
        .optional()
        .describe("The features that contributed, in plain words and the member's language."),
    })
    .optional(),
});
export type ContactPlace = NonNullable<RecommendationResponse["contact"]>;
export type RecommendationResponse = z.infer<typeof recommendationResponseSchema>;

export const scoresRequestSchema = z.strictObject({
  members: z.array(memberRefSchema).min(1).max(1000),
});
export type ScoresRequest = z.infer<typeof scoresRequestSchema>;

export const memberScoresSchema = z.object({
  member: memberRefSchema,
  known: z.boolean(),
  stage: z.enum(STAGES).nullable(),
  purchase: z.number().optional(),
  purchase7: z.number().optional(),
  churn: z.number().optional(),
  alive: z.number().optional(),
  expectedValue: z.number().optional(),
});

export const scoresResponseSchema = z.object({
  scores: z.array(memberScoresSchema),
  degraded: z.array(z.enum(degradedReasons)),
  models: z.object({ heads: z.string().nullable() }),
  tookMs: z.number(),
});
export type ScoresResponse = z.infer<typeof scoresResponseSchema>;
