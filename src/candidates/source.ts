/** The contract between what proposes candidates and what gathers them. */
import type { MemberHistory } from "../features/history.js";
import type { BoundArtifacts } from "./bind-artifacts.js";
import type { MemberView } from "./member-view.js";
import type { Workspace } from "./workspace.js";

/** Position = bit in `CandidateSet.sources` and column in `sourceScore`. Append only: models name them. */
export const SOURCE_NAMES = [
  "personal_frequency",
  "replenishment",
  "co_purchase",
  "session_neighbours",
  "successors",
  "category_affinity",
  "popularity",
  "new_arrivals",
] as const;
export type SourceName = (typeof SOURCE_NAMES)[number];
export const SOURCES = SOURCE_NAMES.length;

export interface CandidateRequest {
  readonly history: MemberHistory;
  /** Catalog indices of what lies in the cart now; seeds, and never proposed again. */
  readonly cart: readonly number[];
  /** Catalog indices never proposed. */
  readonly exclude: ReadonlySet<number>;
  /** Group whose popularity counts beside everyone's, e.g. the stage; unknown ones have no weight. */
  readonly segment: string;
}

/** What one request looks like to a source. */
export interface SourceContext {
  readonly request: CandidateRequest;
  readonly view: MemberView;
  readonly bound: BoundArtifacts;
  /** Scratch of this request, e.g. neighbour sums. */
  readonly workspace: Workspace;
}

export interface CandidateSink {
  /** Takes a catalog index; ignores what cannot be offered, is excluded, or is already there. */
  add(index: number, score: number): void;
}

export interface CandidateSource {
  readonly name: SourceName;
  /** Weight of its first proposals when more are proposed than the limit takes. */
  readonly weight: number;
  /** Proposes products, best first; scores are positive and comparable within the source. */
  propose(context: SourceContext, sink: CandidateSink): void;
  /**
   * The source's score of a product some other source proposed; 0: it has nothing to say. Called
   * after `propose` in the same request. Absent: a source scores only what it proposed.
   */
  scoreOf?(context: SourceContext, index: number): number;
}

/** Up to `limit` candidates, in order of their fused rank over the sources. */
export interface CandidateSet {
  readonly count: number;
  /** Catalog indices, `count` long, each once. */
  readonly product: Int32Array;
  /** Bit mask over SOURCE_NAMES: who proposed it. */
  readonly sources: Uint32Array;
  /** Row-major, `count × SOURCES`. */
  readonly sourceScore: Float32Array;
  /** Strongest single neighbour among the member's products and the cart, 0..1. */
  readonly coPurchaseMax: Float32Array;
  /** What the request's history came to: features and reasons read it again. */
  readonly view: MemberView;
}
