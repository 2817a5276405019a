/**
 * Training rows of the ranker, point in time: candidates generated from what was known before an
 * instant, by the code that serves, labelled by what was bought after it.
 */
import type { CandidateArtifacts } from "../candidates/artifacts.js";
import { CANDIDATE_FEATURES, candidateFeatures } from "../candidates/features.js";
import { CANDIDATE_LIMIT, generateCandidates } from "../candidates/generate.js";
import type { CandidateRequest } from "../candidates/source.js";
import type { CatalogSnapshot } from "../catalog/snapshot.js";

export interface RankerExample {
  /** Its `history.now` is the instant; the history holds only what came before. */
  readonly request: CandidateRequest;
  /** Catalog indices bought in the next order(s). */
  readonly bought: ReadonlySet<number>;
}

export interface RankerRowsOptions {
  /** Groups after which no further example is read. Default 20,000 (about 300 MB). */
  readonly maxGroups?: number;
  /** Candidates a group. Default 100. */
  readonly candidates?: number;
  /**
   * Take artifacts that reach beyond an example's instant. Only for protocols that hold baskets out
   * by their position, so that the artifacts lack them whatever the clock says.
   */
  readonly heldOutByPosition?: boolean;
  /** Keep examples none of whose purchases are candidates: for calibration. Default false. */
  readonly keepMisses?: boolean;
}

export interface RankerRows {
  /** Row-major, `rowCount × columnCount`. */
  readonly rows: Float32Array;
  readonly rowCount: number;
  readonly columnCount: number;
  /** 1: bought. */
  readonly labels: Float32Array;
  /** Size of each consecutive group. */
  readonly groups: Uint32Array;
  /** Share of bought products that were among the candidates, over all examples read. */
  readonly candidateRecall: number;
}

/**
 * One group an example; examples whose purchases are not among the candidates teach no order and are
 * left out unless asked for.
 * @throws RangeError when the artifacts know more than the example's instant allows
 */
export function rankerRows(
  examples: Iterable<RankerExample>,
  artifacts: CandidateArtifacts,
  snapshot: CatalogSnapshot,
  options: RankerRowsOptions = {},
): RankerRows {
  const limit = options.candidates ?? CANDIDATE_LIMIT;
  const maxGroups = options.maxGroups ?? 20_000;
  const columnCount = CANDIDATE_FEATURES.length;
  const rows = new FloatList();
  const labels = new FloatList();
  const groups: number[] = [];
  const out = new Float32Array(limit * columnCount);
  let bought = 0;
  let found = 0;
  for (const example of examples) {
    if (groups.length >= maxGroups) break;
    const { request } = example;
    if (!options.heldOutByPosition && artifacts.asOf > request.history.now) {
      throw new RangeError("the artifacts know what happened after the example's instant");
    }
    const set = generateCandidates(request, artifacts, snapshot, limit);
    const groupLabels = Float32Array.from(set.product, (index) =>
      example.bought.has(index) ? 1 : 0,
    );
    const hits = groupLabels.reduce((sum, label) => sum + label, 0);
    bought += example.bought.size;
    found += hits;
    if (set.count === 0) continue;
    if (options.keepMisses !== true && (hits === 0 || hits === set.count)) continue;
    rows.append(candidateFeatures(set, request, artifacts, snapshot, out));
    labels.append(groupLabels);
    groups.push(set.count);
  }
  return {
    rows: rows.toArray(),
    rowCount: labels.length,
    columnCount,
    labels: labels.toArray(),
    groups: Uint32Array.from(groups),
    candidateRecall: found / bought,
  };
}

/** Rows of several instants, each built with its own artifacts, as one training set. */
export function joinRankerRows(parts: readonly RankerRows[]): RankerRows {
  const rows = new FloatList();
  const labels = new FloatList();
  for (const part of parts) {
    rows.append(part.rows);
    labels.append(part.labels);
  }
  const recalls = parts.map((part) => part.candidateRecall).filter(Number.isFinite);
  return {
    rows: rows.toArray(),
    rowCount: labels.length,
    columnCount: CANDIDATE_FEATURES.length,
    labels: labels.toArray(),
    groups: Uint32Array.from(parts.flatMap((part) => Array.from(part.groups))),
    candidateRecall: recalls.reduce((sum, recall) => sum + recall, 0) / recalls.length,
  };
}

/** A Float32Array that doubles when it is full. */
class FloatList {
  length = 0;
  #values = new Float32Array(4096);

  append(values: Float32Array): void {
    const needed = this.length + values.length;
    if (needed > this.#values.length) {
      const larger = new Float32Array(Math.max(needed, 2 * this.#values.length));
      larger.set(this.#values.subarray(0, this.length));
      this.#values = larger;
    }
    this.#values.set(values, this.length);
    this.length = needed;
  }

  toArray(): Float32Array {
    return this.#values.slice(0, this.length);
  }
}
