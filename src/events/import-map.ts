/** A file's columns → typed rows of events: `--map member=CustomerID,order=InvoiceNo,…`. */
import { CuecardError, type ErrorCode } from "../errors.js";
import { EVENT_LIMITS, EVENT_TYPES, type EventType } from "./event.js";
import type { ReadRow } from "./import-csv.js";
import { cell, parseNumber, type TimeFormat, timeReader } from "./import-values.js";

/** Target → column. */
export type Mapping = Readonly<Record<string, string>>;

const EVENT_TARGETS = [
  "member",
  "order",
  "product",
  "at",
  "quantity",
  "price",
  "amount",
  "name",
  "category",
  "channel",
  "type",
  "id",
] as const;

export interface EventMapOptions extends TimeFormat {
  readonly mapping: Mapping;
  /** Type of rows that name none. Default `purchase`. */
  readonly type?: string;
  /** Lines of negative quantity become returns of a positive one; otherwise they are rejected. */
  readonly negativeQuantity?: "return";
  /** Columns whose values together are the event's id. */
  readonly idFrom?: readonly string[];
  /** Times accepted, epoch milliseconds. */
  readonly earliest?: number;
  readonly latest?: number;
}

export interface ImportedRow {
  readonly row: number;
  /** null: nobody known; the row informs popularity only. */
  readonly member: string | null;
  readonly type: EventType;
  readonly order: string | null;
  /** Epoch milliseconds. */
  readonly at: number;
  readonly product: string | null;
  readonly name: string | null;
  readonly category: string | null;
  readonly quantity: number;
  /** Money for the whole line, major unit, thousandths at most; 0 when the file names none. */
  readonly amount: number;
  readonly channel: string | null;
  readonly id: string | null;
  readonly properties: Readonly<Record<string, string>> | null;
}

export interface RejectedRow {
  readonly row: number;
  readonly code: ErrorCode;
  readonly detail: string;
  /** The row as one line of CSV, for the reject file. */
  readonly raw: string;
}

/** `member=CustomerID,properties.country=Country` → targets and columns; spaces around both are dropped. */
export function parseMapping(text: string): Mapping {
  const mapping: Record<string, string> = {};
  for (const part of text.split(",")) {
    const at = part.indexOf("=");
    const target = part.slice(0, Math.max(at, 0)).trim();
    const column = part.slice(at + 1).trim();
    if (target === "" || column === "" || target === "__proto__") {
      throw new CuecardError("usage", `--map: ${part.trim() || "nothing"} is not target=COLUMN`);
    }
    if (Object.hasOwn(mapping, target)) {
      throw new CuecardError("usage", `--map: ${target} is mapped twice`);
    }
    mapping[target] = column;
  }
  return mapping;
}

/** Refuses unknown targets and absent required ones; `free` are prefixes such as `properties.`. */
export function checkTargets(
  mapping: Mapping,
  known: readonly string[],
  required: readonly string[],
  free: readonly string[],
): void {
  const unknown = Object.keys(mapping).filter(
    (target) => !known.includes(target) && !free.some((prefix) => target.startsWith(prefix)),
  );
  const targets = [...known, ...free.map((prefix) => `${prefix}NAME`)].join(", ");
  if (unknown.length > 0) {
    throw new CuecardError(
      "usage",
      `--map: no target ${unknown.join(", ")}; there are: ${targets}`,
    );
  }
  const missing = required.filter((target) => mapping[target] === undefined);
  if (missing.length > 0)
    throw new CuecardError("usage", `--map: ${missing.join(", ")} is missing`);
}

const isProductType = (type: string): boolean => type === "purchase" || type === "return";

const builtInTypes: ReadonlySet<string> = new Set(EVENT_TYPES);
const isEventType = (type: string): type is EventType =>
  builtInTypes.has(type) || /^custom_[a-z0-9_]{1,56}$/.test(type);

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
const BAD_IN_ID = /[\u0000-\u001f\u007f\ud800-\udfff]/u;

/** Same rule as `idSchema`, at the speed of a file; the cell is already trimmed. */
export const isUsableId = (id: string): boolean =>
  id.length <= EVENT_LIMITS.idLength && !BAD_IN_ID.test(id);

class Reject {
  constructor(
    readonly code: ErrorCode,
    readonly detail: string,
  ) {}
}

/** Columns a mapping needs, for `readRows({columns})`. */
export function columnsOfMapping(mapping: Mapping, idFrom: readonly string[] = []): string[] {
  return [...new Set([...Object.values(mapping), ...idFrom])];
}

/** Builds the function that turns a row into an event line or a reason why not. Throws `usage`. */
export function createEventMapper(
  options: EventMapOptions,
): (row: ReadRow) => ImportedRow | RejectedRow {
  const { mapping } = options;
  const defaultType = options.type ?? "purchase";
  if (!isEventType(defaultType)) {
    throw new CuecardError("usage", `--type: ${defaultType} is not an event type`);
  }
  const required = ["member", "at"];
  if (isProductType(defaultType) && mapping.type === undefined) required.push("product");
  checkTargets(mapping, EVENT_TARGETS, required, ["properties."]);
  const context: MapContext = {
    options,
    defaultType,
    readTime: timeReader(options),
    properties: Object.entries(mapping)
      .filter(([target]) => target.startsWith("properties."))
      .map(([target, column]) => [target.slice("properties.".length), column]),
  };
  return (row) => {
    if ("fault" in row)
      return { row: row.row, code: "row_broken", detail: row.fault, raw: row.raw };
    const mapped = mapRow(row.row, row.values, context);
    if (!(mapped instanceof Reject)) return mapped;
    return { row: row.row, code: mapped.code, detail: mapped.detail, raw: csvLine(row.values) };
  };
}

interface MapContext {
  readonly options: EventMapOptions;
  readonly defaultType: EventType;
  readonly readTime: (text: string) => number | string;
  /** Name and column. */
  readonly properties: readonly (readonly [string, string])[];
}

function mapRow(
  row: number,
  values: Readonly<Record<string, string>>,
  context: MapContext,
): ImportedRow | Reject {
  const { mapping } = context.options;
  const get = (target: string): string | undefined => {
    const column = mapping[target];
    return column === undefined ? undefined : cell(values[column]);
  };
  const type = get("type")?.toLowerCase() ?? context.defaultType;
  if (!isEventType(type)) return new Reject("unknown_event_type", "type: not an event type");
  const member = get("member");
  const order = get("order");
  const product = get("product");
  const id = idOf(values, get, context.options.idFrom);
  const badId =
    badIdOf(member, "member") ??
    badIdOf(order, "order") ??
    badIdOf(product, "product") ??
    badIdOf(id, "id");
  if (badId !== undefined) return badId;
  if (product === undefined && isProductType(type)) {
    return new Reject("invalid_id", "product: empty");
  }
  const at = timeOf(get("at"), context);
  if (at instanceof Reject) return at;
  const paid = moneyOf(get("quantity"), get("price"), get("amount"));
  // Nobody's purchase informs popularity only: its money is never asked for.
  const money =
    paid instanceof Reject && member === undefined
      ? moneyOf(get("quantity"), undefined, undefined)
      : paid;
  if (money instanceof Reject) return money;
  const isReturn = money.negative && isProductType(type);
  if (money.negative && (!isReturn || context.options.negativeQuantity !== "return")) {
    return new Reject(
      "invalid_amount",
      "quantity: negative (--negative-quantity return makes it a return)",
    );
  }
  return {
    row,
    member: member ?? null,
    type: isReturn ? "return" : type,
    order: order ?? null,
    at,
    product: product ?? null,
    name: get("name")?.slice(0, 300) ?? null,
    category: get("category")?.slice(0, 200) ?? null,
    quantity: money.quantity,
    amount: money.amount,
    channel: get("channel")?.slice(0, 64) ?? null,
    id: id ?? null,
    properties: propertiesOf(values, context),
  };
}

function badIdOf(value: string | undefined, name: string): Reject | undefined {
  if (value === undefined || isUsableId(value)) return undefined;
  return new Reject("invalid_id", `${name}: not 1 to 200 characters without control characters`);
}

function idOf(
  values: Readonly<Record<string, string>>,
  get: (target: string) => string | undefined,
  idFrom: readonly string[] | undefined,
): string | undefined {
  if (idFrom === undefined || idFrom.length === 0) return get("id");
  return idFrom.map((column) => values[column]?.trim() ?? "").join(":");
}

function timeOf(text: string | undefined, { readTime, options }: MapContext): number | Reject {
  if (text === undefined) return new Reject("invalid_time", "at: empty");
  const at = readTime(text);
  if (typeof at === "string") return new Reject("invalid_time", `at: ${at}`);
  if (options.latest !== undefined && at > options.latest) {
    return new Reject("time_in_future", "at: lies in the future");
  }
  if (options.earliest !== undefined && at < options.earliest) {
    return new Reject("time_too_old", `at: before ${new Date(options.earliest).toISOString()}`);
  }
  return at;
}

function moneyOf(
  quantityText: string | undefined,
  priceText: string | undefined,
  amountText: string | undefined,
): { quantity: number; amount: number; negative: boolean } | Reject {
  const quantity = quantityText === undefined ? 1 : parseNumber(quantityText);
  const size = Math.abs(quantity);
  if (!(size > 0 && size <= EVENT_LIMITS.quantityMax)) {
    return new Reject("invalid_amount", "quantity: zero, too large or not a number");
  }
  const price = priceText === undefined ? 0 : parseNumber(priceText);
  if (!(price >= 0)) {
    return new Reject("invalid_amount", `price: ${price < 0 ? "negative" : "not a number"}`);
  }
  let amount = amountText === undefined ? price * size : parseNumber(amountText);
  // Exports write the money of a return as negative, or not.
  if (quantity < 0) amount = Math.abs(amount);
  if (!(amount >= 0 && amount <= EVENT_LIMITS.amountMax)) {
    const fault = amount < 0 ? "negative" : "too large or not a number";
    return new Reject("invalid_amount", `amount: ${fault}`);
  }
  return { quantity: size, amount: Math.round(amount * 1000) / 1000, negative: quantity < 0 };
}

function propertiesOf(
  values: Readonly<Record<string, string>>,
  { properties }: MapContext,
): Record<string, string> | null {
  if (properties.length === 0) return null;
  const found: Record<string, string> = {};
  for (const [name, column] of properties) {
    const value = cell(values[column]);
    if (value !== undefined) found[name] = value.slice(0, 500);
  }
  return found;
}

export function csvLine(values: Readonly<Record<string, string>>): string {
  return Object.values(values)
    .map((value) => (/[",\r\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value))
    .join(",")
    .slice(0, 2000);
}
