/** Scratch of the request under way: allocated once a process, cleared by what was touched. */
import type { CatalogSnapshot } from "../catalog/snapshot.js";
import { canOffer } from "../catalog/snapshot.js";
import type { CandidateRequest, CandidateSink } from "./source.js";
import { Sums } from "./sums.js";

/** Distinct products gathered before the best `limit` are chosen. */
const CAPACITY = 1024;
/** Softens the difference between neighbouring ranks when sources are fused (Cormack et al. 2009). */
const RANK_OFFSET = 20;

/** Fused ranks closer than this are equal. */
const FUSED_STEPS = 1e6;

const UNSEEN = -1;
const REFUSED = -2;

/** Requests are answered one after another and never yield half-way, so one workspace is enough. */
export class Workspace implements CandidateSink {
  /** Neighbour weights, by position in the artifacts. */
  readonly coPurchase = new Sums(0);
  readonly sessions = new Sums(0);

  /** Catalog indices gathered, in order of arrival; `count` of them. */
  readonly product = new Int32Array(CAPACITY);
  readonly sources = new Uint32Array(CAPACITY);
  readonly fused = new Float32Array(CAPACITY);
  readonly #order = new Float64Array(CAPACITY);
  count = 0;
  #source = 0;
  #sourceWeight = 1;
  #rank = 0;
  /** Score by source, `CAPACITY × sourceCount`; says something only where the source's bit is set. */
  readonly score: Float32Array;
  readonly #sourceCount: number;

  /** Catalog index → slot, UNSEEN or REFUSED. */
  #slot = new Int32Array(0);
  #seen = new Int32Array(0);
  #seenCount = 0;
  #snapshot: CatalogSnapshot | undefined;
  #request: CandidateRequest | undefined;

  constructor(sourceCount: number) {
    this.#sourceCount = sourceCount;
    this.score = new Float32Array(CAPACITY * sourceCount);
  }

  begin(request: CandidateRequest, snapshot: CatalogSnapshot, artifactCount: number): void {
    for (let i = 0; i < this.#seenCount; i++) this.#slot[this.#seen[i]] = UNSEEN;
    if (this.#slot.length < snapshot.products.length) {
      this.#slot = new Int32Array(snapshot.products.length).fill(UNSEEN);
      this.#seen = new Int32Array(snapshot.products.length);
    }
    this.#seenCount = 0;
    this.count = 0;
    this.coPurchase.reset(artifactCount);
    this.sessions.reset(artifactCount);
    this.#snapshot = snapshot;
    this.#request = request;
    for (const index of request.exclude) this.#refuse(index);
    for (const index of request.cart) this.#refuse(index);
  }

  /** What follows comes from this source, best first. */
  beginSource(source: number, weight: number): void {
    this.#source = source;
    this.#sourceWeight = weight;
    this.#rank = 0;
  }

  add(index: number, score: number): void {
    let slot = this.#slot[index];
    if (slot === UNSEEN) slot = this.#admit(index);
    if (slot === REFUSED) return;
    const bit = 1 << this.#source;
    if ((this.sources[slot] & bit) !== 0) return;
    this.sources[slot] |= bit;
    this.score[slot * this.#sourceCount + this.#source] = score;
    this.fused[slot] += this.#sourceWeight / (RANK_OFFSET + this.#rank++);
  }

  /**
   * Slots of the `limit` best by fused rank, best first, ties in order of arrival. One number holds
   * rank and slot, because sorting plain numbers is several times faster than calling a comparator.
   */
  best(limit: number): number[] {
    const order = this.#order.subarray(0, this.count);
    for (let slot = 0; slot < this.count; slot++) {
      order[slot] = Math.round(this.fused[slot] * FUSED_STEPS) * CAPACITY + (CAPACITY - 1 - slot);
    }
    order.sort();
    const slots: number[] = [];
    for (let i = this.count - 1; i >= 0 && slots.length < limit; i--) {
      slots.push(CAPACITY - 1 - (order[i] % CAPACITY));
    }
    return slots;
  }

  #admit(index: number): number {
    const snapshot = this.#snapshot as CatalogSnapshot;
    const now = (this.#request as CandidateRequest).history.now;
    if (this.count === CAPACITY || !canOffer(snapshot, index, now)) return this.#refuse(index);
    const slot = this.count++;
    this.#seen[this.#seenCount++] = index;
    this.#slot[index] = slot;
    this.product[slot] = index;
    this.sources[slot] = 0;
    this.fused[slot] = 0;
    return slot;
  }

  #refuse(index: number): number {
    if (index < 0 || index >= this.#slot.length || this.#slot[index] !== UNSEEN) return REFUSED;
    this.#seen[this.#seenCount++] = index;
    this.#slot[index] = REFUSED;
    return REFUSED;
  }
}
