import { beforeAll, describe, expect, it } from "vitest";
import type { Experiment } from "../../src/catalog/experiment.js";
import type { DecideDependencies } from "../../src/decision/decide.js";
import { aPurchase } from "../support/builders.js";
import {
  type AMember,
  aCoupon,
  aProduct,
  ask,
  config,
  dependenciesOf,
  trained,
} from "./a-decider.js";

const half: Experiment = {
  id: "e1",
  active: true,
  arms: [
    { name: "usual", share: 0.5, treatment: {} },
    { name: "no coupons", share: 0.5, treatment: { coupons: false } },
  ],
  holdout: 0,
  period: "always",
  createdAt: 0,
  updatedAt: 0,
};
const products = [
  aProduct("tea", { category: "drinks" }),
  aProduct("cup", { category: "things", price: 200, margin: 90 }),
];
const coupons = [
  aCoupon("mature", { amountOff: 12, stages: ["mature"] }),
  aCoupon("drinks", { amountOff: 8, categories: ["drinks"] }),
  aCoupon("any", { amountOff: 5 }),
];
/** Of two stages, and each of them somebody else: what they bought, when, how much. */
const members: Record<string, AMember> = Object.fromEntries(
  Array.from({ length: 60 }, (_, i) => {
    const days = i % 2 === 0 ? [3 + (i % 9)] : [9, 20, 31, 42, 53 + i, 64 + i];
    return [`m${i}`, { events: days.map((day) => aPurchase(day, [i % 3 === 0 ? "tea" : "cup"])) }];
  }),
);

let models: Pick<DecideDependencies, "heads" | "ranker">;
beforeAll(async () => {
  models = await trained();
});

/** Stage and product → the coupons its members were shown with it. */
async function couponsOfGroups(personal: boolean): Promise<Map<string, Set<string | null>>> {
  const switched = {
    ...config,
    coupons: { ...config.coupons, personal: { "*": personal, CN: personal } },
  };
  const noHoldout = { ...switched, experiments: { ...config.experiments, holdoutShare: 0 } };
  const world = { members, products, coupons, experiments: [half], config: noHoldout };
  const { dependencies } = dependenciesOf(world, models);
  const groups = new Map<string, Set<string | null>>();
  for (const member of Object.keys(members)) {
    const answer = await ask(dependencies, { member, placement: "home", limit: 5 });
    for (const { product, coupon } of answer.suggestions) {
      const group = `${answer.member.stage} ${product!.id}`;
      groups.set(group, (groups.get(group) ?? new Set()).add(coupon?.id ?? null));
    }
  }
  return groups;
}

describe("where coupons are not to be chosen person by person", () => {
  it("every member of a group gets the same with the same product, whoever they are", async () => {
    const groups = await couponsOfGroups(false);
    expect(groups.size).toBeGreaterThanOrEqual(4);
    for (const [group, shown] of groups) expect([group, shown.size]).toEqual([group, 1]);
    // Groups themselves differ: published eligibility counts.
    expect(new Set([...groups.values()].flatMap((shown) => [...shown])).size).toBeGreaterThan(1);
  });

  it("no experiment chooses either; where they are personal it does", async () => {
    const groups = await couponsOfGroups(true);
    expect([...groups.values()].every((shown) => shown.size > 1)).toBe(true);
  });
});
