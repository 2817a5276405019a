import { describe, expect, it } from "vitest";
import type { MemberEvent } from "../../src/events/event.js";
import type { Consent } from "../../src/members/profile.js";
import { History } from "../../src/reports/member-outcome.js";
import { anEventAt, anOrder, config, day, FROM, UNTIL } from "./a-log.js";

function historyOf(events: readonly MemberEvent[], consents: Consent[] = []): History {
  const profile = { id: "m", createdAt: 0, updatedAt: 0, consents };
  const member = {
    id: "m",
    subjects: ["m"],
    events: events.map((event) => ({ subject: "m", event })),
    profiles: consents.length === 0 ? [] : [{ subject: "m", at: day(0), profile }],
  };
  return new History(member, config.stages);
}
const outcomeOf = (...events: MemberEvent[]) =>
  historyOf(events).outcomeIn({ from: FROM, until: UNTIL });

const response = (days: number, outcome: string, decision = "d1", rank = 1) =>
  anEventAt("response", days, { properties: { decision, rank, outcome } });

describe("what came of a member", () => {
  it("counts what happened from the first instant up to and without the last", () => {
    const events = [-0.001, 0, 91.999, 92].map((days) => anOrder(days, 10));
    expect(outcomeOf(...events).netSales).toBe(20);
    expect(outcomeOf(anEventAt("call_outbound", 92)).contacts).toBe(0);
  });

  it("takes a return off its order whenever it comes, and one that names none where it comes", () => {
    const kept = anOrder(10, 100, { order: "kept" });
    const part = anOrder(11, 20, { order: "kept", continuation: true });
    const money = (amount: number) => [{ product: "p1", quantity: 1, amount }];
    const late = anEventAt("return", 200, { order: "kept", lines: money(30) });
    expect(outcomeOf(kept, part, late)).toMatchObject({
      netSales: 90,
      first: { orders: 1, money: 90 },
    });
    const before = anOrder(-10, 50, { order: "before" });
    const itsReturn = anEventAt("return", 10, { order: "before", lines: money(50) });
    expect(outcomeOf(before, itsReturn).netSales).toBe(0);
    const loose = anEventAt("return", 20, { lines: money(5) });
    expect(outcomeOf(kept, part, loose).netSales).toBe(115);
  });

  it("tells the first order of a life from those after it", () => {
    expect(outcomeOf(anOrder(5, 10), anOrder(6, 7))).toMatchObject({
      first: { orders: 1, money: 10 },
      repeat: { orders: 1, money: 7 },
    });
    expect(outcomeOf(anOrder(-5, 10), anOrder(6, 7))).toMatchObject({
      first: { orders: 0 },
      repeat: { orders: 1, money: 7 },
    });
  });

  it("counts an offer once, by its best answer, and not what was no answer", () => {
    const said = outcomeOf(
      response(1, "later"),
      response(3, "accept"),
      response(4, "convert"),
      response(5, "reject", "d2"),
      response(5, "accept", "d2", 2),
      response(6, "no_contact", "d3"),
      response(6, "not_pitched", "d4"),
    );
    expect(said).toMatchObject({ answered: 3, accepted: 2 });
  });

  it("takes a late return off what its offer brought, and never more than that", () => {
    const money = (days: number, outcome: string, amount?: number, decision = "d1") =>
      anEventAt("response", days, { properties: { decision, rank: 1, outcome, amount } });
    const brought = (...events: MemberEvent[]) => outcomeOf(...events).attributed;
    const convert = money(1, "convert", 100);
    expect(brought(convert, convert)).toEqual({ orders: 1, money: 100 });
    expect(brought(money(400, "return", 30), convert)).toEqual({ orders: 1, money: 70 });
    const more = money(3, "return", 500);
    expect(brought(convert, money(2, "convert", 50), more)).toEqual({ orders: 1, money: 0 });
    expect(brought(convert, money(3, "return"))).toEqual({ orders: 1, money: 0 });
    expect(brought(money(3, "return", 20))).toEqual({ orders: 0, money: 0 });
    expect(brought(convert, more, money(2, "convert", 9, "d2")).money).toBe(9);
  });

  it("counts calls and messages we start as contacts, and nothing else", () => {
    const types = ["call_outbound", "message_sent", "call_inbound", "message_open"] as const;
    expect(outcomeOf(...types.map((type) => anEventAt(type, 1))).contacts).toBe(2);
  });

  it("sees complaints and every way to opt out", () => {
    expect(outcomeOf(anEventAt("complaint_opened", 1)).complained).toBe(true);
    expect(outcomeOf(anEventAt("complaint_closed", 1)).complained).toBe(false);
    expect(outcomeOf(anEventAt("opt_out", 1)).optedOut).toBe(true);
    expect(outcomeOf(response(1, "do_not_contact")).optedOut).toBe(true);
    const consent = (status: Consent["status"], days: number): Consent => ({
      channel: "sms",
      purpose: "marketing",
      status,
      at: day(days),
    });
    const span = { from: FROM, until: UNTIL };
    expect(historyOf([], [consent("revoked", 3)]).outcomeIn(span).optedOut).toBe(true);
    expect(historyOf([], [consent("revoked", -3)]).outcomeIn(span).optedOut).toBe(false);
    expect(historyOf([], [consent("granted", 3)]).outcomeIn(span).optedOut).toBe(false);
  });

  it("counts who climbs a stage or comes back, and not who falls silent", () => {
    expect(outcomeOf(anOrder(80, 10)).promoted).toBe(true);
    expect(outcomeOf(anOrder(-20, 10), anOrder(60, 10)).promoted).toBe(true);
    const silent = [-700, -690].map((days) => anOrder(days, 10));
    expect(outcomeOf(...silent).promoted).toBe(false);
    expect(outcomeOf(...silent, anOrder(85, 10)).promoted).toBe(true);
    expect(outcomeOf(anOrder(-10, 10)).promoted).toBe(false);
  });
});
