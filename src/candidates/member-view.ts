/** A member's lines and touches per distinct product: counted once a request, read by every source. */

import type { CatalogSnapshot } from "../catalog/snapshot.js";
import type { MemberHistory } from "../features/history.js";

/** Lines less than this apart are one basket: parts of one order arrive minutes apart. */
const BASKET_GAP_SECONDS = 3600;
/** Weight lost with each basket further back. */
const BASKET_DECAY = 0.85;
const HALF_LIFE_DAYS = 30;
export const DAY_SECONDS = 86_400;

/** All arrays run over the member's distinct products that the catalog knows, latest bought first. */
export interface MemberView {
  /** Epoch seconds. */
  readonly now: number;
  readonly count: number;
  /** Catalog indices. */
  readonly product: Int32Array;
  /** Baskets that held it. */
  readonly times: Float32Array;
  /** Baskets that held it, each weighted 0.85^(baskets since). */
  readonly basketDecayed: Float32Array;
  /** Baskets that held it, each weighted 2^(−days since / 30). */
  readonly timeDecayed: Float32Array;
  /** Baskets since the last one that held it: 0 is the latest basket. */
  readonly lastBasket: Float32Array;
  /** Epoch seconds. */
  readonly lastAt: Float64Array;
  readonly firstAt: Float64Array;
  /** Units bought the last time. */
  readonly lastQuantity: Float32Array;
  /** Baskets within the kept lines. */
  readonly baskets: number;
  readonly lines: number;
  /** Catalog indices of viewed and carted products, newest first, each once. */
  readonly touched: Int32Array;
  readonly touchedAt: Float64Array;
  /** 1: put into the cart, 0: viewed. */
  readonly touchedCart: Uint8Array;
  /** Catalog index → position above, −1 when never bought. */
  positionOf(index: number): number;
  /** Catalog index → position in `touched`, −1 when never touched. */
  touchOf(index: number): number;
}

export function viewMember(history: MemberHistory, snapshot: CatalogSnapshot): MemberView {
  const now = history.now / 1000;
  const { lines } = history;
  const capacity = lines.length;
  // One allocation: each array of its own costs as much as filling it.
  const bytes = new ArrayBuffer(capacity * 44);
  const lastAt = new Float64Array(bytes, 0, capacity);
  const firstAt = new Float64Array(bytes, 8 * capacity, capacity);
  const floats = (block: number) => new Float32Array(bytes, (16 + 4 * block) * capacity, capacity);
  const [times, basketDecayed, timeDecayed, lastBasket, lastQuantity, seenInBasket] = [
    floats(0),
    floats(1),
    floats(2),
    floats(3),
    floats(4),
    floats(5).fill(-1),
  ];
  const product = new Int32Array(bytes, 40 * capacity, capacity);
  const positions = new Map<number, number>();
  let count = 0;
  let basket = -1;
  let previousAt = Number.POSITIVE_INFINITY;
  let basketWeight = 1;
  for (let i = 0; i < capacity; i++) {
    const line = lines[i];
    if (previousAt - line.at >= BASKET_GAP_SECONDS) {
      basket++;
      if (basket > 0) basketWeight *= BASKET_DECAY;
    }
    previousAt = line.at;
    const index = snapshot.indexOfFingerprint.get(line.product);
    if (index === undefined) continue;
    let position = positions.get(index);
    if (position === undefined) {
      position = count++;
      positions.set(index, position);
      product[position] = index;
      lastBasket[position] = basket;
      lastAt[position] = line.at;
    }
    if (lastBasket[position] === basket) lastQuantity[position] += line.quantity;
    if (seenInBasket[position] === basket) continue;
    seenInBasket[position] = basket;
    times[position]++;
    basketDecayed[position] += basketWeight;
    timeDecayed[position] += 2 ** ((line.at - now) / (DAY_SECONDS * HALF_LIFE_DAYS));
    firstAt[position] = line.at;
  }
  return {
    now,
    count,
    product: product.subarray(0, count),
    times,
    basketDecayed,
    timeDecayed,
    lastBasket,
    lastAt,
    firstAt,
    lastQuantity,
    baskets: basket + 1,
    lines: capacity,
    ...viewTouches(history, snapshot),
    positionOf: (index) => positions.get(index) ?? -1,
  };
}

type TouchView = Pick<MemberView, "touched" | "touchedAt" | "touchedCart" | "touchOf">;

function viewTouches(history: MemberHistory, snapshot: CatalogSnapshot): TouchView {
  const touched: number[] = [];
  const touchedAt: number[] = [];
  const touchedCart: number[] = [];
  for (const touch of history.touches) {
    const index = snapshot.indexOfFingerprint.get(touch.product);
    if (index === undefined) continue;
    const known = touched.indexOf(index);
    if (known === -1) {
      touched.push(index);
      touchedAt.push(touch.at);
      touchedCart.push(touch.kind === "cart_add" ? 1 : 0);
    } else if (touch.kind === "cart_add") touchedCart[known] = 1;
  }
  return {
    touched: Int32Array.from(touched),
    touchedAt: Float64Array.from(touchedAt),
    touchedCart: Uint8Array.from(touchedCart),
    touchOf: (index) => touched.indexOf(index),
  };
}
