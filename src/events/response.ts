/** What came of a decision: the event type `response`, its properties and what each outcome means. */
import { z } from "zod";
import { EVENT_LIMITS, idSchema } from "./event.js";

export const RESPONSE_OUTCOMES = [
  "impression",
  "accept",
  "reject",
  "later",
  "convert",
  "return",
  "no_contact",
  "bad_number",
  "abandoned",
  "not_pitched",
  "pending",
  "do_not_contact",
  "wrong_person",
] as const;
export type ResponseOutcome = (typeof RESPONSE_OUTCOMES)[number];

/** Suggestions of one answer are counted from 1; no placement shows more. */
export const RANK_MAX = 100;
export const NOTE_MAX = 500;

const AGAIN_YEARS_MAX = 5;
const YEAR_MS = 365.25 * 86_400_000;

/** Nobody asks to be reached later than this (epoch milliseconds); what is told to be is a mistake. */
export const latestAgain = (): number => Date.now() + AGAIN_YEARS_MAX * YEAR_MS;

export const isSoonEnough = (again: number): boolean => again <= latestAgain();
export const AGAIN_TOO_LATE = `lies more than ${AGAIN_YEARS_MAX} years ahead`;

/** Fields of a response that are kept as they are sent. */
export const responseFields = {
  rank: z.number().int().min(1).max(RANK_MAX).optional(),
  outcome: z.enum(RESPONSE_OUTCOMES),
  reason: z.string().max(200).optional(),
  /** Major unit; of a `convert` or a `return`. */
  amount: z.number().min(0).max(EVENT_LIMITS.amountMax).optional(),
  agent: z.string().max(100).optional(),
  note: z.string().max(NOTE_MAX).optional(),
};

/** `properties` of an event `response`; further ones are kept as they are. */
export const responsePropertiesSchema = z.looseObject({
  ...responseFields,
  decision: idSchema,
  product: idSchema.optional(),
  /** Product at the head of the decision: what the contact was about. */
  offer: idSchema.optional(),
  /** Of a "later": not before this instant, epoch milliseconds. */
  again: z.number().int().min(0).optional(),
  /** We started the contact: an attempt counts. */
  outbound: z.boolean().optional(),
  /** The number used, where it is not the member's first. */
  phone: z.string().max(64).optional(),
});
export type ResponseProperties = z.infer<typeof responsePropertiesSchema>;

/** As they arrive; what the log holds from before this limit is still read. */
export const arrivingResponseSchema = responsePropertiesSchema.extend({
  again: responsePropertiesSchema.shape.again.refine(
    (again) => again === undefined || isSoonEnough(again),
    AGAIN_TOO_LATE,
  ),
});
