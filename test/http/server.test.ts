import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openApiDocument } from "../../src/http/openapi.js";
import { createRoutes } from "../../src/http/routes.js";
import { type TestStore, testTarget } from "../support/redis.js";
import { aPurchaseOf, type Json, type Serving, startServing } from "../support/serving.js";

const DAY_MS = 86_400_000;
let store: TestStore;
let server: Serving;

beforeAll(async () => {
  store = await testTarget();
  server = await startServing(store.target);
  for (const id of ["tea", "cup", "pot", "honey"]) {
    await server.ok("PUT", `/v1/products/${id}`, {
      name: `The ${id}`,
      category: "table",
      price: 100,
      margin: 40,
      active: true,
    });
  }
});
afterAll(async () => {
  await server.close();
  await store.stop();
});

const send = (...events: unknown[]): Promise<Json> => server.ok("POST", "/v1/events", { events });
const recommend = (member: unknown, more: Record<string, unknown> = {}): Promise<Json> =>
  server.ok("POST", "/v1/recommendations", { member, placement: "screen_pop", ...more });
const scoresOf = async (...members: unknown[]): Promise<Json[]> =>
  (await server.ok("POST", "/v1/scores", { members })).scores;
const all = (count: number) => ({ accepted: count, duplicates: 0, rejected: [] });

describe("the contract", () => {
  it("is served as the very document that these tests hold every answer to", async () => {
    const open = openApiDocument(createRoutes({ metricsOpen: true }));
    expect(await server.ok("GET", "/openapi.json")).toEqual(JSON.parse(JSON.stringify(open)));
  });

  it("opens health, readiness, docs and metrics to everybody", async () => {
    for (const path of ["/healthz", "/readyz", "/docs", "/openapi.json", "/metrics"]) {
      expect([path, (await server.ask("GET", path, { key: null })).status]).toEqual([path, 200]);
    }
  });
});

describe("a member", () => {
  it("nobody knows gets the cold-start answer, never a 404", async () => {
    for (const member of ["nobody", { phone: "13900000009" }, { visitor: "v-none" }]) {
      const answer = await recommend(member, { placement: "home" });
      expect(answer.member).toMatchObject({ known: false, stage: null, name: null });
      expect(answer.suggestions.length).toBeGreaterThan(0);
      expect(answer.doNotSell).toBeNull();
    }
    expect(await scoresOf("nobody")).toEqual([{ member: "nobody", known: false, stage: null }]);
    const outbound = await recommend("nobody", { placement: "outbound" });
    expect(outbound).toMatchObject({ suggestions: [], doNotSell: { code: "consent_missing" } });
  });

  it("reads its own writes: an acknowledged purchase changes the very next answer", async () => {
    await server.ok("PUT", "/v1/members/reader", { name: "Reader" });
    expect((await recommend("reader")).member.stage).toBe("prospect");
    const before = (await recommend("reader", { explain: true })).explanation.features;
    for (let bought = 1; bought <= 4; bought++) {
      expect(await send(aPurchaseOf("reader", "tea"))).toEqual(all(1));
      const { features } = (await recommend("reader", { explain: true })).explanation;
      expect(features.order_count - (before.order_count ?? 0)).toBe(bought);
    }
    expect((await scoresOf("reader"))[0]).toMatchObject({ known: true, stage: "mature" });
    const [first] = (await recommend("reader")).suggestions;
    expect(first).toMatchObject({ product: { id: "tea" }, channel: "phone", rank: 1 });
    expect(first.reasons[0].text).toMatch(/\S/);
    expect(first.script).toContain("The tea");
  });

  it("shows no probability anywhere before a model was trained", async () => {
    await send(aPurchaseOf("untrained", "tea"));
    const answer = await recommend("untrained");
    expect(answer.degraded).toEqual(["untrained"]);
    expect(answer.scores).toEqual({});
    expect(answer.models).toEqual({ heads: null, ranker: null });
    for (const suggestion of answer.suggestions) {
      expect(suggestion).not.toHaveProperty("propensity");
      expect(suggestion).not.toHaveProperty("expectedValue");
    }
    const [scores] = await scoresOf("untrained");
    expect(Object.keys(scores).sort()).toEqual(["known", "member", "stage"]);
  });

  it("is found by phone however it is written, by e-mail and by account", async () => {
    const written = { phone: "138 0013 8000", email: "Found@Example.com", accounts: ["acc 1"] };
    await server.ok("PUT", "/v1/members/found", { name: "Found", ...written });
    const refs = [
      { phone: "+8613800138000" },
      { phone: "0086 138-0013-8000" },
      { email: "FOUND@example.com" },
      { account: "acc 1" },
    ];
    for (const ref of refs) expect((await recommend(ref)).member.id).toBe("found");
    expect((await scoresOf(...refs)).every((one) => one.known)).toBe(true);
  });

  it("is changed field by field, listed by stage, and told what happened", async () => {
    await server.ok("PUT", "/v1/members/told", { name: "Told", attributes: { size: 4 } });
    const patched = await server.ok("PATCH", "/v1/members/told", { attributes: { color: "red" } });
    expect(patched).toMatchObject({ name: "Told", attributes: { size: 4, color: "red" } });
    await send(
      { id: "view-1", type: "view", member: "told", at: Date.now() - DAY_MS, product: "cup" },
      aPurchaseOf("told", "cup"),
    );
    const timeline = await server.ok("GET", "/v1/members/told/timeline?limit=1");
    expect(timeline.items).toHaveLength(1);
    const rest = await server.ok(
      "GET",
      `/v1/members/told/timeline?cursor=${encodeURIComponent(timeline.nextCursor)}`,
    );
    const kinds = [...timeline.items, ...rest.items].map((one: Json) => one.type ?? one.kind);
    expect(kinds.sort()).toEqual(["profile", "profile", "purchase", "view"]);
    const exported = await server.ok("GET", "/v1/members/told/export");
    expect(exported.member.name).toBe("Told");
    expect(exported.events).toHaveLength(4);
    const listed = await listAll("/v1/members?stage=new&limit=3");
    expect(listed).toContain("told");
    expect(listed).not.toContain("found");
  });
});

async function listAll(path: string): Promise<string[]> {
  const ids: string[] = [];
  let cursor: string | null = null;
  do {
    const from: string = cursor === null ? "" : `&cursor=${encodeURIComponent(cursor)}`;
    const page = await server.ok("GET", path + from);
    ids.push(...page.items.map((item: Json) => item.id));
    cursor = page.nextCursor;
  } while (cursor !== null);
  return ids;
}

describe("a visitor", () => {
  it("who logs in brings the history along, and counts once", async () => {
    const visitor = { visitor: "cookie-1" };
    const before = [aPurchaseOf(visitor, "pot"), aPurchaseOf(visitor, "pot")];
    expect(await send(...before)).toEqual(all(2));
    expect((await scoresOf(visitor))[0]).toMatchObject({ known: true, stage: "growth" });
    expect(await send(aPurchaseOf("m-login", "pot", { visitor: "cookie-1" }))).toEqual(all(1));
    const answer = await recommend("m-login", { explain: true });
    expect(answer.explanation.features.order_count).toBe(3);
    expect((await recommend(visitor)).member.id).toBe("m-login");
    expect(await send(...before)).toEqual({ accepted: 0, duplicates: 2, rejected: [] });
    const again = await recommend("m-login", { explain: true });
    expect(again.explanation.features.order_count).toBe(3);
  });
});

describe("merging", () => {
  it("carries history and identities over, and un-merging gives them back", async () => {
    await server.ok("PUT", "/v1/members/left", { name: "Left", phone: "13700000001" });
    await server.ok("PUT", "/v1/members/right", { phone: "13700000002" });
    await send(
      aPurchaseOf("left", "tea"),
      aPurchaseOf("right", "cup"),
      aPurchaseOf("right", "cup"),
    );
    const merged = await server.ok("POST", "/v1/members/left/merge", { from: "right" });
    expect(merged.phones).toEqual(["+8613700000001", "+8613700000002"]);
    for (const ref of ["left", "right", { phone: "13700000002" }]) {
      const answer = await recommend(ref, { explain: true });
      expect([answer.member.id, answer.explanation.features.order_count]).toEqual(["left", 3]);
    }
    const twice = await server.ask("POST", "/v1/members/left/merge", { body: { from: "right" } });
    expect([twice.status, twice.body.code]).toEqual([409, "merge_invalid"]);
    await server.ok("POST", "/v1/members/left/unmerge", { from: "right" });
    const orders = async (ref: unknown) => {
      const answer = await recommend(ref, { explain: true });
      return [answer.member.id, answer.explanation.features.order_count];
    };
    expect(await orders("left")).toEqual(["left", 1]);
    expect(await orders("right")).toEqual(["right", 2]);
    expect(await orders({ phone: "13700000002" })).toEqual(["right", 2]);
  });
});

describe("erasing", () => {
  it("takes a member from every route at once, and for good", async () => {
    const phone = "13700000077";
    await server.ok("PUT", "/v1/members/gone", { name: "Gone", phone });
    await server.ok("PUT", "/v1/members/gone-too", { name: "Gone too" });
    await send(aPurchaseOf("gone", "tea"), aPurchaseOf("gone-too", "tea"));
    await server.ok("POST", "/v1/members/gone/merge", { from: "gone-too" });
    await recommend("gone");
    const erasure = await server.ok("DELETE", "/v1/members/gone");
    expect(erasure.completeBy).toBeGreaterThan(erasure.erasedAt);
    for (const id of ["gone", "gone-too"]) {
      for (const path of ["", "/timeline", "/export"]) {
        const answer = await server.ask("GET", `/v1/members/${id}${path}`);
        expect([id, path, answer.status]).toEqual([id, path, 410]);
      }
      const writes: [string, string, unknown][] = [
        ["PUT", "", { name: "Back" }],
        ["PATCH", "", { name: "Back" }],
        ["POST", "/merge", { from: "reader" }],
        ["DELETE", "", undefined],
      ];
      for (const [method, path, body] of writes) {
        const answer = await server.ask(method, `/v1/members/${id}${path}`, { body });
        expect([id, method, answer.body.code]).toEqual([id, method, "member_erased"]);
      }
      expect((await recommend(id)).member).toMatchObject({ known: false, name: null });
      expect((await scoresOf(id))[0].known).toBe(false);
      expect((await send(aPurchaseOf(id, "tea"))).rejected[0].code).toBe("member_erased");
    }
    expect((await recommend({ phone })).member.known).toBe(false);
    expect(await listAll("/v1/members?limit=200")).not.toContain("gone");
  });
});

describe("records", () => {
  it("of products: written, read, listed, deleted, in bulk with the good lines kept", async () => {
    const lines = [
      '{"id":"bulk-1","name":"One","price":3}',
      "{broken",
      '{"id":"bulk-2","price":-1}',
    ];
    const raw = lines.join("\n");
    const contentType = "application/x-ndjson";
    const bulk = await server.ask("POST", "/v1/products/bulk", { raw, contentType });
    expect(bulk.body).toMatchObject({ accepted: 1, rejectedTotal: 2 });
    expect(bulk.body.rejected.map((one: Json) => [one.line, one.code])).toEqual([
      [2, "malformed_json"],
      [3, "invalid_request"],
    ]);
    expect(await server.ok("GET", "/v1/products/bulk-1")).toMatchObject({ name: "One", price: 3 });
    expect(await listAll("/v1/products?limit=2")).toEqual(["bulk-1", "cup", "honey", "pot", "tea"]);
    expect((await server.ask("DELETE", "/v1/products/bulk-1")).status).toBe(204);
    expect((await server.ask("GET", "/v1/products/bulk-1")).body.code).toBe("product_unknown");
  });

  it("of products reach another front process within a second, as coupons do", async () => {
    const other = await startServing(store.target);
    try {
      await server.ok("PUT", "/v1/products/fresh", { name: "Fresh", price: 60, margin: 30 });
      const coupon = { label: "20 off", amountOff: 10, products: ["fresh"] };
      await server.ok("PUT", "/v1/coupons/fresh-10", coupon);
      const offered = async (): Promise<Json> => {
        const body = { member: "nobody", placement: "home", limit: 50 };
        const { suggestions } = await other.ok("POST", "/v1/recommendations", body);
        return suggestions.find((one: Json) => one.product.id === "fresh");
      };
      let found = await offered();
      for (let waited = 0; found?.coupon == null && waited < 1_000; waited += 100) {
        await sleep(100);
        found = await offered();
      }
      expect(found?.coupon).toEqual({ id: "fresh-10", label: "20 off" });
      expect((await server.ask("DELETE", "/v1/coupons/fresh-10")).status).toBe(204);
      expect((await server.ask("DELETE", "/v1/products/fresh")).status).toBe(204);
    } finally {
      await other.close();
    }
  });

  it("of coupons name one discount, never two and never none", async () => {
    const put = (body: unknown) => server.ask("PUT", "/v1/coupons/c1", { body });
    for (const discount of [{}, { amountOff: 5, percentOff: 0.1 }]) {
      const answer = await put({ label: "5 off", ...discount });
      expect(answer.body).toMatchObject({
        code: "invalid_request",
        errors: [{ path: "amountOff" }],
      });
      expect(answer.body.errors[0].message).toContain("exactly one");
    }
    expect((await put({ label: "10 %", percentOff: 0.1 })).status).toBe(200);
    expect(await server.ok("GET", "/v1/coupons/c1")).toMatchObject({ percentOff: 0.1 });
    expect(await listAll("/v1/coupons?limit=10")).toEqual(["c1"]);
    await server.ask("DELETE", "/v1/coupons/c1");
  });
});

describe("coupons", () => {
  it("are redeemed once, and the report says who received what", async () => {
    const body = { label: "10 off", amountOff: 10, budget: 2 };
    await server.ok("PUT", "/v1/coupons/once", body);
    const redeemed = (id: string, member: string) => ({
      id,
      type: "coupon_redeemed",
      member,
      at: new Date().toISOString(),
      properties: { coupon: "once" },
    });
    const answer = await send(redeemed("r1", "coupon_a"), redeemed("r2", "coupon_a"));
    expect(answer).toMatchObject({
      accepted: 1,
      rejected: [{ index: 1, code: "coupon_already_redeemed" }],
    });
    const report = await server.ok("GET", "/v1/coupons/once/report");
    expect(report).toMatchObject({ budget: 2, issued: 1, redeemed: 1, left: 1 });
    expect(report.items).toMatchObject([{ member: "coupon_a" }]);
    const wrong = await server.ask("GET", "/v1/coupons/once/report?cursor=x");
    expect([wrong.status, wrong.body.code]).toEqual([400, "invalid_request"]);
    expect((await server.ask("GET", "/v1/coupons/none/report")).status).toBe(404);
    await server.ask("DELETE", "/v1/coupons/once");
  });
});

describe("keys", () => {
  it("open what their scopes say until they are revoked", async () => {
    const { key, id } = await server.ok("POST", "/v1/keys", { name: "shop", scopes: ["serve"] });
    const body = { members: ["nobody"] };
    expect((await server.ask("POST", "/v1/scores", { body, key })).status).toBe(200);
    const wrong = await server.ask("POST", "/v1/events", { body: { events: [] }, key });
    expect([wrong.status, wrong.body.code]).toEqual([403, "scope_missing"]);
    expect((await server.ask("GET", "/v1/keys", { key })).status).toBe(403);
    const listed = await server.ok("GET", "/v1/keys");
    expect(JSON.stringify(listed)).not.toContain(key);
    expect((await server.ask("DELETE", `/v1/keys/${id}`)).status).toBe(204);
    const after = await server.ask("POST", "/v1/scores", { body, key });
    expect([after.status, after.body.code]).toEqual([401, "key_unknown"]);
  });

  it("open and close every process by the time the answer is there", async () => {
    const other = await startServing(store.target);
    try {
      const created = await server.ok("POST", "/v1/keys", { name: "both", scopes: ["serve"] });
      const asked = () =>
        other.ask("POST", "/v1/scores", { body: { members: ["nobody"] }, key: created.key });
      expect((await asked()).status).toBe(200);
      await server.ask("DELETE", `/v1/keys/${created.id}`);
      expect((await asked()).status).toBe(401);
    } finally {
      await other.close();
    }
  });

  it("of a caller without the scope admin do not open another time", async () => {
    const { key } = await server.ok("POST", "/v1/keys", { name: "clock", scopes: ["serve"] });
    const body = { member: "m", placement: "home", context: { now: "2030-01-01T00:00:00Z" } };
    const refused = await server.ask("POST", "/v1/recommendations", { body, key });
    expect([refused.status, refused.body.code]).toEqual([403, "scope_missing"]);
    expect((await server.ask("POST", "/v1/recommendations", { body })).status).toBe(200);
  });
});

describe("models and jobs", () => {
  it("say that nothing is trained yet, start a training once, and cancel it", async () => {
    const { items } = await server.ok("GET", "/v1/models");
    expect(items.map((one: Json) => [one.name, one.version])).toEqual([
      ["heads", null],
      ["ranker", null],
    ]);
    expect((await server.ask("GET", "/v1/models/heads/report")).body.code).toBe("model_unknown");
    expect((await server.ask("POST", "/v1/models/none/train")).body.code).toBe("model_unknown");
    const { job } = await server.ok("POST", "/v1/models/heads/train");
    const jobs = await server.ok("GET", "/v1/jobs");
    expect(jobs.items.map((one: Json) => [one.id, one.name, one.state])).toEqual([
      [job, "train", "waiting"],
    ]);
    expect((await server.ask("POST", `/v1/jobs/${job}/cancel`)).status).toBeLessThan(300);
    expect((await server.ok("GET", "/v1/jobs")).items).toEqual([]);
    expect((await server.ask("POST", `/v1/jobs/${job}/cancel`)).body.code).toBe("job_unknown");
  });
});
