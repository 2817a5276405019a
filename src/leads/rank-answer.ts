/** The shapes that POST /v1/leads/rank takes and answers; the schemas generate OpenAPI. */
import { z } from "zod";
import { idSchema, memberRefSchema } from "../events/event.js";
import { RANKED_SETS } from "./ranked-sets.js";

export const RANK_LIMITS = { members: 10_000, leads: 10_000, whereLength: 1_000 } as const;
/** Of those a guard stopped, so many are named. */
export const EXAMPLES_MAX = 100;

export const rankRequestSchema = z.strictObject({
  /** Only these, scored now; absent: the last ranked set, best first. */
  members: z.array(memberRefSchema).max(RANK_LIMITS.members).optional(),
  /** Goes into the leads' ids and comes back; nothing else yet. */
  campaign: idSchema.nullish(),
  by: z.enum(RANKED_SETS).default("purchase"),
  /** CEL over the fields of docs/leads.md. */
  where: z.string().min(1).max(RANK_LIMITS.whereLength).nullish(),
  channel: z.string().min(1).max(64),
  limit: z.number().int().min(1).max(RANK_LIMITS.leads).default(100),
  /** Also those who may be contacted later: outside their hours now, or contacted often enough. */
  include: z.literal("later").nullish(),
});
export type RankRequest = z.infer<typeof rankRequestSchema>;

const probability = z.number().optional();
const time = z.string().describe("ISO 8601.");

export const leadSchema = z.object({
  leadId: z.string().describe("The same for the same member, channel and campaign; 18 characters."),
  memberId: z.string(),
  phone_code: z.string().nullable().describe("Country calling code, digits."),
  phone: z.string().nullable().describe("National number, digits; null where no phone is used."),
  e164: z.string().nullable(),
  timezone: z.string().nullable().describe("null where they may be in several; see `timezones`."),
  timezones: z.array(z.string()),
  rank: z.number().int().min(0).max(99_999).describe("Higher is better; equal where scores are."),
  score: z.number().nullable().describe("What `rank` follows; null while nothing is trained."),
  scores: z
    .object({
      purchase: probability,
      purchase7: probability,
      churn: probability,
      alive: probability,
    })
    .describe("Of now."),
  scoredAt: time,
  expiresAt: time.describe("Ask again from then on: `callableUntil`."),
  callableFrom: time,
  callableUntil: time.describe("Exclusive."),
  owner: z.null(),
  decisionId: z.null(),
  reasons: z.array(z.object({ code: z.string(), text: z.string() })),
  attempts: z.number().int().describe("Contacts on this channel that caps count."),
});
export type Lead = z.infer<typeof leadSchema>;

const countsSchema = z.record(z.string(), z.number().int());

export const STOPS = ["end", "limit", "bound", "deadline"] as const;

export const rankResponseSchema = z.object({
  leads: z.array(leadSchema).describe("Best first."),
  blocked: countsSchema.describe("Guard and code → members: `1 do_not_contact`."),
  blockedExamples: z
    .array(
      z.object({
        memberId: z.string(),
        guard: z.number().int(),
        code: z.string(),
        text: z.string(),
        until: time.nullable().describe("When it opens, if nothing comes between."),
      }),
    )
    .describe(`At most ${EXAMPLES_MAX}.`),
  skipped: countsSchema.describe(
    "No matter of guards: `member_unknown`, `duplicate`, `not_matched`, `no_phone`, `no_email`, `held_out`.",
  ),
  of: z.number().int().describe("Members considered."),
  passed: z.number().int().describe("Of these, leads before `limit` cut them."),
  by: z.enum(RANKED_SETS),
  walked: z.number().int().nullable().describe("Places of the ranked set walked; null: `members`."),
  rankedAt: time.nullable().describe("Instant the ranked set is of; null with `members`."),
  stale: z.boolean().describe("The set is of another model than serves, or older than 36 hours."),
  stopped: z.enum(STOPS).describe("Why the walk ended: `bound` is 50,000 places, `deadline` 30 s."),
  channel: z.string(),
  campaign: z.string().nullable(),
  degraded: z.array(z.enum(["untrained", "model_failed"])),
  models: z.object({ heads: z.string().nullable() }),
  preview: z.literal(true).describe("Nothing was reserved or recorded."),
  tookMs: z.number(),
});
export type RankResponse = z.infer<typeof rankResponseSchema>;
