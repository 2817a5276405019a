import { describe, expect, it } from "vitest";
import { emptyArtifacts } from "../../src/candidates/artifacts.js";
import { generateCandidates } from "../../src/candidates/generate.js";
import {
  aCatalog,
  aHistory,
  aProduct,
  aPurchase,
  aRequest,
  aView,
  daysAgo,
  learnt,
  proposedBy,
} from "./builders.js";

const nothing = emptyArtifacts();

describe("personal frequency", () => {
  it("puts what is bought often and lately first", () => {
    const history = aHistory([
      [90, "tea", "cup"],
      [60, "tea"],
      [5, "tea", "rice"],
    ]);
    const catalog = aCatalog("rice", "cup", "tea", "other");
    const proposed = proposedBy("personal_frequency", aRequest({ history }), nothing, catalog);
    expect(proposed).toEqual(["tea", "rice", "cup"]);
  });

  it("counts lines of one order sent minutes apart as one basket", () => {
    const history = aHistory([
      [5, "tea"],
      [5 + 10 / 1440, "tea"],
      [40, "cup"],
      [80, "cup"],
    ]);
    const catalog = aCatalog("tea", "cup");
    const set = generateCandidates(aRequest({ history }), nothing, catalog);
    const at = (id: string) => set.view.positionOf(catalog.indexOf.get(id) as number);
    expect([set.view.times[at("tea")], set.view.times[at("cup")]]).toEqual([1, 2]);
    expect(set.view.baskets).toBe(3);
  });
});

describe("replenishment", () => {
  it("proposes what is due by the member's own cadence, not what was just bought", () => {
    const history = aHistory([
      [120, "coffee", "soap"],
      [90, "coffee"],
      [60, "coffee"],
      [30, "coffee"],
      [2, "soap"],
    ]);
    const proposed = proposedBy(
      "replenishment",
      aRequest({ history }),
      nothing,
      aCatalog("coffee", "soap"),
    );
    expect(proposed).toEqual(["coffee"]);
  });

  it("falls back on everyone's cadence of the product", () => {
    const purchases = [1, 2, 3, 4, 5, 6].flatMap((m) => [
      aPurchase(`m${m}`, 100, "milk", "lamp"),
      aPurchase(`m${m}`, 80, "milk"),
    ]);
    const request = aRequest({ history: aHistory([[21, "milk", "lamp"]]) });
    const catalog = aCatalog("milk", "lamp");
    expect(proposedBy("replenishment", request, learnt(purchases), catalog)).toEqual(["milk"]);
  });

  it("falls back on the record's days, times the units bought", () => {
    const catalog = aCatalog(aProduct("filter", { replenishmentDays: 30 }));
    const bought = (quantity: number) => {
      const history = aHistory([[35, "filter"]]);
      const lines = history.lines.map((line) => ({ ...line, quantity }));
      return aRequest({ history: { ...history, lines } });
    };
    expect(proposedBy("replenishment", bought(1), nothing, catalog)).toEqual(["filter"]);
    expect(proposedBy("replenishment", bought(3), nothing, catalog)).toEqual([]);
  });
});

describe("co-purchase", () => {
  const purchases = ["a", "b", "c", "d"].flatMap((m) => [
    aPurchase(m, 50, "printer"),
    aPurchase(m, 40, "ink"),
    aPurchase(`${m}2`, 40, "garden", "hose"),
  ]);
  const catalog = aCatalog("printer", "ink", "garden", "hose");

  it("proposes what members with the same products bought", () => {
    const history = aHistory([[3, "printer"]]);
    const proposed = proposedBy("co_purchase", aRequest({ history }), learnt(purchases), catalog);
    expect(proposed).toEqual(["ink"]);
  });

  it("works from the cart of somebody unknown, and does not propose the cart", () => {
    const cart = [catalog.indexOf.get("garden") as number];
    const set = generateCandidates(aRequest({ cart }), learnt(purchases), catalog);
    expect(proposedBy("co_purchase", aRequest({ cart }), learnt(purchases), catalog)).toEqual([
      "hose",
    ]);
    expect(Array.from(set.product)).not.toContain(cart[0]);
  });
});

describe("session neighbours", () => {
  it("proposes what comes next in sessions, the way round it happens", () => {
    const sessions = Array.from({ length: 5 }, () => ["bike", "helmet", "lock"]);
    const artifacts = learnt([], sessions);
    const catalog = aCatalog("bike", "helmet", "lock");
    const at = (id: string) => aRequest({ history: aHistory([], { touches: [aView(id)] }) });
    expect(proposedBy("session_neighbours", at("bike"), artifacts, catalog)).toEqual([
      "helmet",
      "lock",
      "bike",
    ]);
    expect(proposedBy("session_neighbours", at("lock"), artifacts, catalog)).toEqual(["lock"]);
  });

  it("proposes what whole sessions like this one held, where no rule leads from the last product", () => {
    const sessions = [
      ...Array.from({ length: 4 }, () => ["helmet", "lock", "bike", "bell"]),
      ...Array.from({ length: 4 }, () => ["bike", "tent", "stove"]),
    ];
    const artifacts = learnt([], sessions);
    const catalog = aCatalog("helmet", "lock", "bike", "bell", "tent", "stove");
    const touches = [aView("bell", 1), aView("bike", 2)];
    const request = aRequest({ history: aHistory([], { touches }) });
    // "bell" always comes last: what stands before it is found only by whole sessions.
    const proposed = proposedBy("session_neighbours", request, artifacts, catalog);
    const rank = (id: string) => proposed.indexOf(id);
    expect(rank("lock")).toBeGreaterThan(-1);
    expect(rank("helmet")).toBeGreaterThan(-1);
    const without = { ...artifacts, walks: emptyArtifacts().walks };
    const byRules = proposedBy("session_neighbours", request, without, catalog);
    expect(byRules).not.toContain("lock");
    expect(byRules).toContain("tent");
  });

  it("takes no notice of looks of years ago", () => {
    const artifacts = learnt([], [["bike", "helmet"]]);
    const touches = [aView("bike", 24 * 900)];
    const request = aRequest({ history: aHistory([], { touches }) });
    const catalog = aCatalog("bike", "helmet");
    expect(proposedBy("session_neighbours", request, artifacts, catalog)).toEqual([]);
  });

  it("keeps a product put into the cart above one only viewed at the same time", () => {
    const touches = [aView("viewed", 2), aView("carted", 3, "cart_add")];
    const request = aRequest({ history: aHistory([], { touches }) });
    const artifacts = learnt([aPurchase("m", 9, "viewed"), aPurchase("n", 9, "carted")]);
    const proposed = proposedBy(
      "session_neighbours",
      request,
      artifacts,
      aCatalog("viewed", "carted"),
    );
    expect(new Set(proposed)).toEqual(new Set(["viewed", "carted"]));
  });
});

describe("successors", () => {
  const catalog = aCatalog(
    aProduct("size-1", { successors: [{ product: "size-2", afterDays: 90 }] }),
    "size-2",
  );
  const ask = (...baskets: [number, ...string[]][]) =>
    proposedBy("successors", aRequest({ history: aHistory(baskets) }), nothing, catalog);

  it("proposes what follows once its time has come", () => {
    expect(ask([40, "size-1"])).toEqual([]);
    expect(ask([88, "size-1"])).toEqual(["size-2"]);
    expect(ask([400, "size-1"])).toEqual([]);
  });

  it("does not propose what was bought since", () => {
    expect(ask([100, "size-1"], [5, "size-2"])).toEqual([]);
  });
});

describe("category affinity, popularity and new arrivals", () => {
  it("proposes the popular products of the member's category", () => {
    const catalog = aCatalog(
      aProduct("tea", { category: "drinks" }),
      aProduct("juice", { category: "drinks" }),
      aProduct("nail", { category: "tools" }),
    );
    const artifacts = learnt([aPurchase("a", 3, "juice"), aPurchase("b", 3, "nail")]);
    const request = aRequest({ history: aHistory([[9, "tea"]]) });
    expect(proposedBy("category_affinity", request, artifacts, catalog)).toEqual(["juice"]);
  });

  it("prefers what the member's own segment buys", () => {
    const artifacts = learnt([
      ...["a", "b", "c"].map((m) => ({ ...aPurchase(m, 3, "everyone"), segment: "mature" })),
      ...["d", "e"].map((m) => ({ ...aPurchase(m, 3, "newcomers"), segment: "new" })),
    ]);
    const catalog = aCatalog("newcomers", "everyone");
    const ask = (segment: string) =>
      proposedBy("popularity", aRequest({ segment }), artifacts, catalog);
    expect(ask("")).toEqual(["everyone", "newcomers"]);
    expect(ask("new")).toEqual(["newcomers", "everyone"]);
  });

  it("proposes the newest products, and none that came after a dry run's instant", () => {
    const catalog = aCatalog(
      aProduct("old"),
      aProduct("fresh", { createdAt: daysAgo(2) }),
      aProduct("tomorrow", { createdAt: daysAgo(-1) }),
    );
    expect(proposedBy("new_arrivals", aRequest(), nothing, catalog)).toEqual(["fresh", "old"]);
  });
});
