/**
 * The catalog in memory: flat typed arrays by product index, immutable, one version.
 * Every process holds one and swaps to the next when the version in Redis moves.
 */
import type { PlainRecords } from "./catalog-store.js";
import type { GrowingIndex } from "./growing-index.js";
import type { Product } from "./records.js";

export interface CatalogSnapshot extends PlainRecords {
  readonly version: number;
  readonly products: readonly Product[];
  /** Product id → index into `products` and the arrays below. */
  readonly indexOf: GrowingIndex<string>;
  /** fingerprint40(id) → index: how packed member state names a product. */
  readonly indexOfFingerprint: GrowingIndex<number>;
  /** Index → fingerprint40(id). */
  readonly fingerprint: Float64Array;
  /** Major unit; NaN when unknown. */
  readonly price: Float64Array;
  /** Money earned per unit; 30 % of the price where the record names none; 0 when neither is known. */
  readonly margin: Float64Array;
  /** Index into `categories`, −1 when unknown. */
  readonly category: Int32Array;
  readonly categories: readonly string[];
  /** 1 where the product could be suggested: active, named, priced. Stock and season are asked at `now`. */
  readonly offerable: Uint8Array;
  /** Units left; Infinity where the record names no stock. */
  readonly stock: Float64Array;
  /** Epoch milliseconds, first and last instant of the season; ∓Infinity where there is none. */
  readonly seasonFrom: Float64Array;
  readonly seasonUntil: Float64Array;
  /** Epoch milliseconds: first day on sale, else when the record was made. */
  readonly launchedAt: Float64Array;
}

/** The season holds at `now` (epoch milliseconds); days are UTC, both ends included. */
export const inSeason = (snapshot: CatalogSnapshot, index: number, now: number): boolean =>
  now >= snapshot.seasonFrom[index] && now <= snapshot.seasonUntil[index];

export const inStock = (snapshot: CatalogSnapshot, index: number): boolean =>
  snapshot.stock[index] > 0;

/** Active, named, priced, in stock and in season: what any source may propose at `now`. */
export const canOffer = (snapshot: CatalogSnapshot, index: number, now: number): boolean =>
  snapshot.offerable[index] === 1 && inStock(snapshot, index) && inSeason(snapshot, index, now);
