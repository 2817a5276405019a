import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ask, memoryServices, startFront, type TestServer, talk } from "../support/http.js";

let server: TestServer;
let ready = true;
beforeAll(async () => {
  const services = memoryServices({
    health: { ready: async () => ({ ready, store: "up" }) },
  });
  server = await startFront({ services, metricsOpen: false, bodyTimeoutMs: 200 });
});
afterAll(() => server.close());

const sent = (method: string, path: string, body?: unknown) =>
  ask(server.url, method, path, { body });

describe("ids in addresses", () => {
  it.each([
    "a/b",
    "two words",
    "🙂 张三",
    "100%",
    "%2F",
    "a+b",
    "a?b#c",
    "..",
    "{p1}:*",
    "x".repeat(200),
  ])("are decoded exactly once: %s", async (id) => {
    const path = `/v1/members/${encodeURIComponent(id).replace(/\./g, "%2E")}`;
    // fetch would resolve "..": such an address is sent as it is.
    if (id === "..") {
      const answer = await talk(
        server.port,
        `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-API-Key: admin-key\r\n\r\n`,
      );
      expect(answer).toContain("member_unknown");
      return;
    }
    const put = await sent("PUT", path, { name: "x" });
    expect([put.status, put.json?.id]).toEqual([200, id]);
    expect((await sent("GET", path)).json?.id).toBe(id);
    expect((await sent("GET", `${path}/timeline`)).status).toBe(200);
  });

  it("are refused with 400 when they are none", async () => {
    for (const path of ["%", "%zz", "%E0%A4", "%00", "%0A", "%20x", "x".repeat(201)]) {
      const answer = await sent("GET", `/v1/members/${path}`);
      expect([path, answer.status, answer.json?.code]).toEqual([path, 400, "invalid_id"]);
    }
  });

  it("may stand in the body only if they are the same there", async () => {
    expect((await sent("PUT", "/v1/products/p1", { id: "p1" })).status).toBe(200);
    const other = await sent("PUT", "/v1/products/p1", { id: "p2" });
    expect(other.json).toMatchObject({ code: "invalid_request", errors: [{ path: "id" }] });
  });
});

describe("records", () => {
  it("are written, read, listed page by page, and deleted", async () => {
    for (const id of ["c1", "c2", "c3"]) {
      await sent("PUT", `/v1/coupons/${id}`, { label: id, amountOff: 5 });
    }
    const first = await sent("GET", "/v1/coupons?limit=2");
    expect(first.json).toMatchObject({ items: [{ id: "c1" }, { id: "c2" }], nextCursor: "c2" });
    const second = await sent("GET", "/v1/coupons?limit=2&cursor=c2");
    expect(second.json).toMatchObject({ items: [{ id: "c3" }], nextCursor: null });
    const gone = await sent("DELETE", "/v1/coupons/c3");
    expect([gone.status, gone.text]).toEqual([204, ""]);
    expect((await sent("GET", "/v1/coupons/c3")).json?.code).toBe("coupon_unknown");
  });

  it.each([
    "limit=0",
    "limit=201",
    "limit=two",
    "limit=1&limit=2",
    "cursor=",
    "surprise=1",
    "__proto__=1",
    "stage=asleep",
  ])("refuse a list asked for with ?%s", async (query) => {
    const answer = await sent("GET", `/v1/members?${query}`);
    expect([answer.status, answer.json?.code]).toEqual([400, "invalid_request"]);
  });

  it("start a training with or without a body", async () => {
    expect((await sent("POST", "/v1/models/heads/train")).json).toEqual({ job: "train-1" });
    expect((await sent("POST", "/v1/models/heads/train", {})).status).toBe(202);
    expect((await sent("POST", "/v1/models/heads/promote")).json?.version).toBe("v1");
    const named = await sent("POST", "/v1/models/heads/promote", { version: "v7" });
    expect(named.json?.version).toBe("v7");
    expect((await sent("POST", "/v1/models/heads/rollback")).json?.version).toBe("v1");
  });
});

describe("products in bulk", () => {
  const bulk = (raw: string, headers: Record<string, string> = {}) =>
    ask(server.url, "POST", "/v1/products/bulk", { raw, headers });

  it("are judged line by line, blank lines and a missing last newline aside", async () => {
    const lines = [
      '{"id":"p1","price":3}',
      "",
      "{broken",
      '{"price":3}',
      '{"id":"collides"}\r',
      '{"id":"p2"}',
    ];
    const answer = await bulk(lines.join("\n"));
    expect(answer.json).toMatchObject({
      accepted: 2,
      rejectedTotal: 3,
      rejected: [
        { line: 3, code: "malformed_json" },
        { line: 4, code: "invalid_request" },
        { line: 5, code: "product_id_collision" },
      ],
    });
    expect((await sent("GET", "/v1/products/p2")).status).toBe(200);
  });

  it("come in thousands, and only so many refusals are named", async () => {
    const good = Array.from({ length: 1_200 }, (_, i) => `{"id":"many-${i}"}`);
    const bad = Array.from({ length: 1_200 }, () => "{}");
    const answer = await bulk([...good, ...bad].join("\n"));
    expect(answer.json).toMatchObject({ accepted: 1_200, rejectedTotal: 1_200 });
    expect(answer.json?.rejected).toHaveLength(1_000);
  });

  it("are refused as JSON, as an endless line, and when they stop coming", async () => {
    const json = await bulk("{}", { "content-type": "application/json" });
    expect(json.json?.code).toBe("unsupported_media_type");
    const line = await bulk(`{"id":"p9"}\n${"x".repeat(70_000)}`);
    expect([line.status, line.json?.code]).toEqual([413, "body_too_large"]);
    const stuck = await talk(
      server.port,
      "POST /v1/products/bulk HTTP/1.1\r\nHost: x\r\nX-API-Key: ingest-key\r\n" +
        'Content-Length: 100\r\n\r\n{"id":"p9"}\n',
    );
    expect(stuck).toContain("request_timeout");
  });
});

describe("operations", () => {
  it("say that the process is up, and whether it can answer", async () => {
    expect((await ask(server.url, "GET", "/healthz", { scope: null })).json).toEqual({
      status: "up",
    });
    expect((await ask(server.url, "GET", "/readyz", { scope: null })).status).toBe(200);
    ready = false;
    const starting = await ask(server.url, "GET", "/readyz", { scope: null });
    expect([starting.status, starting.json?.code]).toEqual([503, "not_ready"]);
    ready = true;
  });

  it("show metrics by route pattern to an admin, or to all if so configured", async () => {
    await sent("GET", "/v1/members/somebody-secret");
    await sent("GET", "/nowhere/somebody-secret");
    expect((await ask(server.url, "GET", "/metrics", { scope: null })).status).toBe(401);
    const { text } = await sent("GET", "/metrics");
    expect(text).toContain('route="GET /v1/members/{id}",status="404"');
    expect(text).toContain('route="(unmatched)",status="404"');
    expect(text).not.toContain("secret");
    const open = await startFront({ metricsOpen: true });
    expect((await ask(open.url, "GET", "/metrics", { scope: null })).status).toBe(200);
    await open.close();
  });

  it("show a page of all routes that fetches nothing", async () => {
    const page = await ask(server.url, "GET", "/docs", { scope: null });
    expect(page.headers.get("content-type")).toBe("text/html; charset=utf-8");
    for (const shown of [
      "/v1/recommendations",
      'id="error-store_unavailable"',
      'id="schema-Event"',
    ]) {
      expect(page.text).toContain(shown);
    }
    expect(page.text).not.toMatch(/<script|<link|src=|url\(|@import/);
    const anchors = new Set([...page.text.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id));
    for (const [, target] of page.text.matchAll(/href="#([^"]+)"/g))
      expect(anchors).toContain(target);
  });
});
