/** One raw event → a checked EventInput, or the reason it is refused, with a code of the registry. */
import type { ZodError, ZodType } from "zod";
import type { ErrorCode } from "../errors.js";
import {
  EVENT_LIMITS,
  type EventInput,
  eventInputSchema,
  optOutPropertiesSchema,
} from "./event.js";
import { arrivingResponseSchema } from "./response.js";

export interface Rejection {
  code: ErrorCode;
  /** For a person; names fields, never values of the event. */
  detail: string;
}

export interface TimeLimits {
  /** Earliest and latest event time accepted, epoch milliseconds. */
  readonly earliest: number;
  readonly latest: number;
}

/** Types whose properties mean something. */
const PROPERTIES: Readonly<Record<string, ZodType>> = {
  opt_out: optOutPropertiesSchema,
  response: arrivingResponseSchema,
};

/** The first fault decides the code: senders match on it. */
function codeOfFault(path: readonly PropertyKey[]): ErrorCode {
  const last = path[path.length - 1];
  if (path[0] === "type") return "unknown_event_type";
  if (last === "phone") return "invalid_phone";
  if (last === "amount" || last === "quantity") return "invalid_amount";
  if (["id", "member", "order", "product", "visitor", "account", "email"].includes(String(last))) {
    return "invalid_id";
  }
  return "invalid_request";
}

function rejectionOf(error: ZodError): Rejection {
  const issue = error.issues[0]!;
  const path = issue.path.map((part) => (typeof part === "number" ? `[${part}]` : String(part)));
  const detail = `${path.join(".") || "event"}: ${issue.message}`.slice(0, 300);
  return { code: codeOfFault(issue.path), detail };
}

export function validateEvent(
  raw: unknown,
  limits: TimeLimits,
): { event: EventInput } | { rejection: Rejection } {
  const parsed = eventInputSchema.safeParse(raw);
  if (!parsed.success) return { rejection: rejectionOf(parsed.error) };
  const event = parsed.data;
  if (event.at > limits.latest) {
    return { rejection: { code: "time_in_future", detail: "at: lies in the future" } };
  }
  if (event.at < limits.earliest) {
    const earliest = new Date(limits.earliest).toISOString();
    return { rejection: { code: "time_too_old", detail: `at: before ${earliest}` } };
  }
  if (event.items !== undefined && event.product !== undefined) {
    const detail = "product: give either items or a single product, not both";
    return { rejection: { code: "invalid_request", detail } };
  }
  if ((event.type === "purchase" || event.type === "return") && linesOf(event) === 0) {
    const detail = `items: a ${event.type} has at least one line`;
    return { rejection: { code: "invalid_request", detail } };
  }
  const properties = PROPERTIES[event.type];
  if (properties !== undefined) {
    const said = properties.safeParse(event.properties ?? {});
    if (!said.success) {
      const { path, message } = said.error.issues[0]!;
      const detail = `properties.${path.join(".")}: ${message}`.slice(0, 300);
      return { rejection: { code: "invalid_request", detail } };
    }
  }
  if (bytesOf(event.properties) > EVENT_LIMITS.propertiesBytes) {
    const detail = `properties: more than ${EVENT_LIMITS.propertiesBytes} bytes of JSON`;
    return { rejection: { code: "invalid_request", detail } };
  }
  return { event };
}

function bytesOf(properties: EventInput["properties"]): number {
  try {
    return Buffer.byteLength(JSON.stringify(properties ?? {}));
  } catch {
    // Nested deeper than the stack: far beyond any limit.
    return Number.POSITIVE_INFINITY;
  }
}

const linesOf = (event: EventInput): number =>
  event.items?.length ?? (event.product === undefined ? 0 : 1);
