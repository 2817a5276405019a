import { beforeEach, describe, expect, it } from "vitest";
import { EVENT_LIMITS, type MemberRef } from "../../src/events/event.js";
import { idFromIdentity } from "../../src/members/identity.js";
import { closeRedis, connectRedis, type RedisClient } from "../../src/redis/clients.js";
import { DAY_MS } from "../support/builders.js";
import { useClient } from "../support/client.js";
import {
  dump,
  flush,
  limitMemory,
  logOf,
  openTestCore,
  stateOf,
  type TestCore,
} from "../support/core.js";

let client: RedisClient;
let core: TestCore;

useClient((connected) => {
  client = connected;
});
beforeEach(async () => {
  await flush(client);
  core = openTestCore(client);
});

const YESTERDAY = Date.now() - DAY_MS;
const raw = (over: Record<string, unknown> = {}): Record<string, unknown> => ({
  id: "e1",
  type: "purchase",
  member: "m1",
  at: YESTERDAY,
  items: [{ product: "p1", quantity: 2, amount: 20 }],
  ...over,
});

const view = (id: string, over: Record<string, unknown> = {}) =>
  raw({ id, type: "view", items: undefined, product: "p1", ...over });

const ingest = (...events: unknown[]) => core.ingest.ingest(events);
const codesOf = ({ rejected }: Awaited<ReturnType<typeof ingest>>) =>
  rejected.map(({ index, code }) => `${index} ${code}`);
const orderCount = async (id: string) => (await stateOf(core, id)).orders.count;

const deep = (levels: number): unknown => JSON.parse(`${"[".repeat(levels)}${"]".repeat(levels)}`);

describe("bad events", () => {
  const cases: [name: string, event: unknown, code: string][] = [
    ["null", null, "invalid_request"],
    ["a text", "purchase", "invalid_request"],
    ["an array", [], "invalid_request"],
    ["an empty object", {}, "unknown_event_type"],
    ["an unknown field", raw({ colour: "red" }), "invalid_request"],
    ["an unknown field of a line", raw({ items: [{ product: "p", sku: 1 }] }), "invalid_request"],
    ["an unknown type", raw({ type: "bought" }), "unknown_event_type"],
    ["a type that is a number", raw({ type: 7 }), "unknown_event_type"],
    ["a custom type in capitals", raw({ type: "custom_Quiz" }), "unknown_event_type"],
    ["no member", raw({ member: undefined }), "invalid_id"],
    ["a member that is a number", raw({ member: 17 }), "invalid_id"],
    ["a member of two identities", raw({ member: { phone: "1", email: "a@b" } }), "invalid_id"],
    ["no time", raw({ at: undefined }), "invalid_request"],
    ["a time that is a word", raw({ at: "yesterday" }), "invalid_request"],
    ["a time without a zone", raw({ at: "2026-01-01T00:00:00" }), "invalid_request"],
    ["a time of NaN", raw({ at: Number.NaN }), "invalid_request"],
    ["tomorrow", raw({ at: Date.now() + DAY_MS }), "time_in_future"],
    ["microseconds taken for milliseconds", raw({ at: Date.now() * 1000 }), "time_in_future"],
    [
      "seconds taken for milliseconds",
      raw({ at: Math.floor(Date.now() / 1000) - 0.5 }),
      "invalid_request",
    ],
    ["the year 1970", raw({ at: 1_700_000_000 }), "time_too_old"],
    ["the year 1900", raw({ at: "1900-01-01T00:00:00Z" }), "time_too_old"],
    ["a negative amount", raw({ items: [{ product: "p", amount: -1 }] }), "invalid_amount"],
    ["an amount of NaN", raw({ items: [{ product: "p", amount: Number.NaN }] }), "invalid_amount"],
    ["an endless amount", raw({ items: [{ product: "p", amount: 1 / 0 }] }), "invalid_amount"],
    ["an amount in words", raw({ items: [{ product: "p", amount: "12" }] }), "invalid_amount"],
    ["an amount beyond all", raw({ items: [{ product: "p", amount: 1e10 }] }), "invalid_amount"],
    ["a quantity of zero", raw({ items: [{ product: "p", quantity: 0 }] }), "invalid_amount"],
    ["a quantity below zero", raw({ items: [{ product: "p", quantity: -2 }] }), "invalid_amount"],
    ["a purchase of nothing", raw({ items: [] }), "invalid_request"],
    ["a return of nothing", raw({ type: "return", items: undefined }), "invalid_request"],
    ["items and a product", raw({ product: "p2" }), "invalid_request"],
    ["501 lines", raw({ items: Array(501).fill({ product: "p" }) }), "invalid_request"],
    ["an empty id", raw({ id: "" }), "invalid_id"],
    ["an id of a megabyte", raw({ id: "x".repeat(1e6) }), "invalid_id"],
    ["a member id of a megabyte", raw({ member: "x".repeat(1e6) }), "invalid_id"],
    ["a phone of a megabyte", raw({ member: { phone: "1".repeat(1e6) } }), "invalid_phone"],
    ["an e-mail of a megabyte", raw({ member: { email: "x".repeat(1e6) } }), "invalid_id"],
    ["a product id of a megabyte", raw({ items: [{ product: "x".repeat(1e6) }] }), "invalid_id"],
    ["a blank around an id", raw({ member: " m1" }), "invalid_id"],
    ["a newline in an id", raw({ member: "m\n1" }), "invalid_id"],
    ["a NUL in an order", raw({ order: "o\u0000" }), "invalid_id"],
    ["half an emoji", raw({ member: "m\ud83c" }), "invalid_id"],
    ["a phone nobody can dial", raw({ member: { phone: "12" } }), "invalid_phone"],
    ["a withheld number", raw({ member: { phone: "anonymous" } }), "invalid_phone"],
    ["properties that are a list", raw({ properties: [1] }), "invalid_request"],
    ["5 kB of properties", raw({ properties: { a: "x".repeat(5000) } }), "invalid_request"],
    [
      "4 kB of signs of three bytes",
      raw({ properties: { a: "茶".repeat(2000) } }),
      "invalid_request",
    ],
    [
      "properties nested beyond the stack",
      raw({ properties: { a: deep(2e5) } }),
      "invalid_request",
    ],
  ];

  it.each(cases)("refuses %s by name and keeps the good rows around it", async (_, event, code) => {
    const result = await ingest(raw({ id: "before" }), event, raw({ id: "after" }));
    expect(codesOf(result)).toEqual([`1 ${code}`]);
    expect(result.accepted).toBe(2);
    expect(await orderCount("m1")).toBe(2);
  });

  it("names fields in the detail, never values", async () => {
    const secret = "13812345678";
    const { rejected } = await ingest(
      raw({ member: { phone: `${secret}x` } }),
      raw({ at: secret }),
      raw({ id: `${secret}\n` }),
      raw({ items: [{ product: "p", amount: secret }] }),
    );
    expect(rejected).toHaveLength(4);
    expect(JSON.stringify(rejected)).not.toContain(secret);
  });

  it("writes nothing when every row is bad", async () => {
    await ingest(...cases.map(([, event]) => event));
    expect(await dump(client)).toBe("");
  });

  it("does not accept a time before 1970 however old an event may be", async () => {
    core = openTestCore(client, { maxEventAgeYears: 60, maxFutureSeconds: 300 });
    expect(codesOf(await ingest(raw({ at: "1969-06-01T00:00:00Z" })))).toEqual(["0 time_too_old"]);
    expect((await ingest(raw({ at: "1970-06-01T00:00:00Z" }))).accepted).toBe(1);
  });
});

describe("unusual but good events", () => {
  const ids = [
    "with a space",
    "🍵 茶",
    "*",
    "m?[a-z]",
    "{p1}",
    "}{",
    "m:{p0}:x",
    "a".repeat(EVENT_LIMITS.idLength),
    "__proto__",
    "constructor",
    "%7b",
    "' OR 1=1; --",
  ];

  it.each(ids)(
    "keeps members, products, orders and ids called %s apart from all others",
    async (id) => {
      const others = ids.filter((other) => other !== id);
      const event = raw({ id, member: id, order: id, items: [{ product: id, amount: 1 }] });
      expect((await ingest(event)).accepted).toBe(1);
      expect((await ingest(event)).duplicates).toBe(1);
      expect(await orderCount(id)).toBe(1);
      for (const other of others) expect(await orderCount(other)).toBe(0);
      for (const kind of ["account", "visitor"]) {
        const named = raw({ id: `${kind}${id}`.slice(0, 200), member: { [kind]: id } });
        expect((await ingest(named)).accepted).toBe(1);
        expect(
          (await core.members.resolve({ [kind]: id } as { account: string }))?.record.id,
        ).toMatch(/^[mv]_/);
      }
    },
  );

  it("makes an unknown member, and registers an unknown product with its unit price", async () => {
    core.products.facts.set("known", { category: "tea", price: 4 });
    const items = [
      { product: "new", quantity: 2, amount: 30 },
      { product: "known", quantity: 3 },
    ];
    expect((await ingest(raw({ items }))).accepted).toBe(1);
    expect(core.products.registered).toMatchObject([{ id: "new", unitPrice: 15 }]);
    expect((await stateOf(core, "m1")).orders.grossMilli).toBe(42_000);
    const [record] = await logOf(client, "m1");
    expect(record).toMatchObject({
      kind: "event",
      member: "m1",
      event: { lines: [{ product: "new" }, { product: "known", amount: 12, category: "tea" }] },
    });
  });

  it("keeps the events when a product cannot be told from another one", async () => {
    const { CuecardError } = await import("../../src/errors.js");
    core.products.registerSeen = async () => {
      throw new CuecardError("product_id_collision", "p1");
    };
    expect((await ingest(raw())).accepted).toBe(1);
  });

  it("takes a batch of 1,000 events over 200 members", async () => {
    const events = Array.from({ length: 1000 }, (_, i) =>
      raw({ id: `e${i}`, member: `m${i % 200}` }),
    );
    expect(await ingest(...events)).toEqual({ accepted: 1000, duplicates: 0, rejected: [] });
    expect(await orderCount("m7")).toBe(5);
    expect(await ingest(...events)).toEqual({ accepted: 0, duplicates: 1000, rejected: [] });
    expect(await orderCount("m7")).toBe(5);
  });

  it("gives an event without an id one of its own", async () => {
    const event = raw({ id: undefined });
    expect((await ingest(event, event)).accepted).toBe(2);
  });
});

describe("repeats", () => {
  it("counts an event once and calls its repeat a duplicate", async () => {
    expect(await ingest(raw())).toMatchObject({ accepted: 1 });
    expect(await ingest(raw())).toEqual({ accepted: 0, duplicates: 1, rejected: [] });
    const spelled = raw({ at: new Date(YESTERDAY).toISOString() });
    expect(await ingest(spelled)).toEqual({ accepted: 0, duplicates: 1, rejected: [] });
    expect(await orderCount("m1")).toBe(1);
  });

  it("keeps the first of two events under one id and reports the other", async () => {
    const first = raw();
    await ingest(first);
    const other = { ...first, items: [{ product: "p9", amount: 999 }] };
    expect(codesOf(await ingest(other))).toEqual(["0 duplicate_differs"]);
    expect((await stateOf(core, "m1")).orders.grossMilli).toBe(20_000);
    expect((await ingest(first)).duplicates).toBe(1);
  });

  it("counts an id that stands twice in one batch once", async () => {
    const event = raw();
    const differs = { ...event, items: [{ product: "p2", amount: 7 }] };
    const result = await ingest(event, event, differs);
    expect(result).toMatchObject({ accepted: 1, duplicates: 1 });
    expect(codesOf(result)).toEqual(["2 duplicate_differs"]);
    expect((await stateOf(core, "m1")).orders.grossMilli).toBe(20_000);
  });

  it("lets two members use the same event id", async () => {
    expect((await ingest(raw(), raw({ member: "m2" }))).accepted).toBe(2);
  });

  it("lets a refused repeat log nobody in", async () => {
    const first = raw();
    await ingest(first, view("v1", { member: { visitor: "cookie" } }));
    await ingest({ ...first, items: [{ product: "p9" }], visitor: "cookie" });
    const visitor = await core.members.resolve({ visitor: "cookie" });
    expect(visitor?.record.id).not.toBe("m1");
  });
});

describe("orders in parts", () => {
  const part = (n: number) =>
    raw({ id: `part${n}`, order: "o1", items: [{ product: `p${n}`, amount: n }] });
  const orders: number[][] = [
    [1, 2, 3],
    [3, 2, 1],
    [2, 3, 1],
  ];

  it.each(orders.map((order) => [order]))("count one order when they come as %j", async (order) => {
    for (const n of order) await ingest(part(n));
    await ingest(part(2), part(4));
    const { orders: state, channelHabits } = await stateOf(core, "m1");
    expect(state).toMatchObject({ count: 1, lineCount: 4, grossMilli: 10_000 });
    expect(state.times).toHaveLength(1);
    expect(channelHabits).toEqual([]);
  });

  it("count one order when they race each other, and when they share a batch", async () => {
    const other = openTestCore(client);
    await Promise.all([
      ingest(part(1), part(2)),
      other.ingest.ingest([part(3), part(4)]),
      other.ingest.ingest([part(2), part(5)]),
    ]);
    expect((await stateOf(core, "m1")).orders).toMatchObject({
      count: 1,
      lineCount: 5,
      grossMilli: 15_000,
    });
  });

  it("of two members under one order number stay two orders", async () => {
    await ingest(part(1), { ...part(2), member: "m2" });
    expect([await orderCount("m1"), await orderCount("m2")]).toEqual([1, 1]);
  });
});

describe("members met by an identity", () => {
  const identities: [MemberRef, MemberRef][] = [
    [{ phone: "138 1234 5678" }, { phone: "+8613812345678" }],
    [{ email: "Ann@Example.com" }, { email: " ann@example.COM " }],
    [{ account: "A-17" }, { account: "A-17" }],
    [{ visitor: "cookie" }, { visitor: "cookie" }],
  ];

  it.each(identities)(
    "become one member for %j and %j, also when two processes race",
    async (a, b) => {
      const other = openTestCore(client);
      const events = Array.from({ length: 10 }, (_, i) => raw({ id: `e${i}` }));
      await Promise.all(
        events.map((event, i) =>
          i % 2 === 0
            ? ingest({ ...event, member: a })
            : other.ingest.ingest([{ ...event, member: b }]),
        ),
      );
      const found = await core.members.resolve(a);
      expect(found?.candidates).toHaveLength(1);
      expect(found!.record.id).toBe((await core.members.resolve(b))!.record.id);
      expect(await orderCount(found!.record.id)).toBe(10);
    },
  );

  it("does not give a passed-on number back to the member who had it first", async () => {
    const phone = "+8613812345678";
    await ingest(raw({ id: "old", member: { phone } }));
    const first = (await core.members.resolve({ phone }))!.record.id;
    await core.members.put(first, { phone: "+8613900000000" });
    await ingest(raw({ id: "new", member: { phone } }));
    const second = (await core.members.resolve({ phone }))!.record.id;
    expect(second).not.toBe(first);
    expect([await orderCount(first), await orderCount(second)]).toEqual([1, 1]);
    expect((await core.members.get(first)).profile?.phone).toBe("+8613900000000");
    await ingest(raw({ id: "newer", member: { phone } }));
    expect(await orderCount(second)).toBe(2);
  });
});

describe("login", () => {
  const anonymous = (id: string) => view(id, { member: { visitor: "cookie" } });
  const login = (id: string, member = "m1") => view(id, { member, visitor: "cookie" });
  const views = async (id: string) =>
    (await stateOf(core, id)).activity.reduce((sum, { count }) => sum + count, 0);

  it("carries a visitor's history over to the member, exactly once", async () => {
    await ingest(anonymous("v1"), anonymous("v2"));
    await ingest(login("l1"));
    await ingest(login("l2"), login("l3"));
    expect(await views("m1")).toBe(5);
    expect((await core.members.resolve({ visitor: "cookie" }))?.record.id).toBe("m1");
    await ingest(anonymous("v3"));
    expect(await views("m1")).toBe(6);
  });

  it("counts nothing twice when the batch that logged in is sent again", async () => {
    const batch = [anonymous("v1"), raw({ id: "v2", member: { visitor: "cookie" } }), login("l1")];
    expect((await ingest(...batch)).accepted).toBe(3);
    expect(await ingest(...batch)).toEqual({ accepted: 0, duplicates: 3, rejected: [] });
    expect(await views("m1")).toBe(3);
    const differs = anonymous("v1");
    expect(codesOf(await ingest({ ...differs, product: "p2" }))).toEqual(["0 duplicate_differs"]);
  });

  it("recognises an order that began before it", async () => {
    const order = (n: number, over = {}) =>
      raw({ id: `part${n}`, order: "o1", member: { visitor: "cookie" }, ...over });
    await ingest(order(1));
    await ingest(login("l1"));
    await ingest(order(2));
    expect(await orderCount("m1")).toBe(1);
  });

  it("from many processes at once neither fails nor counts twice", async () => {
    const others = Array.from({ length: 6 }, () => openTestCore(client));
    await ingest(anonymous("v1"), anonymous("v2"));
    const results = await Promise.all(
      others.map((other, i) => other.ingest.ingest([login(`l${i}`), anonymous(`a${i}`)])),
    );
    expect(results.every(({ accepted }) => accepted === 2)).toBe(true);
    expect(await views("m1")).toBe(2 + 12);
  });

  it("of a second member on the same machine leaves the first one's history alone", async () => {
    await ingest(anonymous("v1"));
    await ingest(login("l1"));
    await ingest(login("l2", "m2"));
    await ingest(anonymous("v2"));
    expect([await views("m1"), await views("m2")]).toEqual([2, 2]);
  });

  it("of a visitor as themselves, or as one merged with them already, does nothing", async () => {
    await ingest(anonymous("v1"));
    const own = view("v2", { member: { visitor: "cookie" }, visitor: "cookie" });
    expect((await ingest(own)).accepted).toBe(1);
    await ingest(view("m", { member: "m1" }));
    const visitor = idFromIdentity({ kind: "visitor", value: "cookie" });
    await core.members.merge(visitor, "m1");
    expect((await ingest(login("l1"))).accepted).toBe(1);
    expect(await views(visitor)).toBe(4);
  });

  it("keeps every cookie of logins that race", async () => {
    await ingest(view("e", { member: "m1" }));
    const cookies = Array.from({ length: 8 }, (_, i) => `c${i}`);
    await Promise.all(
      cookies.map((visitor) => ingest(view(`l${visitor}`, { member: "m1", visitor }))),
    );
    expect((await core.members.get("m1")).profile?.visitors?.sort()).toEqual(cookies);
  });
});

describe("trouble", () => {
  it("refuses events of an erased member and keeps the others", async () => {
    await ingest(raw());
    await core.members.erase("m1");
    const result = await ingest(raw({ id: "late" }), raw({ id: "x", member: "m2" }));
    expect(codesOf(result)).toEqual(["0 member_erased"]);
    expect(result.accepted).toBe(1);
    expect((await core.store.read("m1")).state).toBeNull();
  });

  it("answers store_full when Redis is out of memory, and leaves nothing half written", async () => {
    await ingest(raw());
    const batch = Array.from({ length: 20 }, (_, i) => raw({ id: `b${i}`, member: `m${i}` }));
    // Scripts and products are known: what fails is the write itself.
    const before = await dump(client);
    await limitMemory(client, 1);
    try {
      await expect(ingest(...batch)).rejects.toMatchObject({ code: "store_full", status: 503 });
    } finally {
      await limitMemory(client, 0);
    }
    expect(await dump(client)).toBe(before);
    expect((await ingest(...batch)).accepted).toBe(20);
  });

  it("answers store_unavailable when the store is away", async () => {
    const nowhere = connectRedis("/tmp/no-such-cuecard.sock", "serve");
    try {
      const away = openTestCore(nowhere);
      await expect(away.ingest.ingest([raw()])).rejects.toMatchObject({
        code: "store_unavailable",
        status: 503,
      });
    } finally {
      closeRedis(nowhere);
    }
  });

  it("changes nothing when a batch that was cut off is sent again, but what was missing", async () => {
    const batch = Array.from({ length: 50 }, (_, i) =>
      raw({ id: `b${i}`, member: `m${i % 10}`, order: `o${i % 25}` }),
    );
    await ingest(...batch.slice(0, 20));
    expect(await ingest(...batch)).toMatchObject({ accepted: 30, duplicates: 20 });
    const before = await dump(client);
    expect(await ingest(...batch)).toMatchObject({ accepted: 0, duplicates: 50 });
    expect(await dump(client)).toBe(before);
  });
});
