import { beforeEach, describe, expect, it } from "vitest";
import type { RecommendationRequest } from "../../src/decision/answer.js";
import type { DecideDependencies } from "../../src/decision/decide.js";
import { MemberReader } from "../../src/decision/member-reader.js";
import { type Recordable, recordOf } from "../../src/decision/record.js";
import { encodeDecision, unpackRecord } from "../../src/decision/record-codec.js";
import { replay } from "../../src/decision/replay.js";
import { CuecardError } from "../../src/errors.js";
import { decodeRecord } from "../../src/events/log-record.js";
import { decodeContacts } from "../../src/members/contacts.js";
import { OfferStore } from "../../src/members/offer-store.js";
import type { RedisClient } from "../../src/redis/clients.js";
import { useClient } from "../support/client.js";
import { aPolicy, onceADay } from "../support/contacts.js";
import { flush, openTestCore, type TestCore } from "../support/core.js";
import { aCoupon, aProduct, ask, config, dependenciesOf, granted } from "./a-decider.js";

const PHONE = "+8613800138000";
const profile = { phone: PHONE, timezone: "Asia/Shanghai", consents: granted("phone") };
const reserving: Partial<RecommendationRequest> = {
  placement: "outbound",
  channel: "phone",
  reserve: true,
  context: { now: undefined },
};
/** Worth a call. */
const products = ["p1", "p2", "p3"].map((id) => aProduct(id, { price: 1000, margin: 400 }));
const oncePerOffer = aPolicy({
  caps: [{ per: "phone", offer: true, max: 1, window: { rolling: "24h" } }],
});

let client: RedisClient;
let core: TestCore;

useClient((connected) => {
  client = connected;
});
beforeEach(async () => {
  await flush(client);
  core = openTestCore(client);
  for (const id of ["m", "n"]) await core.members.put(id, profile);
});

/** Over the real stores, but for the parts a test replaces. */
function decider(more: Partial<DecideDependencies> = {}, contactPolicy = onceADay) {
  const made: Recordable[] = [];
  const { dependencies } = dependenciesOf(
    { products, coupons: [aCoupon("few", { amountOff: 9, budget: 1 })] },
    {
      reader: new MemberReader(core.store, core.members),
      contacts: core.contacts,
      offers: new OfferStore(client, 100),
      rules: { config, contactPolicy },
      record: (one) => void made.push(one),
      ...more,
    },
  );
  return { dependencies, made };
}
const contactsOf = async (id: string) =>
  decodeContacts((await core.store.readThrough(id)).contacts);
const placesTaken = async () => [
  (await contactsOf("m")).length,
  (await core.contacts.phoneContacts([PHONE]))[0]!.length,
];

describe("a contact reserved with the answer", () => {
  it("is the decision's, on the channel and about the product of the first suggestion", async () => {
    const { dependencies } = decider();
    const answer = await ask(dependencies, reserving);
    const [first] = answer.suggestions;
    expect(answer.contact).toMatchObject({ token: answer.decisionId, channel: "phone" });
    const until = Date.parse(answer.contact!.until);
    expect(await contactsOf("m")).toMatchObject([
      { token: answer.decisionId, channel: "phone", offer: first!.product!.id, until },
    ]);
    expect(await placesTaken()).toEqual([1, 1]);
  });

  it("is one of the number they are called on, which need not be their first", async () => {
    const second = "+8613800138001";
    await core.members.put("m", { ...profile, phones: [second] });
    const answer = await ask(decider().dependencies, { ...reserving, member: { phone: second } });
    expect(answer.contact).toBeDefined();
    const [first, other] = await core.contacts.phoneContacts([PHONE, second]);
    expect([first!.length, other!.length]).toEqual([0, 1]);
  });

  it("goes to one of 50 who ask at once; the others are told what bars them", async () => {
    const { dependencies } = decider();
    const answers = await Promise.all(
      Array.from({ length: 50 }, () => ask(dependencies, reserving)),
    );
    expect(answers.filter(({ contact }) => contact !== undefined)).toHaveLength(1);
    for (const answer of answers.filter(({ contact }) => contact === undefined)) {
      expect(answer.suggestions).toEqual([]);
      expect(answer.doNotSell!.code).toMatch(/^cap_(member|phone)$/);
      expect(answer.blocked).toMatchObject([{ guard: 5, channel: "phone" }]);
      expect(answer.degraded).toEqual(["untrained"]);
    }
    expect(await placesTaken()).toEqual([1, 1]);
  });

  it("about a product somebody else at the number is offered now is about another", async () => {
    const { dependencies } = decider({}, oncePerOffer);
    const answers = await Promise.all(
      ["m", "n"].map((member) => ask(dependencies, { ...reserving, member })),
    );
    const [one, other] = answers.map(({ suggestions }) => suggestions[0]?.product?.id);
    expect(one).toBeDefined();
    expect(other).toBeDefined();
    expect(one).not.toBe(other);
    expect(answers.every(({ contact }) => contact !== undefined)).toBe(true);
  });

  it("that keeps being barred is offered nothing, with the bar's word", async () => {
    const until = Date.now() + 60_000;
    let calls = 0;
    const reserve = async () => {
      calls++;
      return { status: "barred", code: "cap_channel", until } as const;
    };
    const contacts = { ...dependenciesOf().dependencies.contacts, reserve };
    const { dependencies, made } = decider({ contacts });
    const answer = await ask(dependencies, reserving);
    expect([answer.suggestions, answer.doNotSell?.code]).toEqual([[], "cap_channel"]);
    expect(answer.blocked).toEqual([
      { guard: 5, code: "cap_channel", channel: "phone", until: new Date(until).toISOString() },
    ]);
    expect(answer.contact).toBeUndefined();
    expect(calls).toBe(8);
    expect(made[0]!.situation.verdict.care).toBe("cap_channel");
  });

  it("that is not used comes back by itself", async () => {
    const at = Date.now();
    const askAt = (now: number) => ask(decider({ clock: () => now }).dependencies, reserving);
    expect((await askAt(at)).contact).toBeDefined();
    expect((await askAt(at + onceADay.reservationMs - 1)).doNotSell?.code).toMatch(/^cap_/);
    expect((await askAt(at + onceADay.reservationMs)).contact).toBeDefined();
  });

  it("is not made for who comes to us, nor for a dry run", async () => {
    const { dependencies } = decider();
    const inbound = { ...reserving, placement: "screen_pop", channel: undefined };
    for (const request of [inbound, { ...reserving, context: undefined }]) {
      expect((await ask(dependencies, request)).contact).toBeUndefined();
    }
    expect(await placesTaken()).toEqual([0, 0]);
  });

  it("is given back where the answer fails behind it", async () => {
    const hold = async () => {
      throw new CuecardError("internal", "a fault of ours");
    };
    await expect(ask(decider({ offers: { hold } }).dependencies, reserving)).rejects.toThrow();
    expect(await placesTaken()).toEqual([0, 0]);
  });

  it("is taken anew where the offers could not be held", async () => {
    const hold = async () => {
      throw new CuecardError("store_full", "no room");
    };
    const answer = await ask(decider({ offers: { hold } }).dependencies, reserving);
    expect(answer.degraded).toContain("offers_not_held");
    const [contact, ...others] = await contactsOf("m");
    expect([contact!.token, others]).toEqual([answer.decisionId, []]);
    expect(answer.contact?.token).toBe(answer.decisionId);
  });

  it("is not given back while nobody knows whether the offers are held: its end frees it", async () => {
    const hold = async () => {
      throw new CuecardError("store_unavailable", "away");
    };
    const answer = await ask(decider({ offers: { hold } }).dependencies, reserving);
    expect([answer.suggestions, answer.contact]).toEqual([[], undefined]);
    expect(await placesTaken()).toEqual([1, 1]);
  });

  it("that comes too late is given back, and nothing was offered on it", async () => {
    let release = (): void => undefined;
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    let given: Promise<unknown> = Promise.resolve();
    const contacts: DecideDependencies["contacts"] = {
      phoneContacts: (phones) => core.contacts.phoneContacts(phones),
      reserve: async (request) => {
        await gate;
        return core.contacts.reserve(request);
      },
      release: (address) => {
        given = core.contacts.release(address);
        return given as Promise<void>;
      },
    };
    const answer = await ask(decider({ contacts }).dependencies, { ...reserving, budgetMs: 100 });
    expect([answer.suggestions, answer.doNotSell?.code]).toEqual([[], "guard_data_unavailable"]);
    expect(answer.blocked).toMatchObject([{ guard: 11 }]);
    release();
    await expect.poll(() => given).toBe(undefined);
    await expect.poll(placesTaken).toEqual([0, 0]);
  });

  it("is one for every repeat of a call", async () => {
    const { dependencies } = decider();
    const request = { ...reserving, context: { now: undefined, callId: "c1" } };
    const [first, second] = [await ask(dependencies, request), await ask(dependencies, request)];
    expect(first.contact?.token).toBe(first.decisionId);
    expect({ ...second, tookMs: 0 }).toEqual({ ...first, tookMs: 0 });
  });
});

describe("a decision about a contact, replayed", () => {
  const nothingBetween = { candidates: "then" };

  async function again(dependencies: DecideDependencies, made: Recordable) {
    const logged = decodeRecord(encodeDecision(recordOf(made, config)));
    if (logged.kind !== "decision") throw new Error("not a decision");
    const record = unpackRecord(logged);
    const gone = async () => {
      throw new CuecardError("model_unknown", "gone");
    };
    const past = {
      ...{ heads: gone, ranker: gone, alive: gone },
      candidates: async () => dependencies.artifacts()!,
      config: () => "",
      nameOf: async () => null,
    };
    const versions = { ...record.versions, ...nothingBetween };
    return replay({ ...record, versions }, { ...dependencies, past });
  }
  const bytes = ({ tookMs, ...rest }: { tookMs: number }) => JSON.stringify(rest);

  it.each(["reserved", "barred"])("gives the same bytes: %s", async (which) => {
    const { dependencies, made } = decider();
    let answer = await ask(dependencies, reserving);
    if (which === "barred") answer = await ask(dependencies, { ...reserving, member: "n" });
    expect(answer.contact !== undefined).toBe(which === "reserved");
    expect(bytes(await again(dependencies, made.at(-1)!))).toBe(bytes(answer));
  });

  it("gives the same bytes: without a coupon of which none was left", async () => {
    const issue = async () => "budget_spent" as const;
    const { dependencies, made } = decider({
      couponLedger: { issue, release: async () => true },
    });
    const answer = await ask(dependencies, reserving);
    expect(answer.suggestions.map(({ coupon }) => coupon)).toEqual([null, null, null]);
    const replayed = await again(dependencies, made.at(-1)!);
    expect(bytes(replayed)).toBe(bytes(answer));
  });

  it("gives the same bytes: asked for later", async () => {
    const now = Date.now();
    const token = { member: "m", phone: PHONE, token: "t", channel: "phone", offer: "p3" };
    const later = { outcome: "later", outcomeAt: now - 9e8, again: now - 1000 } as const;
    const policy = aPolicy({ caps: [] });
    const { dependencies, made } = decider({}, policy);
    const before = await ask(dependencies, { ...reserving, reserve: false });
    expect(before.suggestions[0]!.product!.id).not.toBe("p3");
    await core.contacts.outcome({ ...token, ...later, counts: true }, now);
    const answer = await ask(dependencies, reserving);
    const [first] = answer.suggestions;
    expect(first!.product!.id).toBe("p3");
    expect(first!.reasons[0]).toEqual({
      code: "asked_for_later",
      text: "You asked us to come back to this",
    });
    expect(bytes(await again(dependencies, made.at(-1)!))).toBe(bytes(answer));
    // Once: from here on it is in its usual place.
    const after = await ask(dependencies, { ...reserving, reserve: false });
    expect(after.suggestions.map(({ product }) => product?.id)).toEqual(
      before.suggestions.map(({ product }) => product?.id),
    );
    expect(
      after.suggestions.flatMap(({ reasons }) => reasons.map(({ code }) => code)),
    ).not.toContain("asked_for_later");
  });
});
