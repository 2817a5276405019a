/** The twelve guards at every door through which something is offered, on a real server and a real Redis. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { z } from "zod";
import { createRoutes } from "../../src/http/routes.js";
import { ENTRY_POINTS, type EntryPoint } from "../../src/policy/entry-points.js";
import { startTestRedis, type TestRedis } from "../support/redis.js";
import { aPurchaseOf, type Json, type Serving, startServing } from "../support/serving.js";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const PRODUCTS = ["tea", "cup", "pot"];
const CHANNELS = ["phone", "sms", "email", "app", "web"].map((id) => ({
  id,
  cost: 0,
  minimumReturn: 0,
  consentByDefault: id === "app" || id === "web",
  outbound: id !== "web",
}));

/** Next year's, so that whatever these tests write lies before. */
const YEAR = new Date().getUTCFullYear() + 1;
const SUMMER = `${YEAR}-06-10`;

/** The day on which European clocks change in a month of 31 days, and the day before: YYYY-MM-DD. */
function changeDay(month: number, daysBefore = 0): string {
  const last = new Date(Date.UTC(YEAR, month - 1, 31));
  const sunday = last.getTime() - last.getUTCDay() * DAY;
  return new Date(sunday - daysBefore * DAY).toISOString().slice(0, 10);
}

let redis: TestRedis;
let server: Serving;
let clock = Date.now();

beforeAll(async () => {
  redis = await startTestRedis();
  server = await startServing(redis.target, {
    clock: () => clock,
    settings: {
      channels: CHANNELS,
      pop: { budgetMs: 2_000 },
      callingWindows: [
        { jurisdiction: "*", from: "08:00", until: "21:00" },
        { jurisdiction: "US-FL", from: "08:00", until: "20:00" },
        // Where most members of these tests live, so that no test depends on the time of day.
        { jurisdiction: "GB", from: "00:00", until: "24:00" },
      ],
      contactPolicy: {
        timezone: "Etc/UTC",
        caps: [
          { per: "member", channel: "phone", max: 1, window: { rolling: "24h" } },
          { per: "member", channel: "sms", max: 2, window: { rolling: "7d" } },
          { per: "phone", max: 3, window: { rolling: "24h" } },
          { per: "member", offer: true, max: 1, window: { rolling: "30d" } },
        ],
      },
    },
  });
  for (const id of PRODUCTS) await product(id, 100);
});
afterAll(async () => {
  await server.close();
  await redis.stop();
});
beforeEach(() => {
  clock = Date.now();
});

/** A member as the doors are asked for one. */
interface Who {
  readonly id: string;
  /** Absent: known by the id alone. */
  readonly phone?: string;
}

interface How {
  readonly channel?: string;
  /** The clock a caller brings along, where a door lets them. */
  readonly now?: number;
  readonly budgetMs?: number;
}

/** What came out of a door. */
interface Seen {
  readonly known: boolean;
  readonly offers: {
    readonly product: string;
    readonly price: number;
    readonly coupon: string | null;
    readonly channel: string;
  }[];
  /** Why nothing, or not everything. */
  readonly codes: string[];
}

interface Door {
  readonly kind: "inbound" | "outbound" | "web";
  /** false: it gives away whom to contact, and offers nothing yet. */
  readonly sells?: false;
  /** Whether a caller may bring a clock along. */
  readonly takesClock?: true;
  ask(who: Who, how?: How): Promise<Seen>;
}

const seenOf = ({ member, suggestions, doNotSell, blocked = [] }: Json): Seen => ({
  known: member.known,
  offers: suggestions
    .filter((one: Json) => one.product !== null)
    .map(({ product: { id, price }, coupon, channel }: Json) => ({
      ...{ product: id, price, channel },
      coupon: coupon?.id ?? null,
    })),
  codes: [...(doNotSell === null ? [] : [doNotSell.code]), ...blocked.map((one: Json) => one.code)],
});

const recommending = (kind: Door["kind"], placement: string): Door => ({
  kind,
  takesClock: true,
  async ask({ id }, { now, ...how } = {}) {
    const context = now === undefined ? {} : { context: { now } };
    const body = { member: id, placement, ...how, ...context };
    return seenOf(await server.ok("POST", "/v1/recommendations", body));
  },
});

const popping = (name: "member" | "phone"): Door => ({
  kind: "inbound",
  async ask({ id, phone }, { now, channel } = {}) {
    const query = new URLSearchParams({ fmt: "json" });
    if (name === "member" || phone === undefined) query.set("member", id);
    else query.set("phone", phone);
    // No caller of a pop may bring a clock; one that tries is not listened to.
    if (now !== undefined) query.set("now", String(now));
    if (channel !== undefined) query.set("channel", channel);
    return seenOf(await server.ok("GET", `/pop?${query}`));
  },
});

/** Leads on one channel, or on each of them. */
const ranking: Door = {
  kind: "outbound",
  sells: false,
  async ask({ id }, { channel } = {}) {
    const channels = channel === undefined ? ["phone", "sms", "email", "app"] : [channel];
    const answers = await Promise.all(
      channels.map((one) =>
        server.ask("POST", "/v1/leads/rank", { body: { members: [id], channel: one } }),
      ),
    );
    const given = answers.filter(({ status }) => status === 200).map(({ body }) => body);
    return {
      known: given.some(({ skipped }) => skipped.member_unknown === undefined),
      offers: given.flatMap(({ leads, channel: on }) =>
        leads.map(() => ({ product: "", price: 0, coupon: null, channel: on })),
      ),
      // `1 do_not_contact`; a refusal to answer says as much.
      codes: answers.flatMap(({ status, body }) =>
        status === 200
          ? Object.keys(body.blocked).map((key) => key.split(" ")[1]!)
          : [body.code === "store_unavailable" ? "guard_data_unavailable" : body.code],
      ),
    };
  },
};

/** A new entry point does not compile without drivers of its own. */
const DRIVERS: Record<EntryPoint, Readonly<Record<string, Door>>> = {
  recommendations: {
    outbound: recommending("outbound", "outbound"),
    "screen pop": recommending("inbound", "screen_pop"),
    web: recommending("web", "home"),
  },
  pop: { "by member": popping("member"), "by phone": popping("phone") },
  "leads.rank": { "by id": ranking },
};

const DOORS = Object.entries(DRIVERS).flatMap(([entry, doors]) =>
  Object.entries(doors).map(([name, door]) => [`${entry}, ${name}`, door] as const),
);
const SELLING = DOORS.filter(([, door]) => door.sells !== false);
const OUTBOUND = DOORS.filter(([, door]) => door.kind === "outbound");

/** A write; repeated where the store was too slow, as its sender is told to. */
async function write(method: string, path: string, body?: unknown): Promise<Json> {
  for (let left = 20; ; left--) {
    const answer = await server.ask(method, path, { body });
    if (answer.status < 300) return answer.body;
    if (answer.status !== 503 || left === 0) throw new Error(JSON.stringify(answer.body));
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}

const product = (id: string, price: number) =>
  write("PUT", `/v1/products/${id}`, {
    name: `The ${id}`,
    category: "table",
    price,
    margin: 40,
  });
const send = (...events: unknown[]): Promise<Json> => write("POST", "/v1/events", { events });
const suppress = (identity: string) =>
  write("PUT", `/v1/suppressions/${encodeURIComponent(identity)}`, { source: "test" });

const granted = (...channels: string[]) =>
  channels.map((channel) => ({ channel, status: "granted", source: "test", at: 1 }));
let members = 0;

/** Somebody whom everything allows to be contacted: a Briton with every consent. */
async function someone(more: Record<string, unknown> = {}): Promise<Required<Who>> {
  members++;
  const id = `m${members}`;
  const phone = `+44207123${1000 + members}`;
  await write("PUT", `/v1/members/${id}`, {
    phone,
    email: `${id}@example.org`,
    jurisdiction: "GB",
    timezone: "Europe/London",
    consents: granted("phone", "sms", "email", "app"),
    ...more,
  });
  // Bought, so that there is something to propose at any time.
  await send(...PRODUCTS.map((one) => aPurchaseOf(id, one)));
  return { id, phone };
}

let events = 0;
const happened = (type: string, { id }: Who, properties: object = {}, more: object = {}) => {
  events++;
  return send({ id: `g${events}`, type, member: id, at: Date.now() - 1000, properties, ...more });
};

const channelsOf = ({ offers }: Seen): string[] => [...new Set(offers.map((one) => one.channel))];
const isOpen = async (door: Door, who: Who, how?: How): Promise<boolean> =>
  (await door.ask(who, how)).offers.length > 0;

/** Open to them on these channels when we begin: asked one by one. */
async function openOn(door: Door, who: Who): Promise<string[]> {
  const open: string[] = [];
  for (const { id } of CHANNELS) if (await isOpen(door, who, { channel: id })) open.push(id);
  return open;
}

describe("the doors", () => {
  const routes = createRoutes({ metricsOpen: true });
  /** Names of properties anywhere in the schema of an answer. */
  const namesIn = (schema: z.ZodType): string[] =>
    [
      ...JSON.stringify(schema.toJSONSchema({ unrepresentable: "any", io: "input" })).matchAll(
        /"(\w+)":\{/g,
      ),
    ].map(([, name]) => name!);

  it("are named by every route whose answer offers something", () => {
    const told = ["getDecision", "replayDecision"];
    const offering = routes.filter(
      ({ name, response }) =>
        response !== undefined &&
        !told.includes(name) &&
        namesIn(response).some((one) => ["suggestions", "leads", "offer", "script"].includes(one)),
    );
    expect(offering.map(({ name }) => name)).toContain("recommend");
    expect(
      offering.filter(({ entryPoint }) => entryPoint === undefined).map(({ name }) => name),
    ).toEqual([]);
  });

  it("are all walked through here, as soon as a route leads to one", () => {
    for (const entry of ENTRY_POINTS) {
      const isBuilt = routes.some(({ entryPoint }) => entryPoint === entry);
      expect([entry, Object.keys(DRIVERS[entry]).length > 0]).toEqual([entry, isBuilt]);
    }
  });
});

describe.each(DOORS)("%s: whoever it is", (_, door) => {
  const begins = door.kind === "outbound";

  it("is offered something where nothing stands against it", async () => {
    expect(await isOpen(door, await someone())).toBe(true);
  });

  it("1 do not contact: a number, an address, a person, from the very next request", async () => {
    const [byPhone, byMail, byId] = [await someone(), await someone(), await someone()];
    for (const who of [byPhone, byMail, byId]) expect(await isOpen(door, who)).toBe(true);
    await suppress(`phone:${byPhone.phone}`);
    expect(channelsOf(await door.ask(byPhone))).not.toContain("phone");
    if (door.kind === "inbound") expect(await isOpen(door, byPhone)).toBe(false);
    if (begins) expect(await openOn(door, byPhone)).toEqual(["email", "app"]);
    await suppress(`email:${byMail.id}@example.org`);
    if (begins) expect(await openOn(door, byMail)).toEqual(["phone", "sms", "app"]);
    await suppress(`member:${byId.id}`);
    const after = await door.ask(byId);
    expect([after.offers, after.codes]).toEqual([[], expect.arrayContaining(["do_not_contact"])]);
    await suppress("member:nobody knows them");
    expect(await isOpen(door, { id: "nobody knows them" })).toBe(false);
  });

  it("2 an opt-out closes its channel, and is recorded with source and time", async () => {
    const who = await someone();
    const channel = door.kind === "web" ? "web" : "phone";
    await happened("opt_out", who, { channel, route: "keypress" });
    expect(channelsOf(await door.ask(who))).not.toContain(channel);
    if (!begins) expect((await door.ask(who)).codes).toContain("consent_refused");
    else expect(await openOn(door, who)).toEqual(["sms", "email", "app"]);
    const { consents } = await server.ok("GET", `/v1/members/${who.id}`);
    expect(consents).toContainEqual({
      ...{ channel, purpose: "marketing", status: "revoked" },
      ...{ source: "opt_out:keypress", at: expect.any(Number) },
    });
  });

  it("8 a complaint, a refund under way and vulnerability end selling until they end", async () => {
    const who = await someone();
    for (const trouble of ["complaint", "refund"]) {
      await happened(`${trouble}_opened`, who);
      const during = await door.ask(who);
      expect([trouble, during.offers, during.codes.length > 0]).toEqual([trouble, [], true]);
      await happened(`${trouble}_closed`, who);
      expect([trouble, await isOpen(door, who)]).toEqual([trouble, true]);
    }
    await write("PATCH", `/v1/members/${who.id}`, { vulnerable: true });
    const { offers, codes } = await door.ask(who);
    expect([offers, codes]).toEqual([[], expect.arrayContaining(["vulnerable"])]);
  });

  it("9 who was erased is nobody, and no import brings them back", async () => {
    const who = await someone();
    await write("DELETE", `/v1/members/${who.id}`);
    const gone = await door.ask(who);
    expect([gone.known, gone.offers]).toEqual([false, []]);
    const again = { phone: who.phone, consents: granted("phone", "sms") };
    await server.ask("PUT", `/v1/members/${who.id}`, { body: again });
    await server.ask("PUT", `/v1/members/again-${who.id}`, { body: again });
    await send(aPurchaseOf(who.id, "tea"), aPurchaseOf({ phone: who.phone }, "tea"));
    for (const id of [who.id, `again-${who.id}`]) {
      const { known, offers } = await door.ask({ ...who, id });
      expect([id, known, offers]).toEqual([id, false, expect.any(Array)]);
      if (id === who.id) expect([id, offers]).toEqual([id, []]);
    }
  });
});

describe.each(SELLING)("%s: what is offered", (_, door) => {
  it("7 who wants no personal offers gets the ranking and price of a stranger", async () => {
    const [off, other] = [
      await someone({ personalization: "off" }),
      await someone({ personalization: "off" }),
    ];
    const termsFor = async (who: Who) =>
      (await door.ask(who)).offers.map((one) => [one.product, one.price, one.coupon]);
    const before = await termsFor(off);
    await send(...[0, 1, 2].map(() => aPurchaseOf(off.id, "pot")));
    expect(before).toHaveLength(PRODUCTS.length);
    expect(await termsFor(off)).toEqual(before);
    expect(await termsFor(other)).toEqual(before);
    if (door.kind !== "outbound") expect(await termsFor({ id: "a stranger" })).toEqual(before);
  });

  it("10 a coupon is offered from its first instant until just before its last", async () => {
    const [from, until] = [clock + HOUR, clock + 2 * HOUR];
    const validity = {
      validFrom: new Date(from).toISOString(),
      validUntil: new Date(until).toISOString(),
    };
    await write("PUT", "/v1/coupons/brief", { label: "brief", amountOff: 9, ...validity });
    const couponAt = async (at: number, now?: number) => {
      clock = at;
      const { offers } = await door.ask(await someone(), { now });
      return offers.map((one) => one.coupon)[0];
    };
    expect([await couponAt(from - 1), await couponAt(from)]).toEqual([null, "brief"]);
    expect([await couponAt(until - 1), await couponAt(until)]).toEqual(["brief", null]);
    // A clock that a caller brings along opens nothing.
    expect(await couponAt(until, until - 1)).not.toBe("brief");
    await server.ask("DELETE", "/v1/coupons/brief");
  });
});

describe.each(OUTBOUND)("%s: somebody we would contact first", (_, door) => {
  const openAt = async (who: Who, time: string, how?: How) => {
    clock = Date.parse(time);
    return [time, await isOpen(door, who, how)];
  };
  const german = { jurisdiction: "DE", timezone: "Europe/Berlin" };

  it.each([
    ["in summer", SUMMER, "+02:00"],
    ["on the day before clocks go forward", changeDay(3, 1), "+01:00"],
    ["on the day clocks went forward", changeDay(3), "+02:00"],
    ["on the day before clocks go back", changeDay(10, 1), "+02:00"],
    ["on the day clocks went back", changeDay(10), "+01:00"],
  ])("3 is contacted from 08:00:00 to 20:59:59 of their own clock %s", async (_name, day, zone) => {
    const who = await someone(german);
    for (const [time, open] of [
      ["07:59:59", false],
      ["08:00:00", true],
      ["20:59:59", true],
      ["21:00:00", false],
    ]) {
      const at = `${day}T${time}${zone}`;
      expect(await openAt(who, at)).toEqual([at, open]);
    }
  });

  it("3 keeps the hours of a state, also where only a number tells it", async () => {
    const florida = { jurisdiction: undefined, timezone: undefined };
    const who = await someone({ ...florida, phone: "+13055550111" });
    expect((await openAt(who, `${SUMMER}T19:59:59-04:00`))[1]).toBe(true);
    expect((await openAt(who, `${SUMMER}T20:00:00-04:00`))[1]).toBe(false);
    const second = await someone({
      ...{ jurisdiction: "US", timezone: undefined },
      ...{ phone: undefined, phones: ["+13055550112"] },
    });
    expect((await openAt(second, `${SUMMER}T20:30:00-04:00`))[1]).toBe(false);
  });

  it("4 is left alone where nobody knows what time it is", async () => {
    const nowhere = { timezone: undefined, phone: undefined };
    expect((await door.ask(await someone(nowhere))).codes).toContain("timezone_unknown");
    const satellite = await someone({ timezone: undefined, phone: "+881621234567" });
    expect(await isOpen(door, satellite)).toBe(false);
  });

  it("4 with numbers in two zones is contacted while it is day in both", async () => {
    const who = await someone({
      ...{ jurisdiction: "DE", timezone: undefined },
      ...{ phone: "+493012345678", phones: ["+12125550111"] },
    });
    // 08:00 in New York is 14:00 in Berlin, where it ends at 21:00.
    for (const [time, open] of [
      [`${SUMMER}T11:59:59Z`, false],
      [`${SUMMER}T12:00:00Z`, true],
      [`${SUMMER}T18:59:59Z`, true],
      [`${SUMMER}T19:00:00Z`, false],
    ] as const) {
      expect(await openAt(who, time)).toEqual([time, open]);
    }
    // +1 850 lies in two zones by itself.
    const both = { jurisdiction: "US-XX", timezone: undefined, phone: "+18505550111" };
    const panhandle = await someone(both);
    expect((await openAt(panhandle, `${SUMMER}T08:30:00-04:00`))[1]).toBe(false);
    expect((await openAt(panhandle, `${SUMMER}T09:00:00-04:00`))[1]).toBe(true);
  });

  it("5 is contacted as often as the caps say: on a channel, on a number, about an offer", async () => {
    const called = await someone();
    await happened("call_outbound", called, { offer: "tea" });
    expect(await openOn(door, called)).toEqual(["sms", "email", "app"]);
    const offered = (await door.ask(called)).offers.map((one) => one.product).sort();
    if (door.sells !== false) expect(offered).toEqual(["cup", "pot"]);
    clock += DAY;
    expect(await openOn(door, called)).toEqual(["phone", "sms", "email", "app"]);
    clock = Date.now();
    const [one, other] = [await someone(), await someone()];
    await write("PATCH", `/v1/members/${other.id}`, { phone: one.phone });
    for (let i = 0; i < 2; i++) await happened("message_sent", one, {}, { channel: "sms" });
    expect(await openOn(door, other)).toContain("phone");
    await happened("call_outbound", one);
    expect(await openOn(door, other)).toEqual(["email", "app"]);
  });

  it("5 is one person with one count when two capped members are merged", async () => {
    const [one, other] = [await someone(), await someone()];
    for (const who of [one, other]) {
      await happened("message_sent", who, {}, { channel: "sms" });
      expect(await openOn(door, who)).toContain("sms");
    }
    await write("POST", `/v1/members/${one.id}/merge`, { from: other.id });
    for (const who of [one, other]) expect(await openOn(door, who)).not.toContain("sms");
  });

  it("6 in China without a consent is left alone, and with one without hours of its own too", async () => {
    const silent = { timezone: "Asia/Shanghai", consents: [] };
    const abroad = await someone({ ...silent, jurisdiction: "GB" });
    expect(await openOn(door, abroad)).toEqual(["app"]);
    const chinese = await someone({ ...silent, jurisdiction: "CN" });
    expect((await door.ask(chinese)).codes).toContain("consent_missing");
    expect(await isOpen(door, chinese)).toBe(false);
    const willing = await someone({ timezone: "Asia/Shanghai", jurisdiction: "CN" });
    expect((await openAt(willing, `${SUMMER}T12:00:00+08:00`))[1]).toBe(false);
    expect((await door.ask(willing)).codes).toContain("window_missing");
  });

  it("11 is not contacted at night for a clock somebody brings along, nor at noon for one at night", async () => {
    const who = await someone(german);
    const [noon, night] = [`${SUMMER}T12:00:00+02:00`, `${SUMMER}T23:00:00+02:00`];
    expect((await openAt(who, noon, { now: Date.parse(noon) }))[1]).toBe(true);
    expect((await openAt(who, night, { now: Date.parse(noon) }))[1]).toBe(false);
    const [, isStillOpen] = await openAt(who, noon, { now: Date.parse(night) });
    expect(isStillOpen).toBe(door.takesClock !== true);
  });
});

describe("12 the same offer", () => {
  it.each(SELLING)(
    "shown first at %s has the same price and coupon at every door, for each account",
    async (_, first) => {
      const coupon = { label: "five off", amountOff: 5 };
      await write("PUT", "/v1/coupons/five", coupon);
      const accounts = ["a", "b", "c"].map((name) => `${name}${members}`);
      const who = await someone({ accounts: accounts.slice(0, 1) });
      for (const account of accounts.slice(1)) {
        const { id } = await someone({ accounts: [account] });
        await write("POST", `/v1/members/${who.id}/merge`, { from: id });
      }
      const termsAt = async (door: Door): Promise<Json> => {
        const { offers } = await door.ask(who);
        expect(offers).toHaveLength(PRODUCTS.length);
        return Object.fromEntries(offers.map((one) => [one.product, [one.price, one.coupon]]));
      };
      const shown = await termsAt(first);
      expect(shown.tea).toEqual([100, "five"]);
      for (const id of PRODUCTS) await product(id, 130);
      await write("PUT", "/v1/coupons/eight", { label: "eight off", amountOff: 8 });
      for (const [name, door] of SELLING)
        expect([name, await termsAt(door)]).toEqual([name, shown]);
      for (const account of accounts) {
        const body = { member: { account }, placement: "home" };
        const { suggestions } = await server.ok("POST", "/v1/recommendations", body);
        expect(suggestions.map((one: Json) => one.product.price)).toEqual([100, 100, 100]);
      }
      for (const id of PRODUCTS) await product(id, 100);
      for (const id of ["five", "eight"]) await server.ask("DELETE", `/v1/coupons/${id}`);
    },
  );
});

describe("10 a coupon", () => {
  it("is redeemed once by one person, and never beyond its budget", async () => {
    await write("PUT", "/v1/coupons/single", { label: "one only", amountOff: 5, budget: 1 });
    const [one, other] = [await someone(), await someone()];
    const redeem = async (who: Who) =>
      (await happened("coupon_redeemed", who, { coupon: "single" })).rejected.map(
        (r: Json) => r.code,
      );
    expect(await redeem(one)).toEqual([]);
    expect(await redeem(one)).toEqual(["coupon_already_redeemed"]);
    expect(await redeem(other)).toEqual(["coupon_not_issued"]);
    await server.ask("DELETE", "/v1/coupons/single");
  });
});

// Behind everything else: a store that stood still takes a while to be itself again.
describe.each(DOORS)("%s: the store stands still", (_, door) => {
  it("11 without the guards' data: outbound nothing, inbound care, the web what is popular", async () => {
    const who = await someone();
    expect(await isOpen(door, who)).toBe(true);
    process.kill(redis.pid, "SIGSTOP");
    try {
      const { offers, known, codes } = await door.ask(who, { budgetMs: 300 });
      expect(known).toBe(false);
      if (door.kind === "web") expect(offers.map((one) => one.coupon)).toEqual([null, null, null]);
      else
        expect([offers, codes]).toEqual([[], expect.arrayContaining(["guard_data_unavailable"])]);
    } finally {
      process.kill(redis.pid, "SIGCONT");
    }
    await expect.poll(() => isOpen(door, who), { timeout: 20_000 }).toBe(true);
  });
});
