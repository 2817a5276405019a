/**
 * One schema → one frozen Config. The only reader of process.env.
 * Environment gives what a deployment decides; the YAML file named by CUECARD_CONFIG gives what an
 * operator decides (attributes, stages, channels, placements, jobs). All faults are listed at once.
 */
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { resolve } from "node:path";
import { parse as parseYaml } from "yaml";
import { z } from "zod";
import { popSchema } from "./config-pop.js";
import { CuecardError } from "./errors.js";

const port = z.coerce.number().int().min(0).max(65535);

const environmentSchema = z.object({
  PORT: port.default(8080),
  HOST: z.string().min(1).default("0.0.0.0"),
  /** Unset: a private redis-server under DATA_DIR. Comma-separated nodes: Cluster. */
  REDIS_URL: z.string().optional(),
  QUEUE_REDIS_URL: z.string().optional(),
  DATA_DIR: z.string().min(1).default("./.data"),
  ADMIN_API_KEY: z.string().min(8).optional(),
  SERVE_PROCESSES: z.coerce.number().int().min(1).max(64).optional(),
  CUECARD_CONFIG: z.string().optional(),
  CUECARD_DATASETS: z.string().optional(),
  XGBOOST_LIBRARY: z.string().optional(),
  LOG_LEVEL: z.enum(["fatal", "error", "warn", "info", "debug", "trace", "silent"]).default("info"),
  /** `true`: /metrics needs no key. */
  METRICS_OPEN: z.stringbool().default(true),
  /** Memory limit of the private Redis, in MiB. */
  REDIS_MAXMEMORY_MB: z.coerce.number().int().min(16).default(4096),
  /** Keys the hashes of the suppression list; unset: the store makes one and keeps it. */
  SUPPRESSION_SECRET: z.string().min(16).max(200).optional(),
});

const attributeSchema = z.object({
  name: z.string().regex(/^[a-zA-Z][a-zA-Z0-9_]{0,63}$/),
  type: z.enum(["number", "boolean", "date", "category"]),
  /** Category levels that become features of their own; the rest share one. At most 32. */
  levels: z.array(z.string()).max(32).optional(),
});

const channelSchema = z.object({
  id: z.string().min(1).max(64),
  /** Cost of one contact, in the major unit of the currency. */
  cost: z.number().min(0),
  /** Least expected value at which this channel is worth its cost, as a multiple of the cost. */
  minimumReturn: z.number().min(0).default(1),
  /** false: a contact we start needs a granted consent of this channel; true: absent is enough. */
  consentByDefault: z.boolean().default(false),
  outbound: z.boolean().default(true),
  /** Which identity it reaches somebody by; phone and sms by phone, email by e-mail, others by none. */
  address: z.enum(["phone", "email", "none"]).optional(),
});

const placementSchema = z.object({
  id: z.string().min(1).max(64),
  kind: z.enum(["inbound", "outbound", "web"]),
  limit: z.number().int().min(1).max(50).default(5),
  /** Channel of an answer shown here; outbound placements choose among channels instead. */
  channel: z.string().optional(),
});

const timeOfDay = z
  .string()
  .regex(/^(?:(?:[01]\d|2[0-3]):[0-5]\d|24:00)$/, 'a time of day like "08:00", at most "24:00"');

const callingWindowSchema = z
  .strictObject({
    /** `*`, a country (`US`) or a state (`US-FL`): the most specific one holds. */
    jurisdiction: z.string().regex(/^(?:\*|[A-Z]{2}(?:-[A-Z0-9]{1,3})?)$/, "like *, US or US-FL"),
    /** On the called party's clock; `until` is exclusive. */
    from: timeOfDay,
    until: timeOfDay,
    /** ISO days of the week, 1 = Monday; absent: all. */
    days: z.array(z.number().int().min(1).max(7)).min(1).max(7).optional(),
    /** Days of the called party's calendar on which nobody is contacted. */
    closedDates: z.array(z.iso.date()).max(1000).optional(),
  })
  .refine(
    ({ from, until }) => from < until,
    "from is not before until; no window crosses midnight",
  );

const stagesSchema = z.object({
  /** Second order within this many days of the first → growth. */
  growthDays: z.number().positive().default(92),
  /** Orders from which a member counts as mature. */
  matureOrders: z.number().int().min(2).default(4),
  /** Silence beyond this multiple of the member's own mean gap → dormant. */
  dormantGaps: z.number().positive().default(2),
  /** Silence beyond this multiple → churned. */
  churnedGaps: z.number().positive().default(4),
  /** Gap assumed for a member with a single order, in days. */
  defaultGapDays: z.number().positive().default(60),
  /** Bounds on the silence thresholds, in days. */
  dormantMinDays: z.number().positive().default(30),
  churnedMaxDays: z.number().positive().default(540),
});

/** `24h`, `7d`: at most 366 days. */
const rollingSchema = z
  .string()
  .regex(/^[1-9]\d{0,3}[hd]$/, "hours or days, as in 24h or 7d")
  .refine((text) => rollingMs(text) <= 366 * 86_400_000, "at most 366 days");

/** Milliseconds of `24h` or `7d`. */
export const rollingMs = (text: string): number =>
  Number.parseInt(text, 10) * (text.endsWith("h") ? 3_600_000 : 86_400_000);

const capSchema = z.strictObject({
  /** What is counted: contacts with one member (merged ones together), or on one phone number. */
  per: z.enum(["member", "phone"]),
  /** Absent: every channel. */
  channel: z.string().min(1).max(64).optional(),
  /** true: only contacts about the same offer. */
  offer: z.boolean().default(false),
  max: z.number().int().min(1).max(50),
  window: z.union([
    z.strictObject({ rolling: rollingSchema }),
    z.strictObject({ calendar: z.enum(["day", "week", "month"]) }),
  ]),
});

const contactPolicySchema = z.strictObject({
  /** IANA zone in which days, weeks (from Monday) and months begin; absent: `timezone`. */
  timezone: z.string().optional(),
  /** Absent: the defaults of docs/contact-policy.md. */
  caps: z.array(capSchema).max(32).optional(),
  /** Days after a refusal in which the offer refused is not made again, on any channel. */
  coolDownDays: z.number().min(0).max(366).default(30),
  /** Days after a refusal in which nothing is offered by us on its channel; absent: `coolDownDays`. */
  channelCoolDownDays: z.number().min(0).max(366).optional(),
  /** Days a "later" without a time of its own waits. */
  laterDays: z.number().positive().max(366).default(7),
  /** A place that is reserved and neither confirmed nor released comes back after this time. */
  reservationSeconds: z.number().int().min(1).max(86_400).default(900),
});

const jobsSchema = z.object({
  /** Cron patterns (BullMQ); null switches a schedule off. */
  archive: z.string().nullable().default("*/10 * * * *"),
  compact: z.string().nullable().default("30 2 * * *"),
  candidates: z.string().nullable().default("0 * * * *"),
  artifacts: z.string().nullable().default("15 1 * * *"),
  train: z.string().nullable().default("0 3 * * *"),
  stages: z.string().nullable().default("45 1 * * *"),
  score: z.string().nullable().default("30 4 * * *"),
});

const fileSchema = z.strictObject({
  currency: z.string().length(3).default("CNY"),
  /** Region of phone numbers without a country prefix (ISO 3166-1 alpha-2). */
  defaultRegion: z.string().length(2).default("CN"),
  /** IANA zone used where a member has none and a zone is needed for display or habit. */
  timezone: z.string().default("Asia/Shanghai"),
  locale: z.enum(["en", "zh"]).default("en"),
  attributes: z.array(attributeSchema).max(64).default([]),
  channels: z.array(channelSchema).default([
    { id: "phone", cost: 1.5, minimumReturn: 1.5, consentByDefault: false, outbound: true },
    { id: "sms", cost: 0.05, minimumReturn: 1, consentByDefault: false, outbound: true },
    { id: "email", cost: 0.01, minimumReturn: 1, consentByDefault: false, outbound: true },
    { id: "app", cost: 0, minimumReturn: 0, consentByDefault: false, outbound: true },
    { id: "web", cost: 0, minimumReturn: 0, consentByDefault: true, outbound: false },
  ]),
  placements: z.array(placementSchema).default([
    { id: "screen_pop", kind: "inbound", limit: 5, channel: "phone" },
    { id: "outbound", kind: "outbound", limit: 5 },
    { id: "home", kind: "web", limit: 8, channel: "web" },
    { id: "product", kind: "web", limit: 8, channel: "web" },
    { id: "cart", kind: "web", limit: 4, channel: "web" },
  ]),
  /** When outbound contacts may happen. `*` does not cover China: without a window of its own it is closed. */
  callingWindows: z
    .array(callingWindowSchema)
    .max(500)
    .default([{ jurisdiction: "*", from: "08:00", until: "21:00" }]),
  stages: stagesSchema.prefault({}),
  jobs: jobsSchema.prefault({}),
  contactPolicy: contactPolicySchema.prefault({}),
  /** Silence of a worker, in seconds, after which its jobs are given to another. */
  jobTakeoverSeconds: z.number().min(2).max(600).default(15),
  /** Days an event id is remembered, so that a repeat is recognised. */
  dedupeDays: z.number().int().min(1).max(30).default(7),
  /** Earliest event time accepted, years before now. */
  maxEventAgeYears: z.number().positive().max(60).default(30),
  /** Tolerance for senders whose clock runs ahead, in seconds. */
  maxFutureSeconds: z.number().min(0).default(300),
  coupons: z
    .object({
      /** Share of a product's margin a coupon may cost at most. */
      maxMarginShare: z.number().min(0).max(1).default(0.5),
      /**
       * Jurisdiction → whether coupons may be chosen person by person; `*` for those not named. Where
       * not, published eligibility decides: everybody of the eligible group gets the same.
       */
      personal: z.record(z.string(), z.boolean()).default({ "*": true, CN: false }),
    })
    .prefault({}),
  offers: z
    .object({
      /** How long a member is shown the same price and coupon of a product, on every channel. */
      holdHours: z.number().positive().max(720).default(24),
      /** What was bought so lately is not offered again; 0: nothing rests. */
      boughtRestHours: z.number().min(0).max(720).default(24),
    })
    .prefault({}),
  /** How long a repeat of one call (`context.callId`) gets the same answer. */
  callHours: z.number().positive().max(48).default(4),
  experiments: z
    .object({
      /** Share of members nothing proactive is ever done to: what all of it is compared with. */
      holdoutShare: z.number().min(0).max(0.5).default(0),
    })
    .prefault({}),
  exploration: z
    .object({
      /** Share of decisions whose first place is drawn among the first three. */
      share: z.number().min(0).max(1).default(0.02),
    })
    .prefault({}),
  budgetMs: z.number().min(5).max(10_000).default(50),
  pop: popSchema.prefault({}),
  /** Share of the store's memory limit from which writes answer 503. */
  storeFullRatio: z.number().min(0.1).max(1).default(0.9),
  /** Days after which an erased member's bytes must be gone from archive and log. */
  erasureDeadlineDays: z.number().int().min(1).default(30),
});

type Environment = z.infer<typeof environmentSchema>;
type FileConfig = z.infer<typeof fileSchema>;

export type AttributeConfig = z.infer<typeof attributeSchema>;
export type ChannelConfig = z.infer<typeof channelSchema>;
export type PlacementConfig = z.infer<typeof placementSchema>;
export type CallingWindowConfig = z.infer<typeof callingWindowSchema>;
export type StagesConfig = z.infer<typeof stagesSchema>;
export type JobsConfig = z.infer<typeof jobsSchema>;
export type ContactPolicyConfig = z.infer<typeof contactPolicySchema>;
export type CapConfig = z.infer<typeof capSchema>;

export interface Config extends FileConfig {
  readonly port: number;
  readonly host: string;
  /** undefined: the private Redis. */
  readonly redisUrl: string | undefined;
  readonly queueRedisUrl: string | undefined;
  /** Absolute. */
  readonly dataDir: string;
  readonly adminApiKey: string | undefined;
  readonly serveProcesses: number;
  readonly datasetsDir: string | undefined;
  readonly xgboostLibrary: string | undefined;
  readonly logLevel: Environment["LOG_LEVEL"];
  readonly metricsOpen: boolean;
  readonly redisMaxmemoryMb: number;
  /** undefined: the store's own. Give one when the store may be lost and built again from its log. */
  readonly suppressionSecret: string | undefined;
}

function faultsOf(error: z.ZodError, where: string): string[] {
  return error.issues.map((issue) => `${where}${issue.path.join(".")}: ${issue.message}`);
}

function readFileConfig(path: string | undefined, faults: string[]): FileConfig {
  let raw: unknown = {};
  if (path !== undefined && path !== "") {
    try {
      raw = parseYaml(readFileSync(path, "utf8")) ?? {};
    } catch (error) {
      faults.push(`CUECARD_CONFIG ${path}: ${(error as Error).message}`);
    }
  }
  const parsed = fileSchema.safeParse(raw);
  if (!parsed.success) {
    faults.push(...faultsOf(parsed.error, `${path ?? "defaults"}: `));
    return fileSchema.parse({});
  }
  faults.push(...crossCheck(parsed.data));
  return parsed.data;
}

/** References between parts of the file that a schema cannot see. */
function crossCheck(file: FileConfig): string[] {
  const faults: string[] = [];
  const channelIds = new Set(file.channels.map((channel) => channel.id));
  for (const placement of file.placements) {
    if (placement.channel !== undefined && !channelIds.has(placement.channel)) {
      faults.push(
        `placements: ${placement.id} names channel ${placement.channel}, which is not declared`,
      );
    }
  }
  if (!file.placements.some(({ id, kind }) => id === file.pop.placement && kind === "inbound")) {
    faults.push(`pop.placement: ${file.pop.placement} is no inbound placement`);
  }
  const names = file.attributes.map((attribute) => attribute.name);
  if (new Set(names).size !== names.length) faults.push("attributes: a name stands twice");
  const jurisdictions = file.callingWindows.map((window) => window.jurisdiction);
  for (const twice of new Set(jurisdictions.filter((one, i) => jurisdictions.indexOf(one) < i))) {
    faults.push(`callingWindows: ${twice} stands twice`);
  }
  for (const { channel } of file.contactPolicy.caps ?? []) {
    if (channel !== undefined && !channelIds.has(channel)) {
      faults.push(`contactPolicy.caps: names channel ${channel}, which is not declared`);
    }
  }
  if (!isZone(file.timezone)) faults.push(`timezone: ${file.timezone} is not an IANA zone`);
  const { timezone } = file.contactPolicy;
  if (timezone !== undefined && !isZone(timezone)) {
    faults.push(`contactPolicy.timezone: ${timezone} is not an IANA zone`);
  }
  return faults;
}

function isZone(zone: string): boolean {
  try {
    new Intl.DateTimeFormat("en", { timeZone: zone });
    return true;
  } catch {
    return false;
  }
}

/**
 * Reads the environment (and the YAML file it names), or throws `config_invalid` with every fault.
 * `env` is a parameter only so that tests can give their own.
 */
export function loadConfig(env: NodeJS.ProcessEnv = process.env): Config {
  const faults: string[] = [];
  const cleaned = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ""));
  const parsed = environmentSchema.safeParse(cleaned);
  if (!parsed.success) faults.push(...faultsOf(parsed.error, ""));
  const file = readFileConfig(cleaned.CUECARD_CONFIG, faults);
  if (faults.length > 0 || !parsed.success) {
    throw new CuecardError("config_invalid", faults.join("; "));
  }
  const environment = parsed.data;
  return Object.freeze({
    ...file,
    port: environment.PORT,
    host: environment.HOST,
    redisUrl: environment.REDIS_URL,
    queueRedisUrl: environment.QUEUE_REDIS_URL,
    dataDir: resolve(environment.DATA_DIR),
    adminApiKey: environment.ADMIN_API_KEY,
    serveProcesses: environment.SERVE_PROCESSES ?? Math.min(availableParallelism(), 4),
    datasetsDir: environment.CUECARD_DATASETS,
    xgboostLibrary: environment.XGBOOST_LIBRARY,
    logLevel: environment.LOG_LEVEL,
    metricsOpen: environment.METRICS_OPEN,
    redisMaxmemoryMb: environment.REDIS_MAXMEMORY_MB,
    suppressionSecret: environment.SUPPRESSION_SECRET,
  });
}

/** This process's environment with some values set: what a child process is started with. */
export const environmentWith = (values: Readonly<Record<string, string>>): NodeJS.ProcessEnv => ({
  ...process.env,
  ...values,
});

/** Sets what a native library will read when it is loaded, unless somebody did. */
export function setForLibraries(name: string, value: string): void {
  process.env[name] ??= value;
}
