/**
 * What a route is. One table of these (routes.ts) mounts the routes, guards them, validates what
 * they take and generates OpenAPI and /docs, so that none of it can drift from the others.
 */
import type { z } from "zod";
import { CuecardError, type ErrorCode } from "../errors.js";
import type { EntryPoint } from "../policy/entry-points.js";
import type { Scope } from "../redis/api-keys.js";
import type { Caller, Services } from "./services.js";

export type Method = "get" | "put" | "post" | "patch" | "delete";

export const TAGS = [
  "Serving",
  "Decisions",
  "Leads",
  "Members",
  "Products",
  "Coupons",
  "Experiments",
  "Suppressions",
  "Models",
  "Jobs",
  "Keys",
  "Operations",
] as const;

/** `/v1/members/{id}` → `{ id: string }`. */
export type PathParams<P extends string> = P extends `${string}{${infer Name}}${infer Rest}`
  ? { [K in Name]: string } & PathParams<Rest>
  : unknown;

/** An answer that says itself what it is; routes with `fields` give one. */
export interface TextAnswer {
  readonly contentType: string;
  readonly text: string;
}

/** What a handler gets, all of it validated. */
export interface RouteInput<Params, Query, Body> {
  /** Decoded exactly once; each is an id. */
  params: Params;
  query: Query;
  body: Body;
  caller: Caller;
  /** Routes with `ndjson` only: the lines of the body as they arrive. */
  lines: AsyncIterable<Buffer>;
}

export interface RouteSpec<
  P extends string,
  Q extends z.ZodType,
  B extends z.ZodType,
  R extends z.ZodType,
> {
  /** operationId in OpenAPI; unique. */
  name: string;
  method: Method;
  /** OpenAPI template, `{id}` for one segment. */
  path: P;
  tag: (typeof TAGS)[number];
  /** A few words. */
  summary: string;
  /** Markdown; what a caller must know beyond the schemas. */
  description?: string;
  /** Scopes of which a key needs one (the admin scope always does); "open": no key needed. */
  scopes: readonly Scope[] | "open";
  query?: Q;
  body?: B;
  /** What OpenAPI shows instead of `body`, where entries are judged one by one later. */
  documentedBody?: z.ZodType;
  /** The body is a stream of JSON lines, of this schema. */
  ndjson?: z.ZodType;
  /**
   * Callers that cannot be told how to ask: query, form and JSON body are read as one bag of
   * parameters (`query`), none of them a fault, `?k=` may hold a key of these very scopes, and
   * whatever goes wrong behind the key is answered 200 with `fallback`, which must not fail.
   */
  fields?: { fallback(query: Readonly<Record<string, unknown>>, services: Services): TextAnswer };
  /** Sent with every answer of the route, name after name. */
  headers?: readonly string[];
  /** Offers leave here: which of the guarded doors this is. */
  entryPoint?: EntryPoint;
  /** Default 1 MiB. */
  bodyLimitBytes?: number;
  status: 200 | 201 | 202 | 204;
  /** Schema of the JSON answer; absent where the answer has no body or is no JSON. */
  response?: R;
  /** Of an answer that is no JSON: `handle` returns its text. */
  contentType?: string;
  /** Codes beyond those any route may answer (see openapi.ts). */
  errors?: readonly ErrorCode[];
  /** Taken by the front without Express: the address has no parameters. */
  hot?: boolean;
  /** Request body and answer as /docs and OpenAPI show them. */
  example?: { request?: unknown; response?: unknown };
  handle(
    input: RouteInput<PathParams<P>, z.output<Q>, z.output<B>>,
    services: Services,
  ): Promise<z.input<R>>;
}

/** A route whose own types are forgotten: what the table holds. */
export interface Route extends Omit<RouteSpec<string, z.ZodType, z.ZodType, z.ZodType>, "handle"> {
  handle(
    input: RouteInput<Record<string, string>, unknown, unknown>,
    services: Services,
  ): Promise<unknown>;
}

/** Declares a route with its handler typed by its schemas. */
export function route<
  const P extends string,
  Q extends z.ZodType = z.ZodType<undefined>,
  B extends z.ZodType = z.ZodType<undefined>,
  R extends z.ZodType = z.ZodType,
>(spec: RouteSpec<P, Q, B, R>): Route {
  return spec as Route;
}

export const BODY_LIMIT_BYTES = 1_048_576;

/** The route as metrics and logs name it: the pattern, never the address that was asked. */
export const routeLabel = (one: Pick<Route, "method" | "path">): string =>
  `${one.method.toUpperCase()} ${one.path}`;

/** A record's body may repeat its id; another id than the address's would be a mistake. */
export function checkBodyId(id: string, bodyId: string | undefined): void {
  if (bodyId === undefined || bodyId === id) return;
  throw new CuecardError("invalid_request", "the body does not match its address", {
    errors: [{ path: "id", message: "differs from the id in the address" }],
  });
}
