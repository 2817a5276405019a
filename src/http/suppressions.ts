/** The suppression list: who must not be contacted, from the next request on. */
import { suppressionExample, suppressionInputExample, suppressionsExample } from "./examples.js";
import { type Route, route } from "./route.js";
import {
  pageOf,
  pageQuerySchema,
  suppressionEntrySchema,
  suppressionInputSchema,
  suppressionSchema,
} from "./schemas.js";

const IDENTITY =
  "`identity` is `phone:+86…`, `email:…`, `member:ID` or `account:…`; a bare number with its country " +
  "prefix or a bare address will do.";
const READ_ERRORS = ["suppression_unknown", "invalid_phone", "store_unavailable"] as const;

const list = route({
  name: "listSuppressions",
  method: "get",
  path: "/v1/suppressions",
  tag: "Suppressions",
  summary: "List who must not be contacted, as hashes",
  description:
    "Shows hashes and never whom they name: ask for one identity to learn whether it is listed. In no " +
    "order; a page may be a little longer than `limit`.",
  scopes: ["admin", "dialer"],
  query: pageQuerySchema,
  status: 200,
  response: pageOf(suppressionEntrySchema),
  errors: ["store_unavailable"],
  example: { response: suppressionsExample },
  handle: ({ query }, services) => services.suppressions.list(query),
});

const put = route({
  name: "putSuppression",
  method: "put",
  path: "/v1/suppressions/{identity}",
  tag: "Suppressions",
  summary: "Do not contact this identity",
  description:
    `${IDENTITY} From the next request on no entry point offers a contact there. Repeating it changes ` +
    "nothing: the first source and time stay. Only a keyed hash of the identity is kept.",
  scopes: ["admin", "dialer"],
  body: suppressionInputSchema,
  status: 200,
  response: suppressionSchema,
  errors: ["invalid_phone", "store_unavailable", "store_full"],
  example: { request: suppressionInputExample, response: suppressionExample },
  handle: ({ params, body }, services) => services.suppressions.put(params.identity, body),
});

const get = route({
  name: "getSuppression",
  method: "get",
  path: "/v1/suppressions/{identity}",
  tag: "Suppressions",
  summary: "Is this identity on the list?",
  description: `${IDENTITY} 404 \`suppression_unknown\`: it is not.`,
  scopes: ["admin", "dialer"],
  status: 200,
  response: suppressionSchema,
  errors: READ_ERRORS,
  example: { response: suppressionExample },
  handle: ({ params }, services) => services.suppressions.get(params.identity),
});

const remove = route({
  name: "deleteSuppression",
  method: "delete",
  path: "/v1/suppressions/{identity}",
  tag: "Suppressions",
  summary: "Let this identity in again",
  description:
    `${IDENTITY} Also how a person who was erased comes back. For the id of an erased member: 409 ` +
    "`conflict` until the nightly job has removed the last bytes.",
  scopes: ["admin", "dialer"],
  status: 204,
  errors: [...READ_ERRORS, "conflict"],
  handle: ({ params, caller }, services) =>
    services.suppressions.delete(params.identity, `key:${caller.name}`.slice(0, 100)),
});

export const suppressionRoutes: readonly Route[] = [list, put, get, remove];
