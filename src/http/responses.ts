/** What came of a decision: POST /v1/responses. */
import { z } from "zod";
import { idSchema, timeSchema } from "../events/event.js";
import { AGAIN_TOO_LATE, isSoonEnough, responseFields } from "../events/response.js";
import { responseExample } from "./examples-responses.js";
import { type Route, route } from "./route.js";

export const responseInputSchema = z.strictObject({
  decisionId: idSchema,
  rank: responseFields.rank.describe("Of the suggestion it is about; 1 where absent."),
  outcome: responseFields.outcome,
  reason: responseFields.reason.describe("A code or a few words, such as `too_expensive`."),
  at: timeSchema.describe("When it happened; part of what tells two responses apart."),
  amount: responseFields.amount.describe(
    "Of a `convert` or a `return`, major unit. A `return` without one takes all of it back.",
  ),
  agent: responseFields.agent,
  note: responseFields.note,
  again: timeSchema
    .refine(isSoonEnough, AGAIN_TOO_LATE)
    .optional()
    .describe(
      "Of a `later`: not before this time, at most 5 years ahead; absent: `laterDays` of the contact " +
        "policy.",
    ),
  phone: z
    .string()
    .min(1)
    .max(64)
    .optional()
    .describe("The number used, where it is not the member's first."),
});

export const respondedSchema = z.object({
  accepted: z.literal(true),
  duplicate: z.boolean().describe("It was here before: nothing counts twice."),
  known: z
    .boolean()
    .describe(
      "false: no member is known for this decision (never made, expired, of a stranger, erased). The " +
        "response is kept and changes nothing, but that the `phone` of a `do_not_contact` is suppressed.",
    ),
});

const respond = route({
  name: "respond",
  method: "post",
  path: "/v1/responses",
  tag: "Serving",
  summary: "What came of a decision",
  description:
    "Idempotent by `decisionId`, `rank`, `outcome` and `at`, in any order and however late; of two that " +
    "differ in the rest, the first counts. Before the answer: `accept`, `reject` and `later` stand in " +
    "the member's contacts; `do_not_contact` has put the address used and the member on the " +
    "suppression list; `bad_number` and `wrong_person` bar the number for this member. A `convert` " +
    "counts its amount as what the decision brought in, a `return` takes it back, never more than " +
    "that; orders themselves are events. After a 503 send it again.",
  scopes: ["serve", "pop", "dialer", "web"],
  body: responseInputSchema,
  status: 200,
  response: respondedSchema,
  errors: [
    "time_in_future",
    "time_too_old",
    "invalid_phone",
    "store_unavailable",
    "store_full",
    "write_contended",
  ],
  example: responseExample,
  handle: ({ body }, services) => services.responses.respond(body),
});

export const responseRoutes: readonly Route[] = [respond];
