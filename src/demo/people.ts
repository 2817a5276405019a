/** The demo members: what the shop knows of them, and the hidden truth that drives what they do. */
import type { Consent, MemberInput } from "../members/profile.js";
import { chineseName, englishName, type PersonName } from "./names.js";
import { Random } from "./random.js";
import type { Shop } from "./shop.js";

const DAY_MS = 86_400_000;

/** Clusters of taste: weight of each shelf; shelves not named weigh little. */
const ARCHETYPES = {
  tea_lover: { weight: 18, taste: { tea: 10, kitchenware: 2, snacks: 2, health: 1 } },
  coffee_regular: { weight: 14, taste: { coffee: 10, snacks: 2, kitchenware: 2, pantry: 1 } },
  new_parent: { weight: 14, taste: { baby: 12, cleaning: 2, health: 1, home: 1 } },
  pet_owner: { weight: 13, taste: { pet: 12, cleaning: 2, home: 1 } },
  beauty: { weight: 14, taste: { skincare: 9, haircare: 4, home: 1 } },
  home_cook: { weight: 14, taste: { pantry: 9, kitchenware: 3, cleaning: 3, snacks: 2 } },
  health_minded: { weight: 13, taste: { health: 10, pantry: 3, tea: 2 } },
} as const;

export type Archetype = keyof typeof ARCHETYPES;
const ARCHETYPE_NAMES = Object.keys(ARCHETYPES) as Archetype[];

/** What no event says; benches compare answers with it. */
export interface MemberTruth {
  readonly id: string;
  readonly archetype: Archetype;
  /** Weight of each shelf, in the order of `shop.categories`. */
  readonly taste: readonly number[];
  /** Products bought again and again (index) and the days each lasts this member. */
  readonly staples: readonly { product: number; everyDays: number }[];
  /** Mean days between purchases made on impulse. */
  readonly impulseDays: number;
  /** Chance of never coming back, after each order. */
  readonly dropOut: number;
  /** 0..1: how much a coupon changes whether and when this member buys. */
  readonly priceSensitivity: number;
  /** 0..1: chance that a call is taken well and a message opened. */
  readonly patience: number;
  readonly orderChannel: "web" | "app" | "phone" | "store";
  /** Local hour around which this member is active. */
  readonly hour: number;
  readonly utcOffsetHours: number;
  /** Epoch milliseconds of joining. */
  readonly joinedAt: number;
  /** false: looks, and never orders. */
  readonly buys: boolean;
}

export interface Person {
  readonly record: MemberInput & { id: string };
  readonly truth: MemberTruth;
  /** The name in Latin letters. */
  readonly latin: string;
}

/** Member `index` of the world of this seed, whatever the size of that world. */
export function createPerson(shop: Shop, seed: number, index: number, now: number): Person {
  const random = new Random(`${seed}:person:${index}`);
  const id = `m_${1001 + index}`;
  const truth = createTruth(shop, random, id, now);
  const isAbroad = truth.utcOffsetHours === 0;
  const name = isAbroad || random.chance(0.08) ? englishName(random) : chineseName(random);
  return { truth, latin: name.latin, record: createRecord(random, truth, name, index, now) };
}

function createTruth(shop: Shop, random: Random, id: string, now: number): MemberTruth {
  const archetype =
    ARCHETYPE_NAMES[random.weighted(ARCHETYPE_NAMES.map((name) => ARCHETYPES[name].weight))]!;
  const liking: Record<string, number> = ARCHETYPES[archetype].taste;
  const taste = shop.categories.map(
    (category) => (liking[category] ?? 0.3) * Math.exp(0.5 * random.normal()),
  );
  // More join lately than did two years ago.
  const joinedDaysAgo = 730 * (1 - random.next() ** 0.7) + 1;
  return {
    id,
    archetype,
    taste,
    staples: chooseStaples(shop, random, taste),
    impulseDays: 40 + random.exponential(110),
    dropOut: Math.min(0.6, 0.01 + 0.13 * random.next() ** 2 + (random.chance(0.12) ? 0.3 : 0)),
    priceSensitivity: random.next() ** 1.5,
    patience: random.between(0.15, 0.95),
    orderChannel: (["web", "app", "phone", "store"] as const)[random.weighted([35, 45, 12, 8])]!,
    hour: [9, 12.5, 17, 20.5][random.weighted([2, 2, 1, 4])]! + 0.8 * random.normal(),
    utcOffsetHours: random.chance(0.04) ? 0 : 8,
    joinedAt: Math.round(now - joinedDaysAgo * DAY_MS),
    buys: !random.chance(0.06),
  };
}

/** One to four products that run out, from the shelves this member likes. */
function chooseStaples(
  shop: Shop,
  random: Random,
  taste: readonly number[],
): MemberTruth["staples"] {
  const count = 1 + random.weighted([35, 35, 20, 10]);
  const pace = Math.exp(0.65 * random.normal()) * 1.9;
  const staples: { product: number; everyDays: number }[] = [];
  for (let attempt = 0; attempt < 30 && staples.length < count; attempt++) {
    const shelf = shop.byCategory.get(shop.categories[random.weighted(taste)]!)!;
    const product = shelf[random.weighted(shelf.map((one) => one.popularity))]!;
    const isKnown = staples.some(
      (staple) => shop.products[staple.product]!.article === product.article,
    );
    if (product.lastsDays === 0 || product.ageDays < 100 || isKnown) continue;
    const everyDays = Math.max(7, product.lastsDays * pace * random.between(0.85, 1.15));
    staples.push({ product: product.index, everyDays });
  }
  return staples;
}

const CITIES = [
  "Shanghai",
  "Beijing",
  "Hangzhou",
  "Guangzhou",
  "Shenzhen",
  "Chengdu",
  "Wuhan",
  "Nanjing",
];

function createRecord(
  random: Random,
  truth: MemberTruth,
  person: PersonName,
  index: number,
  now: number,
): Person["record"] {
  const isAbroad = truth.utcOffsetHours === 0;
  const mail = person.latin.toLowerCase().replace(/[^a-z]+/g, ".");
  const flags: Partial<MemberInput> = {
    ...(random.chance(0.01) ? { vulnerable: true } : {}),
    ...(random.chance(0.02) ? { personalization: "off" as const } : {}),
    ...(random.chance(0.03) ? { doNotContact: true } : {}),
  };
  return {
    id: truth.id,
    name: person.name,
    phone: isAbroad ? abroadPhone(index) : demoPhone(index),
    ...(random.chance(0.8) ? { email: `${mail}.${index}@example.com` } : {}),
    accounts: [`acct_${100_001 + index}`],
    timezone: isAbroad ? "Europe/London" : "Asia/Shanghai",
    locale: isAbroad ? "en" : "zh",
    jurisdiction: isAbroad ? "GB" : "CN",
    tags: random.chance(0.1) ? ["vip"] : [],
    attributes: {
      city: isAbroad ? "London" : random.pick(CITIES),
      birthYear: random.whole(1952, 2004),
      memberSince: new Date(truth.joinedAt).toISOString().slice(0, 10),
      points: random.whole(0, 4000),
      ...(random.chance(0.4)
        ? { renewalDate: new Date(now + random.whole(5, 360) * DAY_MS).toISOString().slice(0, 10) }
        : {}),
    },
    consents: createConsents(random, truth, now),
    ...flags,
  };
}

/** +86 199 0000 xxxx: a block that no operator gives out, of the form of a Chinese mobile. */
export const demoPhone = (index: number): string =>
  `+86199${String(1001 + index).padStart(8, "0")}`;

/** Ranges that the British regulator keeps for fiction: 020 7946 0xxx, 0161 496 0xxx and so on. */
const FICTIONAL_BRITISH = [
  "2079460",
  "1614960",
  "1134960",
  "1144960",
  "1154960",
  "1174960",
  "1184960",
  "1214960",
  "1314960",
] as const;

function abroadPhone(index: number): string {
  const range = FICTIONAL_BRITISH[Math.floor(index / 1000) % FICTIONAL_BRITISH.length];
  return `+44${range}${String(index % 1000).padStart(3, "0")}`;
}

function createConsents(random: Random, truth: MemberTruth, now: number): Consent[] {
  const shares = { phone: 0.5, sms: 0.75, email: 0.6, app: 0.65 };
  const consents: Consent[] = [];
  for (const [channel, share] of Object.entries(shares)) {
    const isAsked = random.chance(0.92);
    const isGranted = random.chance(share);
    const later = Math.min(now, truth.joinedAt + random.whole(0, 200) * DAY_MS);
    const source = random.pick(["signup_form", "app_settings", "call_recording", "store_desk"]);
    if (!isAsked) continue;
    consents.push({
      channel,
      purpose: "marketing",
      status: isGranted ? "granted" : random.chance(0.3) ? "revoked" : "denied",
      at: isGranted ? truth.joinedAt : later,
      source,
    });
  }
  return consents;
}

/** A second account of the same person: another spelling, the same telephone, no mail. */
export function createDuplicate(person: Person, seed: number, index: number, now: number): Person {
  const random = new Random(`${seed}:duplicate:${index}`);
  const id = `m_${1001 + index}`;
  const { email: _, ...record } = person.record;
  return {
    truth: {
      ...person.truth,
      id,
      staples: person.truth.staples.slice(0, 1),
      dropOut: 0.3,
      orderChannel: "store",
      joinedAt: Math.min(now - DAY_MS, person.truth.joinedAt + random.whole(10, 90) * DAY_MS),
    },
    latin: person.latin,
    record: { ...record, id, name: person.latin, accounts: [`acct_${100_001 + index}`] },
  };
}
