import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { instantOf } from "../../src/pop/disposition.js";
import { type TestStore, testTarget } from "../support/redis.js";
import { type Json, type Serving, startServing } from "../support/serving.js";

const lines: string[] = [];
const logger = pino({ level: "trace" }, { write: (line: string) => void lines.push(line) });
let store: TestStore;
let server: Serving;
let key: string;
let calls = 0;

beforeAll(async () => {
  store = await testTarget();
  const settings = {
    timezone: "Europe/Berlin",
    pop: { dispositions: { sale2: "accept" } },
    callingWindows: [{ jurisdiction: "CN", from: "00:00", until: "24:00" }],
  };
  server = await startServing(store.target, { settings, logger });
  key = (await server.ok("POST", "/v1/keys", { name: "pbx", scopes: ["pop"] })).key;
  await server.ok("PUT", "/v1/products/tea", { name: "Tea", price: 100, margin: 40 });
});
afterAll(async () => {
  await server.close();
  await store.stop();
});

interface Call {
  readonly id: string;
  readonly phone: string;
  readonly uid: string;
  readonly decision: string;
}

const get = async (path: string): Promise<{ status: number; text: string }> => {
  const answer = await fetch(`${server.url}${path}`);
  return { status: answer.status, text: await answer.text() };
};
/** A member whose call was popped. */
async function aCall(): Promise<Call> {
  const id = `c${++calls}`;
  const phone = `1380000${String(1_000 + calls)}`;
  const uid = `169.${calls}`;
  await server.ok("PUT", `/v1/members/${id}`, { phone: `+86${phone}` });
  const { text } = await get(`/pop?k=${key}&phone=${phone}&cc=86&uid=${uid}`);
  return { id, phone, uid, decision: JSON.parse(text).decisionId };
}
const dispose = async ({ phone, uid }: Call, dispo: string, more = ""): Promise<string> => {
  const query = `k=${key}&phone=${phone}&cc=86&uid=${uid}&dispo=${dispo}&talk_time=7${more}`;
  const { status, text } = await get(`/pop/disposition?${query}`);
  expect(status).toBe(200);
  return text;
};
async function responsesOf(id: string): Promise<Json[]> {
  const { items } = await server.ok("GET", `/v1/members/${id}/timeline?limit=200`);
  return items.filter((one: Json) => one.type === "response").map((one: Json) => one.properties);
}

describe("the disposition of a call", () => {
  it.each([
    ["SALE", "accept"],
    ["ni", "reject"],
    ["DEC", "reject"],
    ["CBHOLD", "later"],
    ["DNCL", "do_not_contact"],
    ["ADC", "bad_number"],
    ["AM", "no_contact"],
    ["PDROP", "abandoned"],
    ["NP", "not_pitched"],
    ["XFER", "pending"],
    ["SALE2", "accept"],
  ])("%s is a response to the decision of its call: %s", async (dispo, outcome) => {
    const call = await aCall();
    expect(await dispose(call, dispo, "&user=a7&call_notes=wants+tea")).toContain(
      `OK ${dispo.toUpperCase()}`,
    );
    const said = { decision: call.decision, outcome, agent: "a7", note: "wants tea" };
    expect(await responsesOf(call.id)).toMatchObject([{ ...said, reason: dispo.toUpperCase() }]);
  });

  it("counts once however often it comes, and a correction counts beside it", async () => {
    const call = await aCall();
    const answers = await Promise.all(Array.from({ length: 10 }, () => dispose(call, "A")));
    expect(answers.filter((text) => text === "OK A no_contact")).toHaveLength(1);
    expect(await dispose(call, "A")).toBe("OK A no_contact, again");
    expect(await dispose(call, "SALE")).toBe("OK SALE accept");
    expect((await responsesOf(call.id)).map(({ outcome }) => outcome).sort()).toEqual([
      "accept",
      "no_contact",
    ]);
  });

  it("finds its call by member, by decision, and by nothing but the call", async () => {
    const queries = ({ id, uid, decision }: Call) => [
      `vendor_lead_code=${id}&uniqueid=${uid}`,
      `decision=${decision}`,
      `uid=${uid}`,
      `uid=${uid}&phone=not+a+number`,
    ];
    for (let i = 0; i < 4; i++) {
      const call = await aCall();
      const { text } = await get(`/pop/disposition?k=${key}&dispo=NP&${queries(call)[i]}`);
      expect(text).toBe("OK NP not_pitched");
      expect(await responsesOf(call.id)).toMatchObject([{ decision: call.decision }]);
    }
  });

  it("finds a call from before a merge", async () => {
    const call = await aCall();
    await server.ok("PUT", `/v1/members/into-${call.id}`, {});
    await server.ok("POST", `/v1/members/into-${call.id}/merge`, { from: call.id });
    expect(await dispose(call, "SALE")).toBe("OK SALE accept");
    expect(await responsesOf(`into-${call.id}`)).toMatchObject([{ decision: call.decision }]);
  });

  it("DNC bars the very next recommendation and the next pop", async () => {
    const call = await aCall();
    expect(await dispose(call, "DNC")).toBe("OK DNC do_not_contact, number suppressed");
    const next = await server.ok("POST", "/v1/recommendations", {
      member: call.id,
      placement: "outbound",
      channel: "phone",
    });
    expect([next.suggestions, next.blocked[0].code]).toEqual([[], "do_not_contact"]);
    const { text } = await get(`/pop?k=${key}&phone=${call.phone}&cc=86&uid=other`);
    expect(JSON.parse(text).doNotSell).toMatchObject({ code: "do_not_contact" });
  });

  it("DNC of a number nobody knows suppresses the number all the same", async () => {
    const stranger = { id: "", phone: "13900009999", uid: "no-such-call", decision: "" };
    const said = "OK DNC do_not_contact, number suppressed, no decision";
    expect(await dispose(stranger, "DNC")).toBe(said);
    expect(await dispose(stranger, "DNC")).toBe(said);
    expect(await server.ok("GET", "/v1/suppressions/phone:+8613900009999")).toMatchObject({
      source: "disposition:DNC",
      reason: "do_not_contact",
    });
  });

  it("DNC suppresses the member it names, whatever is known of number, call and decision", async () => {
    const numbers = ["", "&phone=anonymous", "&phone=not+a+number", "&phone=12"];
    for (const more of [...numbers, "&uid=no-such-call", "&decision=d_none"]) {
      const member = `named${++calls}`;
      await server.ok("PUT", `/v1/members/${member}`, { phone: `+861370000${1_000 + calls}` });
      const query = `k=${key}&dispo=DNC&member=${member}${more}`;
      const { text } = await get(`/pop/disposition?${query}`);
      expect(text).toBe("OK DNC do_not_contact, member suppressed, no decision");
      expect(await server.ok("GET", `/v1/suppressions/member:${member}`)).toMatchObject({
        source: "disposition:DNC",
        reason: "do_not_contact",
      });
    }
    const call = await aCall();
    const both = "OK DNC do_not_contact, number and member suppressed";
    expect(await dispose(call, "DNC", `&member=${call.id}`)).toBe(both);
  });

  it("DNC that names nobody who could be found says that it stopped nobody", async () => {
    await get(`/pop?k=${key}&phone=13900007777&uid=of-a-stranger`);
    const queries = [
      "",
      "&phone=anonymous",
      "&uid=of-a-stranger",
      "&uid=never",
      "&decision=d_none",
    ];
    for (const more of queries) {
      const { status, text } = await get(`/pop/disposition?k=${key}&dispo=DNC${more}`);
      expect([status, text], more).toEqual([
        200,
        "NOBODY SUPPRESSED: DNC names nobody who could be found",
      ]);
    }
    const metrics = (await get("/metrics")).text;
    expect(metrics).toMatch(/cuecard_dispositions_total\{result="nobody"\} [1-9]/);
  });

  it("takes the time of a callback in the configured time zone", async () => {
    const call = await aCall();
    await dispose(call, "CALLBK", "&callback_datetime=2030-07-01+15:30:00");
    expect(await responsesOf(call.id)).toMatchObject([
      { again: Date.parse("2030-07-01T13:30:00Z") },
    ]);
    expect(instantOf("2030-01-01 15:30:00", "Europe/Berlin")).toBe(
      Date.parse("2030-01-01T14:30:00Z"),
    );
    expect(instantOf("2030-01-01T15:30:00+08:00", "UTC")).toBe(Date.parse("2030-01-01T07:30:00Z"));
    for (const text of ["0000-00-00 00:00:00", "tomorrow", "2030-02-31 10:00:00", ""]) {
      expect(instantOf(text, "UTC"), text).toBeNull();
    }
  });

  it("keeps a callback in a year that is a slip of the hand as late as can be", async () => {
    const call = await aCall();
    expect(await dispose(call, "CALLBK", "&callback_datetime=9999-07-01+15:30:00")).toBe(
      "OK CALLBK later",
    );
    const [said] = await responsesOf(call.id);
    expect(said.again).toBeLessThan(Date.UTC(2200, 0, 1));
    expect(said.again).toBeGreaterThan(Date.now());
  });

  it("names what it does not know, guesses nothing, and counts it", async () => {
    const call = await aCall();
    expect(await dispose(call, "FOO_1")).toBe("NOTHING KEPT: unknown disposition FOO_1");
    expect(await dispose(call, "%3Cscript%3E")).toBe("NOTHING KEPT: unknown disposition");
    expect(await dispose(call, "constructor")).toContain("NOTHING KEPT");
    expect(await dispose(call, "")).toBe("NOTHING KEPT: no disposition");
    expect(await responsesOf(call.id)).toEqual([]);
    const metrics = (await get("/metrics")).text;
    expect(metrics).toMatch(/cuecard_dispositions_total\{result="unmapped"\} [1-9]/);
  });

  it("answers 200 to whatever is sent, and a POST as well", async () => {
    for (const query of [
      "dispo=SALE",
      "dispo=SALE&uid=%ff%fe",
      `dispo=SALE&uid=${"9".repeat(5_000)}`,
    ]) {
      expect((await get(`/pop/disposition?k=${key}&${query}`)).status).toBe(200);
    }
    const call = await aCall();
    const answer = await fetch(`${server.url}/pop/disposition?k=${key}`, {
      method: "POST",
      headers: { "content-type": "application/x-www-form-urlencoded" },
      body: `dispo=SALE&uid=${call.uid}&phone=${call.phone}`,
    });
    expect([answer.status, await answer.text()]).toEqual([200, "OK SALE accept"]);
    expect((await get("/pop/disposition?dispo=SALE")).status).toBe(401);
  });

  it("leaves nothing of the query in the log, and nothing personal in the answer", async () => {
    const call = await aCall();
    const secrets = "&pass=s3cret&call_notes=Lin+Mei+moved";
    expect(await dispose(call, "NI", secrets)).toBe("OK NI reject");
    expect(lines.join("")).not.toMatch(/s3cret|Lin|1380000|dispo=/);
    expect(lines.join("")).not.toContain(key);
  });
});
