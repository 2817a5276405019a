/**
 * Random worlds for `bench guards`: plain facts about a policy, a catalog and one person, and a request.
 * Drawn towards what is easily got wrong: boundaries of hours, windows and caps, days on which clocks
 * change, numbers of several zones, merges, lists that change between two requests.
 */
import type { Experiment } from "../src/catalog/experiment.js";
import type { Coupon, Product } from "../src/catalog/records.js";
import {
  type CallingWindowConfig,
  type CapConfig,
  type Config,
  loadConfig,
} from "../src/config.js";
import type { RecommendationRequest } from "../src/decision/answer.js";
import type { Random } from "../src/demo/random.js";
import type { EventType } from "../src/events/event.js";
import { utcOffsetMs } from "../src/members/clock.js";
import type { Contact } from "../src/members/contacts.js";
import type { Consent, Profile } from "../src/members/profile.js";

export interface CatalogFacts {
  version: number;
  products: Product[];
  coupons: Coupon[];
  experiments: Experiment[];
}

/** One account of the person: a member of its own until they are merged. */
export interface Part {
  readonly id: string;
  profile: Profile;
  events: { type: EventType; at: number }[];
  contacts: Contact[];
}

export type StoreState = "up" | "down" | "list_down" | "phones_down" | "holds_fail";

/** All there is to know when one request comes in. */
export interface Facts {
  readonly config: Config;
  readonly catalog: CatalogFacts;
  /** The second is somebody else until `merged`. */
  readonly parts: readonly Part[];
  merged: boolean;
  erased: boolean;
  listed: { kind: "member" | "phone" | "email" | "account"; value: string }[];
  /** By number. */
  phoneContacts: Record<string, Contact[]>;
  store: StoreState;
  models: "good" | "none" | "failing";
  /** The real time, epoch milliseconds. */
  clock: number;
  request: RecommendationRequest;
}

const SECOND_MS = 1_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** Zones that change clocks at midnight, by half an hour, in autumn, in spring or never. */
const ZONES = [
  ...["America/New_York", "America/Los_Angeles", "America/St_Johns", "America/Santiago"],
  ...["America/Havana", "America/Phoenix", "Europe/Berlin", "Europe/London", "Africa/Cairo"],
  ...["Africa/Casablanca", "Asia/Shanghai", "Asia/Kathmandu", "Asia/Beirut", "Pacific/Auckland"],
  ...["Australia/Lord_Howe", "Australia/Sydney", "Pacific/Apia", "Pacific/Kiritimati"],
];
const NO_ZONES = ["Mars/Base", "somewhere"];
const CHANGE_DAYS = [
  ...["2026-03-08", "2026-11-01", "2026-03-29", "2026-10-25", "2026-04-05", "2026-10-04"],
  ...["2026-04-24", "2026-10-29", "2026-04-04", "2026-09-06", "2026-09-27", "2026-03-15"],
];
/** Numbers but for four digits; the oracle knows their beginnings by itself. */
const NUMBERS = [
  ...["+1212555", "+1305555", "+1850555", "+1808555", "+1480555", "+1928555", "+1214555"],
  ...["+1800555", "+1604555", "+861381234", "+49301234", "+44207123", "+8526123", "+3461234"],
  ...["+6141234", "+88162123", "+551199123", "+3361234"],
];
const JURISDICTIONS = ["US", "US-FL", "us_fl", "US-TX", "CN", "CN-31", "DE", "GB", "Germany"];
const WINDOWS: readonly CallingWindowConfig[] = [
  { jurisdiction: "US", from: "08:00", until: "21:00" },
  { jurisdiction: "US-FL", from: "08:00", until: "20:00" },
  { jurisdiction: "US-TX", from: "09:00", until: "21:00", days: [1, 2, 3, 4, 5, 6] },
  { jurisdiction: "US-AZ", from: "10:30", until: "17:45" },
  { jurisdiction: "CN", from: "09:00", until: "20:00" },
  { jurisdiction: "DE", from: "09:00", until: "18:00", days: [1, 2, 3, 4, 5] },
  { jurisdiction: "GB", from: "08:00", until: "24:00", closedDates: CHANGE_DAYS.slice(0, 6) },
];
const CHANNELS = ["phone", "sms", "email", "app", "line"];
const STAGES = ["prospect", "new", "growth", "mature", "dormant", "churned"];
const PRODUCTS = 8;

const iso = (at: number): string => new Date(at).toISOString();
const some = <T>(random: Random, list: readonly T[], share: number): T[] =>
  list.filter(() => random.chance(share));
/** Undefined unless lucky. */
const maybe = <T>(random: Random, share: number, make: () => T): T | undefined =>
  random.chance(share) ? make() : undefined;

/** For coupons chosen person by person. */
const SWITCHES: readonly Record<string, boolean>[] = [
  { "*": true, CN: false },
  { "*": true, CN: false, "US-FL": false },
  { "*": false, US: true },
  { "*": true },
  { "*": true, CN: true },
];

const base = loadConfig({});

/** A configuration an operator might write. */
export function aPolicy(random: Random): Config {
  const channels = [...base.channels, { ...base.channels[0]!, id: "line" }].map((one) => ({
    ...one,
    cost: random.chance(0.8) ? 0 : 0.4,
    minimumReturn: 1,
    consentByDefault: one.id === "web" || random.chance(0.4),
    outbound: one.id === "web" ? random.chance(0.1) : random.chance(0.9),
    ...(one.id === "line" ? { address: random.pick(["phone", "none"] as const) } : {}),
  }));
  const everywhere = random.pick([
    { from: "08:00", until: "21:00" },
    { from: "08:00", until: "21:00" },
    { from: "00:00", until: "24:00" },
    { from: "09:30", until: "20:15" },
  ]);
  return {
    ...base,
    channels,
    timezone: random.pick(ZONES),
    placements: [...base.placements, { id: "counter", kind: "inbound", limit: 3 }],
    callingWindows: [
      ...(random.chance(0.9) ? [{ jurisdiction: "*", ...everywhere }] : []),
      ...some(random, WINDOWS, 0.6),
    ],
    contactPolicy: {
      ...base.contactPolicy,
      timezone: maybe(random, 0.7, () => random.pick(ZONES)),
      caps: maybe(random, 0.7, () =>
        Array.from({ length: random.whole(0, 4) }, () => aCap(random)),
      ),
      coolDownDays: random.pick([0, 1, 30]),
      channelCoolDownDays: maybe(random, 0.5, () => random.pick([0, 2, 7])),
    },
    coupons: {
      maxMarginShare: random.pick([0.5, 1]),
      personal: random.pick(SWITCHES),
    },
    offers: { holdHours: random.pick([1, 24, 72]), boughtRestHours: random.pick([0, 24]) },
    experiments: { holdoutShare: random.pick([0, 0, 0.2]) },
    exploration: { share: random.pick([0, 0.02, 1]) },
  };
}

const ROLLING = ["24h", "7d", "30d"];

const aCap = (random: Random): CapConfig => ({
  per: random.pick(["member", "member", "phone"] as const),
  channel: maybe(random, 0.4, () => random.pick(CHANNELS)),
  offer: random.chance(0.35),
  max: random.whole(1, 3),
  window: random.chance(0.5)
    ? { rolling: random.pick(ROLLING) }
    : { calendar: random.pick(["day", "week", "month"] as const) },
});

/** Midnight UTC of a day worth looking at. */
export const aDay = (random: Random): number =>
  Date.parse(
    random.chance(0.6)
      ? random.pick(CHANGE_DAYS)
      : iso(Date.UTC(2026, random.whole(0, 11), random.whole(1, 28))).slice(0, 10),
  );

export function aCatalog(random: Random, day: number): CatalogFacts {
  const record = { active: true, createdAt: 0, updatedAt: 0 };
  const products = Array.from({ length: PRODUCTS }, (_, i) => ({
    ...record,
    id: `p${i}`,
    name: `The p${i}`,
    category: `k${i % 3}`,
    price: 20 * (i + 1),
    margin: 10 * (i + 1),
    source: "record" as const,
  }));
  const coupons = Array.from({ length: 4 }, (_, i) => ({
    ...record,
    id: `c${i}`,
    label: `c${i}`,
    active: random.chance(0.85),
    ...(random.chance(0.5)
      ? { amountOff: random.whole(2, 9) }
      : { percentOff: random.pick([0.1, 0.2]) }),
    stages: maybe(random, 0.4, () => some(random, STAGES, 0.5)),
    products: maybe(random, 0.4, () => some(random, products, 0.6).map(({ id }) => id)),
    categories: maybe(random, 0.2, () => ["k0", "k2"]),
    minimumAmount: maybe(random, 0.2, () => 80),
    validFrom: maybe(random, 0.3, () => iso(day + random.whole(-24, 24) * HOUR_MS)),
    validUntil: maybe(random, 0.6, () => iso(day + random.whole(-12, 36) * HOUR_MS)),
  }));
  return { version: 1, products, coupons, experiments: anExperiment(random) };
}

function anExperiment(random: Random): Experiment[] {
  if (random.chance(0.6)) return [];
  const treatments = [
    { coupons: false },
    { channels: some(random, CHANNELS, 0.6) },
    { hold: true },
    { explore: true },
  ];
  const arms = treatments.map((treatment, i) => ({ name: `arm ${i}`, share: 0.2, treatment }));
  const id = `e${random.whole(1, 999)}`;
  const record = { active: true, createdAt: 0, updatedAt: 0 };
  return [{ id, ...record, arms, holdout: 0.1, period: random.pick(["always", "month"] as const) }];
}

/** Before anything happened to them. */
export function aPerson(random: Random, policy: Config, catalog: CatalogFacts, day: number): Facts {
  const count = random.chance(0.4) ? 2 : 1;
  const name = random.whole(1, 1e9).toString(36);
  const parts = Array.from({ length: count }, (_, i) => aPart(random, `${name}-${i}`, day));
  const facts: Facts = {
    config: policy,
    catalog,
    parts,
    merged: false,
    erased: false,
    listed: [],
    phoneContacts: {},
    store: "up",
    models: random.pick(["good", "good", "none", "failing"] as const),
    clock: day,
    request: { member: parts[0]!.id, placement: "outbound" },
  };
  return facts;
}

const aPhone = (random: Random): string => `${random.pick(NUMBERS)}${random.whole(1000, 9999)}`;

function aPart(random: Random, id: string, day: number): Part {
  const updatedAt = day - random.whole(1, 5) * DAY_MS;
  const profile: Profile = {
    id,
    createdAt: updatedAt,
    updatedAt,
    name: `Name of ${id}`,
    phone: maybe(random, 0.8, () => aPhone(random)),
    phones: maybe(random, 0.2, () => [aPhone(random), aPhone(random)]),
    email: maybe(random, 0.7, () => `${id}@example.org`),
    accounts: maybe(random, 0.5, () => [`account ${id}`]),
    timezone: maybe(random, 0.5, () => random.pick(random.chance(0.9) ? ZONES : NO_ZONES)),
    jurisdiction: maybe(random, 0.4, () => random.pick(JURISDICTIONS)),
    locale: maybe(random, 0.2, () => "zh"),
    consents: consentsOf(random, updatedAt),
    vulnerable: maybe(random, 0.02, () => true),
    doNotContact: maybe(random, 0.02, () => true),
    personalization: maybe(random, 0.1, () => "off" as const),
  };
  const events = Array.from({ length: random.whole(0, 3) }, (_, i) => ({
    type: "purchase" as const,
    at: day - (i + 1) * random.whole(1, 90) * DAY_MS,
  }));
  // As stored records are: what is absent has no key.
  const kept = JSON.parse(JSON.stringify(profile)) as Profile;
  return { id, profile: kept, events, contacts: [] };
}

function consentsOf(random: Random, at: number): Consent[] {
  const said: Consent[] = [];
  for (const channel of CHANNELS) {
    for (let word = random.pick([0, 1, 1, 1, 2]); word > 0; word--) {
      said.push({
        channel,
        purpose: random.chance(0.95) ? "marketing" : "service",
        status: random.pick(["granted", "granted", "granted", "granted", "denied", "revoked"]),
        ...(random.chance(0.9) ? { at: at - random.whole(0, 3) * DAY_MS } : {}),
      });
    }
  }
  return said;
}

/** Something happens, time goes on, and somebody asks. */
export function advance(facts: Facts, random: Random, day: number): void {
  facts.clock = Math.max(facts.clock + 1, anInstant(random, facts, day));
  const happenings = random.whole(0, 3);
  for (let i = 0; i < happenings; i++) random.pick(HAPPENINGS)(facts, random);
  facts.store = random.chance(0.9)
    ? "up"
    : random.pick(["down", "list_down", "phones_down", "holds_fail"] as const);
  facts.request = aRequest(facts, random, day);
}

/** Around the edges of what the configuration and the clocks of the person's zones give. */
function anInstant(random: Random, { config, parts }: Facts, day: number): number {
  const own = parts.flatMap(({ profile }) => profile.timezone ?? []);
  const zones = own.filter((zone) => !NO_ZONES.includes(zone));
  const zone = zones.length > 0 ? random.pick(zones) : random.pick(ZONES);
  const edges = config.callingWindows.flatMap(({ from, until }) => [from, until]);
  const [hours = 8, minutes = 0] = random
    .pick([...edges, "00:00", "02:00"])
    .split(":")
    .map(Number);
  const nudge = random.pick([-SECOND_MS, -1, 0, 1, SECOND_MS, 60 * 60 * SECOND_MS]);
  if (random.chance(0.3)) return day + random.whole(0, 36 * 3600) * SECOND_MS;
  const local = day + random.whole(0, 1) * DAY_MS + hours * HOUR_MS + minutes * 60 * SECOND_MS;
  return local - utcOffsetMs(zone, local - utcOffsetMs(zone, local)) + nudge;
}

const TROUBLES: readonly EventType[] = [
  ...(["complaint_opened", "complaint_closed", "complaint_closed"] as const),
  ...(["refund_opened", "refund_closed", "refund_closed", "view"] as const),
];

const HAPPENINGS: readonly ((facts: Facts, random: Random) => void)[] = [
  aContact,
  aContact,
  aContact,
  ({ parts, clock }, random) => {
    random.pick(parts).events.push({ type: random.pick(TROUBLES), at: clock });
  },
  ({ catalog }, random) => {
    const i = random.whole(0, PRODUCTS - 1);
    const product = catalog.products[i]!;
    const price = product.price! + random.pick([-5, 10]);
    catalog.products = catalog.products.with(i, { ...product, price });
    catalog.version++;
  },
  ({ catalog }, random) => {
    const i = random.whole(0, catalog.coupons.length - 1);
    const coupon = catalog.coupons[i]!;
    catalog.coupons = catalog.coupons.with(i, { ...coupon, active: !coupon.active });
    catalog.version++;
  },
  (facts, random) => {
    if (random.chance(0.4)) facts.listed.push(random.pick(namesOf(facts)));
    else if (random.chance(0.5)) facts.listed.pop();
  },
  ({ parts, clock }, random) => {
    const part = random.pick(parts);
    const said = {
      channel: random.pick(CHANNELS),
      purpose: "marketing",
      status: random.pick(["granted", "revoked"] as const),
      at: clock,
    };
    const consents = [...(part.profile.consents ?? []), said];
    part.profile = { ...part.profile, consents, updatedAt: clock };
  },
  (facts) => {
    facts.merged = facts.parts.length > 1;
  },
  (facts, random) => {
    if (!random.chance(0.15)) return;
    facts.erased = true;
    facts.merged = facts.parts.length > 1;
    facts.listed.push(...namesOf(facts));
  },
];

/** All that names the person and can be listed. */
function namesOf({ parts }: Facts): Facts["listed"] {
  return parts.flatMap(({ id, profile }) => [
    { kind: "member" as const, value: id },
    ...phonesOf(profile).map((value) => ({ kind: "phone" as const, value })),
    ...(profile.email === undefined ? [] : [{ kind: "email" as const, value: profile.email }]),
    ...(profile.accounts ?? []).map((value) => ({ kind: "account" as const, value })),
  ]);
}

const phonesOf = ({ phone, phones = [] }: Profile): string[] =>
  phone === undefined ? phones : [phone, ...phones];

let contacts = 0;

/** Made or reserved, at an age at which something begins or ends to count. */
function aContact(facts: Facts, random: Random): void {
  const { clock, config } = facts;
  const policy = config.contactPolicy;
  const ages = [
    ...[60 * SECOND_MS, HOUR_MS, DAY_MS, 7 * DAY_MS, 30 * DAY_MS, 3 * DAY_MS],
    policy.coolDownDays * DAY_MS,
    (policy.channelCoolDownDays ?? policy.coolDownDays) * DAY_MS,
    clock - startOfDay(clock, policy.timezone ?? config.timezone),
  ];
  const age = Math.max(0, random.pick(ages) + random.pick([-1, 0, 1, 0]));
  const at = Math.max(1, clock - age);
  const outcome = random.pick(["accepted", "refused", "later", null, null, null] as const);
  const reserved = outcome === null && random.chance(0.3);
  const contact: Contact = {
    token: `t${++contacts}`,
    at,
    until: reserved ? clock + random.pick([-1, 0, 1, 10 * 60 * SECOND_MS]) : 0,
    channel: random.pick(CHANNELS),
    offer: random.chance(0.7) ? `p${random.whole(0, PRODUCTS - 1)}` : null,
    outcome,
    outcomeAt: outcome === null ? 0 : at,
    again: outcome === "later" ? clock + random.pick([-1, 0, 1, DAY_MS]) : 0,
  };
  const part = random.pick(facts.parts);
  if (!random.chance(0.15)) part.contacts.push(contact);
  // Both accounts know of it: it is one contact all the same.
  const other = random.pick(facts.parts);
  if (random.chance(0.1) && !other.contacts.includes(contact)) other.contacts.push(contact);
  const numbers = phonesOf(part.profile);
  // Mostly the first is called, at times another one they were asked for by.
  const number = random.chance(0.7) ? numbers[0] : numbers.at(-1);
  if (number === undefined || contact.channel === "email" || contact.channel === "app") return;
  facts.phoneContacts[number] = [...(facts.phoneContacts[number] ?? []), contact];
}

const startOfDay = (at: number, zone: string): number => {
  const local = at + utcOffsetMs(zone, at);
  return at - (local % DAY_MS);
};

function aRequest(facts: Facts, random: Random, day: number): RecommendationRequest {
  const { parts, config } = facts;
  const part = random.pick(parts);
  const refs: RecommendationRequest["member"][] = [part.id, part.id];
  for (const phone of phonesOf(part.profile)) refs.push({ phone });
  if (part.profile.email !== undefined) refs.push({ email: part.profile.email });
  for (const account of part.profile.accounts ?? []) refs.push({ account });
  if (random.chance(0.05)) refs.push({ visitor: "a stranger" }, "nobody", { phone: "withheld" });
  const placement = random.chance(0.55) ? "outbound" : random.pick(config.placements).id;
  const now = maybe(random, 0.12, () =>
    anInstant(random, facts, day + random.pick([-1, 0, 1]) * DAY_MS),
  );
  const numbers = parts.flatMap(({ profile }) => phonesOf(profile));
  const caller = numbers.length === 0 ? undefined : maybe(random, 0.1, () => random.pick(numbers));
  return {
    member: random.pick(refs),
    ...(caller === undefined ? {} : { alsoNamed: [{ phone: caller }] }),
    placement,
    budgetMs: 10_000,
    limit: random.whole(1, PRODUCTS),
    ...(random.chance(0.2) ? { channel: random.pick([...CHANNELS, "web", "pigeon"]) } : {}),
    ...(random.chance(0.1) ? { exclude: [`p${random.whole(0, PRODUCTS - 1)}`] } : {}),
    context: {
      ...(now === undefined ? {} : { now }),
      // Asked again about one call: what was answered before has to pass what happened since.
      ...(random.chance(0.4) ? { callId: random.pick(["c1", "c2"]) } : {}),
    },
  };
}
