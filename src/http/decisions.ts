/** Decisions given before: what was decided and why, computed again, and why not another product. */
import { z } from "zod";
import {
  recommendationResponseSchema,
  scoresSchema,
  suggestionSchema,
} from "../decision/answer.js";
import { productFateSchema } from "../decision/why-not.js";
import { idSchema } from "../events/event.js";
import { recommendationExample } from "./examples.js";
import { type Route, route } from "./route.js";
import { consentRecordSchema, epochMsSchema } from "./schemas.js";

const verdictSchema = z.object({
  care: z.string().nullable(),
  personal: z.boolean(),
  personalCoupons: z.boolean(),
  open: z.array(z.string()).readonly(),
  bars: z
    .array(
      z.object({
        guard: z.number().int(),
        code: z.string(),
        channel: z.string().nullable(),
        until: z.number().nullable(),
      }),
    )
    .readonly(),
  barredOffers: z.array(z.string()).readonly(),
});

const shownSchema = z.object({
  kind: suggestionSchema.shape.kind,
  product: z.string().nullable(),
  price: z.number().nullable(),
  coupon: z.string().nullable(),
  channel: z.string().nullable(),
  contactAt: z.string().nullable(),
  propensity: z.number().optional(),
  expectedValue: z.number().optional(),
});

export const decisionRecordSchema = z.object({
  id: z.string(),
  member: z.string().nullable(),
  at: epochMsSchema,
  dryRun: z.boolean().describe("An admin's `context.now`: nothing was committed."),
  request: z.object({
    placement: z.string(),
    channel: z.string().nullish(),
    cart: z.array(z.string()).optional(),
    page: z.string().nullish(),
    callReason: z.string().nullish(),
    callId: z.string().nullish(),
    exclude: z.array(z.string()).optional(),
    limit: z.number().int().optional(),
    explain: z.boolean().optional(),
  }),
  state: z.string().nullable().describe("The member's packed features of then, base64."),
  counted: z
    .object({
      stage: recommendationResponseSchema.shape.member.shape.stage.unwrap(),
      hasProfile: z.boolean(),
      zones: z.array(z.string()),
      jurisdiction: z.string().nullable(),
      locale: z.string().optional(),
      vulnerable: z.boolean().optional(),
      personalization: z.enum(["on", "off"]).optional(),
      doNotContact: z.boolean().optional(),
      consents: z.array(consentRecordSchema).optional(),
      attributes: z.record(z.string(), z.unknown()).optional(),
    })
    .nullable()
    .describe("What of the profile counted; null: nobody was known."),
  held: z
    .array(z.object({ product: z.string(), price: z.number(), coupon: z.string().nullable() }))
    .describe("Offers that held then and were among the candidates."),
  withheld: z
    .array(z.string())
    .readonly()
    .describe("Limited coupons not newly shown: none left, or the member had theirs."),
  askedFor: z.string().nullable().describe("Product they had asked to hear of later; it was time."),
  reservedUntil: epochMsSchema
    .nullable()
    .describe("End of the place reserved for the first suggestion; null: none was."),
  versions: z.object({
    heads: z.string().nullable(),
    ranker: z.string().nullable(),
    alive: z.string().nullable(),
    candidates: z.string().nullable(),
    catalog: z.number(),
    policy: z.number(),
    config: z.string(),
  }),
  seed: z.number(),
  clock: z.number().nullable().describe("Real time of a dry run."),
  verdict: verdictSchema.describe("What the guards said; everything behind was bound by it."),
  shown: z.array(shownSchema),
  removed: z
    .record(z.string(), z.array(z.string()))
    .describe("Candidates not shown, by the code of what removed them."),
  removedCounts: z.record(z.string(), z.number()),
  degraded: z.array(z.string()),
  lastScores: scoresSchema.nullable(),
  experiment: z.object({ name: z.string(), arm: z.string() }).nullable(),
  drawn: z.number().describe("Chance with which the answer was drawn; 1: nothing was drawn."),
  cut: z.array(z.string()).describe("What was left out because the record would be too long."),
  fate: productFateSchema.optional().describe("Of the product asked for with `product`."),
});

const READ_ERRORS = ["decision_unknown", "store_unavailable"] as const;

const get = route({
  name: "getDecision",
  method: "get",
  path: "/v1/decisions/{id}",
  tag: "Decisions",
  summary: "What was decided, on what, and why",
  description:
    "The record of one answer, without the member's name or addresses. With `product`, also why that " +
    "product was not shown: it is computed again for that. Decisions of erased members are gone.",
  scopes: ["serve"],
  query: z.strictObject({
    product: idSchema.optional().describe("Why not this product?"),
  }),
  status: 200,
  response: decisionRecordSchema,
  errors: [...READ_ERRORS, "replay_unavailable"],
  handle: ({ params, query }, { decisions }) => decisions.get(params.id, query.product),
});

const replay = route({
  name: "replayDecision",
  method: "post",
  path: "/v1/decisions/{id}/replay",
  tag: "Decisions",
  summary: "Compute a decision again",
  description:
    "On the features, models and artifacts of then: `tookMs` aside the same bytes as the answer given. " +
    "`differs` appears where that cannot be: `catalog` and `config` moved since and those of now were " +
    "used, `request` was too long to be recorded whole. Nothing is committed and nothing recorded.",
  scopes: ["serve"],
  body: z.strictObject({}).optional(),
  status: 200,
  response: recommendationResponseSchema.extend({
    differs: z.array(z.enum(["catalog", "config", "request"])).optional(),
  }),
  errors: [...READ_ERRORS, "replay_unavailable"],
  example: { response: recommendationExample.response },
  handle: ({ params }, { decisions }) => decisions.replay(params.id),
});

export const decisionRoutes: readonly Route[] = [get, replay];
