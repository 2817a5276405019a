import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type TestStore, testTarget } from "../support/redis.js";
import { type Serving, startServing } from "../support/serving.js";

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

const path = (identity: string): string => `/v1/suppressions/${encodeURIComponent(identity)}`;

describe("/v1/suppressions", () => {
  it("takes an identity in any spelling and answers in its one spelling", async () => {
    const put = await server.ok("PUT", path("phone:138 1234 5678"), { source: "dialer" });
    expect(put).toMatchObject({
      identity: "phone:+8613812345678",
      kind: "phone",
      reason: "do_not_contact",
      source: "dialer",
    });
    const again = { source: "web", reason: "opt_out" };
    await server.ok("PUT", path("Lin@Example.com"), again);
    expect(await server.ok("GET", path("email:lin@example.com"))).toMatchObject(again);
    expect(await server.ok("GET", path("+8613812345678"))).toEqual(put);
    const { items } = await server.ok("GET", "/v1/suppressions?limit=200");
    expect(items).toHaveLength(2);
    expect(JSON.stringify(items)).not.toMatch(/138|lin@/i);
  });

  it("lets an identity in again", async () => {
    await server.ok("PUT", path("member:m 1/2"), { source: "agent" });
    expect((await server.ask("DELETE", path("member:m 1/2"))).status).toBe(204);
    for (const method of ["GET", "DELETE"]) {
      const answer = await server.ask(method, path("member:m 1/2"));
      expect([answer.status, answer.body.code]).toEqual([404, "suppression_unknown"]);
    }
  });

  it("refuses what names nobody and bodies it does not know", async () => {
    const codeOf = async (identity: string, body: unknown): Promise<string> =>
      (await server.ask("PUT", path(identity), { body })).body.code;
    expect(await codeOf("m_1", { source: "x" })).toBe("invalid_request");
    expect(await codeOf("phone:12", { source: "x" })).toBe("invalid_phone");
    expect(await codeOf("account:a", {})).toBe("invalid_request");
    expect(await codeOf("account:a", { source: "x", reason: "erasure" })).toBe("invalid_request");
    expect(await codeOf("account:a", { source: "x", more: 1 })).toBe("invalid_request");
  });

  it("lets the id of an erased member in only when its last bytes are gone", async () => {
    await server.ok("PUT", "/v1/members/gone", { phone: "13812340000" });
    await server.ok("DELETE", "/v1/members/gone");
    const answer = await server.ask("DELETE", path("member:gone"));
    expect([answer.status, answer.body.code]).toEqual([409, "conflict"]);
    expect(await server.ok("GET", path("phone:13812340000"))).toMatchObject({
      reason: "erasure",
    });
    const put = await server.ask("PUT", "/v1/members/other", { body: { phone: "13812340000" } });
    expect(put.body.code).toBe("member_erased");
    expect((await server.ask("DELETE", path("phone:13812340000"))).status).toBe(204);
    await server.ok("PUT", "/v1/members/other", { phone: "13812340000" });
  });

  it("needs the scope dialer or admin", async () => {
    for (const [scope, status] of [
      ["dialer", 200],
      ["serve", 403],
    ] as const) {
      const { key } = await server.ok("POST", "/v1/keys", { name: scope, scopes: [scope] });
      const answer = await server.ask("GET", "/v1/suppressions", { key });
      expect([scope, answer.status]).toEqual([scope, status]);
    }
  });
});
