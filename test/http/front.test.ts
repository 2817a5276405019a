import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CuecardError } from "../../src/errors.js";
import { recommendationExample } from "../../src/http/examples.js";
import { ask, memoryServices, startFront, type TestServer, talk } from "../support/http.js";

const recommendation = recommendationExample.request;

describe.each([
  ["the hot door", true],
  ["the Express door", false],
])("a hot route through %s", (_name, hotDoor) => {
  let server: TestServer;
  const seen: unknown[] = [];
  beforeAll(async () => {
    const services = memoryServices({
      recommend: async (request) => {
        seen.push(request);
        if (request.placement === "crash") throw new Error("secret +8613800000000");
        if (request.placement === "down") {
          throw new CuecardError("store_unavailable", "the store is away", {
            retryAfterSeconds: 2,
          });
        }
        return recommendationExample.response;
      },
    });
    server = await startFront({ services, hotDoor });
  });
  afterAll(() => server.close());
  const post = (options: Parameters<typeof ask>[3], path = "/v1/recommendations") =>
    ask(server.url, "POST", path, options);

  it("hands the validated request to the service and answers what it returns", async () => {
    const answer = await post({ body: recommendation, scope: "serve" });
    expect(answer.status).toBe(200);
    expect(answer.headers.get("content-type")).toBe("application/json");
    expect(answer.headers.get("x-request-id")).toBeTruthy();
    expect(answer.json).toEqual(recommendationExample.response);
    expect(seen.at(-1)).toEqual(recommendation);
  });

  it("takes a body without a content type and one with a charset", async () => {
    const raw = Buffer.from(JSON.stringify(recommendation));
    expect((await post({ raw })).status).toBe(200);
    const headers = { "content-type": "application/JSON; charset=UTF-8" };
    expect((await post({ raw, headers })).status).toBe(200);
  });

  it("answers a problem with a code and a requestId for each fault", async () => {
    const cases: [Parameters<typeof ask>[3], number, string][] = [
      [{ raw: '{"member":' }, 400, "malformed_json"],
      [{ raw: Buffer.from([0x22, 0xff, 0x22]) }, 400, "malformed_json"],
      [{ raw: "" }, 400, "invalid_request"],
      [{ raw: "null" }, 400, "invalid_request"],
      [{ body: { ...recommendation, surprise: 1 } }, 400, "invalid_request"],
      [
        { body: recommendation, headers: { "content-type": "text/xml" } },
        415,
        "unsupported_media_type",
      ],
      [
        { body: recommendation, headers: { "content-type": "application/json; charset=gb18030" } },
        415,
        "unsupported_media_type",
      ],
      [
        { body: recommendation, headers: { "content-encoding": "gzip" } },
        415,
        "unsupported_media_type",
      ],
      [{ body: recommendation, scope: null }, 401, "key_missing"],
      [{ body: recommendation, scope: null, headers: { "x-api-key": "nope" } }, 401, "key_unknown"],
      [{ body: recommendation, scope: "ingest" }, 403, "scope_missing"],
      [{ body: { ...recommendation, placement: "down" } }, 503, "store_unavailable"],
    ];
    for (const [options, status, code] of cases) {
      const answer = await post(options);
      expect([answer.status, answer.json?.code], JSON.stringify(options)).toEqual([status, code]);
      expect(answer.headers.get("content-type")).toBe("application/problem+json");
      expect(answer.json).toMatchObject({ status, type: `/docs#error-${code}` });
      expect(answer.json?.requestId).toBe(answer.headers.get("x-request-id"));
    }
  });

  it("says when to come back after a 503, and how to authenticate after a 401", async () => {
    const down = await post({ body: { ...recommendation, placement: "down" } });
    expect(down.headers.get("retry-after")).toBe("2");
    const anonymous = await post({ body: recommendation, scope: null });
    expect(anonymous.headers.get("www-authenticate")).toMatch(/^Bearer/);
  });

  it("hides the words of an unexpected error", async () => {
    const answer = await post({ body: { ...recommendation, placement: "crash" } });
    expect(answer.status).toBe(500);
    expect(answer.json?.code).toBe("internal");
    expect(answer.text).not.toContain("secret");
  });

  it("takes context.now from an admin only", async () => {
    const body = { ...recommendation, context: { now: "2026-01-01T00:00:00Z" } };
    expect((await post({ body, scope: "serve" })).json?.code).toBe("scope_missing");
    expect((await post({ body })).status).toBe(200);
    expect(seen.at(-1)).toMatchObject({ context: { now: Date.UTC(2026, 0, 1) } });
  });

  it("refuses a body whose declared length is beyond the limit without waiting for it", async () => {
    const answer = await talk(
      server.port,
      "POST /v1/recommendations HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer serve-key\r\n" +
        "Content-Length: 1048577\r\n\r\n{",
    );
    expect(answer).toMatch(/^HTTP\/1.1 413 /);
    expect(answer).toContain("body_too_large");
    expect(answer).toContain("1 MiB");
  });

  it("lets a client that is still sending read why it was refused", async () => {
    const long = 16 * 1_048_576;
    const answer = await talk(
      server.port,
      "POST /v1/scores HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer wrong-key\r\n" +
        `Content-Length: ${long}\r\n\r\n${" ".repeat(long)}`,
    );
    expect(answer).toMatch(/^HTTP\/1.1 401 /);
  });

  it("refuses a chunked body once it is beyond the limit", async () => {
    const chunk = `10000\r\n${" ".repeat(65_536)}\r\n`;
    const answer = await talk(
      server.port,
      "POST /v1/scores HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer serve-key\r\n" +
        `Transfer-Encoding: chunked\r\n\r\n${chunk.repeat(18)}`,
    );
    expect(answer).toMatch(/^HTTP\/1.1 413 /);
    expect(answer).toContain("body_too_large");
  });

  it("takes events up to 8 MiB, and names the limit of 1,000 beyond it", async () => {
    const event = { id: "e", properties: { text: "x".repeat(2_000) } };
    const thousand = { events: Array.from({ length: 1_000 }, () => event) };
    const good = await post({ body: thousand, scope: "ingest" }, "/v1/events");
    expect(good.json).toEqual({ accepted: 1_000, duplicates: 0, rejected: [] });
    const tooMany = await post({ body: { events: Array(1_001).fill(1) } }, "/v1/events");
    expect([tooMany.status, tooMany.json?.code]).toEqual([413, "batch_too_large"]);
    expect(tooMany.json?.detail).toContain("1000");
  });

  it("refuses a body that nests without end", async () => {
    const raw = `{"events":[${'{"properties":['.repeat(10_000)}`;
    const answer = await post({ raw }, "/v1/events");
    expect(answer.json?.code).toBe("malformed_json");
    expect(answer.json?.detail).toContain("levels");
  });

  it("answers other methods with 405 and Allow, OPTIONS with Allow", async () => {
    const wrong = await ask(server.url, "GET", "/v1/recommendations");
    expect([wrong.status, wrong.json?.code]).toEqual([405, "method_not_allowed"]);
    expect(wrong.headers.get("allow")).toBe("POST, OPTIONS");
    const options = await ask(server.url, "OPTIONS", "/v1/recommendations", { scope: null });
    expect([options.status, options.headers.get("allow")]).toEqual([204, "POST, OPTIONS"]);
  });
});

describe("the front", () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startFront({ bodyTimeoutMs: 100 });
  });
  afterAll(() => server.close());

  it("answers 408 to a body that does not come", async () => {
    const answer = await talk(
      server.port,
      "POST /v1/scores HTTP/1.1\r\nHost: x\r\nX-API-Key: serve-key\r\nContent-Length: 100\r\n\r\n{",
    );
    expect(answer).toMatch(/^HTTP\/1.1 408 /);
    expect(answer).toContain("request_timeout");
  });

  it("asks a waiting client for its body only when it wants it", async () => {
    const head = (key: string) =>
      `POST /v1/scores HTTP/1.1\r\nHost: x\r\nX-API-Key: ${key}\r\nContent-Length: 17\r\n` +
      "Connection: close\r\nExpect: 100-continue\r\n\r\n";
    expect(await talk(server.port, head("wrong-key"))).toMatch(/^HTTP\/1.1 401 /);
    const answer = await talk(server.port, `${head("serve-key")}{"members":["m"]}`);
    expect(answer).toMatch(/^HTTP\/1.1 100 Continue\r\n\r\nHTTP\/1.1 200 /);
  });

  it("answers a problem to what is no HTTP, and to headers beyond 16 KiB", async () => {
    expect(await talk(server.port, "hello\r\n\r\n")).toContain("invalid_request");
    const long = `GET / HTTP/1.1\r\nHost: x\r\nX: ${"x".repeat(20_000)}\r\n\r\n`;
    expect(await talk(server.port, long)).toMatch(/^HTTP\/1.1 431 /);
  });

  it("keeps a connection open over a refused small body", async () => {
    const request =
      "POST /v1/scores HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}" +
      "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    const answer = await talk(server.port, request);
    expect(answer).toMatch(/^HTTP\/1.1 401 /);
    expect(answer).toContain("HTTP/1.1 200 OK");
  });

  it("says 404 for an address no route has, and HEAD like GET without a body", async () => {
    expect((await ask(server.url, "GET", "/v2/nothing")).json?.code).toBe("not_found");
    expect((await ask(server.url, "GET", "/HEALTHZ")).status).toBe(404);
    const head = await ask(server.url, "HEAD", "/healthz");
    expect([head.status, head.text]).toEqual([200, ""]);
    expect(head.headers.get("x-powered-by")).toBeNull();
  });

  it("turns requests away beyond the number under way", async () => {
    const busy = await startFront({ inFlightMax: 0 });
    const answer = await ask(busy.url, "POST", "/v1/scores", { body: { members: ["m"] } });
    expect([answer.status, answer.json?.code]).toEqual([503, "overloaded"]);
    expect(answer.headers.get("retry-after")).toBe("1");
    await busy.close();
  });

  it("says which port is in use", async () => {
    const other = await startFront();
    await other.close();
    await expect(other.front.listen(server.port, "127.0.0.1")).rejects.toMatchObject({
      code: "port_in_use",
      detail: `port ${server.port} is in use`,
    });
  });

  it("finishes what is under way when it closes, and takes nothing new", async () => {
    let release = (): void => {};
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    const services = memoryServices({
      score: async () => {
        await released;
        return { scores: [], degraded: [], models: { heads: null }, tookMs: 0 };
      },
    });
    const closing = await startFront({ services });
    const started = new Promise((resolve) => closing.front.server.once("request", resolve));
    const answer = ask(closing.url, "POST", "/v1/scores", { body: { members: ["m"] } });
    await started;
    const closed = closing.close();
    await expect(ask(closing.url, "GET", "/healthz")).rejects.toThrow();
    release();
    expect((await answer).status).toBe(200);
    expect((await answer).headers.get("connection")).toBe("close");
    await closed;
  });

  it("does not wait for connections on which nothing was asked when it closes", async () => {
    const other = await startFront();
    const opened = async (bytes: string) => {
      const seen = new Promise((resolve) => other.front.server.once("connection", resolve));
      const socket = connect(other.port, "127.0.0.1");
      socket.on("error", () => {});
      socket.write(bytes);
      await seen;
      return socket;
    };
    const sockets = [await opened(""), await opened("GET /healthz HT")];
    await other.front.close(600_000);
    for (const socket of sockets) socket.destroy();
  });

  it("cuts what does not finish in time when it closes", async () => {
    const services = memoryServices({ score: () => new Promise(() => {}) });
    const stuck = await startFront({ services });
    const started = new Promise((resolve) => stuck.front.server.once("request", resolve));
    const answer = ask(stuck.url, "POST", "/v1/scores", { body: { members: ["m"] } });
    const refused = expect(answer).rejects.toThrow();
    await started;
    await stuck.front.close(50);
    await refused;
  });

  it("survives a client that leaves in the middle of its body", async () => {
    const socket = connect(server.port, "127.0.0.1");
    socket.write(
      "POST /v1/scores HTTP/1.1\r\nHost: x\r\nX-API-Key: serve-key\r\nContent-Length: 9\r\n\r\n{",
    );
    await new Promise((resolve) => server.front.server.once("request", resolve));
    socket.destroy();
    expect((await ask(server.url, "GET", "/healthz")).status).toBe(200);
  });
});
