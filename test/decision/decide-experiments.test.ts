import { beforeAll, describe, expect, it } from "vitest";
import type { Experiment, Treatment } from "../../src/catalog/experiment.js";
import type { RecommendationRequest } from "../../src/decision/answer.js";
import type { DecideDependencies } from "../../src/decision/decide.js";
import { recordOf } from "../../src/decision/record.js";
import { anEvent, aPurchase, NOW } from "../support/builders.js";
import {
  aCoupon,
  aProduct,
  ask,
  config,
  dependenciesOf,
  granted,
  trained,
  type World,
} from "./a-decider.js";

const products = [
  aProduct("first", { margin: 60 }),
  aProduct("second", { margin: 50 }),
  aProduct("third", { margin: 40 }),
  aProduct("fourth", { margin: 30 }),
];
const coupons = [aCoupon("half", { amountOff: 10 })];
/** Where coupons may be chosen person by person. */
const jurisdiction = "SG";
const profile = { jurisdiction, timezone: "Asia/Shanghai", consents: granted("phone", "sms") };
const events = [10, 40, 70, 100].map((days) => aPurchase(days, ["first"]));
const members = {
  m: { profile, events },
  off: { profile: { ...profile, personalization: "off" as const }, events },
  complains: { profile, events: [...events, anEvent({ type: "complaint_opened" })] },
};

const all = (treatment: Treatment): Experiment => ({
  id: "e1",
  active: true,
  arms: [{ name: "all", share: 1, treatment }],
  holdout: 0,
  period: "always",
  createdAt: 0,
  updatedAt: 0,
});

let models: Pick<DecideDependencies, "heads" | "ranker">;
beforeAll(async () => {
  models = await trained();
});

const decider = (world: Partial<World> = {}, more: Partial<DecideDependencies> = {}) =>
  dependenciesOf({ members, products, coupons, ...world }, { ...models, ...more }).dependencies;
const treated = (treatment: Treatment) => decider({ experiments: [all(treatment)] });
const ids = (answer: Awaited<ReturnType<typeof ask>>) =>
  answer.suggestions.map(({ product }) => product?.id);
const out: Partial<RecommendationRequest> = { placement: "outbound" };

describe("a member in an arm", () => {
  it("is told which, and gets the usual where nothing is done otherwise", async () => {
    const usual = await ask(decider());
    const answer = await ask(treated({}));
    expect(usual.experiment).toBeNull();
    expect(answer.experiment).toEqual({ name: "e1", arm: "all" });
    expect(answer.suggestions).toEqual(usual.suggestions);
    expect((await ask(treated({}), { member: "nobody" })).experiment).toBeNull();
  });

  it("without coupons is offered none", async () => {
    expect((await ask(decider())).suggestions.every(({ coupon }) => coupon !== null)).toBe(true);
    const personal = {
      ...config,
      coupons: { ...config.coupons, personal: { "*": true, CN: true } },
    };
    const noCoupons = { experiments: [all({ coupons: false })], config: personal };
    const answer = await ask(decider(noCoupons));
    expect(answer.suggestions.map(({ coupon }) => coupon)).toEqual([null, null, null, null]);
  });

  it("without coupons gets what everybody gets where none are chosen person by person", async () => {
    const chinese = { profile: { ...profile, jurisdiction: "CN" }, events };
    const dependencies = decider({
      members: { ...members, chinese },
      experiments: [all({ coupons: false })],
    });
    for (const member of ["chinese", "off"]) {
      const { suggestions } = await ask(dependencies, { member });
      expect(suggestions.map(({ coupon }) => coupon?.id)).toEqual(["half", "half", "half", "half"]);
    }
  });

  it("of some channels is contacted through these alone, and only where the guards agree", async () => {
    const channels = async (treatment: Treatment) =>
      new Set((await ask(treated(treatment), out)).suggestions.map(({ channel }) => channel));
    expect([...(await channels({ channels: ["phone"] }))]).toEqual(["phone"]);
    expect([...(await channels({ channels: ["sms", "email"] }))]).toEqual(["sms"]);
    const barred = await ask(treated({ channels: ["email"] }), out);
    expect(barred).toMatchObject({ suggestions: [], doNotSell: { code: "consent_missing" } });
    const here = await ask(treated({ channels: ["email"] }));
    expect(here.suggestions[0]!.channel).toBe("phone");
  });

  it("held out is contacted by nobody, and gets what everyone gets where it comes to us", async () => {
    const outbound = await ask(treated({ hold: true }), out);
    expect(outbound).toMatchObject({ suggestions: [], doNotSell: { code: "held_out" } });
    for (const placement of ["screen_pop", "home"]) {
      const held = await ask(treated({ hold: true }), { placement });
      const everyone = await ask(decider(), { placement, member: "off" });
      expect(held.suggestions).toEqual(everyone.suggestions);
      expect(held.scores).toEqual({});
    }
    const helped = await ask(treated({ hold: true }), { ...out, member: "complains" });
    expect(helped.doNotSell?.code).toBe("open_complaint");
  });

  it("is shown again what it was promised, whatever arm it is in since", async () => {
    const [decision, until] = ["d_1_1_abcdefghijkl", NOW + 60_000];
    const offers = [{ product: "third", price: 77, coupon: "half", until, decision }];
    const world = { members: { m: { profile, events, offers } } };
    for (const treatment of [{ hold: true }, { coupons: false }]) {
      const records: ReturnType<typeof recordOf>[] = [];
      const record: DecideDependencies["record"] = (one) => records.push(recordOf(one, config));
      const answer = await ask(decider({ ...world, experiments: [all(treatment)] }, { record }));
      const third = answer.suggestions.find(({ product }) => product?.id === "third");
      expect(third).toMatchObject({ product: { price: 77 }, coupon: { id: "half" } });
      expect(records[0]!.held).toEqual([["third", 77, "half"]]);
    }
  });

  it("is held out of everything by the configuration alone", async () => {
    const held = { ...config, experiments: { holdoutShare: 1 } };
    const answer = await ask(decider({ config: held, experiments: [all({})] }), out);
    expect(answer).toMatchObject({
      suggestions: [],
      experiment: { name: "holdout", arm: "holdout" },
    });
  });
});

describe("the first place", () => {
  const drawing = { ...config, exploration: { share: 0.5 } };

  it("is drawn among three, the rest in order, with the chance on the record", async () => {
    const records: { first: string | undefined; drawn: number }[] = [];
    const decide = decider(
      { config: drawing },
      {
        record: (decision) => {
          const { shown, drawn } = recordOf(decision, drawing);
          records.push({ first: shown[0]!.product ?? undefined, drawn });
        },
      },
    );
    for (let i = 0; i < 120; i++) {
      const answer = await ask(decide, { limit: 1 });
      expect(answer.suggestions.map(({ rank }) => rank)).toEqual([1]);
    }
    const found = new Set(records.map(({ first }) => first));
    expect([...found].sort()).toEqual(["first", "second", "third"]);
    for (const { first, drawn } of records) {
      expect(drawn).toBeCloseTo(first === "first" ? 0.5 + 0.5 / 3 : 0.5 / 3, 12);
    }
  });

  it("moves what is drawn to the front and leaves the others as they were", async () => {
    const exploring = treated({ explore: true });
    const orders = new Set<string>();
    for (let i = 0; i < 60; i++) {
      const answer = await ask(exploring);
      orders.add(ids(answer).join(" "));
      expect(answer.suggestions.map(({ rank }) => rank)).toEqual([1, 2, 3, 4]);
    }
    expect([...orders].sort()).toEqual([
      "first second third fourth",
      "second first third fourth",
      "third first second fourth",
    ]);
  });

  it("is never drawn for whoever is to get what everyone gets", async () => {
    const world = { config: { ...config, exploration: { share: 1 } } };
    const orders = new Set<string>();
    for (let i = 0; i < 30; i++) {
      for (const member of ["off", "nobody"]) {
        orders.add(ids(await ask(decider(world), { member, placement: "home" })).join(" "));
      }
    }
    expect(orders.size).toBe(1);
  });
});
