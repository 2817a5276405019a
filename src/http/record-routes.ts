/** The four routes of a kind of record that is simply put, read, listed and deleted. */
import type { z } from "zod";
import type { PlainKind } from "../catalog/catalog-store.js";
import type { ErrorCode } from "../errors.js";
import { checkBodyId, type Route, type RouteSpec, route } from "./route.js";
import { pageOf, pageQuerySchema } from "./schemas.js";
import type { RecordService, Services } from "./services.js";

export interface RecordRoutesSpec<
  Input extends z.ZodType<{ id?: string }>,
  Kept extends z.ZodType,
> {
  kind: PlainKind;
  tag: RouteSpec<string, z.ZodType, z.ZodType, z.ZodType>["tag"];
  /** As in `a coupon`. */
  one: string;
  /** What a caller of PUT must know beyond the schema. */
  description: string;
  readers: Route["scopes"];
  input: Input;
  kept: Kept;
  unknown: ErrorCode;
  example: { request: z.input<Input>; response: z.input<Kept> };
  service(services: Services): RecordService<z.output<Input>, z.input<Kept>>;
}

const capital = (word: string): string => word.charAt(0).toUpperCase() + word.slice(1);

export function recordRoutes<Input extends z.ZodType<{ id?: string }>, Kept extends z.ZodType>(
  spec: RecordRoutesSpec<Input, Kept>,
): readonly Route[] {
  const { kind, tag, one, description, readers, input, kept, unknown, example, service } = spec;
  const name = capital(kind.slice(0, -1));
  const path = `/v1/${kind}/{id}` as const;
  const readErrors = [unknown, "store_unavailable"] as const;
  return [
    route({
      name: `list${name}s`,
      method: "get",
      path: `/v1/${kind}`,
      tag,
      summary: `List ${kind}`,
      scopes: readers,
      query: pageQuerySchema,
      status: 200,
      response: pageOf(kept),
      errors: ["store_unavailable"],
      handle: ({ query }, services) => service(services).list(query),
    }),
    route({
      name: `put${name}`,
      method: "put",
      path,
      tag,
      summary: `Write ${one}`,
      description,
      scopes: ["admin"],
      body: input,
      status: 200,
      response: kept,
      errors: ["store_unavailable", "store_full"],
      example,
      handle({ params, body }, services) {
        checkBodyId(params.id, body.id);
        return service(services).put(params.id, body);
      },
    }),
    route({
      name: `get${name}`,
      method: "get",
      path,
      tag,
      summary: `Read ${one}`,
      scopes: readers,
      status: 200,
      response: kept,
      errors: readErrors,
      example: { response: example.response },
      handle: ({ params }, services) => service(services).get(params.id),
    }),
    route({
      name: `delete${name}`,
      method: "delete",
      path,
      tag,
      summary: `Delete ${one}`,
      scopes: ["admin"],
      status: 204,
      errors: readErrors,
      handle: ({ params }, services) => service(services).delete(params.id),
    }),
  ];
}
