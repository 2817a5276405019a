/** The event: something that happened to a member. Schema of what arrives, and what the log keeps. */
import { z } from "zod";

/** Built-in types; any other starts with `custom_`. */
export const EVENT_TYPES = [
  "view",
  "search",
  "cart_add",
  "checkout_start",
  "payment_failed",
  "purchase",
  "return",
  "call_inbound",
  "call_outbound",
  "message_sent",
  "message_delivered",
  "message_open",
  "message_click",
  "visit",
  "complaint_opened",
  "complaint_closed",
  "coupon_issued",
  "coupon_redeemed",
  "refund_opened",
  "refund_closed",
  "opt_out",
  "response",
] as const;

export type BuiltInEventType = (typeof EVENT_TYPES)[number];
export type EventType = BuiltInEventType | `custom_${string}`;

/** Limits of one request or import chunk; all are named in the errors they cause. */
export const EVENT_LIMITS = {
  eventsPerRequest: 1000,
  linesPerEvent: 500,
  idLength: 200,
  propertiesBytes: 4096,
  /** Money on one line, major unit. Sums stay exact integers of thousandths below 2^53. */
  amountMax: 1e9,
  quantityMax: 1e6,
} as const;

/** 1–200 characters, no control characters, no surrounding blanks; anything else (emoji, `{}`, `*`) is an id. */
export const idSchema = z
  .string()
  .min(1)
  .max(EVENT_LIMITS.idLength)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
  .regex(/^[^\u0000-\u001f\u007f\ud800-\udfff]+$/u, "an id has no control characters")
  .refine((id) => id.trim() === id, "an id neither starts nor ends with a blank");

/** ISO 8601 with zone, or epoch milliseconds; becomes epoch milliseconds. */
export const timeSchema = z
  .union([z.number().int(), z.iso.datetime({ offset: true })])
  .transform((value) => (typeof value === "number" ? value : Date.parse(value)));

/** How a caller names a member: an id, or one identity. */
export const memberRefSchema = z.union([
  idSchema,
  z.strictObject({ phone: z.string().min(1).max(64) }),
  z.strictObject({ email: z.string().min(3).max(254) }),
  z.strictObject({ account: idSchema }),
  z.strictObject({ visitor: idSchema }),
]);
export type MemberRef = z.infer<typeof memberRefSchema>;

const amountSchema = z.number().min(0).max(EVENT_LIMITS.amountMax);
const quantitySchema = z.number().positive().max(EVENT_LIMITS.quantityMax);

const itemSchema = z.strictObject({
  product: idSchema,
  quantity: quantitySchema.default(1),
  /** Money for the whole line (quantity × unit price), major unit. */
  amount: amountSchema.optional(),
});

export const eventInputSchema = z.strictObject({
  id: idSchema.optional(),
  type: z
    .string()
    .refine(
      (type) =>
        (EVENT_TYPES as readonly string[]).includes(type) || /^custom_[a-z0-9_]{1,56}$/.test(type),
      "not a built-in event type and not custom_…",
    ),
  member: memberRefSchema,
  /** Set with `member` on login: the visitor's history is carried over to the member. */
  visitor: idSchema.optional(),
  at: timeSchema,
  order: idSchema.optional(),
  items: z.array(itemSchema).max(EVENT_LIMITS.linesPerEvent).optional(),
  product: idSchema.optional(),
  quantity: quantitySchema.optional(),
  amount: amountSchema.optional(),
  channel: z.string().min(1).max(64).optional(),
  /** Of an `opt_out` and a `response`: see their schemas. */
  properties: z.record(z.string(), z.unknown()).optional(),
});
export type EventInput = z.infer<typeof eventInputSchema>;

/** What an `opt_out` says in its properties; further ones are kept as they are. */
export const optOutPropertiesSchema = z.looseObject({
  /** A declared channel; anything else means all. Absent: the channel of the event, else all. */
  channel: z.string().min(1).max(64).optional(),
  /** Whichever it is, it is a no to marketing as well. */
  purpose: z.string().min(1).max(64).default("marketing"),
  /** How it reached us. */
  route: z.enum(["keypress", "unsubscribe", "agent", "web"]).optional(),
});

/** One line of an order, or the single product of a view or cart. */
export interface Line {
  product: string;
  quantity: number;
  /** Money for the whole line, major unit; 0 when unknown. */
  amount: number;
  /** The product's category when the event was accepted, so that a replay gives the same state. */
  category?: string;
}

/** A validated event addressed to one member: what `fold` takes and the log keeps. */
export interface MemberEvent {
  id: string;
  type: EventType;
  /** Epoch milliseconds. */
  at: number;
  lines: Line[];
  order?: string;
  /** A later part of an order already counted: adds lines and money, not another order. */
  continuation?: boolean;
  channel?: string;
  properties?: Record<string, unknown>;
}

export const isProductEvent = (type: EventType): boolean =>
  type === "view" || type === "cart_add" || type === "purchase" || type === "return";
