import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { talk } from "../support/http.js";
import { type TestStore, testTarget } from "../support/redis.js";
import {
  ADMIN_KEY,
  type Ask,
  aPurchaseOf,
  type Json,
  type Serving,
  startServing,
} from "../support/serving.js";

let store: TestStore;
let server: Serving;
beforeAll(async () => {
  store = await testTarget();
  server = await startServing(store.target);
});
afterAll(async () => {
  await server.close();
  await store.stop();
});

const post = (path: string, options: Ask) => server.ask("POST", path, options);
const send = async (...events: unknown[]): Promise<Json> =>
  server.ok("POST", "/v1/events", { events });
const ordersOf = async (member: unknown): Promise<number> => {
  const body = { member, placement: "home", explain: true };
  const { explanation } = await server.ok("POST", "/v1/recommendations", body);
  return explanation?.features.order_count ?? 0;
};
const HOT = ["/v1/recommendations", "/v1/scores", "/v1/events"];

describe("a cursor that no page ended with", () => {
  it.each([
    ["/v1/suppressions", ""],
    ["/v1/members", "0-"],
    ["/v1/coupons/few/report", ""],
  ])(
    "is refused by %s, also where it is a number too large for the store",
    async (path, prefix) => {
      await server.ok("PUT", "/v1/coupons/few", { label: "Few", amountOff: 9, budget: 5 });
      for (const cursor of [
        "99999999999999999999",
        "18446744073709551616",
        "x",
        "-1",
        "9".repeat(21),
      ]) {
        const answer = await server.ask("GET", `${path}?cursor=${prefix}${cursor}`);
        expect([answer.status, answer.body.code], cursor).toEqual([400, "invalid_request"]);
      }
      const { status } = await server.ask("GET", `${path}?cursor=${prefix}18446744073709551615`);
      expect(status).toBe(200);
    },
  );
});

/** Ids that mean something to a store, an engine, a shell, an address or a person. */
const STRANGE_IDS = [
  "__proto__",
  "constructor",
  "toString",
  "{p1}",
  "}:{",
  "a:b",
  "../x",
  "*",
  "a b",
  "%00",
  "🙂".repeat(100),
  "张三",
  "' OR 1=1 --",
  "$(reboot)",
  "m\u2028x",
];

describe("a request that is no request", () => {
  it.each(HOT)("%s answers a problem with a code to each fault of a body", async (path) => {
    const faults: [Ask, number, string][] = [
      [{ raw: '{"member":' }, 400, "malformed_json"],
      [{ raw: "NaN" }, 400, "malformed_json"],
      [{ raw: "\ufeff{}" }, 400, "malformed_json"],
      [{ raw: Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]) }, 400, "malformed_json"],
      [{ raw: `${"[".repeat(50_000)}${"]".repeat(50_000)}` }, 400, "malformed_json"],
      [{ raw: "" }, 400, "invalid_request"],
      [{ raw: "null" }, 400, "invalid_request"],
      [{ raw: '"text"' }, 400, "invalid_request"],
      [{ raw: "[]" }, 400, "invalid_request"],
      [{ body: { surprise: 1 } }, 400, "invalid_request"],
      [{ raw: " ".repeat(9_000_000) }, 413, "body_too_large"],
      [{ raw: "{}", contentType: "text/xml" }, 415, "unsupported_media_type"],
      [
        { raw: "{}", contentType: "application/json; charset=gb18030" },
        415,
        "unsupported_media_type",
      ],
      [{ raw: "{}", key: null }, 401, "key_missing"],
      [{ raw: "{}", key: "ck_wrong" }, 401, "key_unknown"],
      [{ raw: "{}", key: "x".repeat(5_000) }, 401, "key_unknown"],
    ];
    for (const [options, status, code] of faults) {
      const answer = await post(path, options);
      expect([answer.status, answer.body.code], String(options.raw).slice(0, 40)).toEqual([
        status,
        code,
      ]);
      expect(answer.body.detail).toMatch(/\S/);
      expect(answer.body.requestId).toBe(answer.headers.get("x-request-id"));
    }
  });

  it("of a wrong shape is told where it is wrong", async () => {
    const faults: [string, unknown, string][] = [
      ["/v1/recommendations", { member: 7, placement: "home" }, "member"],
      ["/v1/recommendations", { member: "m", placement: "moon" }, "placement"],
      ["/v1/recommendations", { member: "m", placement: "home", limit: 0 }, "limit"],
      ["/v1/recommendations", { member: "m", placement: "home", budgetMs: 1e9 }, "budgetMs"],
      [
        "/v1/recommendations",
        { member: { phone: "1", email: "a@b.c" }, placement: "home" },
        "member",
      ],
      ["/v1/scores", { members: [] }, "members"],
      ["/v1/scores", { members: Array(1_001).fill("m") }, "members"],
      ["/v1/events", { events: "all" }, "events"],
      ["/v1/keys", { name: "x", scopes: ["root"] }, "scopes[0]"],
    ];
    for (const [path, body, at] of faults) {
      const answer = await post(path, { body });
      expect([answer.status, answer.body.code], path).toEqual([400, "invalid_request"]);
      expect(answer.body.errors.map((one: Json) => one.path).join(), path).toContain(at);
    }
  });

  it("of another time is answered wherever there is a calendar, and refused beyond it", async () => {
    const consents = [{ channel: "sms", status: "granted" }];
    await server.ok("PUT", "/v1/members/traveller", { consents, timezone: "Asia/Shanghai" });
    await send(aPurchaseOf("traveller", "p1"));
    const at = (now: unknown, placement: string) =>
      post("/v1/recommendations", {
        body: { member: "traveller", placement, explain: true, context: { now } },
      });
    for (const placement of ["home", "outbound"]) {
      for (const now of [0, 253_402_300_799_999, "0000-01-01T00:00:00Z", "9999-12-31T23:59:59Z"]) {
        expect([now, (await at(now, placement)).status]).toEqual([now, 200]);
      }
      for (const now of [-1, 8.64e15, Number.MAX_SAFE_INTEGER, 1.5, "9999-12-31", "soon"]) {
        const { status, body } = await at(now, placement);
        expect([now, status, body.errors[0].path]).toEqual([now, 400, "context.now"]);
      }
    }
  });

  it("with a scope too few is refused wherever that scope is asked", async () => {
    const { key } = await server.ok("POST", "/v1/keys", { name: "pop", scopes: ["pop"] });
    for (const [method, path] of [
      ["POST", "/v1/events"],
      ["POST", "/v1/scores"],
      ["GET", "/v1/members"],
      ["PUT", "/v1/coupons/c"],
      ["GET", "/v1/jobs"],
    ] as const) {
      const answer = await server.ask(method, path, { key });
      expect([path, answer.status, answer.body.code]).toEqual([path, 403, "scope_missing"]);
    }
  });
});

describe("a batch of events", () => {
  it("keeps its good rows whatever the bad ones are, and names each bad one", async () => {
    const good = (more: Record<string, unknown> = {}) => aPurchaseOf("batch", "p1", more);
    const inAnHour = Date.now() + 3_600_000;
    const bad: [unknown, string][] = [
      [null, "invalid_request"],
      [[], "invalid_request"],
      [good({ type: "teleport" }), "unknown_event_type"],
      [good({ at: inAnHour }), "time_in_future"],
      [good({ at: "1890-01-01T00:00:00Z" }), "time_too_old"],
      [good({ at: "2026-05-04" }), "invalid_request"],
      [good({ items: [{ product: "p1", amount: -5 }] }), "invalid_amount"],
      [good({ items: [{ product: "p1", amount: "NaN" }] }), "invalid_amount"],
      [good({ items: [{ product: "p1", quantity: 0 }] }), "invalid_amount"],
      [good({ items: [] }), "invalid_request"],
      [good({ items: undefined }), "invalid_request"],
      [good({ surprise: 1 }), "invalid_request"],
      [good({ member: "" }), "invalid_id"],
      [good({ member: " m" }), "invalid_id"],
      [good({ member: "m".repeat(1_000_000) }), "invalid_id"],
      [good({ member: "m\u0000" }), "invalid_id"],
      [good({ member: { phone: "12" } }), "invalid_phone"],
      [good({ member: { email: "no address" } }), "invalid_id"],
      [good({ member: { account: "a\n1" } }), "invalid_id"],
      [good({ properties: { text: "x".repeat(5_000) } }), "invalid_request"],
    ];
    const events = bad.flatMap(([one]) => [one, good()]);
    const result = await send(...events);
    expect(result.accepted).toBe(bad.length);
    expect(result.rejected.map((one: Json) => [one.index, one.code])).toEqual(
      bad.map(([, code], i) => [2 * i, code]),
    );
    expect(await ordersOf("batch")).toBe(bad.length);
  });

  it("of 10,000 is refused whole, and the limit named", async () => {
    const events = Array.from({ length: 10_000 }, () => ({ type: "view" }));
    const answer = await post("/v1/events", { body: { events } });
    expect([answer.status, answer.body.code]).toEqual([413, "batch_too_large"]);
    expect(answer.body.detail).toContain("1000");
  });

  it("with numbers beyond all bounds is refused event by event", async () => {
    const at = Date.now() - 1_000;
    const lines = ["1e400", "-1e400", "1e300", "-0.01"].map(
      (amount) =>
        `{"type":"purchase","member":"huge","at":${at},"items":[{"product":"p1","amount":${amount}}]}`,
    );
    const answer = await post("/v1/events", { raw: `{"events":[${lines.join(",")}]}` });
    expect(answer.body.accepted).toBe(0);
    expect(new Set(answer.body.rejected.map((one: Json) => one.code))).toEqual(
      new Set(["invalid_amount"]),
    );
    expect(await ordersOf("huge")).toBe(0);
  });

  it("names products nobody recorded: they are taken, and known from then on", async () => {
    expect((await send(aPurchaseOf("pioneer", "never heard of"))).accepted).toBe(1);
    const product = await server.ok("GET", "/v1/products/never%20heard%20of");
    expect(product).toMatchObject({ source: "event", price: 100 });
  });

  it("repeating an id with other content changes nothing, and says so", async () => {
    const first = aPurchaseOf("repeats", "p1");
    const other = { ...first, items: [{ product: "p1", quantity: 9, amount: 900 }] };
    expect((await send(first)).accepted).toBe(1);
    const result = await send(first, other);
    expect(result).toMatchObject({ accepted: 0, duplicates: 1 });
    expect(result.rejected).toMatchObject([{ index: 1, code: "duplicate_differs" }]);
    expect(await ordersOf("repeats")).toBe(1);
  });
});

describe("ids", () => {
  it.each(STRANGE_IDS)("such as %j are ids like any other", async (id) => {
    const address = encodeURIComponent(id).replaceAll(".", "%2E");
    await server.ok("PUT", `/v1/members/${address}`, { id, name: `N${id}`, accounts: [id] });
    await server.ok("PUT", `/v1/products/${address}`, { id, name: "P", price: 5, active: true });
    const event = aPurchaseOf(id, id, { properties: { [id]: 1 } });
    expect(await send({ ...event, id, order: id })).toMatchObject({ accepted: 1, rejected: [] });
    expect(await ordersOf(id)).toBe(1);
    expect(await ordersOf({ account: id })).toBe(1);
    expect((await server.ok("GET", `/v1/members/${address}`)).name).toBe(`N${id}`);
    const { items } = await server.ok("GET", `/v1/members/${address}/timeline`);
    const purchase = items.find((one: Json) => one.type === "purchase");
    expect(purchase).toMatchObject({ id, order: id, items: [{ product: id }] });
    const [scores] = (await server.ok("POST", "/v1/scores", { members: [id, "x"] })).scores;
    expect(scores).toMatchObject({ member: id, known: true, stage: "new" });
  });

  it("with control characters, blanks at the ends, or a megabyte long are refused", async () => {
    for (const id of ["", " m", "m ", "a\nb", "a\u0000b", "\ud800", "m".repeat(201)]) {
      const body = { member: id, placement: "home" };
      const answer = await post("/v1/recommendations", { raw: JSON.stringify(body) });
      expect([answer.status, answer.body.code], JSON.stringify(id)).toEqual([
        400,
        "invalid_request",
      ]);
    }
    const long = await server.ask("GET", `/v1/members/${"m".repeat(10_000)}`);
    expect([long.status, long.body.code]).toEqual([400, "invalid_id"]);
  });
});

describe("names that an engine knows", () => {
  it("in attributes and properties are names like any other, and poison nothing", async () => {
    const attributes = '{"__proto__":"a","constructor":"b","size":4}';
    const raw = `{"name":"Proto","attributes":${attributes}}`;
    const put = await server.ask("PUT", "/v1/members/proto", { raw });
    expect(put.status).toBe(200);
    const properties = '{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":1}}}';
    const event = `{"id":"e","type":"view","member":"proto","at":${Date.now()},"properties":${properties}}`;
    const taken = await post("/v1/events", { raw: `{"events":[${event}]}` });
    expect(taken.body.accepted).toBe(1);
    expect("polluted" in {}).toBe(false);
    expect((await server.ok("GET", "/v1/members/proto")).attributes).toMatchObject({
      constructor: "b",
      size: 4,
    });
  });

  it("twice in one object: the last one counts, as everywhere in JSON", async () => {
    const put = await server.ask("PUT", "/v1/members/twice", { raw: '{"name":"a","name":"b"}' });
    expect(put.body.name).toBe("b");
  });
});

describe("a member's record", () => {
  it("of a wrong kind is refused with its paths, and nothing of it is kept", async () => {
    await server.ok("PUT", "/v1/members/kept", { name: "Kept" });
    const faults: [unknown, string][] = [
      [{ name: 7 }, "name"],
      [{ email: "no address" }, "email"],
      [{ consents: [{ channel: "sms", status: "maybe" }] }, "consents[0].status"],
      [{ attributes: { deep: { er: 1 } } }, "attributes.deep"],
      [{ tags: Array(51).fill("t") }, "tags"],
      [{ accounts: ["a\u0000b"] }, "accounts[0]"],
      [{ id: "other" }, "id"],
    ];
    for (const [body, at] of faults) {
      const answer = await server.ask("PUT", "/v1/members/kept", { body });
      expect([answer.status, answer.body.code], at).toEqual([400, "invalid_request"]);
      expect(answer.body.errors[0].path, at).toBe(at);
    }
    for (const phone of ["12", "++86", "not a number", "+999123456789"]) {
      const answer = await server.ask("PUT", "/v1/members/kept", { body: { phone } });
      expect([phone, answer.body.code]).toEqual([phone, "invalid_phone"]);
    }
    expect((await server.ok("GET", "/v1/members/kept")).name).toBe("Kept");
  });

  it("nobody wrote is 404 on every route that needs one", async () => {
    for (const [method, path, body] of [
      ["GET", "", undefined],
      ["GET", "/timeline", undefined],
      ["GET", "/export", undefined],
      ["DELETE", "", undefined],
      ["POST", "/merge", { from: "nobody-else" }],
      ["POST", "/unmerge", { from: "nobody-else" }],
    ] as const) {
      const answer = await server.ask(method, `/v1/members/nobody${path}`, { body });
      expect(answer.status, `${method} ${path}: ${answer.body.code}`).toBeGreaterThanOrEqual(404);
      expect(["member_unknown", "merge_invalid"]).toContain(answer.body.code);
    }
    await server.ok("PUT", "/v1/members/narcissus", {});
    const self = await post("/v1/members/narcissus/merge", { body: { from: "narcissus" } });
    expect([self.status, self.body.code]).toEqual([409, "merge_invalid"]);
  });
});

describe("the wire", () => {
  it("answers 405 with Allow, 404 with a problem, and says what is no HTTP", async () => {
    const wrong = await fetch(`${server.url}/v1/events`, { method: "PUT" });
    expect([wrong.status, wrong.headers.get("allow")]).toEqual([405, "POST, OPTIONS"]);
    const nothing = await server.ask("GET", "/v2/nothing");
    expect([nothing.status, nothing.body.code]).toEqual([404, "not_found"]);
    expect(await talk(server.port, "\u0016\u0003\u0001 hello\r\n\r\n")).toContain(
      "invalid_request",
    );
  });

  it("refuses a request that claims two lengths", async () => {
    const both = await talk(
      server.port,
      `POST /v1/scores HTTP/1.1\r\nHost: x\r\nX-API-Key: ${ADMIN_KEY}\r\nContent-Length: 2\r\n` +
        "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    );
    expect(both).toMatch(/^HTTP\/1.1 400 /);
  });
});
