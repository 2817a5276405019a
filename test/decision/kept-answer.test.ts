import { beforeEach, describe, expect, it } from "vitest";
import type { DecideDependencies } from "../../src/decision/decide.js";
import { MemberReader } from "../../src/decision/member-reader.js";
import { OfferStore } from "../../src/members/offer-store.js";
import type { RedisClient } from "../../src/redis/clients.js";
import { callKey, partitionOf } from "../../src/redis/keys.js";
import { useClient } from "../support/client.js";
import { flush, openTestCore, type TestCore } from "../support/core.js";
import { aCoupon, aProduct, ask, config, dependenciesOf } from "./a-decider.js";

let client: RedisClient;
let core: TestCore;
let dependencies: DecideDependencies;

const profile = {
  name: "Secret Name",
  phone: "+12125550123",
  timezone: "America/New_York",
  consents: [{ channel: "phone", purpose: "marketing", status: "granted" as const }],
};
const call = { context: { now: undefined, callId: "c1" } };
const again = (more: Parameters<typeof ask>[1] = {}) => ask(dependencies, { ...call, ...more });
const sells = ({ suggestions }: Awaited<ReturnType<typeof ask>>) =>
  suggestions.some(({ kind }) => kind !== "care");

useClient((connected) => {
  client = connected;
});
beforeEach(async () => {
  await flush(client);
  core = openTestCore(client);
  await core.members.put("m", profile);
  dependencies = decider();
});

function decider(coupons = [aCoupon("ten", { amountOff: 10 })]) {
  const products = ["p1", "p2", "p3"].map((id) => aProduct(id));
  const parts = {
    reader: new MemberReader(core.store, core.members),
    offers: new OfferStore(client, 100),
  };
  return dependenciesOf({ products, coupons }, parts).dependencies;
}

describe("the answer a call got", () => {
  it("is given again, name and all, and the name lies nowhere but with the member", async () => {
    const first = await again();
    expect(sells(first)).toBe(true);
    const second = await again();
    expect({ ...second, tookMs: 0 }).toEqual({ ...first, tookMs: 0 });
    expect(second.member.name).toBe("Secret Name");
    const kept = await client.hget(callKey(partitionOf("m"), "c1"), "m");
    expect(kept).not.toContain("Secret Name");
  });

  it.each([
    ["they want to be left alone", () => core.members.patch("m", { doNotContact: true })],
    ["they must be spared", () => core.members.patch("m", { vulnerable: true })],
    [
      "they complained",
      () =>
        core.ingest.ingest([{ type: "complaint_opened" as const, member: "m", at: Date.now() }]),
    ],
    [
      "they took their consent back",
      () =>
        core.members.patch("m", {
          consents: [{ channel: "phone", purpose: "marketing", status: "revoked" }],
        }),
    ],
  ])("is not given again once %s; what they are told instead is", async (_, change) => {
    const first = await again();
    expect(sells(first)).toBe(true);
    await change();
    const second = await again();
    expect(second.decisionId).not.toBe(first.decisionId);
    expect([sells(second), second.doNotSell !== null]).toEqual([false, true]);
    expect((await again()).decisionId).toBe(second.decisionId);
  });

  it("is not that of another placement or another channel", async () => {
    const first = await again();
    const outbound = await again({ placement: "outbound" });
    expect(outbound.decisionId).not.toBe(first.decisionId);
    const { decisionId } = await again({ placement: "outbound", channel: "email" });
    expect(decisionId).not.toBe(outbound.decisionId);
  });

  it("is given again to somebody held out, to whom nothing was promised, and to a stranger", async () => {
    const heldOut = { ...dependencies, config: { ...config, experiments: { holdoutShare: 0.5 } } };
    for (const member of ["m", "m2", "m3", "m4", { phone: "+12125550199" }]) {
      if (typeof member === "string") await core.members.put(member, { name: member });
      const first = await ask(heldOut, { ...call, member });
      const second = await ask(heldOut, { ...call, member });
      expect({ ...second, tookMs: 0 }).toEqual({ ...first, tookMs: 0 });
    }
  });

  it("is not given again with a coupon that ended meanwhile", async () => {
    const first = await again();
    expect(first.suggestions[0]!.coupon).not.toBeNull();
    dependencies = decider([]);
    const second = await again();
    expect(second.decisionId).not.toBe(first.decisionId);
    expect(second.suggestions.every(({ coupon }) => coupon === null)).toBe(true);
  });

  it("is not given again where personal offers were switched off meanwhile", async () => {
    const first = await again();
    await core.members.patch("m", { personalization: "off" });
    expect((await again()).decisionId).not.toBe(first.decisionId);
  });

  it("is nobody's once the member was erased, of however many calls", async () => {
    for (let i = 0; i < 70; i++) {
      await ask(dependencies, { context: { now: undefined, callId: `c${i}` } });
    }
    await core.members.erase("m");
    await new OfferStore(client, 100).forgetCalls("m");
    for (const callId of ["c0", "c5", "c6", "c69"]) {
      const answer = await ask(dependencies, { context: { now: undefined, callId } });
      expect(answer.member).toMatchObject({ known: false, name: null });
    }
  });
});
