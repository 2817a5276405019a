/** Schemas of reports. */
import { z } from "zod";
import { idSchema } from "../events/event.js";

const instantTextSchema = z
  .union([z.iso.datetime({ offset: true }), z.iso.date(), z.string().regex(/^\d{1,15}$/)])
  .describe("ISO 8601 with zone, a day (from midnight UTC), or epoch milliseconds.");

/** Epoch milliseconds. */
export const instantOf = (text: string): number =>
  /^\d+$/.test(text) ? Number(text) : Date.parse(text);

export const experimentReportQuerySchema = z.strictObject({
  experiment: idSchema.describe("Id of the experiment, or `holdout`."),
  from: instantTextSchema.optional(),
  until: instantTextSchema.optional(),
});

const share = z.number().nullable().describe("null: of nobody.");

const rateSchema = z.object({ members: z.number().int(), rate: share });

const orderValueSchema = z.object({
  orders: z.number().int(),
  meanValue: z.number().nullable().describe("Per order, after returns."),
});

const differenceSchema = z.object({
  difference: z.number().describe("This arm less the baseline."),
  low: z.number().describe("Of its 95 % interval."),
  high: z.number(),
});

const upliftSchema = differenceSchema
  .extend({
    relative: z.number().nullable().describe("As a share of the baseline's."),
  })
  .nullable();

const stopSchema = z.object({
  verdict: z.enum(["stop", "continue"]),
  complaints: differenceSchema.nullable(),
  optOuts: differenceSchema.nullable(),
  because: z.array(z.enum(["complaints", "optOuts"])).describe("What is surely worse."),
});

const armSchema = z.object({
  name: z.string(),
  share: z.number().describe("Of all members, as configured."),
  members: z.number().int(),
  contacts: z.object({ count: z.number().int(), perMember: z.number().nullable() }),
  acceptance: z.object({
    answered: z.number().int().describe("Offers the member said something to."),
    accepted: z.number().int(),
    rate: share,
  }),
  conversion: rateSchema.describe("Members who ordered."),
  netSales: z
    .object({ total: z.number(), perMember: z.number().nullable() })
    .describe("Money of the orders of this time less what was sent back."),
  attributed: z
    .object({ offers: z.number().int(), total: z.number(), perMember: z.number().nullable() })
    .describe("What offers brought in by `convert`, less what `return` took back."),
  firstOrders: orderValueSchema,
  repeatOrders: orderValueSchema,
  promotion: rateSchema.describe("Members who climbed a stage, or came back."),
  complaints: rateSchema,
  optOuts: rateSchema,
  uplift: z
    .object({ netSalesPerMember: upliftSchema, conversion: upliftSchema })
    .nullable()
    .describe("Over the baseline; null: this is the baseline."),
  stop: stopSchema.nullable(),
});

export const experimentReportSchema = z.object({
  experiment: z.string(),
  label: z.string().nullable(),
  from: z.string(),
  until: z.string(),
  unit: z.enum(["member", "member and month", "member and quarter"]),
  baseline: z.string().describe("The hold-out; the first arm where there is none."),
  arms: z.array(armSchema).describe("Baseline first."),
  outside: z.number().int().describe("Members of the log that count in no arm."),
});
