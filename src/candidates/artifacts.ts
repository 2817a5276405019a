/**
 * What the sources know beyond one member: neighbours, cadences, popularity. Built from purchases and
 * sessions before one instant, keyed by product fingerprint so that no snapshot is needed to keep
 * them. Product i of every array is the same product; products stand by falling popularity.
 */

/** Per product, its neighbours by falling weight: those of product i lie in offsets[i] … offsets[i+1]. */
export interface Neighbours {
  /** One longer than there are products. */
  readonly offsets: Uint32Array;
  /** Positions of products in the artifacts. */
  readonly neighbour: Uint32Array;
  readonly weight: Float32Array;
}

/** Sessions, the latest first: products of session i lie in offsets[i] … offsets[i+1], each once. */
export interface Walks {
  /** One longer than there are sessions. */
  readonly offsets: Uint32Array;
  /** Positions of products in the artifacts, in the order they were touched. */
  readonly product: Uint32Array;
}

export interface CandidateArtifacts {
  /** Epoch milliseconds: everything in here happened before. */
  readonly asOf: number;
  /** fingerprint40, by falling popularity. */
  readonly products: Float64Array;
  /** Orders that held the product, less returned lines, each weighted by its age; ≥ 0. */
  readonly popularity: Float32Array;
  /** The same with a half-life of days instead of months: what the season or a promotion lifts. */
  readonly recentPopularity: Float32Array;
  /** `popularity` within a segment, segment by segment, `segments.length × products.length`. */
  readonly segmentPopularity: Float32Array;
  readonly segments: readonly string[];
  /** Mean days between two purchases of the product by one member; NaN when nobody bought twice. */
  readonly cadenceDays: Float32Array;
  /** Gaps behind `cadenceDays`. */
  readonly cadenceCount: Float32Array;
  /** Share of its buyers who bought it again, shrunk towards the mean of all products. */
  readonly repeatRate: Float32Array;
  /** Bought by the same members: symmetric cosine with shrinkage, 0..1. */
  readonly coPurchase: Neighbours;
  /** Touched next in the same session: share of what followed, 0..1. */
  readonly sessions: Neighbours;
  /** For whole sessions like the one under way. */
  readonly walks: Walks;
}

export interface PurchaseLine {
  readonly product: string;
  /** Negative: returned. */
  readonly quantity: number;
}

export interface PurchaseRecord {
  /** Empty: not known who; informs popularity only. */
  readonly member: string;
  /** Epoch milliseconds. */
  readonly at: number;
  readonly order?: string;
  /** Segment of the member at that time. */
  readonly segment?: string;
  readonly lines: readonly PurchaseLine[];
}

export interface SessionRecord {
  /** Epoch milliseconds of its first touch. */
  readonly at: number;
  /** Products viewed or carted, in order. */
  readonly products: readonly string[];
}

export interface ArtifactOptions {
  /** Epoch milliseconds: records at or after it are ignored. */
  readonly asOf: number;
  readonly neighboursPerProduct?: number;
  readonly popularityHalfLifeDays?: number;
  /** Members whose baskets make neighbours and cadences: the latest active ones. */
  readonly maxMembers?: number;
  /** Sessions that make neighbours: the latest ones. */
  readonly maxSessions?: number;
  /** Sessions kept whole: the latest. Default 100,000 (about 5 MB). */
  readonly maxWalks?: number;
}

const noNeighbours = (): Neighbours => ({
  offsets: new Uint32Array(1),
  neighbour: new Uint32Array(0),
  weight: new Float32Array(0),
});

/** What sources work with before anything was learnt. */
export const emptyArtifacts = (asOf = 0): CandidateArtifacts => ({
  asOf,
  products: new Float64Array(0),
  popularity: new Float32Array(0),
  recentPopularity: new Float32Array(0),
  segmentPopularity: new Float32Array(0),
  segments: [],
  cadenceDays: new Float32Array(0),
  cadenceCount: new Float32Array(0),
  repeatRate: new Float32Array(0),
  coPurchase: noNeighbours(),
  sessions: noNeighbours(),
  walks: { offsets: new Uint32Array(1), product: new Uint32Array(0) },
});
