/** API keys: create, list, revoke. */
import { keyCreatedExample, keysExample } from "./examples.js";
import { type Route, route } from "./route.js";
import { keyCreatedSchema, keyInputSchema, keyRecordSchema, pageOf } from "./schemas.js";

const create = route({
  name: "createKey",
  method: "post",
  path: "/v1/keys",
  tag: "Keys",
  summary: "Make an API key",
  description:
    "The key is shown this once. With this answer every process that reaches the store knows it.",
  scopes: ["admin"],
  body: keyInputSchema,
  status: 201,
  response: keyCreatedSchema,
  errors: ["conflict", "store_unavailable", "store_full"],
  example: {
    request: { name: "web shop", scopes: ["serve", "ingest"] },
    response: keyCreatedExample,
  },
  async handle({ body }, services) {
    const { key, record } = await services.keys.create(body);
    return { key, ...record };
  },
});

const list = route({
  name: "listKeys",
  method: "get",
  path: "/v1/keys",
  tag: "Keys",
  summary: "List API keys, without their secrets",
  scopes: ["admin"],
  status: 200,
  response: pageOf(keyRecordSchema),
  errors: ["store_unavailable"],
  example: { response: keysExample },
  handle: async (_input, services) => ({ items: await services.keys.list(), nextCursor: null }),
});

const revoke = route({
  name: "revokeKey",
  method: "delete",
  path: "/v1/keys/{id}",
  tag: "Keys",
  summary: "Revoke an API key",
  description: "With this answer every process that reaches the store refuses it.",
  scopes: ["admin"],
  status: 204,
  errors: ["key_not_found", "store_unavailable"],
  handle: ({ params }, services) => services.keys.revoke(params.id),
});

export const keyRoutes: readonly Route[] = [create, list, revoke];
