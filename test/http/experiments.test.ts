/** Experiments over HTTP, the whole server over a real Redis. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { armOf, isHeldOut } from "../../src/decision/experiments.js";
import { type TestStore, testTarget } from "../support/redis.js";
import { aPurchaseOf, type Json, type Serving, startServing } from "../support/serving.js";

const settings = {
  experiments: { holdoutShare: 0.2 },
  exploration: { share: 0.5 },
  // Whenever this test runs, somebody may be called.
  callingWindows: [{ jurisdiction: "*", from: "00:00", until: "24:00" }],
};
const heldOut = (member: string): boolean => isHeldOut(member, settings);

let store: TestStore;
let server: Serving;
beforeAll(async () => {
  store = await testTarget();
  server = await startServing(store.target, { settings });
});
afterAll(async () => {
  await server.close();
  await store.stop();
});

const arms = [
  { name: "usual", share: 0.5 },
  { name: "no coupons", share: 0.3, treatment: { coupons: false } },
];

describe("experiment records", () => {
  it("are written, read, listed and deleted like every record", async () => {
    const body = { label: "Do coupons pay?", arms, holdout: 0.2, period: "month" };
    const put = await server.ok("PUT", "/v1/experiments/e1", body);
    expect(put).toMatchObject({ id: "e1", active: true, holdout: 0.2, period: "month" });
    expect(await server.ok("GET", "/v1/experiments/e1")).toEqual(put);
    await server.ok("PUT", "/v1/experiments/e2", { arms, active: false });
    const { items } = await server.ok("GET", "/v1/experiments");
    expect(items.map(({ id }: { id: string }) => id)).toEqual(["e1", "e2"]);
    expect((await server.ask("DELETE", "/v1/experiments/e2")).status).toBe(204);
    await server.ask("DELETE", "/v1/experiments/e1");
    const gone = await server.ask("GET", "/v1/experiments/e2");
    expect([gone.status, gone.body.code]).toEqual([404, "experiment_unknown"]);
  });

  it("that cannot be run are refused with the place of every fault, and not kept", async () => {
    const body = {
      arms: [...arms, { name: "too many", share: 0.3 }],
      placements: ["moon"],
    };
    const answer = await server.ask("PUT", "/v1/experiments/e3", { body });
    expect([answer.status, answer.body.code]).toEqual([400, "invalid_request"]);
    expect(answer.body.errors).toEqual([
      { path: "arms", message: "shares and hold-out are 1.1 together, more than 1" },
      { path: "placements[0]", message: "placement is not declared" },
    ]);
    expect((await server.ask("GET", "/v1/experiments/e3")).status).toBe(404);
  });
});

const VISITED = 12;
const AGAIN = 24;
const DAY_MS = 86_400_000;
const since = Date.now() - 40 * DAY_MS;
const at = (days: number): number => since + days * DAY_MS;

describe("an experiment that runs", () => {
  it("holds out whom the configuration holds out, on every channel, and says so", async () => {
    await server.ok("PUT", "/v1/products/tea", { name: "Tea", price: 100, margin: 60 });
    const consents = ["phone", "sms"].map((channel) => ({ channel, status: "granted" }));
    const seen = new Set<string>();
    for (let i = 0; i < VISITED; i++) {
      const member = `visited ${i}`;
      const address = `/v1/members/${encodeURIComponent(member)}`;
      await server.ok("PUT", address, { timezone: "Asia/Singapore", jurisdiction: "SG", consents });
      const body = { member, placement: "outbound" };
      const answer = await server.ok("POST", "/v1/recommendations", body);
      const experiment = heldOut(member) ? { name: "holdout", arm: "holdout" } : null;
      expect([member, answer.experiment]).toEqual([member, experiment]);
      expect(answer.suggestions.length > 0).toBe(!heldOut(member));
      seen.add(String(experiment === null));
    }
    expect(seen.size).toBe(2);
  });

  it("computed again draws and holds out the same, to the byte", async () => {
    const products = ["one", "two", "three", "four"];
    for (const id of products) {
      await server.ok("PUT", `/v1/products/${id}`, { name: id, price: 50, margin: 20 });
    }
    const order = { type: "purchase", at: Date.now() - DAY_MS, order: "o", items: [] };
    const seen = { drawn: new Set<number>(), heldOut: new Set<boolean>() };
    for (let i = 0; i < AGAIN; i++) {
      const member = `again ${i}`;
      const items = [{ product: "one", quantity: 1, amount: 50 }];
      const event = { ...order, id: `again ${i}`, order: `again ${i}`, member, items };
      await server.ok("POST", "/v1/events", { events: [event] });
      const body = { member, placement: "screen_pop", limit: 2 };
      const { tookMs, ...answer } = await server.ok("POST", "/v1/recommendations", body);
      const record = await server.ok("GET", `/v1/decisions/${answer.decisionId}`);
      expect(record.experiment).toEqual(answer.experiment);
      if (heldOut(member)) expect(record.drawn).toBe(1);
      seen.drawn.add(record.drawn);
      seen.heldOut.add(heldOut(member));
      const path = `/v1/decisions/${answer.decisionId}/replay`;
      const { tookMs: later, ...again } = await server.ok("POST", path);
      expect(JSON.stringify(again)).toBe(JSON.stringify(answer));
    }
    expect([...seen.drawn].sort()).toEqual([0.5 / 3, 0.5 + 0.5 / 3, 1]);
    expect(seen.heldOut.size).toBe(2);
  });

  it("is reported on: a planted uplift within its interval, and complaints that stop an arm", async () => {
    const record = await server.ok("PUT", "/v1/experiments/planted", {
      arms: [{ name: "treated", share: 0.5 }],
      holdout: 0.5,
      from: new Date(since).toISOString(),
    });
    const events: Json[] = [];
    const counted = { holdout: 0, treated: 0 };
    for (let i = 0; i < 900; i++) {
      const member = `planted ${i}`;
      const treated = armOf(record, member, since) === "treated";
      if (!heldOut(member)) counted[treated ? "treated" : "holdout"]++;
      events.push({ id: `view ${i}`, type: "view", member, product: "tea", at: at(-5) });
      // 40 % against 20 % buy, for 100: an uplift of 20 a member; a tenth of it is sent back.
      const buys = i % 10 < (treated ? 4 : 2);
      if (buys) events.push(aPurchaseOf(member, "tea", { at: at(10), order: `planted ${i}` }));
      if (buys) {
        const back = [{ product: "tea", quantity: 1, amount: 10 }];
        const order = `planted ${i}`;
        events.push({ id: `r ${i}`, type: "return", member, order, at: at(20), items: back });
      }
      if (!treated) continue;
      events.push({ id: `call ${i}`, type: "call_outbound", member, at: at(5) });
      if (i % 20 === 0) {
        events.push({ id: `complaint ${i}`, type: "complaint_opened", member, at: at(6) });
      }
    }
    for (let from = 0; from < events.length; from += 1_000) {
      const batch = events.slice(from, from + 1_000);
      const { rejected } = await server.ok("POST", "/v1/events", { events: batch });
      expect(rejected).toEqual([]);
    }
    const report = await server.ok("GET", "/v1/reports/experiments?experiment=planted");
    expect(report).toMatchObject({ experiment: "planted", baseline: "holdout", unit: "member" });
    const [held, treated] = report.arms;
    // Whoever is held out of everything counts in no arm; those of the test before are in the log too.
    expect(held.members + treated.members + report.outside).toBe(900 + VISITED + AGAIN);
    expect(treated.contacts.count).toBe(counted.treated);
    expect(held.contacts.count).toBe(0);
    const uplift = treated.uplift.netSalesPerMember;
    expect(uplift.low).toBeGreaterThan(0);
    expect(uplift.low).toBeLessThan(18);
    expect(uplift.high).toBeGreaterThan(18);
    expect(treated.stop).toMatchObject({ verdict: "stop", because: ["complaints"] });
    const everyone = await server.ok("GET", "/v1/reports/experiments?experiment=holdout");
    expect(everyone.arms.map(({ name }: Json) => name)).toEqual(["holdout", "everyone"]);
  }, 60_000);

  it("is not reported on for a time or an experiment that is none", async () => {
    const of = async (query: string) => {
      const { status, body } = await server.ask("GET", `/v1/reports/experiments?${query}`);
      return [status, body.code, body.errors?.[0]?.path];
    };
    expect(await of("experiment=nothing")).toEqual([404, "experiment_unknown", undefined]);
    expect(await of("from=2026-05-01")).toEqual([400, "invalid_request", "experiment"]);
    const late = "experiment=planted&from=2999-01-01";
    expect(await of(late)).toEqual([400, "invalid_request", "from"]);
    const long = "experiment=planted&from=2001-01-01T00:00:00Z";
    expect(await of(long)).toEqual([400, "invalid_request", "from"]);
    expect(await of("experiment=planted&from=yesterday")).toEqual([400, "invalid_request", "from"]);
  });
});
