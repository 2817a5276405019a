/**
 * Random members at random instants: nobody is a lead whom the test's own reading of the guards keeps
 * from it, and nobody is missing. The oracle shares no code with the guards.
 */
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { MemberEvent } from "../../src/events/event.js";
import type { Contact } from "../../src/members/contacts.js";
import type { Profile } from "../../src/members/profile.js";
import { closeRedis, connectRedis, type RedisClient, whenReady } from "../../src/redis/clients.js";
import { anEvent, DAY_MS } from "../support/builders.js";
import { type TestStore, testTarget } from "../support/redis.js";
import { type AMember, aContact, LeadWorld } from "./a-lead-world.js";

const BASE = Date.parse("2026-03-05T00:00:00Z");
const HOUR = 3_600_000;
const MEMBERS = 200;

/** Numbers whose zone the test knows by itself. */
const NUMBERS = [
  { phone: "+8613800000", zone: "Asia/Shanghai", law: "CN" },
  { phone: "+1212555", zone: "America/New_York", law: "US-NY" },
  { phone: "+1415555", zone: "America/Los_Angeles", law: "US-CA" },
  { phone: "+1305555", zone: "America/New_York", law: "US-FL" },
] as const;

/** [from, until) in local hours, and days closed (0 = Sunday): as in a-lead-world. */
const HOURS: Record<string, readonly [number, number, readonly number[]]> = {
  CN: [9, 18, []],
  "US-FL": [8, 20, [0]],
};
const ELSEWHERE = [8, 21, []] as const;

interface Someone extends AMember {
  readonly profile: Partial<Profile>;
  readonly events: readonly MemberEvent[];
  readonly contacts: readonly Contact[];
  readonly zones: readonly string[];
  readonly law: string;
  readonly phone: string;
  readonly phoneContacts: readonly Contact[];
  readonly listed: boolean;
}

const seldom = fc.integer({ min: 0, max: 11 }).map((n) => n === 0);
const contactArbitrary = fc.record({
  at: fc.integer({ min: -40 * 24, max: 10 * 24 }).map((hours) => BASE + hours * HOUR),
  channel: fc.constantFrom("phone", "phone", "sms", "email"),
  outcome: fc.constantFrom<Contact["outcome"][]>(
    null,
    null,
    null,
    null,
    "refused",
    "later",
    "accepted",
  ),
  reserved: seldom,
  again: fc.integer({ min: -5, max: 10 }),
});

const someoneArbitrary = fc.record({
  numbers: fc.array(fc.nat({ max: NUMBERS.length - 1 }), { minLength: 1, maxLength: 2 }),
  zone: fc.constantFrom("Asia/Shanghai", "Europe/Berlin", undefined, undefined),
  law: fc.constantFrom("CN", "US-FL", "DE", undefined, undefined),
  consents: fc.array(
    fc.record({
      channel: fc.constantFrom("phone", "phone", "phone", "sms"),
      status: fc.constantFrom("granted", "granted", "granted", "denied", "revoked"),
      at: fc.integer({ min: 1, max: 1_000_000 }),
    }),
    { minLength: 1, maxLength: 3 },
  ),
  doNotContact: seldom,
  vulnerable: seldom,
  impersonal: seldom,
  complaint: fc.constantFrom(0, 0, 0, 0, 1, 2),
  refund: fc.constantFrom(0, 0, 0, 0, 1, 2),
  contacts: fc.array(contactArbitrary, { maxLength: 4 }),
  phoneContacts: fc.array(contactArbitrary, { maxLength: 2 }),
  listed: seldom,
});

type Drawn = typeof someoneArbitrary extends fc.Arbitrary<infer T> ? T : never;

const contactOf = (drawn: Drawn["contacts"][number], token: string): Contact =>
  aContact(drawn.at, {
    token,
    channel: drawn.channel,
    until: drawn.reserved ? drawn.at + 2 * HOUR : 0,
    outcome: drawn.outcome,
    outcomeAt: drawn.outcome === null ? 0 : drawn.at,
    again: drawn.outcome === "later" ? drawn.at + drawn.again * DAY_MS : 0,
  });

/** Opened, and with 2 closed again. */
const troubleOf = (kind: "complaint" | "refund", how: number): MemberEvent[] => [
  ...(how > 0 ? [anEvent({ id: kind, type: `${kind}_opened`, at: BASE - 20 * DAY_MS })] : []),
  ...(how > 1
    ? [anEvent({ id: `${kind} 2`, type: `${kind}_closed`, at: BASE - 19 * DAY_MS })]
    : []),
];

function someoneOf(drawn: Drawn, i: number): Someone {
  const numbers = drawn.numbers.map((n, k) => {
    const { phone, zone, law } = NUMBERS[n]!;
    const digits = phone.startsWith("+86") ? String(100 + i) + k : String(1000 + 4 * i + k);
    return { phone: phone + digits.slice(-4), zone, law };
  });
  const [main, ...others] = numbers;
  const isChinese = main!.law === "CN" || others.some(({ law }) => law === "CN");
  const consents = drawn.consents.map((one, k) => ({
    ...one,
    at: one.at * 10 + k,
    purpose: "marketing",
  }));
  return {
    id: `m${i}`,
    profile: {
      phone: main!.phone,
      phones: others.map(({ phone }) => phone),
      timezone: drawn.zone,
      jurisdiction: drawn.law,
      consents,
      doNotContact: drawn.doNotContact || undefined,
      vulnerable: drawn.vulnerable,
      personalization: drawn.impersonal ? "off" : "on",
    },
    events: [...troubleOf("complaint", drawn.complaint), ...troubleOf("refund", drawn.refund)],
    contacts: drawn.contacts.map((one, k) => contactOf(one, `c${i}.${k}`)),
    zones: drawn.zone === undefined ? numbers.map(({ zone }) => zone) : [drawn.zone],
    law: drawn.law ?? (isChinese ? "CN" : main!.law),
    phone: main!.phone,
    phoneContacts: drawn.phoneContacts.map((one, k) => contactOf(one, `p${i}.${k}`)),
    listed: drawn.listed,
  };
}

const clocks = new Map<string, Intl.DateTimeFormat>();
function clockOf(zone: string, at: number): { hour: number; day: number; date: string } {
  let clock = clocks.get(zone);
  if (clock === undefined) {
    const parts = {
      hour: "2-digit",
      weekday: "short",
      year: "numeric",
      month: "2-digit",
      day: "2-digit",
    } as const;
    clock = new Intl.DateTimeFormat("en-US", { timeZone: zone, hourCycle: "h23", ...parts });
    clocks.set(zone, clock);
  }
  const parts = Object.fromEntries(clock.formatToParts(at).map(({ type, value }) => [type, value]));
  const day = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"].indexOf(parts.weekday!);
  return { hour: Number(parts.hour), day, date: `${parts.year}-${parts.month}-${parts.day}` };
}

const isOpen = ({ zones, law }: Someone, at: number): boolean => {
  const [from, until, closed] = HOURS[law] ?? ELSEWHERE;
  return zones.every((zone) => {
    const { hour, day } = clockOf(zone, at);
    return hour >= from && hour < until && !closed.includes(day);
  });
};

/** The caps of docs/contact-policy.md. */
function isTired({ contacts, phoneContacts }: Someone, at: number): boolean {
  const counts = ({ until }: Contact): boolean => until === 0 || until > at;
  const today = (one: Contact): boolean =>
    clockOf("Asia/Shanghai", one.at).date >= clockOf("Asia/Shanghai", at).date;
  const lately = (one: Contact): boolean => one.at > at - 7 * DAY_MS;
  const made = contacts.filter(counts);
  const calls = made.filter(({ channel }) => channel === "phone");
  return (
    calls.filter(today).length >= 1 ||
    calls.filter(lately).length >= 3 ||
    made.filter(lately).length >= 5 ||
    phoneContacts.filter(counts).filter(today).length >= 2 ||
    contacts.some(
      (one) =>
        one.outcome === "refused" && one.channel === "phone" && one.outcomeAt > at - 30 * DAY_MS,
    ) ||
    contacts.some((one) => one.outcome === "later" && one.again > at)
  );
}

function mayBeCalled(someone: Someone, drawn: Drawn, at: number): boolean {
  const { profile, listed } = someone;
  const words = profile.consents!.filter(({ channel }) => channel === "phone");
  const last = words.toSorted((a, b) => b.at! - a.at!)[0];
  return (
    !listed &&
    profile.doNotContact !== true &&
    last?.status === "granted" &&
    drawn.complaint !== 1 &&
    drawn.refund !== 1 &&
    profile.vulnerable !== true &&
    profile.personalization === "on" &&
    isOpen(someone, at) &&
    !isTired(someone, at)
  );
}

let store: TestStore;
let client: RedisClient;
let world: LeadWorld;
let drawn: readonly Drawn[];
let people: readonly Someone[];

beforeAll(async () => {
  store = await testTarget();
  client = connectRedis(store.target, "work");
  await whenReady(client, 10_000);
  world = new LeadWorld(client);
  await world.core.suppressions.start();
  drawn = fc.sample(someoneArbitrary, { numRuns: MEMBERS, seed: 4 });
  people = drawn.map(someoneOf);
  await world.write(people);
  for (const { id, phone, phoneContacts, listed } of people) {
    if (phoneContacts.length > 0) await world.writePhone(phone, phoneContacts);
    const why = { source: "test", reason: "do_not_contact", at: 1 } as const;
    const who = id.endsWith("7") ? { kind: "member", value: id } : { kind: "phone", value: phone };
    if (listed) await world.core.suppressions.put(who as { kind: "phone"; value: string }, why);
  }
  await world.rank(
    people.map(({ id }, i) => ({ id, score: Math.fround(i / MEMBERS) })),
    BASE,
  );
});
afterAll(async () => {
  world.core.suppressions.close();
  closeRedis(client);
  await store.stop();
});

/** Any minute of ten days, over a change of clocks in America; often right at the hour. */
const instantArbitrary = fc.oneof(
  fc.integer({ min: 0, max: 10 * 1440 }).map((minutes) => BASE + minutes * 60_000),
  fc
    .record({ hour: fc.integer({ min: 0, max: 240 }), ms: fc.constantFrom(-1, 0, 1) })
    .map(({ hour, ms }) => BASE + hour * HOUR + ms),
);

describe("leads", () => {
  it("are exactly those whom no guard keeps from it, named or from the ranked set", async () => {
    let given = 0;
    await fc.assert(
      fc.asyncProperty(instantArbitrary, async (at) => {
        const expected = people
          .filter((someone, i) => mayBeCalled(someone, drawn[i]!, at))
          .map(({ id }) => id);
        const members = people.map(({ id }) => id);
        const named = await world.ask({ members }, at);
        const ranked = await world.ask({}, at);
        for (const { leads, blocked, of, skipped } of [named, ranked]) {
          expect(leads.map(({ memberId }) => memberId).sort()).toEqual(expected.toSorted());
          const sum = (counts: Record<string, number>): number =>
            Object.values(counts).reduce((total, n) => total + n, 0);
          expect(leads.length + sum(blocked) + sum(skipped)).toBe(of);
          expect(of).toBe(MEMBERS);
        }
        given += expected.length;
      }),
      { numRuns: 25 },
    );
    expect(given).toBeGreaterThan(50);
  });

  it("to be called later may be called from when they say, and no minute before", async () => {
    const byId = new Map(people.map((someone, i) => [someone.id, [someone, drawn[i]!] as const]));
    await fc.assert(
      fc.asyncProperty(instantArbitrary, async (at) => {
        const { leads } = await world.ask({ include: "later" }, at);
        for (const { memberId, callableFrom, callableUntil } of leads) {
          const [someone, how] = byId.get(memberId)!;
          const [from, until] = [Date.parse(callableFrom), Date.parse(callableUntil)];
          expect(mayBeCalled(someone, how, from), memberId).toBe(true);
          expect(isOpen(someone, until - 1) && !isOpen(someone, until), memberId).toBe(true);
          for (let t = at; t < Math.min(from, at + 3 * DAY_MS); t += 20 * 60_000) {
            expect(mayBeCalled(someone, how, t), `${memberId} ${t}`).toBe(false);
          }
        }
      }),
      { numRuns: 4 },
    );
  });
});
