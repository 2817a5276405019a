/** One request's candidates: every source proposes, ranks are fused, the best `limit` stay. */
import type { CatalogSnapshot } from "../catalog/snapshot.js";
import type { CandidateArtifacts } from "./artifacts.js";
import { bindArtifacts } from "./bind-artifacts.js";
import { viewMember } from "./member-view.js";
import { type CandidateRequest, type CandidateSet, SOURCES, type SourceContext } from "./source.js";
import { candidateSources } from "./sources.js";
import { Workspace } from "./workspace.js";

export const CANDIDATE_LIMIT = 100;

const workspace = new Workspace(SOURCES);

/**
 * At most `limit` products that can be offered at `request.history.now`, none of them excluded or in
 * the cart, each once. The same inputs give the same candidates in the same order.
 */
export function generateCandidates(
  request: CandidateRequest,
  artifacts: CandidateArtifacts,
  snapshot: CatalogSnapshot,
  limit = CANDIDATE_LIMIT,
): CandidateSet {
  const bound = bindArtifacts(artifacts, snapshot);
  const view = viewMember(request.history, snapshot);
  const context: SourceContext = { request, view, bound, workspace };
  workspace.begin(request, snapshot, artifacts.products.length);
  candidateSources.forEach((source, i) => {
    workspace.beginSource(i, source.weight);
    source.propose(context, workspace);
  });
  return collect(context, workspace.best(limit));
}

function collect(context: SourceContext, slots: readonly number[]): CandidateSet {
  const { bound, view } = context;
  const count = slots.length;
  // One allocation: each array of its own costs as much as filling it.
  const bytes = new ArrayBuffer(4 * count * (SOURCES + 3));
  const product = new Int32Array(bytes, 0, count);
  const sources = new Uint32Array(bytes, 4 * count, count);
  const coPurchaseMax = new Float32Array(bytes, 8 * count, count);
  const sourceScore = new Float32Array(bytes, 12 * count, count * SOURCES);
  for (let i = 0; i < count; i++) {
    const slot = slots[i];
    const index = workspace.product[slot];
    product[i] = index;
    sources[i] = workspace.sources[slot];
    for (let s = 0; s < SOURCES; s++) {
      const proposed = (sources[i] & (1 << s)) !== 0;
      sourceScore[i * SOURCES + s] = proposed
        ? workspace.score[slot * SOURCES + s]
        : (candidateSources[s].scoreOf?.(context, index) ?? 0);
    }
    const artifact = bound.toArtifact[index];
    if (artifact !== -1) coPurchaseMax[i] = workspace.coPurchase.peak(artifact);
  }
  return { count, product, sources, sourceScore, coPurchaseMax, view };
}
