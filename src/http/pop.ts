/** GET and POST /pop and /pop/disposition: telephone systems send what they send and wait for nobody. */
import { z } from "zod";
import { type Route, type RouteSpec, route } from "./route.js";

const text = (description: string) => z.string().optional().describe(description);

/** What is documented; anything else is taken as well, and left alone. */
const popQuerySchema = z.looseObject({
  fmt: z.enum(["json", "flat", "kv", "cid"]).optional().describe("Form of the answer; `json`."),
  k: text("A key of the scope pop, for callers that cannot send headers."),
  phone: text("Caller; also `ani`, `phone_number`, `from`, and what the configuration names."),
  cc: text("Calling code of a number in national notation; also `phone_code`."),
  member: text("Member id, where the caller's system knows it; also `vendor_id`."),
  uniqueid: text("The call: one call gets one decision. Also `call_id`, `contactId`, `uid` …"),
  dnis: text("Number dialled; also `did_pattern`, `dialed_number`."),
  agent: text("Who takes the call; also `user`."),
});

const shared = {
  path: "/pop",
  tag: "Serving",
  summary: "The card of a call, for telephone systems",
  description:
    "An unknown, withheld or impossible number gets 200 and the card of somebody nobody knows; so does " +
    "every call while the store is out of reach. `flat` is one level of strings, `kv` the same as " +
    "`a=b&c=d`, `cid` one line with the name, empty when unknown. Parameters of a form or JSON body count as " +
    "those of the query. A key in the address must not be an admin's.",
  scopes: ["pop"],
  query: popQuerySchema,
  bodyLimitBytes: 65_536,
  status: 200,
  fields: { fallback: (query, services) => services.popFallback(query) },
  headers: ["Cache-Control", "no-store", "Referrer-Policy", "no-referrer"],
  entryPoint: "pop",
  hot: true,
} satisfies Partial<RouteSpec<"/pop", z.ZodType, z.ZodType, z.ZodType>>;

const dispositionQuerySchema = z.looseObject({
  k: text("A key of the scope pop, for callers that cannot send headers."),
  dispo: text("What the call came to, as the system names it; also `disposition`."),
  uniqueid: text("The call, as /pop was told it. Also `call_id`, `contactId`, `uid` …"),
  decision: text("The decision, where the system knows it; also `decision_id`."),
  phone: text("The number called or calling; also as for /pop."),
  cc: text("Calling code of a number in national notation; also `phone_code`."),
  member: text("Member id, where the system knows it; also `vendor_id`."),
  agent: text("Who took the call; also `user`."),
  call_notes: text("Kept with the response, 500 characters of it."),
  callback_datetime: text("Of a callback: `YYYY-MM-DD HH:MM:SS` in the configured time zone."),
  talk_time: text("Taken, and not kept."),
  term_reason: text("Taken, and not kept."),
});

const sharedDisposition = {
  path: "/pop/disposition",
  tag: "Serving",
  summary: "What a call came to, for telephone systems",
  description:
    "A response to the decision of the call, in the system's own words; `pop.dispositions` of the " +
    "configuration says what they mean. Always 200 with a few words: `OK …`, `NOTHING KEPT: …` for what is " +
    "not known (a disposition without meaning is counted, not guessed), `NOT KEPT: send it again`. The same " +
    "call and disposition count once. `DNC` puts the number and the member named on the suppression list, also those nobody " +
    "knows; where it names nobody who could be found: `NOBODY SUPPRESSED: …`.",
  scopes: ["pop"],
  query: dispositionQuerySchema,
  bodyLimitBytes: 65_536,
  status: 200,
  fields: { fallback: (_, services) => services.dispositionFallback() },
  contentType: "text/plain; charset=utf-8",
  headers: ["Cache-Control", "no-store", "Referrer-Policy", "no-referrer"],
} satisfies Partial<RouteSpec<"/pop/disposition", z.ZodType, z.ZodType, z.ZodType>>;

export const popRoutes: readonly Route[] = [
  route({
    ...shared,
    name: "pop",
    method: "get",
    handle: ({ query }, services) => services.pop(query),
  }),
  route({
    ...shared,
    name: "popPost",
    method: "post",
    handle: ({ query }, services) => services.pop(query),
  }),
  route({
    ...sharedDisposition,
    name: "disposition",
    method: "get",
    handle: ({ query }, services) => services.disposition(query),
  }),
  route({
    ...sharedDisposition,
    name: "dispositionPost",
    method: "post",
    handle: ({ query }, services) => services.disposition(query),
  }),
];
