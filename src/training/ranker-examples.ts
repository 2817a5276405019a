/**
 * The ranker's examples, point in time: what a member looked like at an instant, and what the next
 * order within the horizon held. And the catalog as far as it existed then.
 */
import type { CandidateRequest } from "../candidates/source.js";
import type { CatalogSnapshot } from "../catalog/snapshot.js";
import type { StagesConfig } from "../config.js";
import type { MemberEvent } from "../events/event.js";
import type { ReplayedMember } from "../events/replay.js";
import { historyOf } from "../features/member-history.js";
import { stageOf } from "../features/stage.js";
import { hash32 } from "../redis/keys.js";
import { statesAt } from "./dataset.js";
import type { RankerExample } from "./ranker-rows.js";
import { DAY_MS, inTime, type Purchases } from "./survey.js";

export interface MemberExample extends RankerExample {
  /** hash32 of the member's id. */
  readonly member: number;
}

/** Collects examples per instant; members come in the order of a hash, so the first are a sample. */
export class ExampleCollector {
  readonly #instants: readonly number[];
  readonly #snapshot: CatalogSnapshot;
  readonly #stages: StagesConfig;
  readonly #horizonMs: number;
  readonly #perInstantMax: number;
  readonly #examples: MemberExample[][];

  constructor(
    instants: readonly number[],
    snapshot: CatalogSnapshot,
    stages: StagesConfig,
    { horizonDays, perInstantMax }: { horizonDays: number; perInstantMax: number },
  ) {
    this.#instants = instants;
    this.#snapshot = snapshot;
    this.#stages = stages;
    this.#horizonMs = horizonDays * DAY_MS;
    this.#perInstantMax = perInstantMax;
    this.#examples = instants.map(() => []);
  }

  add(member: ReplayedMember): void {
    const purchases = inTime(member).filter(({ type }) => type === "purchase");
    const boughts = this.#instants.map((now, index) =>
      this.#examples[index].length < this.#perInstantMax
        ? this.#nextOrder(purchases, now)
        : undefined,
    );
    if (!boughts.some((bought) => bought !== undefined)) return;
    for (const { snapshot: index, state } of statesAt(member, this.#instants)) {
      const bought = boughts[index];
      if (bought === undefined) continue;
      const now = this.#instants[index];
      const request: CandidateRequest = {
        history: historyOf(state, now),
        cart: [],
        exclude: new Set(),
        segment: stageOf(state, now, this.#stages),
      };
      this.#examples[index].push({ request, bought, member: hash32(member.id) });
    }
  }

  /** Examples of each instant, in the order the instants were given. */
  finish(): readonly (readonly MemberExample[])[] {
    return this.#examples;
  }

  /** Catalog indices of the first order after `now` within the horizon; later parts belong to it. */
  #nextOrder(purchases: readonly MemberEvent[], now: number): Set<number> | undefined {
    const first = purchases.find(({ at }) => at > now);
    if (first === undefined || first.at > now + this.#horizonMs) return undefined;
    const parts = purchases.filter(
      (one) => one === first || (one.order !== undefined && one.order === first.order),
    );
    const indices = parts.flatMap(({ lines }) =>
      lines.map(({ product }) => this.#snapshot.indexOf.get(product) ?? -1),
    );
    const bought = new Set(indices.filter((index) => index !== -1));
    return bought.size === 0 ? undefined : bought;
  }
}

/** Catalog index → epoch milliseconds of its first purchase; Infinity where there is none. */
export function firstSales(purchases: Purchases, snapshot: CatalogSnapshot): Float64Array {
  const first = new Float64Array(snapshot.products.length).fill(Number.POSITIVE_INFINITY);
  for (const { at, lines } of purchases.before(Number.POSITIVE_INFINITY)) {
    for (const { product } of lines) {
      const index = snapshot.indexOf.get(product);
      if (index !== undefined) first[index] = Math.min(first[index], at);
    }
  }
  return first;
}

/** A product this much older in the log than in the catalog was entered after the fact. */
const ENTERED_LATE_MS = DAY_MS;

/**
 * The catalog at an instant: products that existed, stock as if there had been enough. What was
 * entered only after its first sale (an import of old orders) has no known age: created at 0.
 */
export function catalogAsOf(
  snapshot: CatalogSnapshot,
  first: Float64Array,
  instant: number,
): CatalogSnapshot {
  const launchedAt = snapshot.launchedAt.map((at, index) =>
    at - first[index] > ENTERED_LATE_MS ? 0 : at,
  );
  const offerable = snapshot.offerable.map((_, index) => {
    const { name, price } = snapshot.products[index];
    const existed = Math.min(first[index], snapshot.launchedAt[index]) <= instant;
    return existed && (name ?? "") !== "" && (price ?? 0) > 0 ? 1 : 0;
  });
  const stock = new Float64Array(snapshot.products.length).fill(Number.POSITIVE_INFINITY);
  return { ...snapshot, launchedAt, offerable, stock };
}

/**
 * Makes rows fit to learn from: `age_days` of a product of unknown age is missing, not some fifty
 * years, and so is a value that is not finite (a price against a price level of 0).
 */
export function cleanRows(rows: Float32Array, columns: number, ageColumn: number): void {
  for (let at = 0; at < rows.length; at++) {
    if (!Number.isFinite(rows[at])) rows[at] = Number.NaN;
    else if (at % columns === ageColumn && rows[at] > UNKNOWN_AGE_DAYS) rows[at] = Number.NaN;
  }
}
const UNKNOWN_AGE_DAYS = 10_000;
