/** The ranker's word on each candidate, and what it says about money. */
import type { CandidateArtifacts } from "../candidates/artifacts.js";
import { CANDIDATE_FEATURES, candidateFeatures } from "../candidates/features.js";
import type { CandidateRequest, CandidateSet } from "../candidates/source.js";
import type { CatalogSnapshot } from "../catalog/snapshot.js";
import type { DecidingDependencies, Draft } from "./decide-for.js";
import type { Scored } from "./member-scores.js";

/** Below this much time left, in ms, the ranker is not started. */
const RANKER_MS = 3;

export interface Ranked {
  readonly margins: Float32Array;
  readonly calibration: { slope: number; intercept: number } | null;
}

/** Margins of the ranker, one a candidate; null where there is no model or no time for it. */
export async function rank(
  request: CandidateRequest,
  set: CandidateSet,
  decision: Draft,
  current: { snapshot: CatalogSnapshot; artifacts: CandidateArtifacts },
  { ranker, onModelError }: DecidingDependencies,
): Promise<Ranked | null> {
  if (set.count === 0) return null;
  const lease = ranker.lease();
  if (lease === null) {
    decision.degraded.add("untrained");
    return null;
  }
  try {
    if (decision.timeLeftMs() < RANKER_MS) {
      decision.degraded.add("budget");
      return null;
    }
    const rows = new Float32Array(set.count * CANDIDATE_FEATURES.length);
    candidateFeatures(set, request, current.artifacts, current.snapshot, rows);
    const { margins } = await lease.scorer.run(rows, set.count);
    decision.models.ranker = lease.manifest.version;
    return { margins, calibration: lease.manifest.calibration?.ranker ?? null };
  } catch (error) {
    onModelError(error);
    decision.degraded.add("model_failed");
    return null;
  } finally {
    lease.release();
  }
}

/**
 * P(buys the product within 30 days) = P(orders within 30 days) × P(the next order holds it), the
 * latter from the ranker's margin by its own calibration. Only calibrated probabilities meet money.
 */
export function propensityOf(ranked: Ranked | null, { scores }: Scored): Float64Array | null {
  if (ranked === null || ranked.calibration === null || scores.purchase === undefined) return null;
  const { slope, intercept } = ranked.calibration;
  const propensity = new Float64Array(ranked.margins.length);
  for (let i = 0; i < propensity.length; i++) {
    const margin = ranked.margins[i]!;
    propensity[i] = scores.purchase / (1 + Math.exp(-(slope * margin + intercept)));
  }
  return propensity;
}
