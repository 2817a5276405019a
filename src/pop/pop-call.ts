/**
 * What a telephone system says about a call, under whichever names it uses, as one shape. Nothing here
 * throws: a parameter that makes no sense is a parameter that was not sent.
 */
import type { Config } from "../config.js";

export const POP_FORMATS = ["json", "flat", "kv", "cid"] as const;
export type PopFormat = (typeof POP_FORMATS)[number];

export interface PopCall {
  readonly format: PopFormat;
  /** As sent: a number in any notation, or a word such as "anonymous". */
  readonly caller: string | null;
  readonly dialled: string | null;
  readonly call: string | null;
  readonly agent: string | null;
  readonly member: string | null;
}

/** Longer is no number, id or name of anybody. */
const VALUE_LENGTH_MAX = 200;
/** VICIdial and others leave the name of a field where they have no value for it. */
const PLACEHOLDER = /^(?:--A--.*--B--|\[[A-Z_]+\]|\{\{.*\}\}|\$\{.*\})$/;

/** The first value of a parameter that says something. */
function textOf(value: unknown, lengthMax = VALUE_LENGTH_MAX): string | null {
  const one = Array.isArray(value) ? value.find((each) => textOf(each) !== null) : value;
  if (typeof one !== "string" && typeof one !== "number") return null;
  const text = String(one).trim();
  const isUsable = text !== "" && text.length <= lengthMax && !PLACEHOLDER.test(text);
  return isUsable ? text : null;
}

export type Fields = Readonly<Record<string, unknown>>;

/** `lengthMax`: what is longer was not sent. */
export function firstOf(
  fields: Fields,
  names: readonly string[],
  lengthMax?: number,
): string | null {
  for (const name of names) {
    const text = textOf(fields[name], lengthMax);
    if (text !== null) return text;
  }
  return null;
}

/** A number in national notation with its country's calling code beside it → international notation. */
function international(caller: string | null, country: string | null): string | null {
  const code = country?.replace(/^(?:\+|00)/, "") ?? "";
  if (caller === null || !/^[1-9]\d{0,3}$/.test(code) || !/^[\d\s().-]+$/.test(caller))
    return caller;
  const digits = caller.replace(/\D/g, "");
  if (digits.startsWith("00")) return caller;
  // "1" beside "12125550100": the code is in the number already.
  const isWhole = digits.startsWith(code) && digits.length > 10;
  return `+${isWhole ? "" : code}${isWhole ? digits : digits.replace(/^0/, "")}`;
}

/** `fields`: query and body together, as they came. */
export function popCallOf(fields: Fields, { aliases }: Config["pop"]): PopCall {
  const asked = textOf(fields.fmt)?.toLowerCase();
  const caller = firstOf(fields, aliases.caller);
  return {
    format: POP_FORMATS.find((format) => format === asked) ?? "json",
    caller: international(caller, firstOf(fields, aliases.country)),
    dialled: firstOf(fields, aliases.dialled),
    call: firstOf(fields, aliases.call),
    agent: firstOf(fields, aliases.agent),
    member: firstOf(fields, aliases.member),
  };
}
