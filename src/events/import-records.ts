/** A file's columns → member and product records, checked by the schemas their stores take. */
import type { ZodType } from "zod";
import type { ProductInput } from "../catalog/records.js";
import type { Consent, MemberInput } from "../members/profile.js";
import type { ReadRow } from "./import-csv.js";
import { checkTargets, csvLine, isUsableId, type Mapping, type RejectedRow } from "./import-map.js";
import { cell, parseNumber, timeReader } from "./import-values.js";

type Build = "text" | "number" | "integer" | "boolean" | "list" | "date";

/** Targets of `import members` and how each is read; `attributes.X`, `consents.CHANNEL` (and its `.at`, `.source`) come free. */
const MEMBER_TARGETS: Record<string, Build> = {
  id: "text",
  name: "text",
  phone: "text",
  phones: "list",
  email: "text",
  accounts: "list",
  visitors: "list",
  timezone: "text",
  locale: "text",
  jurisdiction: "text",
  tags: "list",
  vulnerable: "boolean",
  personalization: "text",
  doNotContact: "boolean",
};

/** Targets of `import products`; `attributes.X`, `season.from`, `season.to` come besides. */
const PRODUCT_TARGETS: Record<string, Build> = {
  id: "text",
  name: "text",
  category: "text",
  price: "number",
  margin: "number",
  stock: "integer",
  active: "boolean",
  url: "text",
  image: "text",
  launchedAt: "date",
  replenishmentDays: "number",
  tags: "list",
  "season.from": "date",
  "season.to": "date",
};

export interface RecordRow<Record> {
  readonly row: number;
  readonly id: string;
  readonly record: Record;
}

export interface RecordMapOptions<Record> {
  readonly mapping: Mapping;
  /** `memberInputSchema` or `productInputSchema`: given by the caller, so that tiers stay apart. */
  readonly schema: ZodType<Record>;
  /** Declared attributes; those not declared are numbers or booleans where they look like it. */
  readonly attributeTypes?: Readonly<{
    [name: string]: "number" | "boolean" | "date" | "category" | undefined;
  }>;
}

type RecordMapper<Record> = (row: ReadRow) => RecordRow<Record> | RejectedRow;

export function createMemberMapper(
  options: RecordMapOptions<MemberInput>,
): RecordMapper<MemberInput> {
  return createMapper(options, MEMBER_TARGETS, ["attributes.", "consents."]);
}

export function createProductMapper(
  options: RecordMapOptions<ProductInput>,
): RecordMapper<ProductInput> {
  return createMapper(options, PRODUCT_TARGETS, ["attributes."]);
}

/** A cell that cannot be what its target asks for. */
class BadCell extends Error {}

function createMapper<T>(
  options: RecordMapOptions<T>,
  targets: Record<string, Build>,
  free: readonly string[],
): RecordMapper<T> {
  checkTargets(options.mapping, Object.keys(targets), ["id"], free);
  const entries = Object.entries(options.mapping);
  return (row) => {
    if ("fault" in row)
      return { row: row.row, code: "row_broken", detail: row.fault, raw: row.raw };
    const reject = (code: RejectedRow["code"], detail: string): RejectedRow => ({
      row: row.row,
      code,
      detail,
      raw: csvLine(row.values),
    });
    const id = cell(row.values[options.mapping.id!]);
    if (id === undefined || !isUsableId(id)) {
      return reject("invalid_id", "id: not 1 to 200 characters without control characters");
    }
    const draft: Record<string, unknown> = {};
    try {
      for (const [target, column] of entries) {
        const text = cell(row.values[column]);
        if (text !== undefined) put(draft, target, text, targets[target], options);
      }
    } catch (error) {
      if (error instanceof BadCell) return reject("invalid_request", error.message);
      throw error;
    }
    keepProtection(draft);
    if (draft.consents !== undefined) {
      draft.consents = datedConsents(draft.consents as ConsentDraft[]);
    }
    const parsed = options.schema.safeParse(draft);
    if (parsed.success) return { row: row.row, id, record: parsed.data };
    const issue = parsed.error.issues[0]!;
    return reject("invalid_request", `${issue.path.join(".")}: ${issue.message}`.slice(0, 300));
  };
}

function put<T>(
  draft: Record<string, unknown>,
  target: string,
  text: string,
  build: Build | undefined,
  options: RecordMapOptions<T>,
): void {
  const dot = target.indexOf(".");
  if (dot < 0) {
    draft[target] = parseCell(text, build ?? "text", target);
    return;
  }
  const [group, name] = [target.slice(0, dot), target.slice(dot + 1)];
  if (group === "consents") {
    draft.consents ??= [];
    putConsent(draft.consents as ConsentDraft[], name, text, target);
    return;
  }
  draft[group] ??= {};
  (draft[group] as Record<string, unknown>)[name] =
    group === "attributes"
      ? attributeOf(text, options.attributeTypes?.[name], target)
      : parseCell(text, build ?? "text", target);
}

interface ConsentDraft {
  channel: string;
  status?: Consent["status"];
  at?: number;
  source: string;
}

/** Times without an offset are read as UTC: to the day, which is what a consent's date says. */
const readTime = timeReader({ timezone: "UTC" });

/** `sms`: yes, no or a status; `sms.at`, `sms.source`: the proof, from columns of their own. */
function putConsent(drafts: ConsentDraft[], name: string, text: string, target: string): void {
  const [, channel, part] = /^(.+?)(?:\.(at|source))?$/.exec(name)!;
  let draft = drafts.find((one) => one.channel === channel);
  if (draft === undefined) {
    draft = { channel: channel!, source: "import" };
    drafts.push(draft);
  }
  if (part === "source") draft.source = text;
  else if (part === undefined) draft.status = consentOf(text, target);
  else {
    const at = readTime(text);
    if (typeof at === "string") throw new BadCell(`${target}: not a time Cuecard knows`);
    draft.at = at;
  }
}

/**
 * A consent without a time is the oldest word there is (`at` 0): an old file, imported again, must not
 * lift a refusal that came after it. A refusal without a time counts as of now.
 */
const datedConsents = (drafts: readonly ConsentDraft[]): ConsentDraft[] =>
  drafts
    .filter(({ status }) => status !== undefined)
    .map((draft) => (draft.status === "granted" ? { at: 0, ...draft } : draft));

/**
 * A file says who is to be protected, never who no longer is: exported before somebody was, it would
 * lift that when it is imported again. PUT and PATCH lift it.
 */
function keepProtection(draft: Record<string, unknown>): void {
  if (draft.doNotContact === false) delete draft.doNotContact;
  if (draft.vulnerable === false) delete draft.vulnerable;
  if (draft.personalization === "on") delete draft.personalization;
}

function parseCell(text: string, build: Build, target: string): unknown {
  switch (build) {
    case "text":
      return text;
    case "list":
      return text
        .split(/[|;；]/)
        .map((part) => part.trim())
        .filter((part) => part !== "");
    case "boolean":
      return booleanOf(text, target);
    case "date":
      return text.slice(0, 10).replaceAll("/", "-");
    default: {
      const number = parseNumber(text);
      if (Number.isNaN(number)) throw new BadCell(`${target}: not a number`);
      return build === "integer" ? Math.trunc(number) : number;
    }
  }
}

function booleanOf(text: string, target: string): boolean {
  if (/^(?:true|yes|y|1|on|是)$/i.test(text)) return true;
  if (/^(?:false|no|n|0|off|否)$/i.test(text)) return false;
  throw new BadCell(`${target}: neither yes nor no`);
}

function consentOf(text: string, target: string): Consent["status"] {
  const word = text.toLowerCase();
  if (word === "granted" || word === "denied" || word === "revoked") return word;
  return booleanOf(text, target) ? "granted" : "denied";
}

/** Undeclared: `007` and numbers of 16 digits and more are codes, so they stay text. */
function attributeOf(
  text: string,
  type: "number" | "boolean" | "date" | "category" | undefined,
  target: string,
): string | number | boolean {
  if (type === "number") return parseCell(text, "number", target) as number;
  if (type === "boolean") return booleanOf(text, target);
  if (type !== undefined) return text;
  if (/^(?:true|false)$/i.test(text)) return text.toLowerCase() === "true";
  return /^-?(?:0|[1-9]\d{0,14})(?:\.\d{1,9})?$/.test(text) ? Number(text) : text;
}
