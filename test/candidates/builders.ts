/** Small readable worlds for candidate tests. */
import type { CandidateArtifacts, PurchaseRecord } from "../../src/candidates/artifacts.js";
import { buildArtifacts } from "../../src/candidates/build-artifacts.js";
import { generateCandidates } from "../../src/candidates/generate.js";
import {
  type CandidateRequest,
  type CandidateSet,
  SOURCE_NAMES,
  type SourceName,
} from "../../src/candidates/source.js";
import { buildSnapshot } from "../../src/catalog/build-snapshot.js";
import type { Product } from "../../src/catalog/records.js";
import type { CatalogSnapshot } from "../../src/catalog/snapshot.js";
import type { MemberHistory } from "../../src/features/history.js";
import { fingerprint40 } from "../../src/redis/keys.js";

export const NOW = Date.parse("2026-06-01T12:00:00Z");
export const DAY = 86_400_000;
export const daysAgo = (days: number): number => NOW - days * DAY;

export const aProduct = (id: string, more: Partial<Product> = {}): Product => ({
  id,
  name: id.toUpperCase(),
  price: 10,
  active: true,
  createdAt: daysAgo(400),
  updatedAt: daysAgo(400),
  source: "record",
  ...more,
});

export const aCatalog = (...products: (string | Product)[]): CatalogSnapshot =>
  buildSnapshot(
    1,
    products.map((product) => (typeof product === "string" ? aProduct(product) : product)),
  );

/** Baskets as `[days ago, products…]`, in any order. */
export function aHistory(
  baskets: readonly (readonly [number, ...string[]])[] = [],
  more: Partial<MemberHistory> = {},
): MemberHistory {
  const newestFirst = [...baskets].sort(([a], [b]) => a - b);
  return {
    now: NOW,
    lines: newestFirst.flatMap(([days, ...products]) =>
      products.map((id) => ({
        product: fingerprint40(id),
        at: Math.floor(daysAgo(days) / 1000),
        quantity: 1,
      })),
    ),
    touches: [],
    orderCount: baskets.length,
    priceLevel: 10,
    categoryCounts: new Array(16).fill(0),
    meanGapDays: 30,
    ...more,
  };
}

export const aView = (id: string, hoursAgo = 1, kind: "view" | "cart_add" = "view") => ({
  product: fingerprint40(id),
  at: Math.floor(NOW / 1000) - hoursAgo * 3600,
  kind,
});

export const aRequest = (more: Partial<CandidateRequest> = {}): CandidateRequest => ({
  history: aHistory(),
  cart: [],
  exclude: new Set(),
  segment: "",
  ...more,
});

export const aPurchase = (member: string, days: number, ...products: string[]): PurchaseRecord => ({
  member,
  at: daysAgo(days),
  lines: products.map((product) => ({ product, quantity: 1 })),
});

export const learnt = (
  purchases: readonly PurchaseRecord[],
  sessions: readonly string[][] = [],
): CandidateArtifacts =>
  buildArtifacts(
    purchases,
    sessions.map((products) => ({ at: daysAgo(1), products })),
    { asOf: NOW },
  );

/** Ids proposed by one source, in order of its score. */
export function proposedBy(
  source: SourceName,
  request: CandidateRequest,
  artifacts: CandidateArtifacts,
  snapshot: CatalogSnapshot,
): string[] {
  const column = SOURCE_NAMES.indexOf(source);
  const set = generateCandidates(request, artifacts, snapshot);
  return Array.from({ length: set.count }, (_, i) => i)
    .filter((i) => (set.sources[i] & (1 << column)) !== 0)
    .sort((a, b) => scoreAt(set, b, column) - scoreAt(set, a, column))
    .map((i) => snapshot.products[set.product[i]].id);
}

const scoreAt = (set: CandidateSet, i: number, column: number): number =>
  set.sourceScore[i * SOURCE_NAMES.length + column];
