/** Leads: who to contact first. */
import { rankRequestSchema, rankResponseSchema } from "../leads/rank-answer.js";
import { rankLeadsExample } from "./examples-leads.js";
import { type Route, route } from "./route.js";

/** 10,000 of the longest ids. */
const BODY_LIMIT_BYTES = 8_388_608;

const rank = route({
  name: "rankLeads",
  method: "post",
  path: "/v1/leads/rank",
  tag: "Leads",
  summary: "Members to contact, best first, every guard kept",
  description:
    "With `members` those, scored now; without, the last ranked set from its top until `limit` leads " +
    "passed. Everybody passes the guards on what is known of them now; `blocked` counts who did not, by " +
    "guard and code. `where` is a CEL expression over the fields of docs/leads.md, checked before " +
    "anything is read. A preview: nothing is reserved or recorded, so ask again before dialling. With " +
    "the store out of reach the answer is a 503: leads nobody could be guarded by are not given.",
  scopes: ["dialer"],
  body: rankRequestSchema,
  bodyLimitBytes: BODY_LIMIT_BYTES,
  status: 200,
  response: rankResponseSchema,
  errors: ["ranking_missing", "conflict", "store_unavailable", "overloaded"],
  entryPoint: "leads.rank",
  example: rankLeadsExample,
  handle: ({ body }, services) => services.leads.rank(body),
});

export const leadRoutes: readonly Route[] = [rank];
