import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type TestStore, testTarget } from "../support/redis.js";
import { type Json, type Serving, startServing } from "../support/serving.js";

let store: TestStore;
let server: Serving;

beforeAll(async () => {
  store = await testTarget();
  const always = { from: "00:00", until: "24:00" };
  const callingWindows = ["*", "CN"].map((jurisdiction) => ({ jurisdiction, ...always }));
  server = await startServing(store.target, { settings: { callingWindows } });
  const consents = [{ channel: "phone", purpose: "marketing", status: "granted" }];
  const member = { name: "Ann", phone: "13800138000", timezone: "Asia/Shanghai", consents };
  await server.ok("PUT", "/v1/members/m", member);
  await server.ok("PUT", "/v1/products/p", { name: "P", price: 900, margin: 400, active: true });
  await server.ok("PUT", "/v1/coupons/few", { label: "Few", amountOff: 9, budget: 5 });
});
afterAll(async () => {
  await server.close();
  await store.stop();
});

const outbound = { member: "m", placement: "outbound", channel: "phone", reserve: true };
const withoutTime = ({ tookMs, ...rest }: Json) => JSON.stringify(rest);

describe("POST /v1/recommendations with reserve", () => {
  it("answers with the place it took and the coupon it issued, and replays to the same bytes", async () => {
    const answer = await server.ok("POST", "/v1/recommendations", outbound);
    expect(answer.contact).toMatchObject({ token: answer.decisionId, channel: "phone" });
    expect(answer.suggestions[0].coupon?.id).toBe("few");
    const report = await server.ok("GET", "/v1/coupons/few/report");
    expect(report).toMatchObject({ issued: 1, items: [{ token: answer.decisionId }] });
    const again = await server.ok("POST", "/v1/recommendations", outbound);
    expect([again.suggestions, again.doNotSell.code]).toEqual([[], "cap_channel"]);
    for (const one of [answer, again]) {
      const replayed = await server.ok("POST", `/v1/decisions/${one.decisionId}/replay`, {});
      expect(withoutTime(replayed)).toBe(withoutTime(one));
      const record = await server.ok("GET", `/v1/decisions/${one.decisionId}`);
      expect(record.reservedUntil).toBe(
        one.contact === undefined ? null : Date.parse(one.contact.until),
      );
    }
  });
});
