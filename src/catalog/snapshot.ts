/**
 * The catalog in memory: flat typed arrays by product index, immutable, one version.
 * Every process holds one and swaps to the next when the version in Redis moves.
 */
import type { Coupon, Product } from "./records.js";

export interface CatalogSnapshot {
  readonly version: number;
  readonly products: readonly Product[];
  /** Product id → index into `products` and the arrays below. */
  readonly indexOf: ReadonlyMap<string, number>;
  /** fingerprint40(id) → index: how packed member state names a product. */
  readonly indexOfFingerprint: ReadonlyMap<number, number>;
  /** Major unit; NaN when unknown. */
  readonly price: Float64Array;
  /** Money earned per unit; 30 % of the price where the record names none; 0 when neither is known. */
  readonly margin: Float64Array;
  /** Index into `categories`, −1 when unknown. */
  readonly category: Int32Array;
  readonly categories: readonly string[];
  /** 1 where the product could be suggested: active, named, priced. Stock and season are asked at `now`. */
  readonly offerable: Uint8Array;
  /** Epoch milliseconds of creation. */
  readonly createdAt: Float64Array;
  readonly coupons: readonly Coupon[];
}
