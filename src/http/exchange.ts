/**
 * One request from its headers to the last byte of its answer. Both doors, the front's hot routes
 * and the Express app, come through here: key, body, validation, handler, errors, metrics, log.
 */
import { isUtf8 } from "node:buffer";
import { randomBytes } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { CuecardError } from "../errors.js";
import { idSchema } from "../events/event.js";
import type { Logger } from "../telemetry.js";
import {
  askForBody,
  BodyReader,
  ClientGone,
  checkContentLength,
  checkContentType,
  parseJson,
  readLines,
} from "./body.js";
import { ANYONE, authenticate, type KeyLookup } from "./keys.js";
import { RouteMeter } from "./metrics.js";
import { asCuecardError, describeForLog, problemOf } from "./problem.js";
import { BODY_LIMIT_BYTES, type Route, routeLabel, type TextAnswer } from "./route.js";
import type { Services } from "./services.js";
import { validate } from "./validate.js";

export interface ExchangeOptions {
  services: Services;
  keys: KeyLookup;
  logger: Pick<Logger, "debug" | "warn" | "error" | "isLevelEnabled">;
  /** A body must be complete after this time; a stream must not pause for longer. Default 15 s. */
  bodyTimeoutMs?: number;
  /** Requests under way at once in this process; beyond it, `overloaded`. Default 4,096. */
  inFlightMax?: number;
}

/** A route with what is made once for it. */
export interface MountedRoute {
  readonly route: Route;
  readonly label: string;
  readonly meter: RouteMeter;
  readonly bodyLimitBytes: number;
}

export function mount(one: Route): MountedRoute {
  const label = routeLabel(one);
  return {
    route: one,
    label,
    meter: new RouteMeter(label),
    bodyLimitBytes: one.bodyLimitBytes ?? BODY_LIMIT_BYTES,
  };
}

interface FailOptions {
  /** Sent with the answer beside its own. */
  headers?: readonly string[];
  /** What is answered in place of a problem. */
  instead?: () => TextAnswer;
}

/** nginx's number for a client that left before its answer; counted, never sent. */
const STATUS_CLIENT_GONE = 499;
/** How long what a refused client still sends is thrown away, so that it can read the refusal. */
const LINGER_MS = 500;
const LINE_LIMIT_BYTES = 65_536;

const requestIdPrefix = `${randomBytes(6).toString("base64url")}-`;
let requestCount = 0;
const newRequestId = (): string => requestIdPrefix + (++requestCount).toString(36);

export class Exchange {
  readonly #services: Services;
  readonly #keys: KeyLookup;
  readonly #logger: ExchangeOptions["logger"];
  readonly #bodyTimeoutMs: number;
  readonly #bodies: BodyReader;
  readonly #inFlightMax: number;
  #inFlight = 0;
  /** While closing, every answer asks its client to connect anew (elsewhere). */
  closing = false;

  constructor(options: ExchangeOptions) {
    this.#services = options.services;
    this.#keys = options.keys;
    this.#logger = options.logger;
    this.#bodyTimeoutMs = options.bodyTimeoutMs ?? 15_000;
    this.#bodies = new BodyReader(this.#bodyTimeoutMs);
    this.#inFlightMax = options.inFlightMax ?? 4_096;
  }

  /** No request is under way. */
  get idle(): boolean {
    return this.#inFlight === 0;
  }

  /** Answers the request, whatever happens. `params` are decoded; `query` is what follows `?`. */
  async perform(
    mounted: MountedRoute,
    params: Record<string, string>,
    query: string,
    req: IncomingMessage,
    res: ServerResponse,
  ): Promise<void> {
    const startedAt = performance.now();
    const requestId = newRequestId();
    let status: number;
    this.#inFlight++;
    const { route, label } = mounted;
    try {
      const { contentType, text } = await this.#run(mounted, params, query, req, res);
      status = route.status;
      this.#send(req, res, status, contentType, text, requestId, route.headers);
    } catch (error) {
      const instead = (): TextAnswer => route.fields!.fallback(queryOf(query), this.#services);
      const { headers } = route;
      status = this.#fail(req, res, error, requestId, label, {
        headers,
        instead: route.fields && instead,
      });
    }
    this.#inFlight--;
    this.#conclude(mounted, status, startedAt, requestId);
  }

  /** Answers a request no route takes. `allow`: the methods its address does take. */
  refuse(
    mounted: Pick<MountedRoute, "label" | "meter">,
    error: unknown,
    req: IncomingMessage,
    res: ServerResponse,
    allow?: string,
  ): void {
    const startedAt = performance.now();
    const requestId = newRequestId();
    const headers = allow === undefined ? [] : ["Allow", allow];
    const status = this.#fail(req, res, error, requestId, mounted.label, { headers });
    this.#conclude(mounted, status, startedAt, requestId);
  }

  async #run(
    mounted: MountedRoute,
    params: Record<string, string>,
    query: string,
    req: IncomingMessage,
    res: ServerResponse,
  ): Promise<TextAnswer> {
    const { route } = mounted;
    if (this.#inFlight > this.#inFlightMax) {
      throw new CuecardError("overloaded", `${this.#inFlightMax} requests are under way already`, {
        retryAfterSeconds: 1,
      });
    }
    if (route.fields !== undefined) return this.#runFields(mounted, query, req, res);
    const caller = route.scopes === "open" ? ANYONE : authenticate(req, this.#keys, route.scopes);
    for (const name in params) checkParam(name, params[name]);
    const input = {
      params,
      query: route.query && validate(route.query, queryOf(query), "the query"),
      body: undefined as unknown,
      caller,
      lines: route.ndjson === undefined ? NO_LINES : this.#lines(mounted, req, res),
    };
    if (route.body !== undefined) {
      prepareBody(req, res, JSON_TYPES, mounted.bodyLimitBytes);
      const body = await this.#bodies.read(req, mounted.bodyLimitBytes);
      input.body = validate(route.body, parseJson(body), "the body");
    }
    const answer = await route.handle(input, this.#services);
    const contentType = route.contentType ?? "application/json";
    if (answer === undefined) return { contentType, text: "" };
    const text = route.contentType === undefined ? JSON.stringify(answer) : (answer as string);
    return { contentType, text };
  }

  /** A route that takes whatever comes: see `fields` of RouteSpec. */
  async #runFields(
    { route, bodyLimitBytes }: MountedRoute,
    query: string,
    req: IncomingMessage,
    res: ServerResponse,
  ): Promise<TextAnswer> {
    const inQuery = queryOf(query);
    const key = typeof inQuery.k === "string" ? inQuery.k : undefined;
    const caller =
      route.scopes === "open" ? ANYONE : authenticate(req, this.#keys, route.scopes, key);
    let fields: Record<string, unknown> = inQuery;
    if (req.method === "POST") {
      askForBody(req, res);
      const body = await this.#bodies.read(req, bodyLimitBytes);
      fields = { ...inQuery, ...fieldsOf(body) };
    }
    const input = { params: {}, query: fields, body: undefined, caller, lines: NO_LINES };
    return (await route.handle(input, this.#services)) as TextAnswer;
  }

  #lines(mounted: MountedRoute, req: IncomingMessage, res: ServerResponse): AsyncIterable<Buffer> {
    prepareBody(req, res, NDJSON_TYPES, mounted.bodyLimitBytes);
    return readLines(req, {
      limitBytes: mounted.bodyLimitBytes,
      lineLimitBytes: LINE_LIMIT_BYTES,
      idleTimeoutMs: this.#bodyTimeoutMs,
    });
  }

  #send(
    req: IncomingMessage,
    res: ServerResponse,
    status: number,
    contentType: string,
    body: string,
    requestId: string,
    more: readonly string[] = NO_HEADERS,
  ): void {
    const headers = ["X-Request-Id", requestId, ...more];
    const mustClose = status === 408 || hasLongBodyUnderWay(req);
    if (mustClose || this.closing) headers.push("Connection", "close");
    if (status === 204) {
      res.writeHead(status, headers).end();
      return;
    }
    headers.push("Content-Type", contentType, "Content-Length", String(Buffer.byteLength(body)));
    res.writeHead(status, headers);
    if (mustClose) lingerAndEnd(req, res, body);
    else res.end(body);
  }

  /** Answers with a problem; the status it was counted under. */
  #fail(
    req: IncomingMessage,
    res: ServerResponse,
    thrown: unknown,
    requestId: string,
    label: string,
    { headers = NO_HEADERS, instead }: FailOptions,
  ): number {
    if (thrown instanceof ClientGone || res.destroyed) return STATUS_CLIENT_GONE;
    const error = asCuecardError(thrown);
    const more = [...headers];
    if (error.code === "internal") {
      const cause = describeForLog(thrown);
      this.#logger.error({ requestId, route: label, error: cause }, "http: a request failed");
    } else if (error.status >= 500 && this.#logger.isLevelEnabled("debug")) {
      this.#logger.debug({ requestId, route: label, code: error.code }, "http: refused");
    }
    if (res.headersSent) {
      res.destroy();
      return error.status;
    }
    if (instead !== undefined && !IS_ABOUT_THE_KEY.has(error.status)) {
      const { contentType, text } = instead();
      this.#send(req, res, 200, contentType, text, requestId, more);
      return 200;
    }
    if (error.status === 503) {
      more.push("Retry-After", String(Math.max(1, Math.ceil(error.retryAfterSeconds ?? 1))));
    }
    if (error.status === 401) more.push("WWW-Authenticate", 'Bearer realm="cuecard"');
    const body = JSON.stringify(problemOf(error, requestId));
    this.#send(req, res, error.status, "application/problem+json", body, requestId, more);
    return error.status;
  }

  #conclude(
    mounted: Pick<MountedRoute, "label" | "meter">,
    status: number,
    startedAt: number,
    requestId: string,
  ): void {
    const ms = performance.now() - startedAt;
    mounted.meter.count(status, ms / 1_000);
    if (this.#logger.isLevelEnabled("debug")) {
      const tookMs = Math.round(ms * 100) / 100;
      this.#logger.debug({ requestId, route: mounted.label, status, tookMs }, "http: answered");
    }
  }
}

const JSON_TYPES = ["application/json"] as const;
const NDJSON_TYPES = ["application/x-ndjson", "application/ndjson", "application/jsonl"] as const;
const NO_HEADERS: readonly string[] = [];
const NO_LINES: AsyncIterable<Buffer> = { async *[Symbol.asyncIterator]() {} };

const IS_ABOUT_THE_KEY: ReadonlySet<number> = new Set([401, 403]);

/** What can be refused before the body is there is refused then. */
function prepareBody(
  req: IncomingMessage,
  res: ServerResponse,
  types: readonly string[],
  limitBytes: number,
): void {
  checkContentType(req, types);
  checkContentLength(req, limitBytes);
  askForBody(req, res);
}

function checkParam(name: string, value: string): void {
  const parsed = idSchema.safeParse(value);
  if (parsed.success) return;
  throw new CuecardError("invalid_id", `{${name}} in the address is not an id`, {
    errors: [{ path: name, message: parsed.error.issues[0].message }],
  });
}

/** Parameters of a body that is a JSON object or a form; one that is neither holds none. */
function fieldsOf(body: Buffer): Record<string, unknown> {
  try {
    const parsed = parseJson(body);
    if (typeof parsed === "object" && parsed !== null && !Array.isArray(parsed)) {
      return parsed as Record<string, unknown>;
    }
  } catch {
    // No JSON: a form, or nothing that we know.
  }
  return isUtf8(body) ? queryOf(body.toString()) : {};
}

/** Repeated names become a list, which no schema of ours takes: said, not silently dropped. */
function queryOf(query: string): Record<string, string | string[]> {
  const values: Record<string, string | string[]> = {};
  if (query === "") return values;
  const params = new URLSearchParams(query);
  for (const name of new Set(params.keys())) {
    const all = params.getAll(name);
    Object.defineProperty(values, name, {
      value: all.length === 1 ? all[0] : all,
      enumerable: true,
    });
  }
  return values;
}

/** So few unread bytes are read to their end, and the connection lives on. */
const SMALL_BODY_BYTES = 65_536;

const hasLongBodyUnderWay = (req: IncomingMessage): boolean =>
  !req.complete &&
  (req.headers["transfer-encoding"] !== undefined ||
    Number(req.headers["content-length"] ?? 0) > SMALL_BODY_BYTES);

/**
 * A client in the middle of sending reads no answer from a connection that is closed on it. So the
 * answer is written, what still comes is thrown away for a moment, and then the connection closes.
 */
function lingerAndEnd(req: IncomingMessage, res: ServerResponse, body: string): void {
  res.write(body);
  const end = (): void => {
    clearTimeout(timer);
    res.end();
  };
  const timer = setTimeout(end, LINGER_MS);
  req.once("end", end);
  req.once("close", end);
  req.resume();
}
