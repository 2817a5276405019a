import { describe, expect, it } from "vitest";
import { couponInputSchema, productInputSchema } from "../../src/catalog/records.js";
import { loadConfig } from "../../src/config.js";
import { createDemoWorld } from "../../src/demo/world.js";
import {
  type EventInput,
  type EventType,
  eventInputSchema,
  type MemberEvent,
} from "../../src/events/event.js";
import { STAGES, stageOf } from "../../src/features/stage.js";
import { EMPTY_STATE, type FeatureState, fold } from "../../src/features/state.js";
import { parsePhone } from "../../src/members/phone.js";
import { memberInputSchema } from "../../src/members/profile.js";

const DAY_MS = 86_400_000;
const NOW = Date.UTC(2026, 10, 22, 4);
const world = createDemoWorld({ seed: 1, members: 1500, now: NOW });
const events = [...world.events()];
const purchases = events.filter((event) => event.type === "purchase");

const byMember = new Map<string, EventInput[]>();
for (const event of events) {
  const member = event.member as string;
  const list = byMember.get(member);
  if (list === undefined) byMember.set(member, [event]);
  else list.push(event);
}

/** Order times by member, oldest first. */
const orders = new Map<string, number[]>();
for (const event of purchases) {
  const member = event.member as string;
  orders.set(member, [...(orders.get(member) ?? []), event.at]);
}

const of = (member: string, type: string): EventInput[] =>
  (byMember.get(member) ?? []).filter((event) => event.type === type);

describe("the demo world", () => {
  it("is the same for the same seed, and another for another", () => {
    const again = createDemoWorld({ seed: 1, members: 1500, now: NOW });
    expect(again.members).toEqual(world.members);
    expect(again.products).toEqual(world.products);
    expect([...again.events()]).toEqual(events);
    const other = createDemoWorld({ seed: 2, members: 50, now: NOW });
    expect(other.members[20]).not.toEqual(world.members[20]);
  });

  it("gives a member the same life however many others there are", () => {
    const small = createDemoWorld({ seed: 1, members: 60, now: NOW });
    const ids = new Set(small.members.map((member) => member.id));
    expect([...small.events()]).toEqual(events.filter((event) => ids.has(event.member as string)));
  });

  it("holds only records and events that the schemas take", () => {
    for (const member of world.members) memberInputSchema.parse(member);
    for (const product of world.products) productInputSchema.parse(product);
    for (const coupon of world.coupons) couponInputSchema.parse(coupon);
    expect(events.map((event) => eventInputSchema.parse(event))).toEqual(events);
  });

  it("keeps time: in order, over two years, nothing after now, each id once", () => {
    expect(events.every((event, i) => i === 0 || event.at >= events[i - 1]!.at)).toBe(true);
    expect(events[events.length - 1]!.at).toBeLessThanOrEqual(NOW);
    expect(events[events.length - 1]!.at).toBeGreaterThan(NOW - DAY_MS);
    expect(events[0]!.at).toBeGreaterThan(NOW - 735 * DAY_MS);
    expect(events[0]!.at).toBeLessThan(NOW - 650 * DAY_MS);
    expect(new Set(events.map((event) => event.id)).size).toBe(events.length);
    expect(new Set(purchases.map((event) => event.order)).size).toBe(purchases.length);
  });

  it("refers only to products and members there are", () => {
    const products = new Set(world.products.map((product) => product.id));
    const members = new Set(world.members.map((member) => member.id));
    const astray = events.filter(
      (event) =>
        !members.has(event.member as string) ||
        (event.items ?? []).some((item) => !products.has(item.product)) ||
        (event.product !== undefined && !products.has(event.product)),
    );
    expect(astray).toEqual([]);
    expect(world.products.length).toBeGreaterThan(250);
    expect(new Set(world.products.map((product) => product.category)).size).toBe(12);
  });

  it("holds in every season of the year", () => {
    for (let month = 0; month < 12; month++) {
      const now = Date.UTC(2027, month, 15);
      const small = createDemoWorld({ members: 20, now });
      for (const product of small.products) productInputSchema.parse(product);
      const last = [...small.events()].pop()!;
      expect(last.at).toBeLessThanOrEqual(now);
    }
  });

  it("stays near thirty-five events a member, so that three thousand load quickly", () => {
    expect(events.length / world.members.length).toBeGreaterThan(25);
    expect(events.length / world.members.length).toBeLessThan(45);
  });

  it("does not betray the hidden truth in events or records", () => {
    const text = JSON.stringify([events.slice(0, 20_000), world.members]);
    for (const word of ["tea_lover", "home_cook", "dropOut", "priceSensitivity", "everyDays"]) {
      expect(text).not.toContain(word);
    }
  });
});

describe("the people of the demo world", () => {
  it("have telephones that parse, mail at example.com, names in both scripts", () => {
    for (const member of world.members) {
      expect(parsePhone(member.phone!, "CN")).toMatchObject({ kind: "number", e164: member.phone });
      if (member.email !== undefined) expect(member.email).toMatch(/@example\.com$/);
    }
    const chinese = world.members.filter((member) => /\p{Script=Han}/u.test(member.name!));
    expect(chinese.length).toBeGreaterThan(world.members.length * 0.7);
    expect(chinese.length).toBeLessThan(world.members.length);
  });

  it("include those that guards are for, and second accounts of one person", () => {
    expect(world.members.some((member) => member.vulnerable)).toBe(true);
    expect(world.members.some((member) => member.doNotContact)).toBe(true);
    expect(world.members.some((member) => member.personalization === "off")).toBe(true);
    expect(world.members.some((member) => member.timezone === "Europe/London")).toBe(true);
    const statuses = new Set(
      world.members.flatMap((one) => one.consents!.map(({ status }) => status)),
    );
    expect([...statuses].sort()).toEqual(["denied", "granted", "revoked"]);
    const byPhone = new Map<string, number>();
    for (const { phone } of world.members) byPhone.set(phone!, (byPhone.get(phone!) ?? 0) + 1);
    const shared = [...byPhone.values()].filter((count) => count > 1);
    expect(shared.length).toBe(1500 / 50);
    expect(Math.max(...shared)).toBe(2);
  });

  it("act: every kind of event happens, and some complaints are still open", () => {
    const types = new Set(events.map((event) => event.type));
    for (const type of [
      "view",
      "search",
      "cart_add",
      "checkout_start",
      "payment_failed",
      "purchase",
      "return",
      "call_inbound",
      "call_outbound",
      "message_sent",
      "message_delivered",
      "message_open",
      "message_click",
      "visit",
      "complaint_opened",
      "complaint_closed",
      "coupon_issued",
      "coupon_redeemed",
    ]) {
      expect(types).toContain(type);
    }
    const opened = events.filter((event) => event.type === "complaint_opened").length;
    const closed = events.filter((event) => event.type === "complaint_closed").length;
    expect(closed).toBeLessThan(opened);
  });
});

describe("the featured members", () => {
  const { growth, complaint, dormant, successor, doNotContact } = world.featured;

  it("growth: three orders of one tea, a month apart, which has just run out", () => {
    const bought = of(growth.id, "purchase");
    const tea = world.products.find((product) =>
      product.name!.startsWith("Jasmine Green Tea 100 g"),
    )!;
    expect(bought).toHaveLength(3);
    for (const order of bought) expect(order.items!.map((item) => item.product)).toContain(tea.id);
    expect((NOW - bought[2]!.at) / DAY_MS).toBeGreaterThan(tea.replenishmentDays!);
    expect(world.members.find((member) => member.id === growth.id)!.phone).toBe(growth.phone);
  });

  it("complaint: opened and not closed", () => {
    expect(of(complaint.id, "complaint_opened")).toHaveLength(1);
    expect(of(complaint.id, "complaint_closed")).toHaveLength(0);
  });

  it("dormant: silent for more than two of their own gaps", () => {
    const times = orders.get(dormant.id)!;
    const gap = (times[times.length - 1]! - times[0]!) / (times.length - 1);
    expect(NOW - times[times.length - 1]!).toBeGreaterThan(2 * gap);
    expect(NOW - times[times.length - 1]!).toBeLessThan(4 * gap);
  });

  it("successor: has bought stage 1 for as long as it serves", () => {
    const stage1 = world.products.find((product) =>
      product.name!.startsWith("Infant Formula Stage 1"),
    )!;
    const first = of(successor.id, "purchase")[0]!;
    expect(first.items!.map((item) => item.product)).toContain(stage1.id);
    expect(NOW - first.at).toBeGreaterThan(stage1.successors![0]!.afterDays * DAY_MS);
  });

  it("doNotContact: says so", () => {
    const record = world.members.find((member) => member.id === doNotContact.id);
    expect(record!.doNotContact).toBe(true);
  });
});

/** Through the very fold and stage that serving uses. */
function stagesAt(now: number): Map<string, string> {
  const states = new Map<string, FeatureState>();
  for (const { id, type, member, at, order, items = [] } of events) {
    const lines = items.map(({ product, quantity, amount = 0 }) => ({ product, quantity, amount }));
    const event: MemberEvent = { id: id!, type: type as EventType, at, lines };
    if (order !== undefined) event.order = order;
    states.set(member as string, fold(states.get(member as string) ?? EMPTY_STATE, event));
  }
  const config = loadConfig({}).stages;
  return new Map(
    world.members.map(({ id }) => [id, stageOf(states.get(id) ?? EMPTY_STATE, now, config)]),
  );
}

describe("the stages of the demo world", () => {
  const stages = stagesAt(NOW);

  it("puts the featured members where their stories say", () => {
    const { growth, complaint, dormant } = world.featured;
    expect(stages.get(growth.id)).toBe("growth");
    expect(stages.get(complaint.id)).toBe("mature");
    expect(stages.get(dormant.id)).toBe("dormant");
  });

  it("has members enough in every stage", () => {
    for (const stage of STAGES) {
      const count = [...stages.values()].filter((one) => one === stage).length;
      expect(count / stages.size, stage).toBeGreaterThan(0.03);
    }
  });
});

/** Mann–Whitney, ties halved. */
function auc(scores: readonly number[], labels: readonly boolean[]): number {
  const order = scores.map((_, i) => i).sort((a, b) => scores[a]! - scores[b]!);
  let [ranks, positives] = [0, 0];
  for (let i = 0; i < order.length; ) {
    let end = i;
    while (end < order.length && scores[order[end]!] === scores[order[i]!]) end += 1;
    for (let k = i; k < end; k++) {
      if (!labels[order[k]!]) continue;
      ranks += (i + end + 1) / 2;
      positives += 1;
    }
    i = end;
  }
  return (ranks - (positives * (positives + 1)) / 2) / (positives * (order.length - positives));
}

describe("what there is to learn in the demo world", () => {
  it("who buys within 30 days is told better by cadence than by recency alone", () => {
    const at = NOW - 60 * DAY_MS;
    const [recency, cadence]: [number[], number[]] = [[], []];
    const labels: boolean[] = [];
    for (const times of orders.values()) {
      const before = times.filter((time) => time <= at);
      if (before.length === 0) continue;
      const silence = (at - before[before.length - 1]!) / DAY_MS;
      const span = (before[before.length - 1]! - before[0]!) / DAY_MS;
      const gap = before.length > 1 ? span / (before.length - 1) : 60;
      recency.push(-silence);
      cadence.push((1 - Math.exp(-30 / gap)) / (1 + Math.exp(2 * (silence / gap - 2.5))));
      labels.push(times.some((time) => time > at && time <= at + 30 * DAY_MS));
    }
    expect(auc(recency, labels)).toBeGreaterThan(0.7);
    expect(auc(cadence, labels)).toBeGreaterThan(auc(recency, labels) + 0.02);
  });

  it("a staple is bought again when it has run out", () => {
    const ratios: number[] = [];
    for (const truth of world.truth.values()) {
      const staple = truth.staples[0];
      if (staple === undefined) continue;
      const id = world.shop.products[staple.product]!.id;
      const times = of(truth.id, "purchase")
        .filter((event) => event.items!.some((item) => item.product === id))
        .map((event) => event.at);
      for (let i = 1; i < times.length; i++) {
        ratios.push((times[i]! - times[i - 1]!) / DAY_MS / staple.everyDays);
      }
    }
    ratios.sort((a, b) => a - b);
    expect(ratios.length).toBeGreaterThan(1000);
    expect(ratios[Math.floor(ratios.length / 2)]).toBeGreaterThan(0.85);
    expect(ratios[Math.floor(ratios.length / 2)]).toBeLessThan(1.15);
    expect(ratios[Math.floor(ratios.length * 0.1)]).toBeGreaterThan(0.6);
  });

  it("companions are bought together far more often than chance has it", () => {
    const share = (test: (items: Set<string>) => boolean): number =>
      baskets.filter(test).length / baskets.length;
    const baskets = purchases.map((event) => new Set(event.items!.map((item) => item.product)));
    const lifts: number[] = [];
    for (const [index, companions] of world.shop.companions) {
      const a = world.shop.products[index]!.id;
      for (const other of companions) {
        const b = world.shop.products[other]!.id;
        const both = share((items) => items.has(a) && items.has(b));
        const chance = share((items) => items.has(a)) * share((items) => items.has(b));
        if (chance * baskets.length > 0.5) lifts.push(both / chance);
      }
    }
    lifts.sort((a, b) => a - b);
    expect(lifts.length).toBeGreaterThan(10);
    expect(lifts[Math.floor(lifts.length / 2)]).toBeGreaterThan(4);
  });

  it("members buy from the shelves they like, and products of a season in season", () => {
    const shelfOf = new Map(world.shop.products.map((product) => [product.id, product]));
    let [liked, all] = [0, 0];
    for (const event of purchases) {
      const truth = world.truth.get(event.member as string);
      for (const item of event.items!) {
        const product = shelfOf.get(item.product)!;
        if (product.months !== null && product.lastsDays === 0) {
          expect(product.months.has(new Date(event.at).getUTCMonth() + 1)).toBe(true);
        }
        if (truth === undefined) continue;
        const best = truth.taste.indexOf(Math.max(...truth.taste));
        all += 1;
        if (product.category === world.shop.categories[best]) liked += 1;
      }
    }
    expect(liked / all).toBeGreaterThan(0.4);
  });

  it("members leave, and those who hold a coupon come back sooner", () => {
    const last = [...orders.values()].map((times) => (NOW - times[times.length - 1]!) / DAY_MS);
    const gone = last.filter((days) => days > 180).length / last.length;
    expect(gone).toBeGreaterThan(0.1);
    expect(gone).toBeLessThan(0.6);
    const within = (member: string, at: number): boolean =>
      orders.get(member)!.some((time) => time > at && time < at + 10 * DAY_MS);
    const issued = events.filter((event) => event.type === "coupon_issued");
    const sensitive = issued.filter(
      (one) => world.truth.get(one.member as string)!.priceSensitivity > 0.6,
    );
    const others = issued.filter(
      (one) => world.truth.get(one.member as string)!.priceSensitivity < 0.2,
    );
    const rate = (list: EventInput[]): number =>
      list.filter((one) => within(one.member as string, one.at)).length / list.length;
    expect(rate(sensitive)).toBeGreaterThan(rate(others));
  });
});
