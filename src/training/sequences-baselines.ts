/** What the product's recommender has to beat. None of it learns from more than the round holds. */
import type { CatalogSnapshot } from "../catalog/snapshot.js";
import type { SequenceCase, SequenceRound } from "./sequences-protocol.js";
import type { MethodName, Recommendations } from "./sequences-report.js";

type Recommend = (example: SequenceCase) => number[];

/** The baselines that mean something for the round: users with baskets, or sessions. */
export function baselinesOf(
  round: SequenceRound,
  snapshot: CatalogSnapshot,
  limit: number,
): [MethodName, Recommendations][] {
  const popular = itemsByPopularity(round, snapshot);
  const always: [MethodName, Recommend][] = [
    ["popularity", ({ cart }) => fill([], popular, cart, limit)],
  ];
  const personal: [MethodName, Recommend][] = [
    ["personal_frequency", (each) => fill(byFrequency(each), [], each.cart, limit)],
    ["gp_topfreq", (each) => fill(byFrequency(each), popular, each.cart, limit)],
  ];
  const recent: [MethodName, Recommend] = [
    "recency",
    (each) => fill(byRecency(each), popular, each.cart, limit),
  ];
  const inSessions = round.sessions.length > 0;
  const methods = inSessions
    ? [...always, recent, itemKnn(round, snapshot, popular, limit)]
    : [...always, ...personal, recent];
  return methods.map(([name, recommend]) => [name, round.cases.map(recommend)]);
}

/** Item numbers by number of baskets that held them, ties by first appearance. */
function itemsByPopularity(round: SequenceRound, snapshot: CatalogSnapshot): number[] {
  const counts = new Map<number, number>();
  for (const { lines } of round.purchases) {
    for (const { product } of lines) {
      const item = snapshot.indexOf.get(product) as number;
      counts.set(item, (counts.get(item) ?? 0) + 1);
    }
  }
  return [...counts].sort((a, b) => b[1] - a[1]).map(([item]) => item);
}

/** `first`, then what of `rest` is not among them; nothing that lies in the cart. */
function fill(
  first: readonly number[],
  rest: readonly number[],
  cart: readonly number[],
  limit: number,
): number[] {
  const taken = new Set(cart);
  const list: number[] = [];
  for (const items of [first, rest]) {
    for (const item of items) {
      if (list.length === limit) return list;
      if (taken.has(item)) continue;
      taken.add(item);
      list.push(item);
    }
  }
  return list;
}

/**
 * The user's own items by the number of baskets that held them, ties by first appearance: P-TopFreq,
 * and filled up with popular items GP-TopFreq (Li et al. 2023, A Next Basket Recommendation Reality Check).
 */
function byFrequency({ past }: SequenceCase): number[] {
  const counts = new Map<number, number>();
  for (const { items } of past) {
    for (const item of items) counts.set(item, (counts.get(item) ?? 0) + 1);
  }
  return [...counts].sort((a, b) => b[1] - a[1]).map(([item]) => item);
}

/** Items of the session, then of the baskets, latest first. */
function byRecency({ past, session }: SequenceCase): number[] {
  return [...session.toReversed(), ...past.toReversed().flatMap(({ items }) => items)];
}

/** Cosine over sessions with the last item of this one (Sarwar et al. 2001; Ludewig and Jannach 2018). */
function itemKnn(
  round: SequenceRound,
  snapshot: CatalogSnapshot,
  popular: readonly number[],
  limit: number,
): [MethodName, Recommend] {
  const sessions = round.sessions.map(({ products }) => [
    ...new Set(products.map((product) => snapshot.indexOf.get(product) as number)),
  ]);
  const sessionsOf = new Map<number, number[]>();
  sessions.forEach((items, session) => {
    for (const item of items) {
      const list = sessionsOf.get(item);
      if (list === undefined) sessionsOf.set(item, [session]);
      else list.push(session);
    }
  });
  const neighboursOf = (item: number): number[] => {
    const common = new Map<number, number>();
    for (const session of sessionsOf.get(item) ?? []) {
      for (const other of sessions[session]) {
        if (other !== item) common.set(other, (common.get(other) ?? 0) + 1);
      }
    }
    const cosine = (other: number, count: number) =>
      count / Math.sqrt(sessionsOf.get(other)?.length ?? 1);
    return [...common]
      .map(([other, count]) => ({ other, weight: cosine(other, count) }))
      .sort((a, b) => b.weight - a.weight || a.other - b.other)
      .slice(0, limit)
      .map(({ other }) => other);
  };
  const known = new Map<number, number[]>();
  return [
    "item_knn",
    ({ session, cart }) => {
      const last = session[session.length - 1];
      const neighbours = known.get(last) ?? neighboursOf(last);
      known.set(last, neighbours);
      return fill(neighbours, popular, cart, limit);
    },
  ];
}
