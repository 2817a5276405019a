/** The hot routes: recommendations, scores, events. Plain functions; the front calls them directly. */
import { z } from "zod";
import {
  recommendationRequestSchema,
  recommendationResponseSchema,
  scoresRequestSchema,
  scoresResponseSchema,
} from "../decision/answer.js";
import { CuecardError } from "../errors.js";
import { EVENT_LIMITS, eventInputSchema } from "../events/event.js";
import { eventsExample, recommendationExample, scoresExample } from "./examples.js";
import { isAdmin } from "./keys.js";
import { type Route, route } from "./route.js";
import { ingestResultSchema } from "./schemas.js";

const EVENTS_BODY_LIMIT_BYTES = 8_388_608;

const recommend = route({
  name: "recommend",
  method: "post",
  path: "/v1/recommendations",
  tag: "Serving",
  summary: "What to offer a member now, or not",
  description:
    "An unknown member gets the cold-start answer with `known: false`, never a 404. While `degraded` " +
    "holds `untrained`, probabilities are absent. With the store out of reach the answer is still a " +
    "200 and says so in `degraded`. `context.now` is an admin's dry run.",
  scopes: ["serve"],
  body: recommendationRequestSchema,
  status: 200,
  response: recommendationResponseSchema,
  errors: ["overloaded"],
  hot: true,
  entryPoint: "recommendations",
  example: recommendationExample,
  handle({ body, caller }, services) {
    if (typeof body.context?.now === "number" && !isAdmin(caller)) {
      throw new CuecardError("scope_missing", "context.now needs the scope admin");
    }
    return services.recommend(body, caller);
  },
});

const score = route({
  name: "score",
  method: "post",
  path: "/v1/scores",
  tag: "Serving",
  summary: "Scores of up to 1,000 members, in the order asked",
  description:
    "`purchase`: an order within 30 days; `purchase7`: within 7; `churn`: silence over the member's " +
    "own horizon; `alive`: still a customer. Probabilities are absent while nothing is trained.",
  scopes: ["serve"],
  body: scoresRequestSchema,
  status: 200,
  response: scoresResponseSchema,
  errors: ["overloaded"],
  hot: true,
  example: scoresExample,
  handle: ({ body }, services) => services.score(body),
});

const ingest = route({
  name: "ingestEvents",
  method: "post",
  path: "/v1/events",
  tag: "Serving",
  summary: "Record what happened, up to 1,000 events at once",
  description:
    "Each event is judged by itself: the good ones are kept whatever the bad ones are, and " +
    "`rejected` names the others. An acknowledged event is durable and visible to the next decision. " +
    "Sending an event again is safe: the same `id` counts once. For a single product, `product`, " +
    "`quantity` and `amount` may stand on the event itself; lines of one order sent apart carry the " +
    "same `order`. After a 503, send the whole request again.\n\n" +
    "`opt_out`, with `properties` `{channel, purpose, route}`: before it is acknowledged the consent of " +
    "that channel (`phone`, `sms`, `email`, …; purpose `marketing` unless said) is revoked with source " +
    "and time; channel `all` puts the member on the suppression list as well. `route` is `keypress`, " +
    "`unsubscribe`, `agent` or `web`. While a `refund_opened` has no `refund_closed`, and a " +
    "`complaint_opened` no `complaint_closed`, the member gets care and advice only.",
  scopes: ["ingest"],
  // The service validates each event; here only the envelope is checked.
  body: z.strictObject({ events: z.array(z.unknown()) }),
  documentedBody: z.strictObject({
    events: z.array(eventInputSchema).max(EVENT_LIMITS.eventsPerRequest),
  }),
  bodyLimitBytes: EVENTS_BODY_LIMIT_BYTES,
  status: 200,
  response: ingestResultSchema,
  errors: ["batch_too_large", "store_unavailable", "store_full", "write_contended", "overloaded"],
  hot: true,
  example: eventsExample,
  handle({ body, caller }, services) {
    if (body.events.length > EVENT_LIMITS.eventsPerRequest) {
      const limit = EVENT_LIMITS.eventsPerRequest;
      throw new CuecardError("batch_too_large", `the limit is ${limit} events a request`);
    }
    return services.ingestEvents(body.events, caller);
  },
});

export const servingRoutes: readonly Route[] = [recommend, score, ingest];
