import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CuecardError } from "../../src/errors.js";
import { ask, memoryServices, startFront } from "../support/http.js";
import { type TestStore, testTarget } from "../support/redis.js";
import { type Json, type Serving, startServing } from "../support/serving.js";

let store: TestStore;
let server: Serving;
let key: string;

async function pop(query: string, as = key) {
  const answer = await fetch(`${server.url}/pop?${query}`, { headers: { "x-api-key": as } });
  const text = await answer.text();
  const isJson = answer.headers.get("content-type") === "application/json";
  const { status, headers } = answer;
  return { status, headers, text, json: isJson ? (JSON.parse(text) as Json) : undefined };
}

beforeAll(async () => {
  store = await testTarget();
  server = await startServing(store.target);
  key = (await server.ok("POST", "/v1/keys", { name: "pbx", scopes: ["pop"] })).key;
  for (const id of ["tea", "cup"]) {
    await server.ok("PUT", `/v1/products/${id}`, { name: `The ${id}`, price: 100, margin: 40 });
  }
  await server.ok("PUT", "/v1/members/m_lin", {
    name: "Lin\nMei",
    phone: "+8613800000001",
    locale: "en",
  });
});
afterAll(async () => {
  await server.close();
  await store.stop();
});

describe("the card of a call", () => {
  it("is the decision itself in JSON", async () => {
    const { status, json } = await pop("ani=13800000001&uid=c1");
    expect(status).toBe(200);
    expect(json).toMatchObject({ member: { id: "m_lin", known: true }, doNotSell: null });
  });

  it("is one decision for a stranger's call, in whichever notation the number comes", async () => {
    const numbers = ["13900000042", "%2B8613900000042", "139+0000+0042&cc=86", "008613900000042"];
    const cards = [];
    for (const number of numbers) cards.push(await pop(`phone=${number}&uid=of-a-stranger`));
    expect(new Set(cards.map(({ json }) => json?.decisionId)).size).toBe(1);
    const other = await pop("phone=13900000043&uid=of-a-stranger");
    expect(other.json?.decisionId).not.toBe(cards[0]?.json?.decisionId);
  });

  it("is one level of strings for systems that keep single values", async () => {
    const { json } = await pop("fmt=flat&phone=13800000001");
    expect(Object.values(json!).every((value) => typeof value === "string")).toBe(true);
    expect(json).toMatchObject({ known: "true", member_id: "m_lin", offer1_price: "100" });
    const { json: stranger } = await pop("fmt=flat&phone=13900000009");
    expect(Object.keys(stranger!)).toEqual(Object.keys(json!));
  });

  it("is pairs for a dial plan, and reads back as it was", async () => {
    const { text, headers } = await pop("fmt=kv&ani=%2B8613800000001");
    expect(headers.get("content-type")).toBe("text/plain; charset=utf-8");
    expect(new URLSearchParams(text).get("name")).toBe("Lin\nMei");
  });

  it("is one line with the name for a caller id, empty when nobody knows", async () => {
    expect((await pop("fmt=cid&number=13800000001")).text).toBe("Lin Mei");
    expect((await pop("fmt=cid&number=13900000009")).text).toBe("");
  });

  it("goes by the id its system knows, and by the number where that id is none of ours", async () => {
    const by = async (query: string) => (await pop(query)).json!.member;
    expect(await by("vendor_id=m_lin&phone=13900000009")).toMatchObject({ id: "m_lin" });
    expect(await by("vendor_id=x&phone=13800000001")).toMatchObject({ id: "m_lin" });
    expect(await by("member=x")).toMatchObject({ known: false });
  });

  it("comes for whatever a caller sends: nobody, a word, a novel, broken escapes", async () => {
    const odd = ["", "phone=anonymous", "phone=%ff%fe", "phone=%", "ani=1&ani=2", "fmt=html&x=1"];
    for (const query of [...odd, `phone=${"9".repeat(5_000)}`]) {
      expect([query.slice(0, 20), (await pop(query)).status]).toEqual([query.slice(0, 20), 200]);
    }
  });

  it("takes a POST of JSON, of a form, and of neither", async () => {
    const send = async (type: string, body: string) => {
      const headers = { "content-type": type, "x-api-key": key };
      const answer = await fetch(`${server.url}/pop`, { method: "POST", headers, body });
      return ((await answer.json()) as { member: { id: string } }).member.id;
    };
    expect(await send("application/json", '{"number": "13800000001"}')).toBe("m_lin");
    expect(await send("application/x-www-form-urlencoded", "ani=13800000001")).toBe("m_lin");
    expect(await send("text/xml", "<Response/>")).toBeNull();
  });

  it("may not be kept by anybody on the way", async () => {
    const { headers } = await pop("ani=13800000001");
    expect(headers.get("cache-control")).toBe("no-store");
    expect(headers.get("referrer-policy")).toBe("no-referrer");
  });
});

describe("a key in the address", () => {
  it("opens the pop, and nothing else", async () => {
    expect((await fetch(`${server.url}/pop?k=${key}`)).status).toBe(200);
    expect((await fetch(`${server.url}/v1/members?k=${key}`)).status).toBe(401);
    expect((await fetch(`${server.url}/pop?k=ck_wrong`)).status).toBe(401);
    expect((await fetch(`${server.url}/pop`)).status).toBe(401);
  });

  it("of an admin is refused there, and taken in a header", async () => {
    const boss = { name: "boss", scopes: ["admin"] };
    const { key: admin } = await server.ok("POST", "/v1/keys", boss);
    expect((await fetch(`${server.url}/pop?k=${admin}`)).status).toBe(403);
    expect((await pop("ani=1", admin)).status).toBe(200);
  });
});

describe("trouble behind the pop", () => {
  it("is answered 200 with a card in the format asked, and no secret is logged", async () => {
    const lines: string[] = [];
    const logger = pino({ level: "trace" }, { write: (line: string) => void lines.push(line) });
    const services = memoryServices({
      pop: () => Promise.reject(new CuecardError("overloaded", "too much")),
      popFallback: ({ fmt }) => ({ contentType: "text/plain", text: `help only, ${fmt}` }),
    });
    const front = await startFront({ services, logger });
    const secrets = "k=pop-key&pass=s3cret&orig_pass=s4cret&phone=13812345678";
    const answer = await ask(front.url, "GET", `/pop?fmt=kv&${secrets}`, { scope: null });
    await front.close();
    expect([answer.status, answer.text]).toEqual([200, "help only, kv"]);
    expect(lines.length).toBeGreaterThan(0);
    expect(lines.join("")).not.toMatch(/s3cret|s4cret|pop-key|13812345678/);
  });
});
